/**
 * Rows of many addresses at once. Every step of a search reads memory that lies in no cache, and has to wait for it. So the
 * first step is taken for all of them, then the second: a processor that does not need one result for the next step waits
 * for several at a time.
 *
 * @module
 */

import type { NetworkRows } from "./network_rows.ts";
import { entryOfIPv4, entryOfIPv6, groupOfIPv4, groupOfIPv6, valueAt } from "./network_table.ts";

/** How many addresses there may be at once. */
export const TOGETHER_MAX = 64;

/** Octets that a processor brings from memory at a time. */
const LINE_OCTETS = 64;

/** One search after the other; loops are flat and of few instructions, so that many turns of them are under way together. */
export class RowSearch {
  /** What is looked for: addresses of IPv4, or the first two words of addresses of IPv6. */
  readonly upper = new Uint32Array(TOGETHER_MAX);
  readonly lower = new Uint32Array(TOGETHER_MAX);
  /** What was found, signed. */
  readonly rows = new Int32Array(TOGETHER_MAX);
  readonly #groups = new Uint32Array(TOGETHER_MAX);
  /** What a search is for, and among how many groups it still is. */
  readonly #keys = new Uint32Array(TOGETHER_MAX);
  readonly #left = new Uint32Array(TOGETHER_MAX);
  readonly #ats = new Uint32Array(TOGETHER_MAX);
  /** What is read for the sake of reading it is kept, or it would not be read. */
  readonly #read = new Uint32Array(TOGETHER_MAX);

  /** Finds the rows of the first `count` addresses. */
  findIPv4(table: NetworkRows, count: number): void {
    const { upper, rows } = this, groups = this.#groups;
    this.#bringIndex(table, count);
    for (let i = 0; i < count; i++) groups[i] = groupOfIPv4(table, upper[i]!);
    this.#bringGroups(table, count, 1);
    for (let i = 0; i < count; i++) rows[i] = valueAt(table, entryOfIPv4(table, groups[i]!, upper[i]!));
  }

  /** The same for IPv6. */
  findIPv6(table: NetworkRows, count: number): void {
    const { upper, lower, rows } = this, groups = this.#groups;
    this.#bringIndex(table, count);
    this.#findGroupsIPv6(table, count);
    this.#bringGroups(table, count, 4);
    for (let i = 0; i < count; i++) {
      rows[i] = valueAt(table, entryOfIPv6(table, groups[i]!, upper[i]!, lower[i]!, 0, 0));
    }
  }

  /** As {@linkcode groupOfIPv6} has it, step by step for all together. */
  #findGroupsIPv6(table: NetworkRows, count: number): void {
    const { upper, lower } = this, groups = this.#groups, wanted = this.#keys, lefts = this.#left;
    const { index, keys } = table;
    if (index === undefined || keys === undefined) {
      for (let i = 0; i < count; i++) groups[i] = groupOfIPv6(table, upper[i]!, lower[i]!, 0, 0);
      return;
    }
    let most = 0;
    for (let i = 0; i < count; i++) {
      const head = upper[i]! >>> 16, first = index[head]!, left = index[head + 1]! - first + 1;
      groups[i] = first;
      lefts[i] = left;
      if (left > most) most = left;
      wanted[i] = upper[i]! << 16 | lower[i]! >>> 16;
    }
    for (; most > 1; most -= most >>> 1) {
      for (let i = 0; i < count; i++) {
        const group = groups[i]!, left = lefts[i]!, half = left >>> 1;
        groups[i] = group + (half & -Number(keys[group + half]! <= wanted[i]!));
        lefts[i] = left - half;
      }
    }
    for (let i = 0; i < count; i++) {
      const found = keys[groups[i]!]!;
      // Not told apart by keys alone: seldom.
      if (found === wanted[i] || found === 0) groups[i] = groupOfIPv6(table, upper[i]!, lower[i]!, 0, 0);
    }
  }

  #bringIndex({ index }: NetworkRows, count: number): void {
    const { upper } = this, read = this.#read;
    if (index) { for (let i = 0; i < count; i++) read[i] = index[upper[i]! >>> 16]!; }
  }

  /** Of each group what leads to it, and the lines in which most of them end. */
  #bringGroups({ bases, offsets, codes }: NetworkRows, count: number, words: number): void {
    const groups = this.#groups, ats = this.#ats, read = this.#read, last = codes.length - 1;
    for (let i = 0; i < count; i++) ats[i] = offsets[groups[i]!]!;
    for (let i = 0; i < count; i++) read[i] = bases[groups[i]! * words]!;
    for (let i = 0; i < count; i++) {
      const at = ats[i]!;
      read[i] = codes[at]! + codes[Math.min(at + LINE_OCTETS, last)]!;
    }
  }
}
