/**
 * Sends frames to who collects them, and never lets anyone wait: what the collector does not take in time waits in a queue,
 * and what finds no room there is dropped and counted.
 *
 * @module
 */

import { afterTurns, type Clock, type Log } from "../../core/plugin.ts";
import { CONTENT_TYPE, CONTROL, encodeControl, readControl } from "./frames.ts";

/** A connection, as Deno's. */
export interface Connection {
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  close(): void;
}

/** What a sender works with. */
export interface SenderOptions {
  /** Where it sends to, for the log. */
  readonly to: string;
  connect(): Promise<Connection>;
  readonly clock: Clock;
  readonly log: Pick<Log, "info" | "warn">;
  /** Hears how many frames were sent, and how many were lost. */
  onSent(count: number): void;
  onDropped(count: number): void;
}

/** Messages that wait at most, and their octets: a whole one may have 64 KiB. */
const QUEUE_MAX = 10_000, QUEUE_OCTETS_MAX = 16 * 2 ** 20;

/** Octets that go out in one write at most, if one frame alone is not longer. */
const BATCH_OCTETS = 65_536;

/** Between two attempts to connect: the first wait, doubled each time, and the longest. */
const RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 30_000;

/** What a handshake, and what everything at the end, may take. */
const PATIENCE_MS = 5000, FAREWELL_MS = 1000;

/** Connects when there is something to send for the first time. */
export class Sender {
  readonly #options: SenderOptions;
  #queue: Uint8Array[] = [];
  #queuedOctets = 0;
  #running: Promise<void> | undefined;
  /** Wakes who waits for frames, or for the time to try again. */
  #wake = () => {};
  /** Ends the connection that there is. */
  #hangUp = () => {};
  /** Whether no more frames are taken. */
  #closed = false;
  /** Whether the time to send those taken has passed, too. */
  #isOver = false;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Whether one more would be dropped. */
  get isFull(): boolean {
    return this.#queue.length >= QUEUE_MAX || this.#queuedOctets >= QUEUE_OCTETS_MAX;
  }

  /** Puts a frame in the queue. */
  send(frame: Uint8Array): void {
    if (this.isFull || this.#closed) return this.#options.onDropped(1);
    this.#queue.push(frame);
    this.#queuedOctets += frame.length;
    if (!this.#running) this.#running = this.#run();
    else if (this.#queue.length === 1) this.#wake();
  }

  /** Sends what waits, if the collector takes it within a second, and says goodbye. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    const late = Promise.withResolvers<void>();
    const cancel = afterTurns(this.#options.clock, FAREWELL_MS, () => {
      this.#isOver = true;
      this.#hangUp();
      late.resolve();
    });
    await Promise.race([this.#running, late.promise]);
    cancel();
    this.#drop(this.#queue.splice(0).length);
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_FIRST_MS, isTold = false;
    while (!this.#closed) {
      const { to, log } = this.#options;
      try {
        await this.#serve(() => {
          if (isTold) log.info(`dnstap: connected to ${to}`);
          retryMs = RETRY_FIRST_MS;
          isTold = false;
        });
      } catch (error) {
        if (!isTold && !this.#closed) log.warn(`dnstap: cannot send to ${to}, trying on: ${reasonOf(error)}`);
        isTold = true;
      }
      if (this.#closed) return;
      await this.#pause(retryMs);
      retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
    }
  }

  /** One connection, from its handshake to its end. */
  async #serve(connected: () => void): Promise<void> {
    const connection = await this.#options.connect();
    this.#hangUp = () => connection.close();
    try {
      if (this.#isOver) return;
      await this.#within(PATIENCE_MS, greet(connection));
      connected();
      // Nothing comes before FINISH: what does, be it the end, shows that the collector has gone.
      let hasGone = false;
      const answer = readControl(connection).finally(() => {
        hasGone = true;
        this.#wake();
      });
      answer.catch(() => {});
      while (!this.#closed && !hasGone) {
        await this.#sendAll(connection);
        if (this.#queue.length === 0 && !this.#closed && !hasGone) await this.#pause();
      }
      if (!this.#closed) throw await answer.then(() => new Error("the collector has ended it"));
      await this.#sendAll(connection);
      await writeAll(connection, encodeControl(CONTROL.STOP));
      await answer;
    } finally {
      this.#hangUp = () => {};
      try {
        connection.close();
      } catch { /* hung up already */ }
    }
  }

  async #sendAll(connection: Connection): Promise<void> {
    while (this.#queue.length > 0) {
      const count = countUpTo(BATCH_OCTETS, this.#queue);
      const batch = concatenated(this.#queue.slice(0, count));
      // Taken out first: the queue may be filled up meanwhile, and whoever fills it must see how much room there is.
      this.#queue = this.#queue.slice(count);
      this.#queuedOctets -= batch.length;
      try {
        await writeAll(connection, batch);
      } catch (error) {
        this.#drop(count);
        throw error;
      }
      this.#options.onSent(count);
    }
  }

  #drop(count: number): void {
    if (count > 0) this.#options.onDropped(count);
  }

  /** Waits to be woken, for at most so long. */
  async #pause(ms?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = ms === undefined ? () => {} : this.#options.clock.after(ms, resolve);
    // Frames that come while there is no collector are no reason to look for one earlier.
    this.#wake = ms === undefined ? resolve : () => this.#closed && resolve();
    await promise;
    cancel();
    this.#wake = () => {};
  }

  async #within(ms: number, doing: Promise<void>): Promise<void> {
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#options.clock.after(ms, () => reject(new Error(`no reply within ${ms / 1000} s`)));
    });
    try {
      await Promise.race([doing, late]);
    } finally {
      cancel();
      doing.catch(() => {});
    }
  }
}

/** READY, ACCEPT, START. @throws {Error} When the collector wants something else. */
async function greet(connection: Connection): Promise<void> {
  await writeAll(connection, encodeControl(CONTROL.READY, CONTENT_TYPE));
  const { type, contentTypes } = await readControl(connection);
  if (type !== CONTROL.ACCEPT || !contentTypes.includes(CONTENT_TYPE)) {
    throw new Error(`it does not take ${CONTENT_TYPE}`);
  }
  await writeAll(connection, encodeControl(CONTROL.START, CONTENT_TYPE));
}

async function writeAll(connection: Connection, octets: Uint8Array): Promise<void> {
  for (let at = 0; at < octets.length;) at += await connection.write(octets.subarray(at));
}

/** How many frames have no more than `octets` together; at least one. */
function countUpTo(octets: number, frames: readonly Uint8Array[]): number {
  let count = 1, sum = frames[0]!.length;
  while (count < frames.length && sum + frames[count]!.length <= octets) sum += frames[count++]!.length;
  return count;
}

function concatenated(frames: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    whole.set(frame, at);
    at += frame.length;
  }
  return whole;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
