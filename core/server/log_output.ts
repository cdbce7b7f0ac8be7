/**
 * The log's way out: messages of this isolate and lines of others, one large write at a time, none of which is waited for
 * by whoever logs.
 *
 * While nothing can be written (a full disk, a pipe that nobody reads) what there is room for is kept and tried again, and
 * standard error says so once. What there was no room for is counted, and told in the log where it is missing.
 *
 * @module
 */

import type { LineReader } from "./lines.ts";

/** Where lines go, as Deno.stdout. */
export interface LineOutput {
  write(octets: Uint8Array): Promise<number>;
  writeSync(octets: Uint8Array): number;
}

/** How many characters of messages may wait for a reader. */
const WAITING_MAX = 4 * 1024 * 1024;

/** What leaves in one write at the most, messages aside. */
const WRITE_OCTETS = 512 * 1024;

/** How long after a failure to try again, and how often at the most the log tells what is missing. */
const PAUSE_MS = 1000;

/** How long nothing more is said on standard error. */
const COMPLAINT_MS = 60_000;

const TOO_SLOW = "the log's reader is too slow";

/** Writes what it is given, in the background. What is left at exit is written then. */
export class LogOutput {
  readonly #output: LineOutput;
  /** A warning as a line. */
  readonly #warning: (message: string) => string;
  /** Says what cannot be said here. */
  readonly #complain: (message: string) => void;
  readonly #encoder = new TextEncoder();
  readonly #readers = new Set<LineReader>();
  readonly #chunk = new Uint8Array(WRITE_OCTETS);
  #waiting: string[] = [];
  #characters = 0;
  /** What a write left over. */
  #rest: Uint8Array = new Uint8Array(0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;
  /** Why nothing can be written, while that is so. */
  #trouble: string | undefined;
  /** Messages left out, and lines of readers that are gone. */
  #dropped = 0;
  #told = 0;
  #toldMs = -Infinity;
  /** Why lines are missing, to be told with how many. */
  #why = TOO_SLOW;
  #complainedMs = -Infinity;

  constructor(
    output: LineOutput,
    warning: (message: string) => string,
    complain: (message: string) => void,
  ) {
    this.#output = output;
    this.#warning = warning;
    this.#complain = complain;
    globalThis.addEventListener("unload", () => this.#writeAtExit());
  }

  /** How many lines there was no room for, ever. */
  get dropped(): number {
    let dropped = this.#dropped;
    for (const reader of this.#readers) dropped += reader.dropped;
    return dropped;
  }

  /** Adds lines, with their ends; they wait for others as long as that. */
  add(text: string, delayMs: number): void {
    if (this.#characters + text.length > WAITING_MAX) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(text);
    this.#characters += text.length;
    if (delayMs === 0) this.poke();
    else this.#later(delayMs);
  }

  /** Adds lines that another isolate writes: they are drained whenever {@linkcode poke} is called. */
  addReader(reader: LineReader): void {
    this.#readers.add(reader);
  }

  /** Says that there is something to write. */
  poke(): void {
    if (this.#trouble === undefined) void this.flush();
  }

  /** Writes what there is. Resolves when all has been written, or when that fails. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#writing ??= this.#writeAll();
  }

  #later(delayMs: number): void {
    if (!this.#writing) this.#timer ??= setTimeout(() => this.flush(), delayMs);
  }

  async #writeAll(): Promise<void> {
    // What else is logged in this turn leaves in the same write.
    await Promise.resolve();
    try {
      while (this.#next()) {
        while (this.#rest.length > 0) {
          this.#rest = this.#rest.subarray(await this.#output.write(this.#rest));
          this.#trouble = undefined;
        }
      }
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    }
    this.#writing = undefined;
    if (this.#trouble === undefined && this.dropped === this.#told) return;
    this.#later(PAUSE_MS);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Takes up what is to be written next; false = there is nothing. */
  #next(): boolean {
    if (this.#rest.length > 0) return true;
    this.#tellDropped();
    this.#rest = this.#waiting.length > 0 ? this.#encoder.encode(this.#takeWaiting()) : this.#drain();
    return this.#rest.length > 0;
  }

  #takeWaiting(): string {
    const text = this.#waiting.join("");
    this.#waiting = [];
    this.#characters = 0;
    return text;
  }

  /** What the readers have, each of them first in its turn. */
  #drain(): Uint8Array {
    let length = 0;
    for (const reader of [...this.#readers]) {
      length += reader.drain(this.#chunk.subarray(length));
      if (reader.isDone) {
        this.#dropped += reader.dropped;
        this.#readers.delete(reader);
      }
    }
    const [first] = this.#readers;
    if (first && this.#readers.delete(first)) this.#readers.add(first);
    return this.#chunk.subarray(0, length);
  }

  #failed(reason: string): void {
    const nowMs = performance.now();
    if (this.#trouble === undefined && nowMs > this.#complainedMs + COMPLAINT_MS) {
      this.#complainedMs = nowMs;
      this.#complain(`The log cannot be written, and is tried again every second: ${reason}`);
    }
    this.#trouble = this.#why = `it could not be written: ${reason}`;
  }

  #tellDropped(): void {
    const { dropped } = this, nowMs = performance.now();
    if (dropped === this.#told || nowMs < this.#toldMs + PAUSE_MS) return;
    this.#waiting.push(this.#warning(`${dropped - this.#told} lines left out here: ${this.#why}`));
    this.#told = dropped;
    this.#toldMs = nowMs;
    this.#why = TOO_SLOW;
  }

  #writeAtExit(): void {
    // A reader that has been too slow may never come back, and the process is to end.
    if (this.#trouble !== undefined || this.dropped > this.#told) return;
    // What is being written is in other hands.
    this.#rest = new Uint8Array(0);
    try {
      while (this.#next()) {
        while (this.#rest.length > 0) this.#rest = this.#rest.subarray(this.#output.writeSync(this.#rest));
      }
    } catch {
      // Nobody reads any more, and there is no other place to say so.
    }
  }
}
