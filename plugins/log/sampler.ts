/** Which replies have a line, where only some shall. @module */

import type { Repeater, Skips } from "../../core/plugin.ts";

/** Lets through one of so many, at random, each whatever became of those before. */
export class Sampler implements Skips {
  /** How many to leave out before the next. */
  left = 0;
  readonly #share: number;
  readonly #random: () => number;

  /** @param share More than 0, at most 1. */
  constructor(share: number, random: () => number) {
    [this.#share, this.#random] = [share, random];
    if (share < 1) this.left = this.#draw();
  }

  /** Whether the next one has a line: a count, and a random number only for one that has. */
  next(): boolean {
    if (this.left > 0) {
      this.left--;
      return false;
    }
    if (this.#share < 1) this.left = this.#draw();
    return true;
  }

  /** How many failures come before a success: that is distributed geometrically. */
  #draw(): number {
    return Math.floor(Math.log(1 - this.#random()) / Math.log(1 - this.#share));
  }
}

const MANY = 2 ** 31 - 1, unheard: Skips = { left: MANY };

/** Hears of replies that have no line. */
export const LEAVE_OUT: Repeater = Object.assign(() => void (unheard.left = MANY), { skips: unheard });

/** How many replies a line stands for, for people. */
export function weightOf(share: number): string {
  return String(Number((1 / share).toPrecision(6)));
}
