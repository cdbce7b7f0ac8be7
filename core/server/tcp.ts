/**
 * DNS over TCP (RFC 7766) on one address: accepts connections and hands them to the set that they are limited by.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import type { Log } from "../plugin.ts";
import type { Arrival, Count, Endpoint, Exchange, Serving } from "./arrival.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { ConnectionSet, type TcpLimits } from "./connection_set.ts";
import { FaultReporter } from "./fault_reporter.ts";
import { pause } from "./pause.ts";

export { ConnectionSet, TCP_LIMITS, type TcpLimits, tcpLimitsOf } from "./connection_set.ts";

/** What {@linkcode serveTcp} needs. */
export interface TcpOptions {
  readonly address: Address;
  /** The interface of a link-local IPv6 address (RFC 4007 section 11). */
  readonly zone?: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly exchange: Exchange;
  /** What answers usual messages in its stead. */
  readonly atOnce?: ConnectionOptions["atOnce"];
  readonly clock: Clock;
  readonly log: Log;
  readonly count?: Count;
  /** The connections to count these among, where several addresses share one limit. */
  readonly connections?: ConnectionSet;
  readonly limits?: Partial<TcpLimits>;
  /** How long close() waits for answers under way. Default 5000. */
  readonly drainMs?: number;
  /** Takes the port although another socket has it that lets it be shared: the kernel gives each some connections. */
  readonly takesOver?: boolean;
}

/** Listens and answers. @throws What Deno.listen throws, such as Deno.errors.AddrInUse. */
export function serveTcp(options: TcpOptions): Serving {
  const hostname = formatAddress(options.address) + (options.zone ? `%${options.zone}` : "");
  const { port, takesOver } = options;
  const listener = Deno.listen({ transport: "tcp", hostname, port, ...takesOver && { reusePort: true } });
  return new TcpServer(listener, options);
}

/** How long to leave a listener alone that failed to accept, as when file descriptors have run out. */
const PAUSE_MS = 100;

/** A listener is empty when so many looks in a row, so far apart, found nothing new: a handshake takes a round trip or two. */
const QUIET_LOOKS = 10, QUIET_LOOK_MS = 100;

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
  #accepted = 0;
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
    this.#stopAccepting();
    await this.#drain();
  }

  async retire(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.nowMs() + withinMs;
    for (let quiet = 0; quiet < QUIET_LOOKS && clock.nowMs() < untilMs && !this.#closing; quiet++) {
      const before = this.#accepted;
      // Between two looks the event loop asks the kernel at least once, also after the process stood still.
      await pause(clock, QUIET_LOOK_MS, this.#ended.promise);
      if (this.#accepted !== before) quiet = -1;
    }
    if (this.#closing) return;
    this.#stopAccepting();
    const gone = Promise.withResolvers<void>();
    while (this.#own.size > 0 && clock.nowMs() < untilMs) await pause(clock, PAUSE_MS, gone.promise);
    await this.#drain();
  }

  #stopAccepting(): void {
    this.#closing = true;
    this.#ended.resolve();
    this.#listener.close();
  }

  async #drain(): Promise<void> {
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
        this.#accepted++;
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
      ...this.#options.atOnce && { atOnce: this.#options.atOnce },
      clock: this.#options.clock,
      limits: this.#set.limits,
      idleMs: () => this.#set.idleMs,
      hold: this.#set.hold,
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
