/**
 * The largest network around a client in which everyone gets the client's answer, found by looking at the leaves around
 * its own: a block of a partition, without the partition. So scopes are minimal at once, however large the geography and
 * however many the pools; blocks of very many leaves are left to partitions.
 *
 * @module
 */

import { findNetwork, NetworkCursor, type NetworkTable } from "../net/network_table.ts";
import type { Prefix } from "../net/address.ts";
import type { Allowance } from "./allowance.ts";
import { type Consulted, unite } from "./consulted.ts";
import { LeafAnswers } from "./leaf_answers.ts";
import { type Geography, SPECIAL_CLASS_FIRST } from "./place.ts";
import type { PoolView, Views } from "./view.ts";

/** A block, and what the answers in it looked at. */
export interface Surroundings {
  readonly prefixLength: number;
  readonly consulted: readonly Consulted[];
  /** Whether every client of either family gets the same. */
  readonly isWhole: boolean;
}

/**
 * The block of a leaf; undefined when it would take too long to tell.
 *
 * @param path The pools that a choice may come by, in turn.
 * @param allowance What looking may take now; by default no more than a bound for each query by itself.
 */
export function surroundings(
  views: Views,
  path: readonly PoolView[],
  geography: Geography,
  leaf: Prefix,
  allowance?: { readonly of: Allowance; readonly nowMs: number },
): Surroundings | undefined {
  const most = allowance?.of.at(allowance.nowMs);
  if (most === 0) return undefined;
  const answers = answersOf(views, path, geography);
  answers.begin(most);
  const found = lookAround(answers, geography, leaf);
  allowance?.of.take(answers.steps);
  return found;
}

function lookAround(
  answers: LeafAnswers,
  geography: Geography,
  { family, octets, length }: Prefix,
): Surroundings | undefined {
  const table = family === 4 ? geography.v4 : geography.v6;
  const own = findNetwork(table, octets);
  const all = answers.uniform(geography);
  if (all) return { prefixLength: 0, consulted: all, isWhole: true };
  const at = cursorOver(table);
  at.moveTo(own);
  const outcome = answers.of(at), met: Met = { outcome, others: undefined };
  let first = own, last = own, prefixLength = length;
  if (!isSpecial(at)) {
    for (; prefixLength > 0; prefixLength--) {
      const isUpper = bitAt(octets, prefixLength - 1) === 1;
      const from = isUpper ? findNetwork(table, halfEdge(octets, prefixLength, 0)) : last + 1;
      const to = isUpper ? first - 1 : findNetwork(table, halfEdge(octets, prefixLength, 1));
      const isSame = isAllThis(at, from, to, answers, met);
      if (isSame === undefined) return undefined;
      if (!isSame) break;
      if (isUpper) first = from;
      else last = to;
    }
  }
  // Special-purpose blocks divide the space even where all have one answer: that it ends there says nothing.
  if (all === undefined && !isSomeoneElse(geography, answers, outcome)) return undefined;
  return { prefixLength, consulted: consultedOf(met, answers), isWhole: false };
}

/** The outcomes of a block's leaves, all one answer. */
interface Met {
  /** The client's own. */
  readonly outcome: number;
  /** Absent where there is none, as a rule. */
  others: Set<number> | undefined;
}

function consultedOf({ outcome, others }: Met, answers: LeafAnswers): readonly Consulted[] {
  const own = answers.consultedOf(outcome);
  return others ? unite([own, ...[...others].map((one) => answers.consultedOf(one))]) : own;
}

/** Whether some leaf, of a few here and there, has another answer. */
function isSomeoneElse({ v4, v6 }: Geography, answers: LeafAnswers, outcome: number): boolean {
  for (const table of [v4, v6]) {
    for (let i = 0; i < SAMPLES; i++) {
      const leaf = cursorOver(table);
      leaf.moveTo(Math.floor(i * (table.count - 1) / (SAMPLES - 1)));
      if (!answers.areEqual(answers.of(leaf), outcome)) return true;
    }
  }
  return false;
}

const SAMPLES = 16;

/** Whether all leaves of some entries have one answer, and then adds what they come to; undefined when it takes too long. */
function isAllThis(
  leaf: NetworkCursor,
  from: number,
  to: number,
  answers: LeafAnswers,
  met: Met,
): boolean | undefined {
  const { outcome } = met;
  let found: number[] | undefined, latest = outcome;
  for (leaf.moveTo(from);; leaf.next()) {
    if (isSpecial(leaf)) return false;
    if (answers.isSpent) return undefined;
    const other = answers.of(leaf);
    if (other !== outcome && other !== latest) {
      if (!answers.areEqual(other, outcome)) return false;
      latest = other;
      (found ??= []).push(other);
    }
    if (leaf.entry === to) break;
  }
  if (!found) return true;
  met.others ??= new Set();
  for (const one of found) met.others.add(one);
  return true;
}

/** Of late: the answers of so many pools are known, by family and name. */
const KNOWN_MAX = 128;
const known = new Map<string, LeafAnswers>();

function answersOf(views: Views, path: readonly PoolView[], { places }: Geography): LeafAnswers {
  const { family, name } = path[0]!, key = `${family} ${name}`;
  let answers = known.get(key);
  known.delete(key);
  if (!answers?.areOf(path, places)) answers = new LeafAnswers(views, path, places);
  known.set(key, answers);
  if (known.size > KNOWN_MAX) known.delete(known.keys().next().value!);
  return answers;
}

/** One over each table: to make one takes longer than many steps. */
function cursorOver(table: NetworkTable): NetworkCursor {
  let cursor = cursors.get(table);
  if (!cursor) cursors.set(table, cursor = new NetworkCursor(table));
  return cursor;
}

const cursors = new WeakMap<NetworkTable, NetworkCursor>();

function isSpecial({ value }: NetworkCursor): boolean {
  return value >= SPECIAL_CLASS_FIRST;
}

function bitAt(octets: Uint8Array, bit: number): number {
  return octets[bit >> 3]! >> (7 - (bit & 7)) & 1;
}

/** Room for the edges, of which one is looked for at a time. */
const edges = { 4: new Uint8Array(4), 16: new Uint8Array(16) };

/** Of the sibling of the network of `length` bits that holds an address: the first address, or the last. Good until the next. */
function halfEdge(octets: Uint8Array, length: number, last: 0 | 1): Uint8Array {
  const edge = edges[octets.length as 4 | 16], bit = length - 1, at = bit >> 3;
  for (let i = 0; i < at; i++) edge[i] = octets[i]!;
  const rest = 0xff >> (bit & 7) >> 1, own = octets[at]! ^ 0x80 >> (bit & 7);
  edge[at] = last ? own | rest : own & ~rest;
  for (let i = at + 1; i < edge.length; i++) edge[i] = last ? 255 : 0;
  return edge;
}
