/**
 * The blocks of a partition that change because some leaves do: the leaves anew, joined with each other and with the
 * blocks around them, as far as answers are equal. What comes out is what joining all leaves would come to.
 *
 * @module
 */

import { DEEP_ROW } from "../net/network_rows.ts";
import {
  advance,
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

/** The blocks that are others than before, ascending: each a range of leaves. Those that follow each other make an area. */
export class UpdatedBlocks {
  /** By block: its first leaf and its last, as entries of the leaves. */
  readonly firsts: number[] = [];
  readonly lasts: number[] = [];
  readonly lengths: number[] = [];
  /** By block: the number of what it looks at; of a special-purpose block, which is joined to nothing, −1 less that. */
  readonly looks: number[] = [];
  /** By area: of the table from before the first entry that it takes the place of, and the first behind it. */
  readonly areaFirsts: number[] = [];
  readonly areaEnds: number[] = [];
  /** By area: the number of the block behind its last. */
  readonly areaBlocks: number[] = [];
  readonly #leaves: NetworkTable;
  readonly #before: RowsBefore;
  readonly #outcomes: UpdatedOutcomes;
  readonly #leaf: NetworkCursor;
  readonly #row: NetworkCursor;
  /** For {@linkcode #rowAround} alone. */
  readonly #deep: NetworkCursor;
  readonly #other: NetworkCursor;
  /** The first block of the area at hand. */
  #areaBlock = 0;
  /** Of the table from before: the first entry of the area at hand, and the first behind it; equal = there is none. */
  #first = 0;
  #end = 0;
  /** Where that one starts. */
  readonly #endsAt: Uint32Array;
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
    this.#endsAt = new Uint32Array(this.#leaf.start.length);
    this.#there = new Uint32Array(this.#leaf.start.length);
    this.#workOut();
  }

  /** Finds the runs of rows that are old. */
  #workOut(): void {
    const { table, isOld } = this.#before, row = this.#row;
    const from = new Uint32Array(row.start.length);
    let first = -1;
    for (let group = 0; group < table.offsets.length; group++) {
      const has = groupHas(table, group, isOld);
      if (!has && first < 0) continue;
      const begin = group << GROUP_BITS,
        end = has ? Math.min(begin + (1 << GROUP_BITS), table.count) : begin + 1;
      row.moveTo(begin);
      for (let entry = begin; entry < end; entry++) {
        if (entry > begin) row.next();
        const value = row.value === DEEP_ROW ? this.#rowAround(entry) : row.value;
        const isOne = value === undefined || isOld[value] === 1;
        if (isOne === first >= 0) continue;
        if (isOne) {
          copy(row.start, from);
          first = entry;
        } else {
          this.#takeRun(first, from, entry, row.start);
          first = -1;
        }
      }
    }
    if (first >= 0) this.#takeRun(first, from, table.count, from.map(() => 0));
    this.#endArea();
  }

  /** Takes the leaves of a run of rows. No leaf is both in it and outside. @param to All zeros at the end of the space. */
  #takeRun(first: number, from: Uint32Array, end: number, to: Uint32Array): void {
    const leaf = this.#leaf, outcomes = this.#outcomes;
    if (first !== this.#end) this.#joinAhead();
    if (first !== this.#end || this.#first === this.#end) this.#beginArea(first);
    leaf.moveToStart(from);
    let lastClass = -1, look = 0;
    do {
      const value = leaf.value;
      if (value !== lastClass) {
        look = outcomes.lookOf(lastClass = value);
        if (value >= SPECIAL_CLASS_FIRST) look = -1 - look;
      }
      this.#take(leaf.entry, leaf.entry, leaf.length, look, leaf.start);
    } while (leaf.next() && !areEqual(leaf.start, to));
    this.#end = end;
    copy(to, this.#endsAt);
  }

  #beginArea(first: number): void {
    this.#endArea();
    this.#areaBlock = this.looks.length;
    this.#first = this.#end = first;
  }

  #endArea(): void {
    if (this.#first === this.#end) return;
    this.#joinAhead();
    this.areaFirsts.push(this.#first);
    this.areaEnds.push(this.#end);
    this.areaBlocks.push(this.looks.length);
  }

  /** What stayed between the area at hand and the one before it was joined to this one. */
  #reopenArea(): void {
    this.#first = this.areaFirsts.pop()!;
    this.areaEnds.pop();
    this.areaBlocks.pop();
    this.#areaBlock = this.areaBlocks.at(-1) ?? 0;
  }

  /** Joins a block with those before it as far as that goes. @param within An address in it. */
  #take(first: number, last: number, length: number, look: number, within: Uint32Array): void {
    const { firsts, lasts, lengths, looks } = this;
    while (look >= 0 && length > 0 && isUpperHalf(within, length)) {
      const at = looks.length - 1, isBehind = at >= this.#areaBlock;
      const joined = !isBehind
        ? this.#joinedWith(this.#first - 1, first - 1, length, look)
        : lengths[at] === length && looks[at]! >= 0
        ? this.#outcomes.join(looks[at]!, look)
        : undefined;
      if (joined === undefined) break;
      if (isBehind) {
        first = firsts[at]!;
        this.#drop();
      } else {
        siblingOf(within, length, this.#there);
        first = find(this.#leaves, this.#there);
        this.#first = find(this.#before.table, this.#there);
        if (this.areaEnds.at(-1) === this.#first) this.#reopenArea();
      }
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

  /** Joins the last block of the area with those behind it that stay. */
  #joinAhead(): void {
    const { table } = this.#before, endsAt = this.#endsAt;
    while (this.#first < this.#end && this.#end < table.count) {
      const at = this.looks.length - 1;
      const first = this.firsts[at]!, length = this.lengths[at]!, look = this.looks[at]!;
      // Behind an upper half a lower one begins, or something longer.
      if (look < 0 || length === 0 || !isUpperHalf(endsAt, length)) return;
      const joined = this.#joinedWith(this.#end, this.lasts[at]! + 1, length, look);
      if (joined === undefined) return;
      copy(endsAt, this.#there);
      const isLast = advance(endsAt, length);
      this.#end = isLast ? table.count : find(table, endsAt);
      const last = isLast ? this.#leaves.count : find(this.#leaves, endsAt);
      this.#drop();
      this.#take(first, last - 1, length - 1, joined, this.#there);
    }
  }

  /**
   * What a block of the area looks at together with its sibling, which is next to the area; undefined where that was no
   * block of its own, or has another answer.
   *
   * @param entry Of the sibling, in the table from before: the one next to the area.
   * @param leaf The same in the leaves.
   */
  #joinedWith(entry: number, leaf: number, length: number, look: number): number | undefined {
    const { table, scopes, consulted, isOld } = this.#before;
    const value = valueAt(table, entry);
    const row = value === DEEP_ROW ? this.#rowAround(entry) : value;
    // One that is as long, and begins or ends there, is the sibling.
    if (row === undefined || isOld[row] === 1 || scopes[row] !== length) return undefined;
    const joined = this.#outcomes.join(consulted[row]!, look);
    if (joined === undefined) return undefined;
    return valueAt(this.#leaves, leaf) >= SPECIAL_CLASS_FIRST ? undefined : joined;
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
function find(table: NetworkTable, address: Uint32Array): number {
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

function isSameTo(length: number, a: Uint32Array, b: Uint32Array): boolean {
  for (let word = 0; word * 32 < length; word++) {
    const kept = Math.min(32, length - 32 * word);
    if ((a[word]! ^ b[word]!) >>> 32 - kept !== 0) return false;
  }
  return true;
}

function copy(from: Uint32Array, to: Uint32Array): void {
  // Set() takes ten times as long.
  for (let word = 0; word < to.length; word++) to[word] = from[word]!;
}

function areEqual(a: Uint32Array, b: Uint32Array): boolean {
  for (let word = 0; word < a.length; word++) if (a[word] !== b[word]) return false;
  return true;
}
