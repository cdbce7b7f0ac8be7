/**
 * Which names, and which names above them, stand in a message where a compression pointer can lead (RFC 1035 section 4.1.4).
 *
 * Names are known by hash and looked at where they stand, so that none is cut into strings. Hashes have a seed: who chooses
 * the names of a reply cannot make them collide.
 *
 * @module
 */

import { NAME_HASH_SEED } from "./name_hash.ts";
import type { Name } from "./name.ts";

/** The first offset that a compression pointer cannot hold. */
export const POINTABLE_END = 0x4000;

const LABELS_MAX = 128;

/** A name that was looked at: where its labels begin, and the hash of the name that begins at each; the root not counted. */
class Looked {
  name = "";
  readonly labelAt = new Uint8Array(LABELS_MAX);
  readonly hashes = new Int32Array(LABELS_MAX);
  labelCount = 0;
}

/**
 * Names that were looked at lately, by length: replies of a zone have the same few in their records again and again.
 */
const LOOKED = 64;
const lately = Array.from({ length: LOOKED }, () => new Looked());
let looked = lately[0]!;

/** An open table: two words a slot, a hash and an offset plus one; 0 = empty. */
export class WrittenNames {
  #slots = new Int32Array(128);
  /** The slots in the order they were filled, which is that of their offsets. */
  #filled = new Int32Array(32);
  #count = 0;

  clear(): void {
    this.rewind(0);
  }

  /** Forgets what stands at `at` or behind it. */
  rewind(at: number): void {
    // The latest first: so no slot is emptied that a search for another goes past.
    while (this.#count > 0 && this.#slots[this.#filled[this.#count - 1]! + 1]! > at) {
      this.#slots[this.#filled[--this.#count]! + 1] = 0;
    }
  }

  /**
   * The longest name at or above `name` that stands in `octets`: returns where, -1 = none, and sets {@linkcode found} to how
   * many octets of `name` stand before it.
   */
  find(name: Name, octets: Uint8Array): number {
    look(name);
    const { labelAt, hashes, labelCount } = looked;
    for (let label = 0; label < labelCount; label++) {
      const known = this.#find(hashes[label]!, name, labelAt[label]!, octets);
      if (known < 0) continue;
      this.found = labelAt[label]!;
      return known;
    }
    this.found = name.length - 1;
    return -1;
  }

  /** See {@linkcode find}. */
  found = 0;

  /** Notes what begins within the first `length` octets of the name looked for last, which now stands at `at`. */
  add(length: number, at: number): void {
    const { labelAt, hashes, labelCount } = looked;
    for (let label = 0; label < labelCount && labelAt[label]! < length; label++) {
      const offset = at + labelAt[label]!;
      if (offset < POINTABLE_END) this.#add(hashes[label]!, offset);
    }
  }

  #find(hash: number, name: Name, from: number, octets: Uint8Array): number {
    const slots = this.#slots, mask = slots.length - 2;
    for (let slot = hash << 1 & mask; slots[slot + 1] !== 0; slot = slot + 2 & mask) {
      const offset = slots[slot + 1]! - 1;
      if (slots[slot] === hash && stands(octets, offset, name, from)) return offset;
    }
    return -1;
  }

  #add(hash: number, offset: number): void {
    if (4 * (this.#count + 1) > this.#slots.length) this.#grow();
    const slots = this.#slots, mask = slots.length - 2;
    let slot = hash << 1 & mask;
    while (slots[slot + 1] !== 0) slot = slot + 2 & mask;
    slots[slot] = hash;
    slots[slot + 1] = offset + 1;
    this.#filled[this.#count++] = slot;
  }

  #grow(): void {
    const before = this.#slots, filled = this.#filled, count = this.#count;
    this.#slots = new Int32Array(2 * before.length);
    this.#filled = new Int32Array(2 * filled.length);
    this.#count = 0;
    for (let i = 0; i < count; i++) this.#add(before[filled[i]!]!, before[filled[i]! + 1]! - 1);
  }
}

/** Makes a name the one looked at: finds labels forwards, then hashes backwards, as `hashNameText` has them. */
function look(name: Name): void {
  looked = lately[name.length & LOOKED - 1]!;
  if (looked.name === name) return;
  const { labelAt, hashes } = looked;
  let count = 0;
  for (let at = 0, length = name.charCodeAt(0); length !== 0; length = name.charCodeAt(at)) {
    labelAt[count++] = at;
    at += 1 + length;
  }
  looked.name = name;
  looked.labelCount = count;
  let hash = NAME_HASH_SEED, at = name.length - 1;
  for (let label = count - 1; label >= 0; label--) {
    for (const first = labelAt[label]!; at >= first; at--) {
      hash = Math.imul(hash ^ folded(name.charCodeAt(at)), 0x01000193);
      hash ^= hash >>> 15;
    }
    hashes[label] = hash;
  }
}

/** Whether the name that stands at an offset is what begins at `from` in `name`, case aside. */
function stands(octets: Uint8Array, offset: number, name: Name, from: number): boolean {
  for (let at = from;;) {
    // A pointer leads back to what was written before.
    while (octets[offset]! >= 0xc0) offset = (octets[offset]! & 0x3f) << 8 | octets[offset + 1]!;
    const length = octets[offset]!;
    if (name.charCodeAt(at) !== length) return false;
    if (length === 0) return true;
    const end = at + length;
    for (at++, offset++; at <= end; at++, offset++) {
      if (folded(octets[offset]!) !== folded(name.charCodeAt(at))) return false;
    }
  }
}

/** A letter's octet as its lower case. Lengths are below 64, so that none looks like a letter. */
function folded(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
