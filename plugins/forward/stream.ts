/**
 * One connection to an upstream that many queries share: each is sent as soon as it is asked, and replies are taken in
 * whatever order they come (RFC 7766 section 6.2.1.1).
 *
 * @module
 */

import { ExchangeError, orTimeout } from "./failure.ts";
import type { StreamSocket } from "./sockets.ts";
import { IGNORED_MAX } from "./udp.ts";

/** The connection ended before the reply; another one may do better. */
export class ConnectionClosed extends Error {
  override readonly name = "ConnectionClosed";
}

/** A query that is to be sent, and how its reply is known. */
export interface StreamQuery<T> {
  /** Its octets under an ID. */
  encode(id: number): Uint8Array;
  /** The reply's value; undefined for what is not the reply. @throws {ExchangeError} For a malformed reply. */
  accept(octets: Uint8Array, id: number): T | undefined;
}

interface Waiting {
  accept(octets: Uint8Array): boolean;
  reject(error: unknown): void;
}

/** An open connection. */
export class StreamConnection {
  readonly #socket: StreamSocket;
  readonly #onIgnored: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #writing: Promise<void> = Promise.resolve();
  #ignored = 0;
  #received = 0;
  #closed = false;

  constructor(socket: StreamSocket, onIgnored: () => void) {
    this.#socket = socket;
    this.#onIgnored = onIgnored;
    this.#readAll();
  }

  /** Whether it can no longer be used. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Sends a query and waits for its reply.
   *
   * @throws {ConnectionClosed} When the connection ends first.
   * @throws {ExchangeError} When `signal` aborts first or the reply is malformed.
   */
  async ask<T>(query: StreamQuery<T>, signal: AbortSignal): Promise<T> {
    if (this.#closed) throw new ConnectionClosed("closed the connection");
    const id = this.#freeId(), receivedBefore = this.#received;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    promise.catch(() => {});
    this.#waiting.set(id, {
      reject,
      accept: (octets) => {
        const value = query.accept(octets, id);
        if (value !== undefined) resolve(value);
        return value !== undefined;
      },
    });
    try {
      this.#write(query.encode(id));
      return await orTimeout(promise, signal);
    } catch (error) {
      // Nothing at all was heard meanwhile: what holds for this query holds for the next ones, too.
      if (signal.aborted && this.#received === receivedBefore) this.close();
      throw error;
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Ends it; what still waits for a reply fails. */
  close(reason = "closed the connection"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    for (const { reject } of this.#waiting.values()) reject(new ConnectionClosed(reason));
  }

  /** Random, so that it tells nothing, and not under way already. */
  #freeId(): number {
    const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
    return this.#waiting.has(id) ? this.#freeId() : id;
  }

  /** Queues a message: its octets must not be mingled with another's. */
  #write(message: Uint8Array): void {
    const framed = new Uint8Array(2 + message.length);
    new DataView(framed.buffer).setUint16(0, message.length);
    framed.set(message, 2);
    this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < framed.length && !this.#closed;) {
        at += await this.#socket.write(framed.subarray(at));
      }
    }).catch((error) => this.close(reasonOf(error)));
  }

  async #readAll(): Promise<void> {
    try {
      for (;;) {
        const [high, low] = await this.#read(2);
        this.#deliver(await this.#read(high! << 8 | low!));
      }
    } catch (error) {
      this.close(reasonOf(error));
    }
  }

  #deliver(octets: Uint8Array): void {
    this.#received++;
    const waiting = octets.length < 2 ? undefined : this.#waiting.get(octets[0]! << 8 | octets[1]!);
    try {
      if (waiting?.accept(octets)) return;
    } catch (error) {
      return waiting!.reject(error);
    }
    this.#onIgnored();
    if (++this.#ignored === IGNORED_MAX) throw new Error("replied to questions that nobody asked");
  }

  async #read(length: number): Promise<Uint8Array> {
    const octets = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await this.#socket.read(octets.subarray(at));
      if (count === null) throw new Error("closed the connection");
      at += count;
    }
    return octets;
  }
}

/** A connection's end as the failure of an exchange. */
export function failureOf(error: unknown): unknown {
  return error instanceof ConnectionClosed ? new ExchangeError("network", error.message) : error;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
