/**
 * The ring of a pool as seen from a place: nodes that count as equally near, among which a leaf draws. Step 5 of
 * decision 0001, "Selection".
 *
 * @module
 */

import type { Ranked } from "./ranking.ts";
import { draw, rendezvousScore } from "./rendezvous.ts";

/** See the module. What a draw needs of its members stands in columns: whole address spaces are drawn for. */
export class Ring {
  /** Ascending by cost, then id. */
  readonly members: readonly Ranked[];
  readonly #hashes: readonly number[];
  readonly #weights: readonly number[];

  constructor(members: readonly Ranked[]) {
    this.members = members;
    this.#hashes = members.map(({ member }) => member.pickHash);
    this.#weights = members.map(({ member }) => member.weight);
  }

  /** The first `count` members, or all, in the order that a leaf draws: by rendezvous score, then as they stand here. */
  best(leaf: number, count: number): Ranked[] {
    const found = this.#draw(leaf, count);
    return positions.slice(0, found).map((at) => this.members[at]!);
  }

  /** What two leaves have in common exactly when they draw the same first `count`, in whatever order. */
  bestKey(leaf: number, count: number): number | string {
    const found = this.#draw(leaf, count);
    if (this.members.length > MASK_BITS) return positions.slice(0, found).sort((a, b) => a - b).join();
    let mask = 0;
    for (let i = 0; i < found; i++) mask |= 1 << positions[i]!;
    return mask;
  }

  /** Leaves the positions of the best in `positions`, best first. @returns How many. */
  #draw(leaf: number, count: number): number {
    let found = 0;
    for (let i = 0; i < this.#hashes.length; i++) {
      const score = rendezvousScore(this.#weights[i]!, draw(leaf, this.#hashes[i]!));
      if (found === count && score <= scores[count - 1]!) continue;
      let at = found < count ? found++ : count - 1;
      for (; at > 0 && scores[at - 1]! < score; at--) {
        scores[at] = scores[at - 1]!;
        positions[at] = positions[at - 1]!;
      }
      scores[at] = score;
      positions[at] = i;
    }
    return found;
  }
}

/** How many members a set of them can have as the bits of one number. */
const MASK_BITS = 30;

/** Of the draw under way. */
const scores: number[] = [], positions: number[] = [];
