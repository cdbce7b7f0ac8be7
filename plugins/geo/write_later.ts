/**
 * Writes down what was built, once that keeps nobody waiting: a server that has just built has its first answers to give.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import type { Geography } from "../../core/fleet/place.ts";

/** How long what was built is served before it is written down. */
const LATER_MS = 1000;

/** What is to be written. Plain data. */
export interface Writing {
  readonly path: string;
  readonly geography: Geography;
}

/** Writes the last that it was given; closed, it writes at once what it has. */
export class LaterWriter {
  readonly #clock: Clock;
  readonly #write: (writing: Writing) => void | Promise<void>;
  #waiting: Writing | undefined;
  #cancel = () => {};
  /** What is being written, one after the other. */
  #busy: Promise<void> = Promise.resolve();

  /** @param write Does it, and throws nothing. */
  constructor(clock: Clock, write: (writing: Writing) => void | Promise<void>) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Has it written before long, in place of what was to be. */
  add(writing: Writing): void {
    this.#cancel();
    this.#waiting = writing;
    this.#cancel = this.#clock.after(LATER_MS, () => this.#begin());
  }

  async close(): Promise<void> {
    this.#cancel();
    this.#begin();
    await this.#busy;
  }

  #begin(): void {
    const writing = this.#waiting;
    this.#waiting = undefined;
    if (writing) this.#busy = this.#busy.then(() => this.#write(writing));
  }
}
