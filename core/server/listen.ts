/**
 * Where a server listens: UDP and TCP, one socket each, on every address that it is to serve, as addresses come and go.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { Count, Endpoint, Exchange, Serving } from "./arrival.ts";
import { type Interface, isLinkLocal, type LocalAddress, resolveHosts } from "./hosts.ts";
import { ConnectionSet, serveTcp, type TcpLimits } from "./tcp.ts";
import { serveUdp } from "./udp.ts";

export { hostAddresses, type Interface } from "./hosts.ts";

/** What {@linkcode listen} needs. */
export interface ListenOptions {
  /**
   * Addresses and names of interfaces; none = every address of the machine. `0.0.0.0` stands for every IPv4 address
   * and `::` for every address of either family. `eth0!192.0.2.1!fe80::1` leaves out what follows each `!`.
   */
  readonly hosts: readonly string[];
  /** 0 = any free one, the same for every address, UDP and TCP. */
  readonly port: number;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly log: Log;
  readonly count?: Count;
  readonly limits?: Partial<TcpLimits>;
  /** How long close() waits for answers under way. Default 5000. */
  readonly drainMs?: number;
  /** How often to look for addresses that came or went. Default 30000. */
  readonly rescanMs?: number;
  /** The addresses of the machine. */
  readonly interfaces?: () => readonly Interface[];
}

/** Open sockets. */
export interface Listening {
  readonly port: number;
  /** Where it listens just now. */
  readonly endpoints: readonly Endpoint[];
  /** Looks now for addresses that came or went. */
  rescan(): void;
  /** Takes no more queries, answers those under way, closes every socket. */
  close(): Promise<void>;
}

/** Opens every socket. @throws {Error} That says which address and port cannot be had, why, and what to do. */
export async function listen(options: ListenOptions): Promise<Listening> {
  for (let attempt = 1;; attempt++) {
    const listener = new Listener(options);
    try {
      listener.open();
      return listener;
    } catch (error) {
      await listener.close();
      // A port that was free for the first socket need not be for the others.
      const isPortTaken = error instanceof ListenError && error.cause instanceof Deno.errors.AddrInUse;
      if (options.port !== 0 || !isPortTaken || attempt === 20) throw error;
    }
  }
}

/** A socket that cannot be had; `cause` is what the runtime threw. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

class Listener implements Listening {
  port: number;
  readonly #options: ListenOptions;
  readonly #connections: ConnectionSet;
  readonly #servings = new Map<string, Serving[]>();
  /** What could not be opened and was told. */
  #told = new Set<string>();
  #closing = false;
  #cancelRescan: () => void = () => {};

  constructor(options: ListenOptions) {
    this.port = options.port;
    this.#options = options;
    this.#connections = new ConnectionSet(options.clock, options.count, options.limits);
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#servings.values()].map(([serving]) => serving!.endpoint);
  }

  /** Opens what there is. @throws {ListenError} When a port is taken or not permitted, or nothing could be opened. */
  open(): void {
    const { addresses, unknown } = this.#resolve();
    let failure: ListenError | undefined;
    for (const [text, address] of addresses) {
      const error = this.#openAddress(text, address);
      if (!error) continue;
      if (!isPassing(error.cause)) throw error;
      failure = error;
      this.#tell(text, address, error.message);
    }
    for (const name of unknown) this.#tell(name, undefined, unknownMessage(name));
    if (this.#servings.size === 0) throw failure ?? new ListenError(nothingMessage(this.#options.hosts));
    this.#rescanLater();
  }

  rescan(): void {
    if (this.#closing) return;
    const { addresses, unknown } = this.#resolve();
    for (const [text, servings] of this.#servings) {
      if (!addresses.has(text)) this.#closeAddress(text, servings);
    }
    const failing = new Set(unknown);
    for (const [text, address] of addresses) {
      if (this.#servings.has(text)) continue;
      const error = this.#openAddress(text, address);
      if (error) failing.add(text);
      if (error) this.#tell(text, address, error.message);
      else this.#options.log.info(`listening on ${text} port ${this.port}`);
    }
    this.#told = new Set([...this.#told].filter((text) => failing.has(text)));
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelRescan();
    await Promise.all([...this.#servings.values()].flat().map((serving) => serving.close()));
    this.#servings.clear();
  }

  #resolve(): ReturnType<typeof resolveHosts> {
    const interfaces = this.#options.interfaces ?? (() => Deno.networkInterfaces());
    return resolveHosts(this.#options.hosts, interfaces);
  }

  #rescanLater(): void {
    this.#cancelRescan = this.#options.clock.after(this.#options.rescanMs ?? 30_000, () => {
      try {
        this.rescan();
      } catch (error) {
        this.#options.log.warn(`cannot look for addresses that came or went: ${messageOf(error)}`);
      }
      if (!this.#closing) this.#rescanLater();
    });
  }

  /** Opens both sockets of an address, or neither. */
  #openAddress(text: string, local: LocalAddress): ListenError | undefined {
    const { exchange, clock, log, count, drainMs } = this.#options;
    const options = {
      ...local,
      exchange,
      clock,
      log,
      ...(count && { count }),
      ...(drainMs !== undefined && { drainMs }),
    };
    const opened: Serving[] = [];
    let transport = "udp";
    try {
      opened.push(serveUdp({ ...options, port: this.port }));
      const { port } = opened[0]!.endpoint;
      transport = "tcp";
      opened.push(serveTcp({ ...options, port, connections: this.#connections }));
      this.port = port;
      this.#servings.set(text, opened);
      return undefined;
    } catch (cause) {
      for (const serving of opened) serving.close();
      return new ListenError(listenMessage(text, this.port, transport, cause), { cause });
    }
  }

  #closeAddress(text: string, servings: readonly Serving[]): void {
    this.#servings.delete(text);
    this.#options.log.info(`no longer listening on ${text} port ${this.port}: the address has gone`);
    for (const serving of servings) serving.close();
  }

  /** Warns once, until it is mended; not of link-local addresses, which few mean when they say "every address". */
  #tell(text: string, local: LocalAddress | undefined, message: string): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    if (local && isLinkLocal(local.address)) this.#options.log.debug(message);
    else this.#options.log.warn(`${message}; tried again every 30 s`);
  }
}

/** Whether waiting may help: the address is tentative (RFC 4862 section 5.4), has gone, or has no interface yet. */
function isPassing(cause: unknown): boolean {
  return !(cause instanceof Deno.errors.AddrInUse || cause instanceof Deno.errors.PermissionDenied ||
    cause instanceof Deno.errors.NotCapable);
}

function listenMessage(text: string, port: number, transport: string, cause: unknown): string {
  return `Cannot listen on ${text} port ${port} (${transport}): ${reasonOf(cause, transport, port)}`;
}

function reasonOf(cause: unknown, transport: string, port: number): string {
  if (cause instanceof Deno.errors.AddrInUse) {
    const find = `ss -ln${transport[0]}p 'sport = :${port}'`;
    return `another program has it; stop that one (\`${find}\` shows it), or choose another port, as with -dns.port 1053`;
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return "not permitted; ports below 1024 take root or CAP_NET_BIND_SERVICE, other ports do not: try -dns.port 1053";
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) return "no interface has this address, or not yet";
  return messageOf(cause);
}

function unknownMessage(name: string): string {
  return `Cannot listen on ${name}: it is no address, and no interface of that name has one`;
}

function nothingMessage(hosts: readonly string[]): string {
  return hosts.length === 0
    ? "Cannot listen: the machine has no address"
    : `Cannot listen on ${hosts.join(", ")}: no address of this machine is meant by it`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
