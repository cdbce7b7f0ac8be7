/**
 * Lines on their way from one isolate to another: a ring of octets in shared memory with one writer and one reader,
 * neither of whom ever waits for the other. Only whole lines are seen. One that finds no room is dropped and counted; what
 * is in the ring outlives who wrote it.
 *
 *     worker                               control isolate
 *     new LineWriter(buffer)               new LineReader(buffer, hasLines)
 *     .write(text) ==== shared memory ====> .drain(into), whenever the log can take more
 *                  -- Atomics.notify -----> hasLines(), once some have gathered
 *
 * The ring's memory is `CAPACITY` octets and as many again as the longest line has: a line is written in one piece, and
 * what then stands past the end is copied to the beginning.
 *
 * @module
 */

import type { LineOctets } from "../plugin.ts";

/** What a worker is handed. Plain data. */
export type LineBuffer = SharedArrayBuffer;

/** How many octets may wait for the reader: of 200,000 lines a second those of a tenth of one. A power of two. */
const CAPACITY = 1 << 21;

/** The most that a line may have, its end included. */
export const LINE_OCTETS_MAX = 1 << 16;

/** How many octets end a reader's gathering before its time. */
const MANY_OCTETS = CAPACITY / 4;

/** How long the reader lets lines gather after the first, so that they leave in one write: to be woken costs more than they do. */
const GATHER_MS = 250;

/** Words of the ring: octets written so far and read so far, modulo 2^32; lines dropped; what wakes the reader. */
const WRITTEN = 0, READ = 1, DROPPED = 2, WAKES = 3;
const HEADER_OCTETS = 64;

/** Values of `WAKES`. */
const NOTHING = 0, ANY_LINE = 1, MANY_LINES = 2;

const LINE_END = 0x0a;

/** A ring for one writer. */
export function makeLineBuffer(): LineBuffer {
  return new SharedArrayBuffer(HEADER_OCTETS + CAPACITY + LINE_OCTETS_MAX);
}

/** The writing end. */
export class LineWriter implements LineOctets {
  readonly takesText: boolean;
  /** Where {@linkcode reserve} gives room. */
  readonly octets: Uint8Array;
  readonly #words: Int32Array;
  readonly #encoder = new TextEncoder();
  /** As in the ring's header: of `read` as when it was last looked at. */
  #written: number;
  #read: number;

  /** `takesText`: whether lines may be other than JSON objects, for those that write octets. */
  constructor(buffer: LineBuffer, takesText = true) {
    this.takesText = takesText;
    this.octets = new Uint8Array(buffer, HEADER_OCTETS);
    this.#words = new Int32Array(buffer, 0, HEADER_OCTETS / 4);
    this.#written = this.#words[WRITTEN]!;
    this.#read = this.#words[READ]!;
  }

  /** Writes a line as it stands, in UTF-8; its end is added. False = dropped. */
  write(line: string): boolean {
    // UTF-8 has three octets for a UTF-16 unit at the most.
    const at = this.reserve(3 * line.length + 1);
    if (at < 0) return false;
    const { written } = this.#encoder.encodeInto(line, this.octets.subarray(at));
    this.octets[at + written] = LINE_END;
    this.commit(at + written + 1);
    return true;
  }

  /** Writes `octets` from `from` until before `to`: a line, or several, with their ends. False = dropped. */
  writeOctets(octets: Uint8Array, from: number, to: number): boolean {
    const at = this.reserve(to - from);
    if (at < 0) return false;
    this.octets.set(octets.subarray(from, to), at);
    this.commit(at + to - from);
    return true;
  }

  /**
   * Room for a line of at most `length` octets, its end included: where it begins in {@linkcode octets}. What is written
   * there counts once it is committed. -1 = there is none, and a line has been dropped.
   */
  reserve(length: number): number {
    if (length > this.#free()) {
      this.#read = Atomics.load(this.#words, READ);
      if (length > this.#free()) {
        Atomics.add(this.#words, DROPPED, 1);
        return -1;
      }
    }
    return this.#written & (CAPACITY - 1);
  }

  /** Hands what was written since {@linkcode reserve} to the reader: all that lies before `to`. */
  commit(to: number): void {
    const at = this.#written & (CAPACITY - 1);
    if (to > CAPACITY) this.octets.copyWithin(0, CAPACITY, to);
    this.#written = (this.#written + to - at) | 0;
    Atomics.store(this.#words, WRITTEN, this.#written);
    const wakes = Atomics.load(this.#words, WAKES);
    if (wakes === ANY_LINE || wakes === MANY_LINES && this.#waits() >= MANY_OCTETS) this.#wake(wakes);
  }

  #free(): number {
    // A line past the longest finds no room, however much there is.
    return Math.min(LINE_OCTETS_MAX, CAPACITY - ((this.#written - this.#read) | 0));
  }

  #waits(): number {
    return (this.#written - Atomics.load(this.#words, READ)) | 0;
  }

  #wake(wakes: number): void {
    // Only once: the reader says anew what wakes it.
    if (Atomics.compareExchange(this.#words, WAKES, wakes, NOTHING) === wakes) {
      Atomics.notify(this.#words, WAKES);
    }
  }
}

/** V8 copies shared memory by words of so many octets where both ends begin at the same place in one; else octet by octet. */
const WORD_OCTETS = 8;

/** Copies shared memory: first to where both begin at the same place in a word, then from there to its place. */
function copy(shared: Uint8Array, from: number, into: Uint8Array, to: number, length: number): void {
  const aside = to + (shared.byteOffset + from - into.byteOffset - to & WORD_OCTETS - 1);
  const end = Math.max(from, Math.min(from + length, from + into.length - aside));
  into.set(shared.subarray(from, end), Math.min(aside, into.length));
  into.copyWithin(to, aside, aside + end - from);
  // What had no room aside.
  into.set(shared.subarray(end, from + length), to + end - from);
}

/** The reading end. */
export class LineReader {
  readonly #octets: Uint8Array;
  readonly #words: Int32Array;
  #closed = false;
  #drained = () => {};

  /** `hasLines` is called when there is something to drain, and not again before it is drained. */
  constructor(buffer: LineBuffer, hasLines: () => void) {
    this.#octets = new Uint8Array(buffer, HEADER_OCTETS, CAPACITY);
    this.#words = new Int32Array(buffer, 0, HEADER_OCTETS / 4);
    void this.#listen(hasLines);
  }

  /** How many lines found no room, ever. */
  get dropped(): number {
    return Atomics.load(this.#words, DROPPED) >>> 0;
  }

  /** Whether nothing is left, and nothing more to come. */
  get isDone(): boolean {
    return this.#closed && Atomics.load(this.#words, READ) === Atomics.load(this.#words, WRITTEN);
  }

  /** Moves whole lines to the beginning of `into`, as many as there are and have room: how many octets. */
  drain(into: Uint8Array): number {
    const read = Atomics.load(this.#words, READ);
    const waiting = (Atomics.load(this.#words, WRITTEN) - read) | 0;
    const at = read & (CAPACITY - 1);
    let length = Math.min(waiting, into.length);
    const first = Math.min(length, CAPACITY - at);
    copy(this.#octets, at, into, 0, first);
    copy(this.#octets, 0, into, first, length - first);
    if (length < waiting) length = into.lastIndexOf(LINE_END, length - 1) + 1;
    Atomics.store(this.#words, READ, (read + length) | 0);
    this.#drained();
    return length;
  }

  /** The writer is gone: no more lines are heard of, those that there are can still be drained. */
  close(): void {
    this.#closed = true;
    this.#drained();
    Atomics.store(this.#words, WAKES, NOTHING);
    Atomics.notify(this.#words, WAKES);
  }

  async #listen(hasLines: () => void): Promise<void> {
    while (!this.#closed) {
      await this.#waitFor(ANY_LINE, 0);
      await this.#waitFor(MANY_LINES, MANY_OCTETS - 1, GATHER_MS);
      if (this.#closed) return;
      const drained = new Promise<void>((resolve) => this.#drained = resolve);
      hasLines();
      await drained;
    }
  }

  /** Waits until the writer says so, unless more than `enough` octets are there. Keeps no process from ending. */
  async #waitFor(wakes: number, enough: number, timeoutMs?: number): Promise<void> {
    if (this.#closed) return;
    Atomics.store(this.#words, WAKES, wakes);
    // What was written before the writer could see that it is to wake anybody.
    const waiting = (Atomics.load(this.#words, WRITTEN) - Atomics.load(this.#words, READ)) | 0;
    if (waiting > enough) return;
    await Atomics.waitAsync(this.#words, WAKES, wakes, timeoutMs).value;
  }
}
