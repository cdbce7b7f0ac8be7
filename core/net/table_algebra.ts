/**
 * Network tables made of others: {@linkcode fallBack} lets one speak where another is silent, {@linkcode overlay} replaces
 * what lies under some prefixes, {@linkcode mergeEqual} joins siblings that came to mean the same.
 *
 * @module
 */

import { type Family, familyBits, type Prefix } from "./address.ts";
import { findNetwork, lengthAt, NetworkCursor, type NetworkTable, valueAt } from "./network_table.ts";
import { type TableBuilder, tableBuilder } from "./table_builder.ts";

/**
 * What `first` says, and where its value is 0, what `second` says. Each network is the longest that had to be
 * looked at: that of `first` alone where it says something, else the longer of the two.
 */
export function fallBack(first: NetworkTable, second: NetworkTable): NetworkTable {
  const builder = tableBuilder(first.family);
  const one = new NetworkCursor(first), other = new NetworkCursor(second);
  do {
    if (one.value !== 0) {
      builder.append(one.length, one.value);
      continue;
    }
    while (!other.holds(one.start)) other.next();
    if (other.length <= one.length) {
      builder.append(one.length, other.value);
      continue;
    }
    // Here the other's network starts where the one's does, and is shorter in extent: all such up to the end of that.
    do builder.append(other.length, other.value); while (other.next() && one.holds(other.start));
  } while (one.next());
  return builder.finish();
}

/**
 * The table with `entries` in place of whatever lies under them. Among entries the longest prefix wins, of equal
 * ones the later. What remains of a network that an entry cuts becomes the fewest prefixes.
 */
export function overlay(
  table: NetworkTable,
  entries: readonly { readonly prefix: Prefix; readonly value: number }[],
): NetworkTable {
  return layOver(table, prefixTree(table.family, entries));
}

/** {@linkcode overlay} with entries that are a tree already. */
export function layOver(table: NetworkTable, root: PrefixTree): NetworkTable {
  const builder = tableBuilder(table.family);
  const whole = { family: table.family, octets: new Uint8Array(familyBits(table.family) / 8), length: 0 };
  cover(builder, table, whole, root, undefined);
  return builder.finish();
}

/** A node of a binary tree over the bits of entries' prefixes. */
export interface PrefixTree {
  readonly value?: number;
  readonly 0?: PrefixTree;
  readonly 1?: PrefixTree;
}

/** The same while it grows. */
interface Branch {
  value?: number;
  0?: Branch;
  1?: Branch;
}

/** Those of `entries` that are of a family, as a tree; of two with the same prefix the later. */
export function prefixTree(
  family: Family,
  entries: readonly { readonly prefix: Prefix; readonly value: number }[],
): PrefixTree {
  const root: Branch = {};
  for (const { prefix, value } of entries) if (prefix.family === family) plant(root, prefix, value);
  return root;
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
  branch: PrefixTree | undefined,
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
  if (lengthAt(table, from) <= prefix.length) builder.append(prefix.length, valueAt(table, from));
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

/** The table with other values. @param valueOf What takes a value's place. */
export function mapValues(table: NetworkTable, valueOf: (value: number) => number): NetworkTable {
  const builder = tableBuilder(table.family), cursor = new NetworkCursor(table);
  do builder.append(cursor.length, valueOf(cursor.value)); while (cursor.next());
  return builder.finish();
}

/** Of two values that keep networks apart. */
export const APART = -1;

/**
 * The table with siblings of equal value joined to their parent, as far as that goes.
 *
 * @param valueOf What the entry at which it stands means now, 0 to 2^32 − 1: asked once for each, in ascending order.
 * @param join The value of the parent of two siblings, or {@linkcode APART}; by default that of both, if equal.
 * @param builder In whose memory the table is made; by default there is one for it alone.
 */
export function mergeEqual(
  table: NetworkTable,
  valueOf: (at: NetworkCursor) => number,
  join: (lower: number, upper: number) => number = (lower, upper) => lower === upper ? lower : APART,
  builder = tableBuilder(table.family),
): NetworkTable {
  builder.restart();
  // Lower halves that wait for an upper one, each within the upper half of the one before it: so at most one a bit.
  const bits = familyBits(table.family);
  const lengths = new Uint8Array(bits + 1), values = new Float64Array(bits + 1);
  let waiting = 0;
  const cursor = new NetworkCursor(table);
  do {
    let value = valueOf(cursor), length = cursor.length;
    while (waiting > 0 && lengths[waiting - 1] === length && isUpperHalf(cursor.start, length)) {
      const joined = join(values[waiting - 1]!, value);
      if (joined === APART) break;
      value = joined;
      length--;
      waiting--;
    }
    lengths[waiting] = length;
    values[waiting++] = value;
    if (length > 0 && !isUpperHalf(cursor.start, length)) continue;
    // An upper half that was not joined: nothing that holds it can become one network, so none of these waits any more.
    for (let i = 0; i < waiting; i++) builder.append(lengths[i]!, values[i]!);
    waiting = 0;
  } while (cursor.next());
  return builder.finish();
}

/** Whether the network of `length` bits that holds an address, in words, is the upper of two siblings. */
export function isUpperHalf(address: Uint32Array, length: number): boolean {
  return (address[length - 1 >> 5]! >>> (31 - (length - 1 & 31)) & 1) === 1;
}
