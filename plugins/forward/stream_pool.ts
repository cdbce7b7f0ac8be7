/**
 * The connections to one upstream: opened when needed, shared while open, kept for a while when idle.
 *
 * @module
 */

import type { Clock } from "../../core/plugin.ts";
import { guarded, orTimeout } from "./failure.ts";
import { Patience } from "./patience.ts";
import type { StreamSocket } from "./sockets.ts";
import { ConnectionClosed, failureOf, StreamConnection, type StreamQuery } from "./stream.ts";

/** How connections are kept. */
export interface KeepOptions {
  /** How long one may be idle. */
  readonly idleMs: number;
  /** For how long after it was opened one is used; 0 = for ever. */
  readonly ageMaxMs: number;
  /** How many idle ones are kept; 0 = any number. */
  readonly idleMax: number;
}

/** What a pool works with. */
export interface PoolOptions {
  readonly clock: Clock;
  readonly keep: KeepOptions;
  dial(signal: AbortSignal): Promise<StreamSocket>;
  /** A query found an open connection, or needed a new one. */
  onTaken(how: "hit" | "miss"): void;
  /** A message came that nobody waited for. */
  onIgnored(): void;
}

/** How many queries share a connection before another one is opened: a server that answers in order must not hold up all. */
const PIPELINED_MAX = 32;

const DIAL_TIMEOUT_MS = 5000;

/** One connection, open or about to be. */
interface Slot {
  readonly opened: Promise<StreamConnection>;
  readonly bornMs: number;
  connection?: StreamConnection;
  /** Queries that use it. */
  load: number;
  /** Ends the wait for the end of its idleness. */
  cancelIdle(): void;
}

/** See the module. */
export class StreamPool {
  readonly #options: PoolOptions;
  readonly #slots = new Set<Slot>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Sends a query over a connection and waits for its reply. One that was open already may have been closed by the
   * other side just now: then once more, over a new one.
   *
   * @throws {ExchangeError} When `signal` aborts first, no connection can be had, or it ends before the reply.
   */
  async exchange<T>(query: StreamQuery<T>, signal: AbortSignal): Promise<T> {
    return await guarded(signal, async () => {
      const found = this.#find();
      this.#options.onTaken(found?.connection ? "hit" : "miss");
      try {
        if (found) return await this.#use(found, query, signal);
      } catch (error) {
        if (!(error instanceof ConnectionClosed)) throw error;
      }
      if (found?.connection) this.#options.onTaken("miss");
      return await this.#use(this.#open(), query, signal).catch((error) => {
        throw failureOf(error);
      });
    });
  }

  /** Ends every connection that is idle, and each other one when its last query has ended. */
  close(): void {
    this.#closed = true;
    for (const slot of this.#slots) if (slot.load === 0) this.#discard(slot);
  }

  async #use<T>(slot: Slot, query: StreamQuery<T>, signal: AbortSignal): Promise<T> {
    slot.cancelIdle();
    slot.load++;
    try {
      const connection = await orTimeout(slot.opened, signal);
      return await connection.ask(query, signal);
    } finally {
      slot.load--;
      if (slot.load === 0) this.#rest(slot);
    }
  }

  /** One with room; of these, the first that was opened, so that the others come to rest. */
  #find(): Slot | undefined {
    const { clock, keep: { ageMaxMs } } = this.#options;
    for (const slot of this.#slots) {
      const isOld = ageMaxMs > 0 && clock.nowMs() - slot.bornMs >= ageMaxMs;
      if (slot.load < PIPELINED_MAX && !isOld && !slot.connection?.isClosed) return slot;
    }
    return undefined;
  }

  #open(): Slot {
    const opened = this.#connect();
    const slot: Slot = { opened, bornMs: this.#options.clock.nowMs(), load: 0, cancelIdle: () => {} };
    opened.then((connection) => slot.connection = connection, () => this.#slots.delete(slot));
    this.#slots.add(slot);
    return slot;
  }

  /** Several queries may wait for it: its time is not that of the one that came first. */
  async #connect(): Promise<StreamConnection> {
    const { clock, dial, onIgnored } = this.#options;
    using patience = new Patience(clock, DIAL_TIMEOUT_MS);
    const { signal } = patience;
    const socket = await guarded(signal, () => dial(signal));
    return new StreamConnection(socket, onIgnored);
  }

  /** Nobody uses it just now: it is kept if it may be, and not for long. */
  #rest(slot: Slot): void {
    const { clock, keep: { idleMs, idleMax } } = this.#options;
    const idle = [...this.#slots].filter(({ load }) => load === 0).length;
    const isSpare = idleMax > 0 && idle > idleMax;
    if (this.#closed || isSpare || !this.#slots.has(slot) || slot.connection?.isClosed) {
      return this.#discard(slot);
    }
    slot.cancelIdle = clock.after(idleMs, () => this.#discard(slot));
  }

  #discard(slot: Slot): void {
    slot.cancelIdle();
    this.#slots.delete(slot);
    slot.opened.then((connection) => connection.close(), () => {});
  }
}
