/**
 * RRsets as they stand in a packed zone: see packed_zone.ts.
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import { Copies } from "../dns/copies.ts";
import type { Name } from "../dns/name.ts";

/** RRsets that are read when they are asked for. */
export class UnreadRRsets implements ReadonlyMap<number, RRset> {
  readonly #octets: Uint8Array;
  readonly #at: number;
  readonly #name: Name;
  readonly #readAll: () => ReadonlyMap<number, RRset>;

  /** Those whose number stands at `at`, all of `name`. */
  constructor(octets: Uint8Array, at: number, name: Name, readAll: () => ReadonlyMap<number, RRset>) {
    this.#octets = octets;
    this.#at = at;
    this.#name = name;
    this.#readAll = readAll;
  }

  get size(): number {
    return uint16(this.#octets, this.#at);
  }

  has(type: number): boolean {
    return this.#find(type) !== 0;
  }

  get(type: number): RRset | undefined {
    const at = this.#find(type);
    return at === 0 ? undefined : readRRset(this.#octets, at, this.#name, copyOf);
  }

  keys(): MapIterator<number> {
    return this.#readAll().keys();
  }

  values(): MapIterator<RRset> {
    return this.#readAll().values();
  }

  entries(): MapIterator<[number, RRset]> {
    return this.#readAll().entries();
  }

  [Symbol.iterator](): MapIterator<[number, RRset]> {
    return this.entries();
  }

  forEach(then: (rrset: RRset, type: number, all: ReadonlyMap<number, RRset>) => void): void {
    this.#readAll().forEach((rrset, type) => then(rrset, type, this));
  }

  /** Where the RRset of a type begins; 0 = there is none. */
  #find(type: number): number {
    let at = this.#at + 2;
    for (let left = this.size; left > 0; left--) {
      if (uint16(this.#octets, at) === type) return at;
      at = rrsetEnd(this.#octets, at);
    }
    return 0;
  }
}

/** What is read once is not kept for long. */
const COPIES = new Copies();

function copyOf(octets: Uint8Array, start: number, end: number): Uint8Array {
  return COPIES.take(octets, start, end - start);
}

/** The RRset that begins at `at`, its RDATA copied: not everything that reads it may read shared memory. */
export function readRRset(
  octets: Uint8Array,
  at: number,
  name: Name,
  copy: (octets: Uint8Array, start: number, end: number) => Uint8Array,
): RRset {
  const ttl = (uint16(octets, at + 2) << 16 | uint16(octets, at + 4)) >>> 0;
  const rdata = new Array<Uint8Array>(uint16(octets, at + 6));
  let record = at + RRSET_HEAD;
  for (let i = 0; i < rdata.length; i++) {
    const end = record + 2 + uint16(octets, record);
    rdata[i] = copy(octets, record + 2, end);
    record = end;
  }
  return { name, type: uint16(octets, at), ttl, rdata };
}

/** Where the RRset that begins at `at` ends. */
export function rrsetEnd(octets: Uint8Array, at: number): number {
  let end = at + RRSET_HEAD;
  for (let left = uint16(octets, at + 6); left > 0; left--) end += 2 + uint16(octets, end);
  return end;
}

/** Type, TTL and number of records. */
const RRSET_HEAD = 8;

/** Two octets, the upper first. */
export function uint16(octets: Uint8Array, at: number): number {
  return octets[at]! << 8 | octets[at + 1]!;
}
