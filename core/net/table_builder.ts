/**
 * Makes network tables, front to back.
 *
 * @module
 */

import type { Family } from "./address.ts";
import {
  bitsFor,
  DEEP,
  GROUP_BITS,
  GROUP_OCTETS_MAX,
  GROUP_TAIL_OCTETS,
  lengthBitsFor,
  LENGTHS_OCTETS,
} from "./network_group.ts";
import { advance, familyWords, NetworkCursor, type NetworkTable } from "./network_table.ts";

/** A builder for a table of `family`. */
export function tableBuilder(family: Family): TableBuilder {
  return new TableBuilder(family);
}

/** A table of one entry: the whole space has `value`. */
export function uniformTable(family: Family, value: number): NetworkTable {
  const builder = tableBuilder(family);
  builder.append(0, value);
  return builder.finish();
}

/** Tables of fewer entries are searched without an index. */
const INDEX_ENTRIES_MIN = 4096;

/**
 * Takes the networks of a space in ascending order. Each starts where the one before it ended, so that a length
 * and a value say all, and no table has a gap or an overlap. What it takes is put into its final form at once.
 */
export class TableBuilder {
  readonly family: Family;
  readonly #words: 1 | 4;
  /** The first address that no entry covers yet. */
  readonly #next: Uint32Array;
  #covered = false;
  #count = 0;
  /** What came since the last whole group. */
  readonly #lengths = new Uint8Array(1 << GROUP_BITS);
  readonly #values = new Uint32Array(1 << GROUP_BITS);
  #bases: Uint32Array<ArrayBuffer>;
  #offsets: Uint32Array<ArrayBuffer> = new Uint32Array(16);
  #codes: Uint8Array<ArrayBuffer> = new Uint8Array(16 * GROUP_OCTETS_MAX);
  #groups = 0;
  #end = 0;
  /** The values of the group being written, each once; and the number of each entry's. */
  readonly #distinct = new Uint32Array(1 << GROUP_BITS);
  readonly #numbers = new Uint8Array(1 << GROUP_BITS);
  /** By the lowest bits of a value, which number it may have. */
  readonly #hints = new Uint8Array(256);

  constructor(family: Family) {
    this.family = family;
    this.#words = familyWords(family);
    this.#next = new Uint32Array(this.#words);
    this.#bases = new Uint32Array(16 * this.#words);
  }

  /** Adds the next network. @throws {RangeError} When none of that length can start here. */
  append(length: number, value: number): void {
    if (this.#covered || !isAligned(this.#next, length)) this.#misplaced(length);
    const number = this.#count++ & GROUP_LAST;
    if (number === 0) this.#begin();
    this.#lengths[number] = length;
    this.#values[number] = value;
    this.#covered = advance(this.#next, length);
    if (number === GROUP_LAST) this.#write(GROUP_LAST + 1);
  }

  /** Adds the entries `from` to `to` − 1 of another table. @throws {RangeError} When they do not start here. */
  appendRun(table: NetworkTable, from: number, to: number): void {
    if (from >= to) return;
    const cursor = new NetworkCursor(table, from);
    const fits = table.family === this.family && !this.#covered &&
      this.#next.every((word, i) => cursor.start[i] === word);
    if (!fits) throw new RangeError(`Cannot append entry ${from} of another table: it starts elsewhere`);
    do this.append(cursor.length, cursor.value); while (cursor.entry + 1 < to && cursor.next());
  }

  /**
   * Adds the groups `from` to `to` − 1 of another table as they are, where a group begins and not the other's last.
   *
   * @throws {RangeError} When they do not start here.
   */
  appendGroups({ family, bases, offsets, codes }: NetworkTable, from: number, to: number): void {
    if (from >= to) return;
    const words = this.#words, begin = offsets[from]!, end = offsets[to]!;
    const fits = family === this.family && !this.#covered && (this.#count & GROUP_LAST) === 0 &&
      to < offsets.length && this.#next.every((word, i) => bases[from * words + i] === word);
    if (!fits) throw new RangeError(`Cannot append group ${from} of another table: it starts elsewhere`);
    this.#makeRoom(to - from, end - begin);
    this.#bases.set(bases.subarray(from * words, to * words), this.#groups * words);
    for (let group = from; group < to; group++) {
      this.#offsets[this.#groups++] = offsets[group]! - begin + this.#end;
    }
    this.#codes.set(codes.subarray(begin, end), this.#end);
    this.#end += end - begin;
    this.#count += to - from << GROUP_BITS;
    for (let i = 0; i < words; i++) this.#next[i] = bases[to * words + i]!;
  }

  /** Cuts networks of the group being written in two until it is full; false where they cannot be cut so far. */
  fillGroup(): boolean {
    let count = this.#count & GROUP_LAST;
    if (count === 0) return true;
    const lengths = this.#lengths, values = this.#values;
    if (this.#pieces(count) <= GROUP_LAST) return false;
    for (; count <= GROUP_LAST; count++, this.#count++) {
      let at = 0;
      for (let i = 1; i < count; i++) if (lengths[i]! < lengths[at]!) at = i;
      lengths.copyWithin(at + 1, at, count);
      values.copyWithin(at + 1, at, count);
      lengths[at]!++;
      lengths[at + 1]!++;
    }
    this.#write(count);
    return true;
  }

  /** Into how many the group being written can be cut. No IPv6 network comes to be longer than a /64. */
  #pieces(count: number): number {
    const longest = this.family === 4 ? 32 : 64;
    let pieces = 0;
    for (let i = 0; i < count; i++) pieces += 2 ** Math.max(0, longest - this.#lengths[i]!);
    return pieces;
  }

  /** Begins anew in the same memory. */
  restart(): void {
    this.#count = this.#groups = this.#end = 0;
    this.#next.fill(0);
    this.#covered = false;
  }

  /** The table. @throws {RangeError} When the space is not covered to its end. */
  finish(): NetworkTable {
    if (!this.#covered) {
      throw new RangeError(`Cannot make a table of ${this.#count} networks: they do not cover the space`);
    }
    if (this.#count & GROUP_LAST) this.#write(this.#count & GROUP_LAST);
    const bases = sharedWords(this.#bases.subarray(0, this.#groups * this.#words));
    const offsets = sharedWords(this.#offsets.subarray(0, this.#groups));
    const codes = new Uint8Array(new SharedArrayBuffer(this.#end + GROUP_TAIL_OCTETS));
    codes.set(this.#codes.subarray(0, this.#end));
    const table = { family: this.family, count: this.#count, bases, offsets, codes };
    if (this.#count < INDEX_ENTRIES_MIN) return table;
    const index = indexByHead(table);
    return this.family === 4 ? { ...table, index } : { ...table, index, keys: keysOf(bases) };
  }

  /** Begins a group, at the next address. */
  #begin(): void {
    this.#makeRoom(1, GROUP_OCTETS_MAX);
    const group = this.#groups++, words = this.#words;
    for (let i = 0; i < words; i++) this.#bases[group * words + i] = this.#next[i]!;
    this.#offsets[group] = this.#end;
  }

  #makeRoom(groups: number, octets: number): void {
    while (this.#groups + groups > this.#offsets.length) {
      this.#offsets = longer(this.#offsets);
      this.#bases = longer(this.#bases);
    }
    while (this.#end + octets > this.#codes.length) this.#codes = longer(this.#codes);
  }

  /** Writes the group of the last `count` entries. */
  #write(count: number): void {
    const codes = this.#codes, lengths = this.#lengths, numbers = this.#numbers;
    let least = 128, most = 0;
    for (let i = 0; i < count; i++) {
      least = Math.min(least, lengths[i]!);
      most = Math.max(most, lengths[i]!);
    }
    const values = this.#tellApart(count), lengthBits = lengthBitsFor(most - least);
    let at = this.#end;
    codes[at++] = least;
    const widthsAt = at++;
    codes[at++] = values;
    const valueOctets = this.#octetsOfValue(values);
    codes[widthsAt] = (most > 64 ? DEEP : 0) | valueOctets << 4 | lengthBits;
    const lengthsEnd = pack(lengths, least, count, lengthBits, codes, at);
    at += lengthBits * LENGTHS_OCTETS;
    // A last group that is not whole leaves room.
    if (lengthsEnd < at) codes.fill(0, lengthsEnd, at);
    for (let i = 0; i < values; i++) {
      for (let octet = 0; octet < valueOctets; octet++) codes[at++] = this.#distinct[i]! >>> 8 * octet;
    }
    this.#end = pack(numbers, 0, count, bitsFor(values), codes, at);
  }

  /** Numbers the values of a group. @returns How many there are. */
  #tellApart(count: number): number {
    const values = this.#values, distinct = this.#distinct, numbers = this.#numbers, hints = this.#hints;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i]!, hint = value & hints.length - 1;
      let number = hints[hint]!;
      // What is hinted may be of a group before, or of another value with the same lowest bits.
      if (number >= found || distinct[number] !== value) {
        number = found - 1;
        while (number >= 0 && distinct[number] !== value) number--;
        if (number < 0) distinct[number = found++] = value;
        hints[hint] = number;
      }
      numbers[i] = number;
    }
    return found;
  }

  #octetsOfValue(values: number): number {
    let any = 0;
    for (let i = 0; i < values; i++) any |= this.#distinct[i]!;
    return Math.max(1, 4 - (Math.clz32(any) >> 3));
  }

  #misplaced(length: number): never {
    const where = this.#covered
      ? "the space is covered"
      : `the next address is [${this.#next.join(", ")}], in words`;
    throw new RangeError(`Cannot append a network of length ${length}: ${where}`);
  }
}

const GROUP_LAST = (1 << GROUP_BITS) - 1;

/**
 * Writes what the first `count` numbers are more than `least`, in so many bits each, from `at` on, the first lowest.
 *
 * @returns Where they end.
 */
function pack(
  numbers: Uint8Array,
  least: number,
  count: number,
  bits: number,
  codes: Uint8Array,
  at: number,
): number {
  let pending = 0, pendingBits = 0;
  for (let i = 0; i < count; i++) {
    pending |= numbers[i]! - least << pendingBits;
    pendingBits += bits;
    if (pendingBits < 16) continue;
    codes[at++] = pending;
    codes[at++] = pending >>> 8;
    pending >>>= 16;
    pendingBits -= 16;
  }
  for (; pendingBits > 0; pendingBits -= 8) {
    codes[at++] = pending;
    pending >>>= 8;
  }
  return at;
}

/** Whether a network of `length` bits can start at an address, in words. */
function isAligned(address: Uint32Array, length: number): boolean {
  let word = length >> 5;
  if (length & 31 && address[word++]! << (length & 31) !== 0) return false;
  for (; word < address.length; word++) if (address[word] !== 0) return false;
  return true;
}

function longer<A extends Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>>(array: A): A {
  const Columns = array.constructor as new (buffer: ArrayBuffer) => A;
  return new Columns(array.buffer.transfer(2 * array.byteLength));
}

function sharedWords(words: Uint32Array): Uint32Array {
  const shared = new Uint32Array(new SharedArrayBuffer(words.byteLength));
  shared.set(words);
  return shared;
}

/** See {@linkcode NetworkTable.index}: 65,537 words. */
function indexByHead({ family, bases, offsets }: NetworkTable): Uint32Array {
  const words = familyWords(family), groups = offsets.length;
  const index = new Uint32Array(new SharedArrayBuffer(65_537 * 4));
  let group = 0;
  for (let head = 0; head < 65_536; head++) {
    while (group + 1 < groups && startsBy(bases, (group + 1) * words, words, head * 65_536)) group++;
    index[head] = group;
  }
  index[65_536] = groups - 1;
  return index;
}

/** See {@linkcode NetworkTable.keys}. */
function keysOf(bases: Uint32Array): Uint32Array {
  const keys = new Uint32Array(new SharedArrayBuffer(bases.byteLength / 4));
  for (let group = 0; group < keys.length; group++) {
    keys[group] = bases[4 * group]! << 16 | bases[4 * group + 1]! >>> 16;
  }
  return keys;
}

/** Whether the address at `at` is not after the one whose first word is `first`, the others being zero. */
function startsBy(bases: Uint32Array, at: number, words: number, first: number): boolean {
  if (bases[at] !== first) return bases[at]! < first;
  for (let i = 1; i < words; i++) if (bases[at + i] !== 0) return false;
  return true;
}
