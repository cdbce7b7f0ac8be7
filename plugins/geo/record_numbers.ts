/**
 * Numbers of records, by where in its file a record stands: a hash table of plain words, as a city database has half a
 * million records, and fifteen million networks that ask for them.
 *
 * @module
 */

/** What a record has that has no number yet. */
export const UNKNOWN = -1;

/** Takes numbers from 0 to 2^32 − 1 for offsets above 0. */
export class RecordNumbers {
  /** Pairs of a record, 0 = none, and its number, at the first free place from where its hash says on. */
  #pairs = new Uint32Array(2 * 1024);
  /** By how much a hash is shifted to be a place. */
  #shift = 32 - 10;
  #count = 0;
  /** Asked for last: neighbours are often in one place. */
  #last = 0;
  #lastNumber = UNKNOWN;

  /** The number of a record, or {@linkcode UNKNOWN}. */
  get(record: number): number {
    if (record === this.#last) return this.#lastNumber;
    const pairs = this.#pairs, mask = pairs.length - 1;
    for (let at = this.#placeOf(record);; at = at + 2 & mask) {
      if (pairs[at] === record) {
        this.#last = record;
        return this.#lastNumber = pairs[at + 1]!;
      }
      if (pairs[at] === 0) return UNKNOWN;
    }
  }

  /** Gives a record that has none its number. @returns The number. */
  put(record: number, number: number): number {
    if (4 * ++this.#count > this.#pairs.length) this.#grow();
    this.#insert(record, number);
    return number;
  }

  /** Records of the same 256 octets are side by side, as their networks are: one line of the processor's cache has several. */
  #placeOf(record: number): number {
    const block = Math.imul(record >>> 8, SPREAD) >>> this.#shift;
    return 2 * (block + (record >>> 4 & 15)) & this.#pairs.length - 1;
  }

  #insert(record: number, number: number): void {
    const pairs = this.#pairs, mask = pairs.length - 1;
    let at = this.#placeOf(record);
    while (pairs[at] !== 0) at = at + 2 & mask;
    pairs[at] = record;
    pairs[at + 1] = number;
  }

  #grow(): void {
    const before = this.#pairs;
    this.#pairs = new Uint32Array(2 * before.length);
    this.#shift--;
    for (let at = 0; at < before.length; at += 2) {
      if (before[at] !== 0) this.#insert(before[at]!, before[at + 1]!);
    }
  }
}

/** 2^32 divided by the golden ratio: neighbours are spread far apart. */
const SPREAD = 0x9e3779b1;
