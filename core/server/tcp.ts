/**
 * DNS over TCP (RFC 7766) on one address: accepts connections, and ends those that have overstayed.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import type { Log } from "../plugin.ts";
import type { Arrival, Count, Endpoint, Exchange, Serving } from "./arrival.ts";
import { Connection, type ConnectionLimits } from "./connection.ts";
import { FaultReporter } from "./fault_reporter.ts";
import { pause } from "./pause.ts";

/** What all clients together may take, and one of them. */
export interface TcpLimits extends ConnectionLimits {
  /** Connections at once. One more takes the place of the one that has been idle longest. */
  readonly connections: number;
}

/** The limits where nothing else was said. */
export const TCP_LIMITS: TcpLimits = Object.freeze({
  connections: 1000,
  idleMs: 10_000,
  messageMs: 5000,
  writeMs: 10_000,
  answerMs: 30_000,
  outstanding: 128,
  queuedOctets: 512 * 1024,
});

/** What {@linkcode serveTcp} needs. */
export interface TcpOptions {
  readonly address: Address;
  /** The interface of a link-local IPv6 address (RFC 4007 section 11). */
  readonly zone?: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly log: Log;
  readonly count?: Count;
  /** The connections to count these among, where several addresses share one limit. */
  readonly connections?: ConnectionSet;
  readonly limits?: Partial<TcpLimits>;
  /** How long close() waits for answers under way. Default 5000. */
  readonly drainMs?: number;
}

/** Listens and answers. @throws What Deno.listen throws, such as Deno.errors.AddrInUse. */
export function serveTcp(options: TcpOptions): Serving {
  const hostname = formatAddress(options.address) + (options.zone ? `%${options.zone}` : "");
  return new TcpServer(Deno.listen({ transport: "tcp", hostname, port: options.port }), options);
}

/** How often connections are looked at. */
const SWEEP_MS = 500;

/** Every connection of a server, under one limit. */
export class ConnectionSet {
  readonly limits: TcpLimits;
  readonly #clock: Clock;
  readonly #count: Count;
  readonly #connections = new Set<Connection>();
  #cancelSweep: (() => void) | undefined;

  constructor(clock: Clock, count: Count = () => {}, limits: Partial<TcpLimits> = {}) {
    this.limits = { ...TCP_LIMITS, ...limits };
    this.#clock = clock;
    this.#count = count;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Serves a connection to its end, if there is room or room can be made; or else closes it. */
  async serve(connection: Connection): Promise<void> {
    if (this.#connections.size >= this.limits.connections) {
      const victim = this.#longestIdle() ?? connection;
      this.#close(victim, "overflow");
      if (victim === connection) return;
    }
    this.#connections.add(connection);
    this.#cancelSweep ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
    await connection.serve();
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#stopSweeping();
  }

  #longestIdle(): Connection | undefined {
    let longest: Connection | undefined;
    for (const connection of this.#connections) {
      if (connection.isIdle && !(longest && longest.lastActiveMs <= connection.lastActiveMs)) {
        longest = connection;
      }
    }
    return longest;
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#connections) {
      const reason = connection.overdue(nowMs);
      if (reason) this.#close(connection, reason);
    }
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  #stopSweeping(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #close(connection: Connection, reason: string): void {
    this.#count("meridian_tcp_closed_total", { reason });
    this.#connections.delete(connection);
    connection.close();
  }
}

/** How long to leave a listener alone that failed to accept, as when file descriptors have run out. */
const PAUSE_MS = 100;

class TcpServer implements Serving {
  readonly endpoint: Endpoint;
  readonly #listener: Deno.TcpListener;
  readonly #options: TcpOptions;
  readonly #set: ConnectionSet;
  readonly #count: Count;
  readonly #faults: FaultReporter;
  readonly #own = new Set<Connection>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #accepting: Promise<void>;
  #closing = false;

  constructor(listener: Deno.TcpListener, options: TcpOptions) {
    this.endpoint = Object.freeze({ address: options.address, port: listener.addr.port });
    this.#listener = listener;
    this.#options = options;
    this.#count = options.count ?? (() => {});
    this.#set = options.connections ?? new ConnectionSet(options.clock, options.count, options.limits);
    this.#faults = new FaultReporter("tcp", options.log, this.#count);
    this.#accepting = this.#acceptAll();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#ended.resolve();
    this.#listener.close();
    const drained = Promise.all([...this.#own].map((connection) => connection.drain()));
    await pause(this.#options.clock, this.#options.drainMs ?? 5000, drained.then(() => {}));
    // The port is free when the listener's last operation has been given up.
    await this.#accepting;
    for (const connection of this.#own) connection.close();
  }

  async #acceptAll(): Promise<void> {
    while (!this.#closing) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (this.#closing) return;
        this.#faults.report("accept", error);
        await pause(this.#options.clock, PAUSE_MS, this.#ended.promise);
      }
    }
  }

  #take(socket: Deno.TcpConn): void {
    this.#count("meridian_tcp_connections_total");
    const connection = new Connection(socket, {
      arrival: arrivalOf(socket, this.endpoint),
      exchange: this.#options.exchange,
      clock: this.#options.clock,
      limits: this.#set.limits,
      count: this.#count,
      faults: this.#faults,
    });
    this.#own.add(connection);
    this.#set.serve(connection).finally(() => this.#own.delete(connection));
  }
}

function arrivalOf(socket: Deno.TcpConn, server: Endpoint): Arrival {
  const { hostname, port } = socket.remoteAddr;
  const address = parseAddress(hostname.split("%")[0]!);
  if (!address) throw new TypeError(`Cannot tell the address of the client: got "${hostname}"`);
  return Object.freeze({ source: { address, port }, server, transport: "tcp" });
}
