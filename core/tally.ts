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

/**
 * Samples by query, of one plugin of one block. What nobody asks for goes with the query.
 *
 * Most queries are answered one after the other: the one under way is held in fields, and put aside only where another one
 * comes between.
 */
export class Tally {
  #current: Uint8Array | undefined;
  #samples: Sample[] = [];
  /** Whether somebody has asked for them. */
  #isTold = true;
  readonly #aside = new WeakMap<Uint8Array, Sample[]>();
  #hasAside = false;

  /** Notes a sample; none of a query that nobody sent. */
  add({ octets, rehearsed }: QueryContext, sample: Sample): void {
    if (rehearsed) return;
    const there = this.#find(octets);
    if (there) {
      there.push(sample);
      return;
    }
    if (!this.#isTold) {
      this.#aside.set(this.#current!, this.#samples);
      this.#hasAside = true;
    }
    this.#current = octets;
    this.#samples = [sample];
    this.#isTold = false;
  }

  /** All that was noted of a query, until the next one comes. */
  of({ octets }: QueryContext): readonly Sample[] {
    const there = this.#find(octets);
    if (octets === this.#current) this.#isTold = true;
    return there ?? NOTHING;
  }

  #find(octets: Uint8Array): Sample[] | undefined {
    if (octets === this.#current) return this.#samples;
    return this.#hasAside ? this.#aside.get(octets) : undefined;
  }
}

const NOTHING: readonly Sample[] = Object.freeze([]);
