/**
 * Token buckets of networks, in tables of fixed size.
 *
 * A bucket is one number, the instant at which it will be full again. Each reply moves that instant on by what a token
 * takes to come back, and there is none left when the instant would be farther away than a whole bucket takes to fill.
 * So nothing has to be counted down, and a bucket that is full is the same as one that is not there.
 *
 * Each prefix length has a table of its own: sets of eight entries, where the entry that is full soonest makes room for
 * a new one. So whoever draws most stays, however many others pass by. Where an entry goes is a hash under a secret key:
 * nobody outside can choose addresses that drive out another's entry.
 *
 * The tables lie in shared memory, so that every worker counts in the same ones. Two that write at the same time lose a
 * token now and then, which is less than a lock would cost.
 *
 * @module
 */

import type { Address } from "../../core/plugin.ts";
import { halfSipHash, halfSipHashed } from "../../core/siphash.ts";

/** What a bucket holds, and how fast it fills. */
export interface Rates {
  /** Replies a second to one address. */
  readonly rate: number;
  /** Replies to one address at once. */
  readonly burst: number;
  /** Prefix lengths, the longest first, each with how many times as much as an address it may take. */
  readonly ipv4: readonly PrefixRate[];
  readonly ipv6: readonly PrefixRate[];
}

/** A prefix length, and how many times an address's share a network of it has. */
export interface PrefixRate {
  readonly length: number;
  readonly multiplier: number;
}

/** The tables: plain data, shared when it is cloned. */
export interface BucketStore {
  readonly buffer: SharedArrayBuffer;
  /** Entries of each table: a power of two. */
  readonly entries: number;
  readonly tables: number;
  /** What is counted in them, and how: stores of equal shape can stand in for each other. */
  readonly shape: string;
  /** Two words that nobody else knows. */
  readonly key: Uint32Array;
  /** What times are counted from, milliseconds since 1970: small numbers keep their fractions. */
  readonly startMs: number;
}

/** Entries in a set. */
const WAYS = 8;

/** Octets of an entry: its instant, and the tag by which it is known. */
const INSTANT_OCTETS = 8, TAG_OCTETS = 4;

/** Empty tables for the prefix lengths of `rates`. `entries` of each is rounded up to a power of two. */
export function makeStore(rates: Rates, entries: number, startMs: number): BucketStore {
  const rounded = roundedUp(entries);
  const tables = rates.ipv4.length + rates.ipv6.length;
  return {
    shape: shapeOf(rates, entries),
    buffer: new SharedArrayBuffer(tables * rounded * (INSTANT_OCTETS + TAG_OCTETS)),
    entries: rounded,
    tables,
    key: crypto.getRandomValues(new Uint32Array(2)),
    startMs,
  };
}

/** The shape of a store for these rates. */
export function shapeOf({ rate, burst, ipv4, ipv6 }: Rates, entries: number): string {
  return JSON.stringify([roundedUp(entries), rate, burst, ipv4, ipv6]);
}

function roundedUp(entries: number): number {
  return Math.max(WAYS, 2 ** Math.ceil(Math.log2(entries)));
}

/** No prefix length: there was a token for every one. */
export const UNLIMITED = -1;

/** The buckets of a {@linkcode BucketStore}, counted in by given rates. Makes nothing new when it is asked. */
export class Buckets {
  readonly #store: BucketStore;
  readonly #instants: Float64Array;
  readonly #tags: Uint32Array;
  readonly #ipv4: readonly Level[];
  readonly #ipv6: readonly Level[];
  /** How long an empty bucket takes to fill: the same for every prefix length. */
  readonly #fillMs: number;
  /** An address masked, and the length it was masked to. */
  readonly #words = new Int32Array(5);
  /** What was found for each prefix length: the entry, its tag, and its instant as it will be. */
  readonly #found = new Int32Array(128);
  readonly #foundTags = new Uint32Array(128);
  readonly #foundInstants = new Float64Array(128);

  constructor(store: BucketStore, { rate, burst, ipv4, ipv6 }: Rates) {
    this.#store = store;
    const count = store.tables * store.entries;
    this.#instants = new Float64Array(store.buffer, 0, count);
    this.#tags = new Uint32Array(store.buffer, count * INSTANT_OCTETS, count);
    const levels = (rates: readonly PrefixRate[], first: number) =>
      rates.map(({ length, multiplier }, i) => ({
        length,
        costMs: 1000 / (rate * multiplier),
        start: (first + i) * store.entries,
      }));
    this.#ipv4 = levels(ipv4, 0);
    this.#ipv6 = levels(ipv6, ipv4.length);
    this.#fillMs = 1000 * burst / rate;
  }

  /**
   * Takes a token for an address out of the bucket of every network that it is in; out of none when one is empty.
   *
   * @returns The longest prefix length whose bucket is empty, or {@linkcode UNLIMITED}.
   */
  charge(address: Address, nowMs: number): number {
    const levels = address.family === 4 ? this.#ipv4 : this.#ipv6;
    const at = nowMs - this.#store.startMs;
    for (let i = 0; i < levels.length; i++) {
      const { length, costMs } = levels[i]!;
      const instant = this.#find(address, levels[i]!, i, at) + costMs;
      if (instant - at > this.#fillMs + ROUNDING_MS) return length;
      this.#foundInstants[i] = instant;
    }
    for (let i = 0; i < levels.length; i++) {
      this.#instants[this.#found[i]!] = this.#foundInstants[i]!;
      this.#tags[this.#found[i]!] = this.#foundTags[i]!;
    }
    return UNLIMITED;
  }

  /** Puts back what {@linkcode charge} took. */
  refund(address: Address, nowMs: number): void {
    const levels = address.family === 4 ? this.#ipv4 : this.#ipv6;
    const at = nowMs - this.#store.startMs;
    for (let i = 0; i < levels.length; i++) {
      const instant = this.#find(address, levels[i]!, i, at);
      if (this.#tags[this.#found[i]!] !== this.#foundTags[i]) continue;
      this.#instants[this.#found[i]!] = instant - levels[i]!.costMs;
    }
  }

  /** Finds the entry of a network, or the one that it would take the place of. @returns Its instant, not before now. */
  #find(address: Address, { length, start }: Level, i: number, at: number): number {
    this.#hash(address, length);
    const tag = halfSipHashed[1]!;
    const first = start + WAYS * (halfSipHashed[0]! & this.#store.entries / WAYS - 1);
    let soonest = first, instant = at;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (this.#tags[entry] === tag) {
        soonest = entry;
        instant = this.#instants[entry]!;
        break;
      }
      if (this.#instants[entry]! < this.#instants[soonest]!) soonest = entry;
    }
    this.#found[i] = soonest;
    this.#foundTags[i] = tag;
    // Farther away than a bucket takes to fill is what a clock leaves that was set back.
    return instant < at || instant > at + 2 * this.#fillMs ? at : instant;
  }

  #hash({ octets }: Address, length: number): void {
    const count = octets.length >> 2, words = this.#words;
    for (let i = 0; i < count; i++) {
      const o = 4 * i, kept = length - 32 * i;
      const word = octets[o]! << 24 | octets[o + 1]! << 16 | octets[o + 2]! << 8 | octets[o + 3]!;
      words[i] = kept >= 32 ? word : kept <= 0 ? 0 : word & -1 << 32 - kept;
    }
    words[count] = length;
    halfSipHash(this.#store.key, words, count + 1);
  }
}

/** A prefix length, what a token of it costs in time, and where its table starts. */
interface Level {
  readonly length: number;
  readonly costMs: number;
  readonly start: number;
}

/** What sums of fractions may be off by: far less than any token costs. */
const ROUNDING_MS = 1e-6;
