/**
 * What a plugin counts of a query while it answers it, kept until the server asks: see {@linkcode Plugin.tallies}.
 *
 * A chain may ask a plugin several times on behalf of one query, under other names, and what comes up may be changed by
 * those above. What stays the same all the way is the query as it came.
 *
 * @module
 */

import type { Sample } from "./chain.ts";
import type { QueryContext } from "./query.ts";

/** Samples by query, of one plugin of one block. What nobody asks for goes with the query. */
export class Tally {
  readonly #samples = new WeakMap<Uint8Array, Sample[]>();

  /** Notes a sample; none of a query that nobody sent. */
  add({ octets, rehearsed }: QueryContext, sample: Sample): void {
    if (rehearsed) return;
    const there = this.#samples.get(octets);
    if (there) there.push(sample);
    else this.#samples.set(octets, [sample]);
  }

  /** All that was noted of a query. */
  of({ octets }: QueryContext): readonly Sample[] {
    return this.#samples.get(octets) ?? NOTHING;
  }
}

const NOTHING: readonly Sample[] = Object.freeze([]);
