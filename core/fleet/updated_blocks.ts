/**
 * The blocks of a partition that change because some leaves do: the leaves anew, joined with each other and with the
 * blocks around them, as far as answers are equal. What comes out is what joining all leaves would come to.
 *
 * @module
 */

import { DEEP_ROW } from "../net/network_rows.ts";
import {
  findIPv4,
  findIPv6,
  GROUP_BITS,
  groupHas,
  NetworkCursor,
  type NetworkTable,
  valueAt,
} from "../net/network_table.ts";
import { isUpperHalf } from "../net/table_algebra.ts";
import { SPECIAL_CLASS_FIRST } from "./place.ts";
import type { UpdatedOutcomes } from "./updated_outcomes.ts";

/** Rows of a partition from before, for clients of one family. */
export interface RowsBefore {
  readonly table: NetworkTable;
  /** By row: the lengths of blocks. */
  readonly scopes: Uint8Array;
  /** By row: the number of what the block looked at. */
  readonly consulted: Uint32Array;
  /** By row: 1 = its blocks looked at something that changed. */
  readonly isOld: Uint8Array;
}

/** The blocks that are others than before, ascending: each a range of leaves. */
export class UpdatedBlocks {
  /** By block: its first leaf and its last, as entries of the leaves. */
  readonly firsts: number[] = [];
  readonly lasts: number[] = [];
  readonly lengths: number[] = [];
  /** By block: the number of what it looks at; of a special-purpose block, which is joined to nothing, −1 less that. */
  readonly looks: number[] = [];
  readonly #leaves: NetworkTable;
  readonly #before: RowsBefore;
  readonly #outcomes: UpdatedOutcomes;
  readonly #leaf: NetworkCursor;
  readonly #row: NetworkCursor;
  /** For {@linkcode #rowAround} alone. */
  readonly #deep: NetworkCursor;
  readonly #other: NetworkCursor;
  /** An address in the last block. */
  readonly #in: Uint32Array;
  /** Room for an address. */
  readonly #there: Uint32Array;

  constructor(leaves: NetworkTable, before: RowsBefore, outcomes: UpdatedOutcomes) {
    this.#leaves = leaves;
    this.#before = before;
    this.#outcomes = outcomes;
    this.#leaf = new NetworkCursor(leaves);
    this.#row = new NetworkCursor(before.table);
    this.#deep = new NetworkCursor(before.table);
    this.#other = new NetworkCursor(before.table);
    this.#in = new Uint32Array(this.#leaf.start.length);
    this.#there = new Uint32Array(this.#leaf.start.length);
    this.#workOut();
  }

  #workOut(): void {
    const { table, isOld } = this.#before, row = this.#row;
    for (let group = 0; group < table.offsets.length; group++) {
      if (!groupHas(table, group, isOld)) continue;
      const end = Math.min(group + 1 << GROUP_BITS, table.count);
      for (let entry = group << GROUP_BITS; entry < end; entry++) {
        row.moveTo(entry);
        const value = row.value === DEEP_ROW ? this.#rowAround(entry) : row.value;
        if (value === undefined || isOld[value] === 1) this.#readLeaves();
      }
    }
    this.#joinAhead();
  }

  /** Takes the leaves of the row at hand. It may be less than a leaf, which then was taken with the row before. */
  #readLeaves(): void {
    const leaf = this.#leaf, row = this.#row;
    if (!row.holds(leaf.start)) leaf.moveTo(find(this.#leaves, row.start));
    const next = this.#next();
    if (leaf.entry < next) return;
    if (leaf.entry > next) this.#joinAhead();
    // Leaves are many, and set() takes ten times as long.
    const address = this.#in, words = address.length;
    do {
      for (let i = 0; i < words; i++) address[i] = leaf.start[i]!;
      const look = this.#outcomes.lookOf(leaf.value);
      this.#take(leaf.entry, leaf.entry, leaf.length, leaf.value >= SPECIAL_CLASS_FIRST ? -1 - look : look);
    } while (leaf.next() && row.holds(leaf.start));
  }

  /** The leaf after the last block. */
  #next(): number {
    return this.lasts.length > 0 ? this.lasts.at(-1)! + 1 : 0;
  }

  /** Joins a block with those before it as far as that goes. */
  #take(first: number, last: number, length: number, look: number): void {
    const { firsts, lasts, lengths, looks } = this;
    while (look >= 0 && length > 0 && isUpperHalf(this.#in, length)) {
      const at = lasts.length - 1, isBehind = at >= 0 && lasts[at]! + 1 === first;
      const joined = !isBehind
        ? this.#joinedWithSibling(length, look)
        : lengths[at] === length && looks[at]! >= 0
        ? this.#outcomes.join(looks[at]!, look)
        : undefined;
      if (joined === undefined) break;
      first = isBehind ? firsts[at]! : find(this.#leaves, this.#there);
      if (isBehind) this.#drop();
      look = joined;
      length--;
    }
    firsts.push(first);
    lasts.push(last);
    lengths.push(length);
    looks.push(look);
  }

  #drop(): void {
    this.firsts.pop();
    this.lasts.pop();
    this.lengths.pop();
    this.looks.pop();
  }

  /** Joins the last block with those behind it that stay. */
  #joinAhead(): void {
    for (let at = this.looks.length - 1; at >= 0; at = this.looks.length - 1) {
      const first = this.firsts[at]!, length = this.lengths[at]!, look = this.looks[at]!;
      if (look < 0 || length === 0 || isUpperHalf(this.#in, length)) return;
      const joined = this.#joinedWithSibling(length, look);
      if (joined === undefined) return;
      fillAfter(this.#there, length);
      this.#drop();
      this.#take(first, find(this.#leaves, this.#there), length - 1, joined);
    }
  }

  /**
   * What the network of `length` bits at hand, of a look, looks at together with its sibling, which then starts at
   * `#there`; undefined where that was no block of its own, is another by now, or has another answer.
   */
  #joinedWithSibling(length: number, look: number): number | undefined {
    const { table, scopes, consulted, isOld } = this.#before, there = this.#there;
    siblingOf(this.#in, length, there);
    const entry = find(table, there), value = valueAt(table, entry);
    const row = value === DEEP_ROW ? this.#rowAround(entry) : value;
    if (row === undefined || isOld[row] === 1 || scopes[row] !== length) return undefined;
    const joined = this.#outcomes.join(consulted[row]!, look);
    if (joined === undefined) return undefined;
    return valueAt(this.#leaves, find(this.#leaves, there)) >= SPECIAL_CLASS_FIRST ? undefined : joined;
  }

  /**
   * The row of others in the block of networks longer than /64, which have none; undefined where it has no others. They are
   * next to it, as all in between have none either.
   */
  #rowAround(entry: number): number | undefined {
    const { table, scopes } = this.#before;
    const deep = this.#deep, other = this.#other;
    deep.moveTo(entry);
    for (const step of [-1, 1]) {
      let at = entry;
      do at += step; while (at >= 0 && at < table.count && valueAt(table, at) === DEEP_ROW);
      if (at < 0 || at >= table.count) continue;
      other.moveTo(at);
      const length = scopes[other.value]!;
      if (isSameTo(length, other.start, deep.start)) return other.value;
    }
    return undefined;
  }
}

/** The entry of a table that holds an address, in words. */
export function find(table: NetworkTable, address: Uint32Array): number {
  return table.family === 4
    ? findIPv4(table, address[0]!)
    : findIPv6(table, address[0]!, address[1]!, address[2]!, address[3]!);
}

/** Where the sibling starts of the network of `length` bits that holds an address. */
function siblingOf(address: Uint32Array, length: number, sibling: Uint32Array): void {
  const bit = length - 1;
  for (let word = 0; word < address.length; word++) {
    const kept = Math.min(32, Math.max(0, length - 32 * word));
    sibling[word] = kept === 0 ? 0 : address[word]! & (0xffffffff << 32 - kept);
  }
  sibling[bit >> 5]! ^= 0x80000000 >>> (bit & 31);
}

/** Sets all bits from `length` on. */
function fillAfter(address: Uint32Array, length: number): void {
  for (let word = 0; word < address.length; word++) {
    const kept = Math.min(32, Math.max(0, length - 32 * word));
    if (kept < 32) address[word]! |= 0xffffffff >>> kept;
  }
}

function isSameTo(length: number, a: Uint32Array, b: Uint32Array): boolean {
  for (let word = 0; word * 32 < length; word++) {
    const kept = Math.min(32, length - 32 * word);
    if ((a[word]! ^ b[word]!) >>> 32 - kept !== 0) return false;
  }
  return true;
}
