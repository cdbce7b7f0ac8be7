/**
 * The ports from which an upstream is asked over UDP. Knows nothing of what a message says.
 *
 * To open a socket takes longer than to ask and to hear. So a socket takes several questions, of which each has an ID of its
 * own: but few, not for long, and which socket a question gets is drawn anew each time. README.md, "Ports", says what that is
 * worth to a forger.
 *
 * @module
 */

import { type Clock, formatAddress, parseAddress, sameAddress } from "../../core/plugin.ts";
import { ExchangeError, timedOut } from "./failure.ts";
import type { Patience } from "./patience.ts";
import { randomId } from "./question.ts";
import type { Sockets } from "./sockets.ts";
import type { Upstream } from "./upstream.ts";

/** Messages other than the reply after which somebody is probably forging. */
export const IGNORED_MAX = 64;

/** How many sockets an upstream is asked from at a time, a power of two; how many questions one takes, and for how long. */
export const PORTS = 64, QUESTIONS_MAX = 64, PORT_MS_MAX = 2000;

/** More than we say that we take: what is longer is asked for over a stream. */
const REPLY_OCTETS_MAX = 4096;

/** A query that is to be sent, and how its reply is known. */
export interface UdpQuery<T> {
  /** Its octets under an ID. */
  encode(id: number): Uint8Array;
  /** The reply's value; undefined for what is not the reply. @throws {ExchangeError} For a malformed reply. */
  accept(octets: Uint8Array, id: number): T | undefined;
}

/** What ports are opened with. */
export interface UdpOptions {
  readonly clock: Clock;
  readonly sockets: Sockets;
  /** The address of ours to send from; the system chooses where it is absent. */
  readonly sourceAddress?: string;
  /** Hears of each datagram that was not the reply. */
  onIgnored(): void;
}

/** See the module. */
export class UdpPorts {
  readonly #upstream: Upstream;
  readonly #options: UdpOptions;
  readonly #ports: (Port | undefined)[] = new Array(PORTS).fill(undefined);

  constructor(upstream: Upstream, options: UdpOptions) {
    this.#upstream = upstream;
    this.#options = options;
  }

  /**
   * Sends a datagram and waits for its reply. Only datagrams from the upstream's own address and port reach `accept`.
   *
   * @returns Undefined after {@linkcode IGNORED_MAX} other datagrams.
   * @throws {ExchangeError} When `patience` ends first or the system refuses.
   */
  async exchange<T>(query: UdpQuery<T>, patience: Patience): Promise<T | undefined> {
    if (patience.isOver) throw timedOut();
    const place = randomId() & PORTS - 1;
    let port = this.#ports[place];
    if (!port || port.isSpent) {
      try {
        port = this.#ports[place] = new Port(this.#upstream, this.#options);
      } catch (error) {
        throw refused(error);
      }
    }
    return await port.ask(query, patience);
  }

  /** Closes what nobody waits at, and everything else as soon as nobody does. */
  close(): void {
    for (const port of this.#ports) port?.retire();
    this.#ports.fill(undefined);
  }
}

/** A question under way. */
interface Waiting {
  /** Whether these octets are what it waits for: then it waits no longer. */
  hear(octets: Uint8Array): boolean;
  end(error: ExchangeError | undefined): void;
  /** What its port had ignored before. */
  readonly ignoredBefore: number;
}

/** One socket, with a port that the system picks at random, and what is asked from there. */
class Port {
  /** Whether it takes no more questions. */
  isSpent = false;
  readonly #upstream: Upstream;
  readonly #options: UdpOptions;
  readonly #to: { transport: "udp"; hostname: string; port: number };
  readonly #socket: Deno.DatagramConn;
  readonly #waiting = new Map<number, Waiting>();
  readonly #cancelAge: () => void;
  #questions = 0;
  #ignored = 0;
  #isClosed = false;

  constructor(upstream: Upstream, options: UdpOptions) {
    this.#upstream = upstream;
    this.#options = options;
    const { address, port } = upstream, { clock, sockets, sourceAddress } = options;
    this.#to = { transport: "udp", hostname: formatAddress(address), port };
    const hostname = sourceAddress ?? (address.family === 4 ? "0.0.0.0" : "::");
    this.#socket = sockets.listenDatagram({ transport: "udp", hostname, port: 0 });
    this.#cancelAge = clock.after(PORT_MS_MAX, () => this.retire());
    this.#receiveAll();
  }

  ask<T>(query: UdpQuery<T>, patience: Patience): Promise<T | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const id = this.#freeId();
    const end = (error: ExchangeError | undefined, value?: T) => {
      patience.onOver = undefined;
      this.#waiting.delete(id);
      if (error) reject(error);
      else resolve(value);
      if (this.isSpent) this.retire();
    };
    const hear = (octets: Uint8Array) => {
      const value = query.accept(octets, id);
      if (value !== undefined) end(undefined, value);
      return value !== undefined;
    };
    this.#waiting.set(id, { hear, end, ignoredBefore: this.#ignored });
    if (++this.#questions >= QUESTIONS_MAX) this.isSpent = true;
    patience.onOver = () => {
      // What comes yet, true or forged, finds nobody.
      this.isSpent = true;
      end(timedOut());
    };
    this.#socket.send(query.encode(id), this.#to).catch((error) => {
      if (this.#waiting.has(id)) end(refused(error));
    });
    return promise;
  }

  /** Takes no more questions, and is closed when all that were asked have ended. */
  retire(): void {
    this.isSpent = true;
    if (this.#waiting.size > 0 || this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelAge();
    this.#socket.close();
  }

  /** One that no question under way has from here. */
  #freeId(): number {
    let id = randomId();
    while (this.#waiting.has(id)) id = randomId();
    return id;
  }

  async #receiveAll(): Promise<void> {
    const room = new Uint8Array(REPLY_OCTETS_MAX);
    try {
      for (;;) {
        const [octets, from] = await this.#socket.receive(room);
        this.#hear(octets, from as Deno.NetAddr);
      }
    } catch (error) {
      this.isSpent = true;
      for (const waiting of [...this.#waiting.values()]) waiting.end(refused(error));
      this.retire();
    }
  }

  #hear(received: Uint8Array, from: Deno.NetAddr): void {
    const waiting = received.length >= 12 && this.#cameFrom(from)
      ? this.#waiting.get(received[0]! << 8 | received[1]!)
      : undefined;
    // The room is for the next one.
    const octets = waiting && received.slice();
    // What fills the room may have been longer.
    if (octets && octets.length === REPLY_OCTETS_MAX) octets[2]! |= 0x02;
    try {
      if (!waiting?.hear(octets!)) this.#ignore();
    } catch (error) {
      waiting!.end(refused(error));
    }
  }

  /** Somebody forges, or is late: from now on nothing is asked from here, where he might know of. */
  #ignore(): void {
    this.#ignored++;
    this.#options.onIgnored();
    for (const waiting of [...this.#waiting.values()]) {
      if (this.#ignored - waiting.ignoredBefore >= IGNORED_MAX) waiting.end(undefined);
    }
    this.retire();
  }

  #cameFrom({ hostname, port }: Deno.NetAddr): boolean {
    if (port !== this.#upstream.port) return false;
    if (hostname === this.#to.hostname) return true;
    const source = parseAddress(hostname);
    return source !== undefined && sameAddress(source, this.#upstream.address);
  }
}

function refused(error: unknown): ExchangeError {
  if (error instanceof ExchangeError) return error;
  return new ExchangeError("network", error instanceof Error ? error.message : String(error));
}
