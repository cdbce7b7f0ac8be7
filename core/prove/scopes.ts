/**
 * Whether blocks are what their leaves can be joined to: each holds one answer, and none could be shorter.
 *
 * @module
 */

import { SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import type { Prefix } from "../net/address.ts";
import { networkAt, type NetworkTable } from "../net/network_table.ts";

/** Who hears of what is met. */
export interface ScopeListener {
  /** Of each leaf and its answer, in ascending order. */
  leaf(leaf: number, answer: number): void;
  /** Of what is wrong: `found` and `wanted` are numbers of answers, or words. */
  fail(
    what: "scope not sound" | "scope not minimal" | "partition",
    network: Prefix,
    found: number | string,
    wanted: number | string,
  ): void;
}

/** The blocks cover the leaves, each holds one answer, and no two siblings hold the same. */
export function checkScopes(
  leaves: NetworkTable,
  blocks: NetworkTable,
  answerOf: (leaf: number) => number,
  { leaf: hear, fail }: ScopeListener,
): void {
  let leaf = 0, previous = UNEQUAL;
  for (let block = 0; block < blocks.count; block++) {
    if (!startsAt(leaves, leaf, blocks, block)) {
      return fail("partition", networkAt(blocks, block), "a block that starts within a leaf", "whole leaves");
    }
    const first = leaf, answer = answerOf(leaf);
    do {
      const found = leaf === first ? answer : answerOf(leaf);
      const isAlone = leaf === first && leaves.lengths[leaf] === blocks.lengths[block];
      if (found !== answer || (!isAlone && isSpecial(leaves, leaf))) {
        fail("scope not sound", networkAt(leaves, leaf), answer, found);
      }
      hear(leaf++, found);
    } while (
      leaf < leaves.count && !(block + 1 < blocks.count && startsAt(leaves, leaf, blocks, block + 1))
    );
    const current = isSpecial(leaves, first) ? UNEQUAL : answer;
    if (current !== UNEQUAL && current === previous && isJoinable(blocks, block)) {
      const network = networkAt(blocks, block);
      fail("scope not minimal", network, `/${network.length}`, `/${network.length - 1}`);
    }
    previous = current;
  }
  if (leaf !== leaves.count) fail("partition", networkAt(leaves, leaf), "no block", "one");
}

/** Of a special-purpose block, which is never merged: no answer equals it. */
const UNEQUAL = -1;

/**
 * Whether a block and the one before it are siblings. A scope is too long where a whole sibling has the same answer. Were a
 * sibling cut further, two siblings within it would have equal answers too: so it is enough to look at neighbours.
 */
function isJoinable(blocks: NetworkTable, block: number): boolean {
  return blocks.lengths[block] === blocks.lengths[block - 1] && isRightSibling(blocks, block);
}

function isSpecial({ values }: NetworkTable, i: number): boolean {
  return values[i]! >= SPECIAL_CLASS_FIRST;
}

function startsAt(a: NetworkTable, i: number, b: NetworkTable, j: number): boolean {
  if (a.family === 4) return a.starts[i] === b.starts[j];
  const x = 4 * i, y = 4 * j;
  return a.starts[x] === b.starts[y] && a.starts[x + 1] === b.starts[y + 1] &&
    a.starts[x + 2] === b.starts[y + 2] && a.starts[x + 3] === b.starts[y + 3];
}

/** Whether the entry is the upper half of its parent: then the one before it, if as long, is the lower half. */
function isRightSibling({ family, starts, lengths }: NetworkTable, i: number): boolean {
  const bit = lengths[i]! - 1;
  if (bit < 0) return false;
  const word = starts[(family === 4 ? i : 4 * i) + (bit >> 5)]!;
  return ((word >>> (31 - (bit & 31))) & 1) === 1;
}
