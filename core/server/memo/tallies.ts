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
  readonly #series = new Map<Series, number>();
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
    for (let i = 0; i < numbers.length; i++) {
      if (isSame(this.#lists[numbers[i]!]!, samples)) return numbers[i]!;
    }
    // A copy, for the list is its plugin's.
    const number = this.#lists.push(samples.slice()) - 1;
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
    this.#series.clear();
  }

  #hashOf(samples: readonly Sample[]): number {
    let hash = samples.length;
    for (let i = 0; i < samples.length; i++) {
      const { series, value } = samples[i]!;
      let number = this.#series.get(series);
      if (number === undefined) this.#series.set(series, number = ++this.#seriesCount);
      hash = Math.imul(hash ^ number, 0x01000193) + value | 0;
    }
    return hash;
  }
}

function isSame(a: readonly Sample[], b: readonly Sample[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]!.series !== b[i]!.series || a[i]!.value !== b[i]!.value) return false;
  }
  return true;
}
