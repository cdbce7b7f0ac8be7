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
  /** Of each leaf, in ascending order. */
  leaf(leaf: number): void;
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
  answers: Uint32Array,
  listener: ScopeListener,
): void {
  const answerOfBlock = new Int32Array(blocks.count);
  let leaf = 0;
  for (let block = 0; block < blocks.count; block++) {
    if (!startsAt(leaves, leaf, blocks, block)) {
      const found = "a block that starts within a leaf";
      listener.fail("partition", networkAt(blocks, block), found, "whole leaves");
      return;
    }
    const answer = answers[leaf]!, first = leaf;
    // Special-purpose blocks are never merged, and so stand as -1, which equals no answer.
    answerOfBlock[block] = isSpecial(leaves, first) ? -1 : answer;
    do {
      const isAlone = leaf === first && leaves.lengths[leaf] === blocks.lengths[block];
      if (answers[leaf] !== answer || (!isAlone && isSpecial(leaves, leaf))) {
        listener.fail("scope not sound", networkAt(leaves, leaf), answer, answers[leaf]!);
      }
      listener.leaf(leaf++);
    } while (
      leaf < leaves.count && !(block + 1 < blocks.count && startsAt(leaves, leaf, blocks, block + 1))
    );
  }
  if (leaf !== leaves.count) listener.fail("partition", networkAt(leaves, leaf), "no block", "one");
  checkMinimal(blocks, answerOfBlock, listener);
}

/**
 * A scope is too long where a whole sibling has the same answer. Were a sibling cut further, two siblings within it
 * would have equal answers too: so it is enough to look at neighbours of equal length.
 */
function checkMinimal(blocks: NetworkTable, answerOfBlock: Int32Array, { fail }: ScopeListener): void {
  for (let block = 1; block < blocks.count; block++) {
    const answer = answerOfBlock[block]!;
    if (answer < 0 || answer !== answerOfBlock[block - 1]) continue;
    if (blocks.lengths[block] !== blocks.lengths[block - 1] || !isRightSibling(blocks, block)) continue;
    const network = networkAt(blocks, block);
    fail("scope not minimal", network, `/${network.length}`, `/${network.length - 1}`);
  }
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
