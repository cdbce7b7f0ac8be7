/**
 * Whether blocks are what their leaves can be joined to: each holds one answer, and none could be shorter.
 *
 * @module
 */

import { SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import type { Prefix } from "../net/address.ts";
import { NetworkCursor, type NetworkTable } from "../net/network_table.ts";

/** Who hears of what is met. */
export interface ScopeListener {
  /** Of each leaf and its answer, in ascending order. */
  leaf(leaf: NetworkCursor, answer: number): void;
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
  answerOf: (leaf: NetworkCursor) => number,
  { leaf: hear, fail }: ScopeListener,
): void {
  const leaf = new NetworkCursor(leaves), block = new NetworkCursor(blocks);
  let previous = UNEQUAL, previousLength = -1, isLeft = true;
  do {
    if (!isLeft || !startTogether(leaf, block)) {
      return fail("partition", block.network(), "a block that starts within a leaf", "whole leaves");
    }
    const answer = answerOf(leaf), firstIsSpecial = isSpecial(leaf), first = leaf.entry;
    do {
      const found = leaf.entry === first ? answer : answerOf(leaf);
      const isAlone = leaf.entry === first && leaf.length === block.length;
      if (found !== answer || (!isAlone && isSpecial(leaf))) {
        fail("scope not sound", leaf.network(), answer, found);
      }
      hear(leaf, found);
      isLeft = leaf.next();
    } while (isLeft && block.holds(leaf.start));
    const current = firstIsSpecial ? UNEQUAL : answer;
    // A scope is too long where a whole sibling has the same answer. Were a sibling cut further, two siblings within it
    // would have equal answers too: so it is enough to look at neighbours.
    if (
      current !== UNEQUAL && current === previous && block.length === previousLength && isUpperHalf(block)
    ) {
      const network = block.network();
      fail("scope not minimal", network, `/${network.length}`, `/${network.length - 1}`);
    }
    previous = current;
    previousLength = block.length;
  } while (block.next());
  if (isLeft) fail("partition", leaf.network(), "no block", "one");
}

/** Of a special-purpose block, which is never merged: no answer equals it. */
const UNEQUAL = -1;

function isSpecial({ value }: NetworkCursor): boolean {
  return value >= SPECIAL_CLASS_FIRST;
}

function startTogether(a: NetworkCursor, b: NetworkCursor): boolean {
  for (let word = 0; word < a.start.length; word++) if (a.start[word] !== b.start[word]) return false;
  return true;
}

/** Whether the network is the upper half of its parent: then the one before it, if as long, is the lower half. */
function isUpperHalf({ start, length }: NetworkCursor): boolean {
  return length > 0 && (start[length - 1 >> 5]! >>> (31 - (length - 1 & 31)) & 1) === 1;
}
