/**
 * A whole address space cut into networks, each with a number: a flat sorted table in shared memory.
 *
 * A {@linkcode tableBuilder} makes one; new ones come from old ones: {@linkcode fallBack} lets one speak where
 * another is silent, {@linkcode overlay} replaces what lies under some prefixes, {@linkcode mergeEqual} joins
 * siblings that came to mean the same.
 *
 * @module
 */

import { familyBits } from "./address.ts";
import type { Family, Prefix } from "./address.ts";
import { familyWords, type TableBuilder, tableBuilder } from "./table_builder.ts";

export { type TableBuilder, tableBuilder, uniformTable } from "./table_builder.ts";

/** Networks in ascending order that cover the whole space of a family, none overlapping another. */
export interface NetworkTable {
  readonly family: Family;
  readonly count: number;
  /** First addresses: 1 word an entry for IPv4, 4 words, most significant first, for IPv6. */
  readonly starts: Uint32Array;
  /** Prefix lengths. */
  readonly lengths: Uint8Array;
  readonly values: Uint32Array;
  /** In large tables, for each value of an address's first 16 bits: the entry that holds the first such address. */
  readonly index?: Uint32Array;
}

/** The entry that holds an address of the table's family. */
export function findNetwork(table: NetworkTable, octets: Uint8Array): number {
  const { index } = table;
  const head = octets[0]! << 8 | octets[1]!;
  const from = index ? index[head]! : 0;
  const to = index ? index[head + 1]! : table.count - 1;
  return table.family === 4
    ? findIPv4(table.starts, from, to, wordAt(octets, 0))
    : findIPv6(table.starts, from, to, octets);
}

/** The network of an entry. */
export function networkAt(table: NetworkTable, entry: number): Prefix {
  const words = familyWords(table.family);
  const octets = new Uint8Array(words * 4);
  for (let i = 0; i < octets.length; i++) {
    octets[i] = table.starts[entry * words + (i >> 2)]! >>> (24 - 8 * (i & 3));
  }
  return { family: table.family, octets, length: table.lengths[entry]! };
}

/** The last entry from `from`, which must not start after `address`, to `to` that does not start after it. */
function findIPv4(starts: Uint32Array, from: number, to: number, address: number): number {
  while (from < to) {
    const middle = (from + to + 1) >>> 1;
    if (starts[middle]! <= address) from = middle;
    else to = middle - 1;
  }
  return from;
}

function findIPv6(starts: Uint32Array, from: number, to: number, octets: Uint8Array): number {
  const w0 = wordAt(octets, 0), w1 = wordAt(octets, 4), w2 = wordAt(octets, 8), w3 = wordAt(octets, 12);
  while (from < to) {
    const middle = (from + to + 1) >>> 1;
    const at = middle * 4;
    const order = starts[at]! - w0 || starts[at + 1]! - w1 || starts[at + 2]! - w2 || starts[at + 3]! - w3;
    if (order <= 0) from = middle;
    else to = middle - 1;
  }
  return from;
}

function wordAt(octets: Uint8Array, at: number): number {
  return (octets[at]! << 24 | octets[at + 1]! << 16 | octets[at + 2]! << 8 | octets[at + 3]!) >>> 0;
}

/**
 * What `first` says, and where its value is 0, what `second` says. Each network is the longest that had to be
 * looked at: that of `first` alone where it says something, else the longer of the two.
 */
export function fallBack(first: NetworkTable, second: NetworkTable): NetworkTable {
  const builder = tableBuilder(first.family, first.count + second.count);
  let other = 0;
  for (let i = 0; i < first.count; i++) {
    const length = first.lengths[i]!, value = first.values[i]!;
    if (value !== 0) {
      builder.append(length, value);
      continue;
    }
    while (other + 1 < second.count && compareStarts(second, other + 1, first, i) <= 0) other++;
    if (second.lengths[other]! <= length) {
      builder.append(length, second.values[other]!);
      continue;
    }
    // Here entry `other` starts where entry i does, and is shorter in extent: all such up to the end of i.
    const from = other;
    while (
      other + 1 < second.count &&
      (i + 1 === first.count || compareStarts(second, other + 1, first, i + 1) < 0)
    ) {
      other++;
    }
    builder.appendRun(second, from, other + 1);
  }
  return builder.finish();
}

/** Below zero, zero or above it as entry `i` of `a` starts before, with or after entry `j` of `b`. */
function compareStarts(a: NetworkTable, i: number, b: NetworkTable, j: number): number {
  if (a.family === 4) return a.starts[i]! - b.starts[j]!;
  i *= 4;
  j *= 4;
  for (let word = 0; word < 4; word++) {
    const difference = a.starts[i + word]! - b.starts[j + word]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The table with `entries` in place of whatever lies under them. Among entries the longest prefix wins, of equal
 * ones the later. What remains of a network that an entry cuts becomes the fewest prefixes.
 */
export function overlay(
  table: NetworkTable,
  entries: readonly { readonly prefix: Prefix; readonly value: number }[],
): NetworkTable {
  const root: Branch = {};
  for (const { prefix, value } of entries) {
    if (prefix.family === table.family) plant(root, prefix, value);
  }
  // An entry cuts at most one network, into at most one piece a bit.
  const builder = tableBuilder(table.family, table.count + entries.length * (familyBits(table.family) + 1));
  const whole = { family: table.family, octets: new Uint8Array(familyBits(table.family) / 8), length: 0 };
  cover(builder, table, whole, root, undefined);
  return builder.finish();
}

/** A node of a binary tree over the bits of the entries' prefixes. */
interface Branch {
  value?: number;
  0?: Branch;
  1?: Branch;
}

function plant(root: Branch, prefix: Prefix, value: number): void {
  let branch = root;
  for (let bit = 0; bit < prefix.length; bit++) {
    const side = prefix.octets[bit >> 3]! >> (7 - (bit & 7)) & 1 ? 1 : 0;
    branch = branch[side] ??= {};
  }
  branch.value = value;
}

/** Appends what belongs under `prefix`: entries from `branch` down, between them `inherited` or else the table. */
function cover(
  builder: TableBuilder,
  table: NetworkTable,
  prefix: Prefix,
  branch: Branch | undefined,
  inherited: number | undefined,
): void {
  const value = branch?.value ?? inherited;
  if (branch && (branch[0] || branch[1])) {
    cover(builder, table, half(prefix, 0), branch[0], value);
    cover(builder, table, half(prefix, 1), branch[1], value);
  } else if (value !== undefined) {
    builder.append(prefix.length, value);
  } else {
    copyUnder(builder, table, prefix);
  }
}

/** Appends the entries of a table under `prefix`, or the prefix itself with the value of the entry that holds it. */
function copyUnder(builder: TableBuilder, table: NetworkTable, prefix: Prefix): void {
  const from = findNetwork(table, prefix.octets);
  if (table.lengths[from]! <= prefix.length) builder.append(prefix.length, table.values[from]!);
  else builder.appendRun(table, from, findNetwork(table, lastAddress(prefix)) + 1);
}

/** One of the two networks that a network consists of. */
function half({ family, octets, length }: Prefix, side: 0 | 1): Prefix {
  const copy = octets.slice();
  if (side) copy[length >> 3]! |= 0x80 >> (length & 7);
  return { family, octets: copy, length: length + 1 };
}

function lastAddress({ octets, length }: Prefix): Uint8Array {
  return octets.map((octet, i) => octet | 0xff >> Math.min(8, Math.max(0, length - 8 * i)));
}

/** Of two values that keep networks apart. */
export const APART = -1;

/**
 * The table with siblings of equal value joined to their parent, as far as that goes.
 *
 * @param valueOf What an entry means now, 0 to 2^32 − 1: asked once for each, in ascending order.
 * @param join The value of the parent of two siblings, or {@linkcode APART}; by default that of both, if equal.
 * @param builder In whose memory the table is made, over the one that it made before; by default the table has its own.
 */
export function mergeEqual(
  table: NetworkTable,
  valueOf: (entry: number) => number,
  join: (lower: number, upper: number) => number = (lower, upper) => lower === upper ? lower : APART,
  builder = tableBuilder(table.family, 0),
): NetworkTable {
  const { count, starts } = table;
  const words = familyWords(table.family);
  // A stack of networks that wait for a sibling; what is left on it at the end is the outcome.
  let { first, lengths, values } = stack;
  let top = -1;
  for (let i = 0; i < count; i++) {
    let value = valueOf(i), length = table.lengths[i]!, from = i;
    while (top >= 0 && lengths[top] === length && isLowerHalf(starts, first[top]! * words, length)) {
      const joined = join(values[top]!, value);
      if (joined === APART) break;
      value = joined;
      from = first[top--]!;
      length--;
    }
    if (++top === first.length) ({ first, lengths, values } = stack = grownStack(stack));
    first[top] = from;
    lengths[top] = length;
    values[top] = value;
  }
  builder.restart(top + 1);
  for (let i = 0; i <= top; i++) builder.append(lengths[i]!, values[i]!);
  return builder.finish();
}

/** Networks that wait to be joined: the entry each starts with, its length and value. */
interface Stack {
  readonly first: Uint32Array;
  readonly lengths: Uint8Array;
  readonly values: Uint32Array;
}

function emptyStack(capacity: number): Stack {
  return {
    first: new Uint32Array(capacity),
    lengths: new Uint8Array(capacity),
    values: new Uint32Array(capacity),
  };
}

function grownStack(full: Stack): Stack {
  const larger = emptyStack(2 * full.first.length);
  larger.first.set(full.first);
  larger.lengths.set(full.lengths);
  larger.values.set(full.values);
  return larger;
}

/** Kept for the next merge: as large as the largest outcome so far needed it to be, which is little beside the tables. */
let stack = emptyStack(1024);

/** Whether the network of `length` bits that starts at `at` is the lower of two siblings. */
function isLowerHalf(starts: Uint32Array, at: number, length: number): boolean {
  return (starts[at + ((length - 1) >> 5)]! >>> (31 - ((length - 1) & 31)) & 1) === 0;
}
