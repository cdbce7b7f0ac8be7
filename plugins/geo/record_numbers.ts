/**
 * Numbers of records, by where in its file a record begins: a city database has half a million records, and fifteen million
 * networks that ask for them.
 *
 * @module
 */

/** What a record has that has no number yet. */
export const UNKNOWN = -1;

/** How many cells there are at most, 16 MiB: as many as stay in a processor's cache, and a few more. */
const CELLS_MAX = 1 << 22;

/** Fewer octets than most records have. */
const CELL_BITS_MIN = 4;

/** Takes numbers from 0 to 2^32 − 1. */
export class RecordNumbers {
  readonly #from: number;
  /** By so many bits an offset is shifted to be a cell. */
  readonly #bits: number;
  /** The first record that begins in each piece of the file: one more than its number, and the lowest bits of its offset. */
  readonly #cells: Uint32Array;
  /** Those that begin in one piece with another, and those whose numbers are too large for a cell. */
  readonly #others = new Map<number, number>();
  /** Asked for last: neighbours are often in one place. */
  #last = UNKNOWN;
  #lastNumber = UNKNOWN;

  /** For records that begin at the octets `from` to `to` − 1. */
  constructor(from: number, to: number) {
    this.#from = from;
    let bits = CELL_BITS_MIN;
    while ((to - from) / 2 ** bits > CELLS_MAX) bits++;
    this.#bits = bits;
    this.#cells = new Uint32Array(Math.ceil((to - from) / 2 ** bits));
  }

  /** The number of a record, or {@linkcode UNKNOWN}. */
  get(record: number): number {
    if (record === this.#last) return this.#lastNumber;
    const bits = this.#bits, offset = record - this.#from, cell = this.#cells[offset >>> bits]!;
    const isFirst = cell !== 0 && (cell ^ offset) << 32 - bits === 0;
    const number = isFirst ? (cell >>> bits) - 1 : this.#others.get(record);
    if (number === undefined) return UNKNOWN;
    this.#last = record;
    return this.#lastNumber = number;
  }

  /** Gives a record that has none its number. @returns The number. */
  put(record: number, number: number): number {
    const bits = this.#bits, offset = record - this.#from, at = offset >>> bits;
    if (this.#cells[at] === 0 && number + 1 < 2 ** (32 - bits)) {
      this.#cells[at] = (number + 1 << bits) + (offset & (1 << bits) - 1);
    } else {
      this.#others.set(record, number);
    }
    return number;
  }
}
