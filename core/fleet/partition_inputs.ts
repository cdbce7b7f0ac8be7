/**
 * What a partition is made from, and of nothing else: so that one need not be made again where all of it is the same.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { EMPTY_SNAPSHOT, type Snapshot } from "../snapshot.ts";
import { byTarget, ofTarget, targetEntries } from "./by_target.ts";
import type { Partition, PartitionJob } from "./partition.ts";
import { changedSince } from "./plain_basis.ts";
import { spillPath } from "./select.ts";
import { essenceOf } from "./verdict.ts";
import { viewsAt } from "./view.ts";

/** What of a snapshot the answers of a pool depend on: the pool, those it spills to, and their verdicts. */
export function partOf({ pools, verdicts, overrides }: Snapshot, pool: string): Snapshot {
  const path = pathOf(pools, pool);
  const nodes = new Set(path.flatMap((name) => pools[name]!.nodes.map(({ id }) => id)));
  const targets = path.flatMap((name) => Object.values(pools[name]!.targets).flat());
  return {
    ...EMPTY_SNAPSHOT,
    pools: Object.fromEntries(path.map((name) => [name, pools[name]!])),
    verdicts: byTarget(Object.fromEntries(targets.flatMap((target) => {
      const verdict = ofTarget(verdicts, target);
      return verdict ? [[target, verdict]] : [];
    }))),
    overrides: overrides.filter(({ nodeId }) => nodes.has(nodeId)),
  };
}

/**
 * What a job would make, from a partition of the same pool for either family of addresses: undefined where that must be
 * worked out. A verdict on an address says nothing of those of the other family, and all nodes may have one of each.
 */
export function madeFrom(
  partition: Partition | undefined,
  { snapshot, geography, pool, family, nowMs }: PartitionJob,
): Partition | undefined {
  const path = spillPath(viewsAt(snapshot, family, nowMs), pool);
  if (!partition?.basis || partition.geographyEpoch !== geography.epoch || path.length === 0) {
    return undefined;
  }
  if (changedSince(partition.basis, path[0]!)?.length !== 0) return undefined;
  return {
    ...partition,
    family,
    epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
    fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
  };
}

function pathOf(pools: Snapshot["pools"], pool: string): readonly string[] {
  const allDown = pools[pool]?.policy.allDown;
  if (!allDown) return [];
  return [pool, ...allDown.policy === "pool" ? pathOf(pools, allDown.pool) : []];
}

/** Whether two parts make the same partition at the same instant, of the same geography, epochs aside. */
export function makeTheSame(a: Snapshot, b: Snapshot): boolean {
  return isDeepStrictEqual(essentials(a), essentials(b));
}

/** Who says since when and why a verdict stands is no part of an answer. */
function essentials({ pools, verdicts, overrides }: Snapshot) {
  return {
    pools: Object.entries(pools).map(([name, pool]) => [name, { ...pool, epoch: 0 }]),
    verdicts: new Map(targetEntries(verdicts).map(([target, verdict]) => [target, essenceOf(verdict)])),
    overrides,
  };
}

/** A partition as it would have been made from another snapshot that makes the same one. */
export function madeAnew(partition: Partition, { pools }: Snapshot): Partition {
  const epochs = Object.keys(partition.epochs).map((name) => [name, pools[name]?.epoch ?? -1]);
  return { ...partition, epochs: Object.fromEntries(epochs) };
}
