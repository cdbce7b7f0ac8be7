/**
 * Where a server listens: UDP and TCP, one socket each, on every address that it is to serve, as addresses come and go.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { Count, Endpoint, Exchange, Serving } from "./arrival.ts";
import type { DataWorkers } from "./data_plane/data_workers.ts";
import { serveUdpByWorkers, type SocketGroup } from "./data_plane/socket_group.ts";
import type { AtOnce } from "./at_once.ts";
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
  /** What answers usual messages of streams in its stead. */
  readonly atOnce?: (() => AtOnce) | undefined;
  /** Who reads UDP; without them it is read here, by the runtime's own sockets. */
  readonly workers?: DataWorkers;
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
  /** Takes ports although another process has them that lets them be shared. */
  readonly takesOver?: boolean;
}

/** Open sockets. */
export interface Listening {
  readonly port: number;
  /** Where it listens just now. */
  readonly endpoints: readonly Endpoint[];
  /** Whether some sockets were opened for data workers to read. */
  readonly isForWorkers: boolean;
  /** How many datagrams the kernel has dropped for want of room since this was asked before, as far as it can be known. */
  takeDropped(): number;
  /** Looks now for addresses that came or went. */
  rescan(): void;
  /** Takes no more queries, answers those under way, closes every socket. */
  close(): Promise<void>;
  /** Closes every socket as one does whose port somebody else has from now on. */
  retire(withinMs: number): Promise<void>;
  /**
   * Opens what it takes to listen on other hosts as well; those sockets answer by `by` at once, and the others as before,
   * until it is committed. @throws {ListenError} When something cannot be had; it has been undone.
   */
  prepare(hosts: readonly string[], by: AnsweredBy, limits?: Partial<TcpLimits>): Promise<Prepared>;
}

/** Who answers what comes. */
export type AnsweredBy = Pick<ListenOptions, "exchange" | "workers" | "atOnce">;

/** Sockets that are open, and a change that is yet to come. */
export interface Prepared {
  /**
   * Has every socket answer as is new; resolves when none answers as before any more. What is not wanted any more is
   * closed, once it has answered, by the function that comes back. Never rejects.
   */
  commit(): Promise<() => Promise<void>>;
  /** Closes what was opened for it. */
  abort(): Promise<void>;
}

/** Opens every socket. @throws {Error} That says which address and port cannot be had, why, and what to do. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const told = new Set<string>();
  for (let attempt = 1;; attempt++) {
    const listener = new Listener(options, told);
    try {
      await listener.open();
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

/** How long sockets that are not wanted any more may take to answer what has come. */
const RETIRE_MS = 5000;

/** What serves an address, first UDP, and the exchange that it asks. */
interface Open {
  readonly servings: readonly Serving[];
  /** UDP once more, where workers read it. */
  readonly group?: SocketGroup;
  exchange: Exchange;
  atOnce: AnsweredBy["atOnce"];
}

class Listener implements Listening {
  port: number;
  readonly #options: Omit<ListenOptions, "hosts" | "exchange" | "workers" | "atOnce">;
  readonly #connections: ConnectionSet;
  readonly #open = new Map<string, Open>();
  #hosts: readonly string[];
  #by: AnsweredBy;
  #takesOver: boolean;
  /** What could not be opened and was told. */
  #told: Set<string>;
  #closing = false;
  #cancelRescan: () => void = () => {};

  constructor({ hosts, exchange, workers, atOnce, ...options }: ListenOptions, told: Set<string>) {
    this.port = options.port;
    // Without who answers first: behind it is a whole server, which is to go when another one has the sockets.
    this.#options = options;
    this.#hosts = hosts;
    this.#by = { exchange, atOnce, ...workers && { workers } };
    this.#takesOver = options.takesOver ?? false;
    this.#told = told;
    this.#connections = new ConnectionSet(options.clock, options.count, options.limits);
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#open.values()].map(({ servings: [serving] }) => serving!.endpoint);
  }

  /** Opens what there is. @throws {ListenError} When a port is taken or not permitted, or nothing could be opened. */
  async open(): Promise<void> {
    await (await this.prepare(this.#hosts, this.#by)).commit();
    // An address that comes later is nobody's to take over.
    this.#takesOver = false;
    this.#rescanLater();
  }

  get isForWorkers(): boolean {
    return [...this.#open.values()].some(({ group }) => group !== undefined);
  }

  takeDropped(): number {
    return [...this.#open.values()].reduce((sum, { group }) => sum + (group?.takeDropped() ?? 0), 0);
  }

  async prepare(hosts: readonly string[], by: AnsweredBy, limits = this.#options.limits): Promise<Prepared> {
    const { addresses, unknown } = this.#resolve(hosts);
    const opened = new Map<string, Open>();
    const abort = async () => {
      await Promise.all([...opened.values()].flatMap(({ servings }) => servings.map((one) => one.close())));
    };
    try {
      this.#openMissing(addresses, by, opened);
    } catch (error) {
      await abort();
      throw error;
    }
    for (const name of unknown) this.#tell(name, undefined, unknownMessage(name));
    return { abort, commit: () => this.#commit(hosts, addresses, by, limits, opened) };
  }

  async #commit(
    hosts: readonly string[],
    addresses: ReadonlyMap<string, LocalAddress>,
    by: AnsweredBy,
    limits: Partial<TcpLimits> | undefined,
    opened: ReadonlyMap<string, Open>,
  ): Promise<() => Promise<void>> {
    const gone = [...this.#open].filter(([text]) => !addresses.has(text));
    for (const [text] of gone) this.#open.delete(text);
    const moved = Array.from(this.#open.values(), (open) => {
      open.exchange = by.exchange;
      open.atOnce = by.atOnce;
      return by.workers && open.group?.answerBy(by.workers);
    });
    for (const [text, open] of opened) this.#open.set(text, open);
    [this.#hosts, this.#by] = [hosts, by];
    this.#connections.setLimits(limits ?? {});
    await Promise.all(moved);
    return async () => {
      await Promise.all(gone.flatMap(([, { servings }]) => servings.map((one) => one.retire(RETIRE_MS))));
    };
  }

  /** @throws {ListenError} As {@linkcode open} does. */
  #openMissing(
    addresses: ReadonlyMap<string, LocalAddress>,
    by: AnsweredBy,
    opened: Map<string, Open>,
  ): void {
    let failure: ListenError | undefined;
    for (const [text, address] of addresses) {
      if (this.#open.has(text)) continue;
      const open = this.#openAddress(text, address, by);
      if (!(open instanceof ListenError)) opened.set(text, open);
      else if (!isPassing(open.cause)) throw open;
      else this.#tell(text, address, (failure = open).message);
    }
    const isKept = [...addresses.keys()].some((text) => this.#open.has(text));
    if (!isKept && opened.size === 0) throw failure ?? new ListenError(nothingMessage(this.#hosts));
  }

  rescan(): void {
    if (this.#closing) return;
    const { addresses, unknown } = this.#resolve(this.#hosts);
    for (const [text, open] of this.#open) {
      if (!addresses.has(text)) this.#closeAddress(text, open);
    }
    const failing = new Set(unknown);
    for (const [text, address] of addresses) {
      if (this.#open.has(text)) continue;
      const open = this.#openAddress(text, address, this.#by);
      if (open instanceof ListenError) {
        failing.add(text);
        this.#tell(text, address, open.message);
      } else {
        this.#open.set(text, open);
        this.#options.log.info(`listening on ${text} port ${this.port}`);
      }
    }
    this.#told = new Set([...this.#told].filter((text) => failing.has(text)));
  }

  close(): Promise<void> {
    return this.#end((serving) => serving.close());
  }

  retire(withinMs: number): Promise<void> {
    return this.#end((serving) => serving.retire(withinMs));
  }

  async #end(close: (serving: Serving) => Promise<void>): Promise<void> {
    this.#closing = true;
    this.#cancelRescan();
    await Promise.all([...this.#open.values()].flatMap(({ servings }) => servings.map(close)));
    this.#open.clear();
  }

  #resolve(hosts: readonly string[]): ReturnType<typeof resolveHosts> {
    const interfaces = this.#options.interfaces ?? (() => Deno.networkInterfaces());
    return resolveHosts(hosts, interfaces);
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

  /** Opens all sockets of an address, or none. */
  #openAddress(text: string, local: LocalAddress, by: AnsweredBy): Open | ListenError {
    const { exchange, workers, atOnce } = by;
    const { clock, log, count, drainMs } = this.#options;
    const servings: Serving[] = [];
    const open: { -readonly [key in keyof Open]: Open[key] } = { servings, exchange, atOnce };
    const options = {
      ...local,
      exchange: ((octets, arrival) => open.exchange(octets, arrival)) satisfies Exchange,
      clock,
      log,
      takesOver: this.#takesOver,
      ...(count && { count }),
      ...(drainMs !== undefined && { drainMs }),
    };
    let transport = "udp";
    try {
      if (workers) servings.push(open.group = serveUdpByWorkers({ ...options, workers, port: this.port }));
      else servings.push(serveUdp({ ...options, port: this.port }));
      const { port } = servings[0]!.endpoint;
      transport = "tcp";
      servings.push(serveTcp({
        ...{ ...options, port, connections: this.#connections },
        atOnce: () => open.atOnce?.(),
      }));
      this.port = port;
      return open;
    } catch (cause) {
      for (const serving of servings) serving.close();
      return new ListenError(listenMessage(text, this.port, transport, cause), { cause });
    }
  }

  #closeAddress(text: string, { servings }: Open): void {
    this.#open.delete(text);
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
    return `another program has it; stop that one (\`${find}\` shows it), or choose another port: in the key, or by -dns.port for keys that name none`;
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
