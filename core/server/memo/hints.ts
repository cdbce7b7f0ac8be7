/**
 * Which ways led to replies to a question before: what is looked up for the next packet that asks it. A hint may be lost,
 * or be another question's of the same hash: that costs a look at most, for every record says itself what it is for.
 *
 * @module
 */

import { WAY_OF_ALL } from "./ways.ts";

/** How many questions there are hints for. */
const HINTS = 1 << 13;

/** How many ways a question may have. */
const WAYS_MAX = 8;

/** A hint: the question's hash, how many ways, the ways: {@linkcode WAY_OF_ALL} first, then the oldest. */
export const HINT_WORDS = 2 + WAYS_MAX;

/** Questions without a hint are looked up by {@linkcode WAY_OF_ALL} alone. */
export class Hints {
  readonly words = new Int32Array(HINTS * HINT_WORDS);

  /** Where the hint for a question's hash would stand. */
  at(question: number): number {
    return (question & HINTS - 1) * HINT_WORDS;
  }

  add(question: number, way: number): void {
    const { words } = this, at = this.at(question);
    const known = words[at] === question ? words[at + 1]! : 0;
    if (known === 0 && way === WAY_OF_ALL) return;
    for (let i = 0; i < known; i++) if (words[at + 2 + i] === way) return;
    words[at] = question;
    if (known === 0) {
      // What was found without a hint must be found with one.
      words[at + 2] = WAY_OF_ALL;
      words[at + 3] = way;
      words[at + 1] = 2;
    } else if (known < WAYS_MAX) {
      words[at + 2 + known] = way;
      words[at + 1] = known + 1;
    } else {
      // The oldest goes: as a rule it leads to rows of a partition that is no more.
      words.copyWithin(at + 3, at + 4, at + 2 + WAYS_MAX);
      words[at + 1 + WAYS_MAX] = way;
    }
  }

  clear(): void {
    this.words.fill(0);
  }
}
