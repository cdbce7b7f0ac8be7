/**
 * Who is right for whom in one state of health, as far as it has been worked out: so that a leaf costs no more than its draw.
 *
 * @module
 */

/** A ring that leaves draw from. */
export interface DrawnRing {
  /** Nodes, ascending by distance, then id. */
  readonly drawn: readonly number[];
  /** The numbers of the sets drawn so far, by the sum of their nodes' powers of two. */
  readonly bySubset: Map<number, number>;
}

/** Sets of nodes by number, and what each place has: one set, a ring, or nothing that is the pool's own. */
export class RightSets {
  /** By number, in ascending order. */
  readonly nodes: number[][] = [];
  readonly #numbers = new Map<string, number>();
  /** By place: 0 = not known yet; else 1 more than an index into what places have. */
  readonly #byPlace: Uint32Array;
  readonly #had: (number | DrawnRing | undefined)[] = [];
  readonly #hadNumbers = new Map<number | string, number>();

  constructor(places: number) {
    this.#byPlace = new Uint32Array(places);
  }

  /** What a place has; undefined when it is not known, or nothing. */
  at(place: number): number | DrawnRing | undefined {
    return this.#had[this.#byPlace[place]! - 1];
  }

  /** Keeps what a place has. @returns It. */
  keep(
    place: number,
    right: { readonly taken: readonly number[]; readonly drawn: readonly number[] } | undefined,
  ): number | DrawnRing | undefined {
    const key = right ? keyOf(right.taken, right.drawn) : "";
    let number = this.#hadNumbers.get(key);
    if (number === undefined) {
      number = this.#had.push(
        right &&
          (right.drawn.length > 0 ? { drawn: right.drawn, bySubset: new Map() } : this.numberOf(right.taken)),
      ) - 1;
      this.#hadNumbers.set(key, number);
    }
    this.#byPlace[place] = number + 1;
    return this.#had[number];
  }

  /** The number of a set, given in any order. */
  numberOf(set: readonly number[]): number {
    const sorted = set.toSorted((a, b) => a - b), key = sorted.join();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.nodes.push(sorted) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

/** A number where few are taken, which is by far the most frequent. */
function keyOf(taken: readonly number[], drawn: readonly number[]): number | string {
  if (drawn.length > 0 || taken.length > 4) return `${taken}|${drawn}`;
  let key = 0;
  for (const n of taken) key = key * 4096 + n + 1;
  return key;
}
