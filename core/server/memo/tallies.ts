/**
 * What is counted of repeated replies: how often each, for plugins to be told now and then.
 *
 * @module
 */

import type { Sample, Series } from "../../chain.ts";

/** How many different lists of samples are kept at a time. */
const LISTS_MAX = 4096;

/** Lists of samples, each held once, with how many replies each is still owed. */
export class Tallies {
  /** By a list's number: replies since it was last recorded. */
  readonly owed = new Float64Array(LISTS_MAX);
  readonly #lists: (readonly Sample[])[] = [];
  readonly #byHash = new Map<number, number[]>();
  readonly #series = new WeakMap<Series, number>();
  #seriesCount = 0;

  /** Whether there is no room for another list: all must be recorded and forgotten first. */
  get isFull(): boolean {
    return this.#lists.length >= LISTS_MAX;
  }

  /** The number of a list that says the same. */
  numberOf(samples: readonly Sample[]): number {
    const hash = this.#hashOf(samples);
    let numbers = this.#byHash.get(hash);
    if (!numbers) this.#byHash.set(hash, numbers = []);
    const known = numbers.find((number) => isSame(this.#lists[number]!, samples));
    if (known !== undefined) return known;
    const number = this.#lists.push(samples) - 1;
    numbers.push(number);
    return number;
  }

  /** Records what is owed. */
  harvest(): void {
    for (let i = 0; i < this.#lists.length; i++) {
      const times = this.owed[i]!;
      if (times === 0) continue;
      this.owed[i] = 0;
      for (const { series, value } of this.#lists[i]!) series.record(value, times);
    }
  }

  /** Records what is owed, and forgets the lists. */
  clear(): void {
    this.harvest();
    this.#lists.length = 0;
    this.#byHash.clear();
  }

  #hashOf(samples: readonly Sample[]): number {
    let hash = samples.length;
    for (const { series, value } of samples) {
      let number = this.#series.get(series);
      if (number === undefined) this.#series.set(series, number = ++this.#seriesCount);
      hash = Math.imul(hash ^ number, 0x01000193) + value | 0;
    }
    return hash;
  }
}

function isSame(a: readonly Sample[], b: readonly Sample[]): boolean {
  return a.length === b.length &&
    a.every(({ series, value }, i) => series === b[i]!.series && value === b[i]!.value);
}
