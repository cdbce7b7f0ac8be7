/**
 * A whole address space cut into networks, each with a number: a sorted table in shared memory, two octets an entry or
 * so. City data has millions of networks, and every one of them must stay.
 *
 * Table_builder.ts makes them, table_algebra.ts makes new ones of old ones.
 *
 * Who goes through a table takes a {@linkcode NetworkCursor}, which goes forward as fast as one could through plain
 * columns; {@linkcode findNetwork}, {@linkcode valueAt} and {@linkcode lengthAt} look at one entry.
 *
 * Networks that cover a space need no addresses: each starts where the one before it ended. So a table is cut into groups
 * of 64 entries. Of a group there is its first address, and octets that network_group.ts knows how to read. Neighbours in
 * address space are neighbours on earth: a group of city data has nine values or so.
 *
 * @module
 */

import { type Family, familyBits, type Prefix } from "./address.ts";
import {
  DEEP,
  GROUP_BITS,
  GROUP_ENTRIES,
  hasMarked,
  lengthIn,
  markAll,
  numberAhead,
  numberBehind,
  readGroup,
  valueIn,
} from "./network_group.ts";

export { GROUP_BITS } from "./network_group.ts";

/** Networks in ascending order that cover the whole space of a family, none overlapping another. Plain data. */
export interface NetworkTable {
  readonly family: Family;
  /** Entries. */
  readonly count: number;
  /** First addresses of groups: 1 word a group for IPv4, 4 words, most significant first, for IPv6. */
  readonly bases: Uint32Array;
  /** Where in `codes` each group begins. */
  readonly offsets: Uint32Array;
  /** The groups, and behind them octets that hold nothing: GROUP_TAIL_OCTETS. */
  readonly codes: Uint8Array;
  /** In large tables, for each value of an address's first 16 bits: the group that holds the first such address. */
  readonly index?: Uint32Array;
  /** Beside the index of an IPv6 table, for each group: bits 16 to 47 of its first address, by which it is searched. */
  readonly keys?: Uint32Array;
}

/** How many 32-bit words an address of a family has. */
export function familyWords(family: Family): 1 | 4 {
  return family === 4 ? 1 : 4;
}

/** The entry that holds an address of the table's family. */
export function findNetwork(table: NetworkTable, octets: Uint8Array): number {
  return table.family === 4
    ? findIPv4(table, wordAt(octets, 0))
    : findIPv6(table, wordAt(octets, 0), wordAt(octets, 4), wordAt(octets, 8), wordAt(octets, 12));
}

/** The entry that holds an IPv4 address. */
export function findIPv4(table: NetworkTable, address: number): number {
  return entryOfIPv4(table, groupOfIPv4(table, address), address);
}

/** The group that holds an IPv4 address: the first half of {@linkcode findIPv4}. */
export function groupOfIPv4({ bases, index }: NetworkTable, address: number): number {
  let from = index ? index[address >>> 16]! : 0;
  let to = index ? index[(address >>> 16) + 1]! : bases.length - 1;
  while (from < to) {
    const middle = from + to + 1 >>> 1;
    if (bases[middle]! <= address) from = middle;
    else to = middle - 1;
  }
  return from;
}

/** The entry that holds an IPv4 address of a group. */
export function entryOfIPv4(table: NetworkTable, group: number, address: number): number {
  const { bases, offsets, codes } = table;
  return group << GROUP_BITS | numberAhead(codes, offsets[group]!, address - bases[group]!, SCALES_IPV4);
}

/** The entry that holds an IPv6 address, given as words, the most significant first. */
export function findIPv6(table: NetworkTable, w0: number, w1: number, w2: number, w3: number): number {
  return entryOfIPv6(table, groupOfIPv6(table, w0, w1, w2, w3), w0, w1, w2, w3);
}

/** The group that holds an IPv6 address: the first half of {@linkcode findIPv6}. */
export function groupOfIPv6(table: NetworkTable, w0: number, w1: number, w2: number, w3: number): number {
  const { offsets, index, keys } = table;
  if (index === undefined || keys === undefined) {
    return groupWithin(table, 0, offsets.length - 1, w0, w1, w2, w3);
  }
  const head = w0 >>> 16, first = index[head]!, key = (w0 << 16 | w1 >>> 16) >>> 0;
  let group = first;
  // Without a branch on what is read, as a processor would guess every other one wrong, and a guess is dearer than a step.
  for (let left = index[head + 1]! - first + 1; left > 1;) {
    const half = left >>> 1;
    group += half & -Number(keys[group + half]! <= key);
    left -= half;
  }
  // Of the same key, a group may start later than the address; with none, where the next 16 bits do, the range's end.
  const found = keys[group]!;
  return found === key || found === 0 ? groupWithin(table, first, group, w0, w1, w2, w3) : group;
}

/** The last group from `from` to `to` that starts no later than an IPv6 address; `from` does. */
function groupWithin(
  { bases }: NetworkTable,
  from: number,
  to: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  while (from < to) {
    const middle = from + to + 1 >>> 1, base = middle * 4;
    const order = bases[base]! - w0 || bases[base + 1]! - w1 || bases[base + 2]! - w2 ||
      bases[base + 3]! - w3;
    if (order <= 0) from = middle;
    else to = middle - 1;
  }
  return from;
}

/** The entry that holds an IPv6 address of a group. */
export function entryOfIPv6(
  table: NetworkTable,
  group: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  const { bases, offsets, codes } = table, base = 4 * group, at = offsets[group]!, ahead = w0 - bases[base]!;
  // So many /64s are counted exactly.
  const number = ahead < 2 ** 21 && codes[at + 1]! < DEEP
    ? numberAhead(codes, at, ahead * 2 ** 32 + (w1 - bases[base + 1]!), SCALES_IPV6)
    : numberBehind(codes, at, bases, base, w0, w1, w2, w3);
  return group << GROUP_BITS | number;
}

/** The value of an entry. */
export function valueAt({ offsets, codes }: NetworkTable, entry: number): number {
  return valueIn(codes, offsets[entry >>> GROUP_BITS]!, entry & GROUP_ENTRIES - 1);
}

/** The prefix length of an entry. */
export function lengthAt({ offsets, codes }: NetworkTable, entry: number): number {
  return lengthIn(codes, offsets[entry >>> GROUP_BITS]!, entry & GROUP_ENTRIES - 1);
}

/** Whether a group has a value that is marked, or beyond the marks. */
export function groupHas({ offsets, codes }: NetworkTable, group: number, marks: Uint8Array): boolean {
  return hasMarked(codes, offsets[group]!, marks);
}

/** Marks each value that a table has, below as many as there are marks. */
export function markValues({ offsets, codes }: NetworkTable, marks: Uint8Array): void {
  for (let group = 0; group < offsets.length; group++) markAll(codes, offsets[group]!, marks);
}

/** How much memory a table takes. */
export function octetsOf({ bases, offsets, codes, index, keys }: NetworkTable): number {
  return bases.byteLength + offsets.byteLength + codes.byteLength + (index?.byteLength ?? 0) +
    (keys?.byteLength ?? 0);
}

/** The network of an entry. */
export function networkAt(table: NetworkTable, entry: number): Prefix {
  let cursor = cursors.get(table);
  if (!cursor) cursors.set(table, cursor = new NetworkCursor(table, entry));
  cursor.moveTo(entry);
  return cursor.network();
}

/** For each table the one that is asked for networks here and there: to make one costs more than to read with it. */
const cursors = new WeakMap<NetworkTable, NetworkCursor>();

/**
 * One entry of a table after the other. To the next entry is a matter of nanoseconds; to any other, of the group that it
 * is in, which is read whole.
 */
export class NetworkCursor {
  readonly family: Family;
  entry = -1;
  /** Prefix length. */
  length = 0;
  value = 0;
  /** First address: 1 word for IPv4, 4 words, most significant first, for IPv6. */
  readonly start: Uint32Array;
  readonly #table: NetworkTable;
  /** The last entry of the group that was read. */
  #last = -1;
  readonly #lengths = new Uint8Array(GROUP_ENTRIES);
  readonly #values = new Uint32Array(GROUP_ENTRIES);

  /** Stands at `entry`. */
  constructor(table: NetworkTable, entry = 0) {
    this.family = table.family;
    this.#table = table;
    this.start = new Uint32Array(familyWords(table.family));
    this.moveTo(entry);
  }

  /** Goes to the next entry; false, and stays, where there is none. */
  next(): boolean {
    if (this.entry < this.#last) this.#step();
    else if (this.entry + 1 < this.#table.count) this.#read(this.entry + 1 >>> GROUP_BITS);
    else return false;
    return true;
  }

  /** Goes to an entry, forward or back. */
  moveTo(entry: number): void {
    if (entry === this.entry) return;
    if (entry < this.entry || entry > this.#last) this.#read(entry >>> GROUP_BITS);
    while (this.entry < entry) this.#step();
  }

  /** Goes on to the network that starts at an address, given in words: there must be one, not before that at which it stands. */
  moveToStart(address: Uint32Array): void {
    const group = groupAhead(this.#table, this.entry >>> GROUP_BITS, address);
    if (group !== this.entry >>> GROUP_BITS) this.#read(group);
    const words = address.length;
    for (;;) {
      let word = words - 1;
      while (word >= 0 && this.start[word] === address[word]) word--;
      if (word < 0) return;
      if (this.entry === this.#last) {
        throw new RangeError(`No network starts at [${address.join(", ")}], in words`);
      }
      this.#step();
    }
  }

  /** The network at which it stands. */
  network(): Prefix {
    const octets = new Uint8Array(familyBits(this.family) / 8);
    for (let i = 0; i < octets.length; i++) octets[i] = this.start[i >> 2]! >>> (24 - 8 * (i & 3));
    return { family: this.family, octets, length: this.length };
  }

  /** Whether the network at which it stands holds an address, given in words. */
  holds(address: Uint32Array): boolean {
    const { length, start } = this;
    let word = 0;
    for (; word < length >> 5; word++) if (address[word] !== start[word]) return false;
    return (length & 31) === 0 || (address[word]! ^ start[word]!) >>> 32 - (length & 31) === 0;
  }

  /** To the next entry, which is of the same group. */
  #step(): void {
    advance(this.start, this.length);
    const number = ++this.entry & GROUP_ENTRIES - 1;
    this.length = this.#lengths[number]!;
    this.value = this.#values[number]!;
  }

  #read(group: number): void {
    const { bases, offsets, codes, count } = this.#table, words = this.start.length;
    const first = group << GROUP_BITS, last = Math.min(first + GROUP_ENTRIES, count) - 1;
    readGroup(codes, offsets[group]!, last - first + 1, this.#lengths, this.#values);
    for (let i = 0; i < words; i++) this.start[i] = bases[group * words + i]!;
    this.entry = first;
    this.#last = last;
    this.length = this.#lengths[0]!;
    this.value = this.#values[0]!;
  }
}

/** The group that holds an address, at `group` or behind it: as a rule not far, so that is where it is looked for. */
function groupAhead({ bases, offsets }: NetworkTable, group: number, address: Uint32Array): number {
  const groups = offsets.length;
  let step = 1;
  for (; group + step < groups && !isBefore(address, bases, group + step); step *= 2) group += step;
  let to = Math.min(group + step, groups);
  while (to - group > 1) {
    const middle = group + to >>> 1;
    if (isBefore(address, bases, middle)) to = middle;
    else group = middle;
  }
  return group;
}

/** Whether an address, in words, is before where a group starts. */
function isBefore(address: Uint32Array, bases: Uint32Array, group: number): boolean {
  const words = address.length, at = group * words;
  for (let word = 0; word < words; word++) {
    if (address[word] !== bases[at + word]) return address[word]! < bases[at + word]!;
  }
  return false;
}

/**
 * Moves an address, in words, past a network of `length` bits that starts there. @returns Whether it moved past the end of
 * the space: then it is all zeros.
 */
export function advance(address: Uint32Array, length: number): boolean {
  if (length === 0) return true;
  let word = length - 1 >> 5;
  // What overflows leaves zero, as what is added is one bit and nothing stands below it.
  let sum = address[word]! + (0x80000000 >>> (length - 1 & 31)) >>> 0;
  address[word] = sum;
  while (sum === 0 && word > 0) {
    word--;
    sum = address[word]! + 1 >>> 0;
    address[word] = sum;
  }
  return sum === 0;
}

/** One divided by how large a network is, by its length: in addresses of IPv4, and in /64s of IPv6. */
const SCALES_IPV4 = Float64Array.from({ length: 33 }, (_, length) => 2 ** (length - 32));
const SCALES_IPV6 = Float64Array.from({ length: 65 }, (_, length) => 2 ** (length - 64));

function wordAt(octets: Uint8Array, at: number): number {
  return (octets[at]! << 24 | octets[at + 1]! << 16 | octets[at + 2]! << 8 | octets[at + 3]!) >>> 0;
}
