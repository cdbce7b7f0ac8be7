/**
 * Makes network tables, front to back.
 *
 * @module
 */

import type { Family } from "./address.ts";
import type { NetworkTable } from "./network_table.ts";

/** A builder for a table of `family`. `capacity` is how many entries are expected; more are taken. */
export function tableBuilder(family: Family, capacity?: number): TableBuilder {
  return new TableBuilder(family, capacity);
}

/** A table of one entry: the whole space has `value`. */
export function uniformTable(family: Family, value: number): NetworkTable {
  const builder = tableBuilder(family, 1);
  builder.append(0, value);
  return builder.finish();
}

/** How many 32-bit words an address of a family has. */
export function familyWords(family: Family): 1 | 4 {
  return family === 4 ? 1 : 4;
}

/** Tables of fewer entries are searched without an index. */
const INDEX_ENTRIES_MIN = 4096;

const WORD = 2 ** 32;

/**
 * Takes the networks of a space in ascending order. Each starts where the one before it ended, so that a length
 * and a value say all, and no table has a gap or an overlap.
 */
export class TableBuilder {
  readonly family: Family;
  readonly #words: 1 | 4;
  /** The first address that no entry covers yet. */
  readonly #next: Uint32Array;
  #covered = false;
  #count = 0;
  #starts: Uint32Array;
  #lengths: Uint8Array;
  #values: Uint32Array;

  constructor(family: Family, capacity = 1024) {
    this.family = family;
    this.#words = familyWords(family);
    this.#next = new Uint32Array(this.#words);
    this.#starts = sharedWords(capacity * this.#words);
    this.#lengths = sharedOctets(capacity);
    this.#values = sharedWords(capacity);
  }

  /** Adds the next network. @throws {RangeError} When none of that length can start here. */
  append(length: number, value: number): void {
    if (this.#count === this.#values.length) this.#reserve(1);
    const words = this.#words, next = this.#next, at = this.#count * words;
    for (let i = 0; i < words; i++) this.#starts[at + i] = next[i]!;
    this.#lengths[this.#count] = length;
    this.#values[this.#count] = value;
    this.#advance(length);
    this.#count++;
  }

  /** Adds the entries `from` to `to` − 1 of another table. @throws {RangeError} When they do not start here. */
  appendRun(table: NetworkTable, from: number, to: number): void {
    if (from >= to) return;
    const words = this.#words;
    const fits = table.family === this.family && !this.#covered &&
      this.#next.every((word, i) => table.starts[from * words + i] === word);
    if (!fits) throw new RangeError(`Cannot append entry ${from} of another table: it starts elsewhere`);
    this.#reserve(to - from);
    this.#starts.set(table.starts.subarray(from * words, to * words), this.#count * words);
    this.#lengths.set(table.lengths.subarray(from, to), this.#count);
    this.#values.set(table.values.subarray(from, to), this.#count);
    this.#count += to - from;
    if (to === table.count) this.#covered = true;
    else this.#next.set(table.starts.subarray(to * words, (to + 1) * words));
  }

  /** Begins anew in the same memory: what was finished before is overwritten. Room is made for `capacity` entries. */
  restart(capacity: number): void {
    this.#count = 0;
    this.#next.fill(0);
    this.#covered = false;
    if (capacity <= this.#values.length) return;
    // Somewhat more than asked for, so that another that is hardly larger fits.
    const roomy = Math.ceil(capacity * 1.1);
    this.#starts = sharedWords(roomy * this.#words);
    this.#lengths = sharedOctets(roomy);
    this.#values = sharedWords(roomy);
  }

  /** The table. @throws {RangeError} When the space is not covered to its end. */
  finish(): NetworkTable {
    if (!this.#covered) {
      throw new RangeError(`Cannot make a table of ${this.#count} networks: they do not cover the space`);
    }
    const table = {
      family: this.family,
      count: this.#count,
      starts: this.#starts.subarray(0, this.#count * this.#words),
      lengths: this.#lengths.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
    };
    return this.#count < INDEX_ENTRIES_MIN ? table : { ...table, index: indexByHead(table) };
  }

  /** Moves past a network of `length` bits that starts at `#next`. */
  #advance(length: number): void {
    const next = this.#next;
    // Its size is one bit, in word i; a network of length 0 ends where word 0 overflows.
    let i = length > 0 ? (length - 1) >> 5 : 0;
    const size = length > 0 ? 0x80000000 >>> ((length - 1) & 31) : WORD;
    if (this.#covered || !isMultiple(next, i, size)) this.#misplaced(length);
    let sum = next[i]! + size;
    next[i] = sum;
    while (sum === WORD && i > 0) {
      i--;
      sum = next[i]! + 1;
      next[i] = sum;
    }
    this.#covered = sum === WORD;
  }

  #misplaced(length: number): never {
    const where = this.#covered
      ? "the space is covered"
      : `the next address is [${this.#next.join(", ")}], in words`;
    throw new RangeError(`Cannot append a network of length ${length}: ${where}`);
  }

  #reserve(more: number): void {
    const capacity = this.#values.length;
    if (this.#count + more <= capacity) return;
    const wanted = Math.max(this.#count + more, capacity * 2);
    this.#starts = grown(this.#starts, sharedWords(wanted * this.#words));
    this.#lengths = grown(this.#lengths, sharedOctets(wanted));
    this.#values = grown(this.#values, sharedWords(wanted));
  }
}

/** Whether `address` is a multiple of a network's size: `size`, a power of two, in word `i`. */
function isMultiple(address: Uint32Array, i: number, size: number): boolean {
  if ((address[i]! & (size - 1)) !== 0) return false;
  for (let j = i + 1; j < address.length; j++) if (address[j] !== 0) return false;
  return true;
}

function sharedWords(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * 4));
}

function sharedOctets(count: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(count));
}

function grown<A extends Uint32Array | Uint8Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

/** See {@linkcode NetworkTable.index}: 65,537 words. */
function indexByHead({ family, starts, count }: NetworkTable): Uint32Array {
  const words = familyWords(family);
  const index = sharedWords(65_537);
  let entry = 0;
  for (let head = 0; head < 65_536; head++) {
    while (entry + 1 < count && startsBy(starts, (entry + 1) * words, words, head * 65_536)) entry++;
    index[head] = entry;
  }
  index[65_536] = count - 1;
  return index;
}

/** Whether the address at `at` is not after the one whose first word is `first`, the others being zero. */
function startsBy(starts: Uint32Array, at: number, words: number, first: number): boolean {
  if (starts[at] !== first) return starts[at]! < first;
  for (let i = 1; i < words; i++) if (starts[at + i] !== 0) return false;
  return true;
}
