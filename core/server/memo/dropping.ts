/**
 * What a change of the snapshot takes away from a memo: as little as can be told from the change alone.
 *
 *     a slot or the geography of a block          what its plugins had a say in
 *     a pool's state                              what looked at the pool
 *     a verdict                                   what may have addresses that are probed and in no pool
 *     a deadline that is nearer, or stirs         what looked at a pool that has the target; and the same
 *     any other deadline                          of these, what counts down to a deadline
 *     anything else                               everything
 *
 * @module
 */

import { ofTarget } from "../../fleet/by_target.ts";
import { TargetPools } from "../../fleet/target_pools.ts";
import type { ToldDeadline, VerdictDeadline } from "../../fleet/verdict.ts";
import type { Snapshot } from "../../snapshot.ts";
import type { SnapshotChanges } from "../snapshot_changes.ts";
import type { Ground } from "./stamps.ts";

/** What changed, as grounds know it. */
interface Affected {
  readonly blocks: Set<string>;
  readonly pools: Set<string>;
  /** Pools of which only what counts down is affected. */
  readonly countedPools: Set<string>;
  watches: boolean;
  countedWatches: boolean;
}

/** Says which grounds a change ends; undefined = all. `before` is the snapshot that it changes. */
export function affectedBy(
  { parts, tables }: SnapshotChanges,
  before: Snapshot,
): ((ground: Ground) => boolean) | undefined {
  const affected: Affected = {
    blocks: new Set(),
    pools: new Set(),
    countedPools: new Set(),
    watches: false,
    countedWatches: false,
  };
  if (Object.keys(parts).some((part) => part !== "epoch" && part !== "publishedMs")) return undefined;
  for (const [table, { entries, removed }] of Object.entries(tables)) {
    const keys = [...Object.keys(entries), ...removed];
    const take = TAKERS[table];
    if (!take) return undefined;
    take(affected, keys, entries, before);
  }
  return (ground) => isAffected(ground, affected);
}

function isAffected({ blocks, pools, watches, volatile }: Ground, affected: Affected): boolean {
  return (watches && (affected.watches || volatile && affected.countedWatches)) ||
    blocks.some((block) => affected.blocks.has(block)) ||
    pools.some((pool) => affected.pools.has(pool) || volatile && affected.countedPools.has(pool));
}

type Taker = (
  affected: Affected,
  keys: readonly string[],
  entries: Readonly<Record<string, unknown>>,
  before: Snapshot,
) => void;

/** By table of a snapshot. */
const TAKERS: Readonly<Record<string, Taker>> = {
  slots: ({ blocks }, keys) => keys.forEach((key) => blocks.add(key.slice(0, key.indexOf("/")))),
  geographies: ({ blocks }, keys) => keys.forEach((key) => blocks.add(key)),
  pools: ({ pools }, keys) => keys.forEach((key) => pools.add(key)),
  partitions: ({ pools }, keys) => keys.forEach((key) => pools.add(key)),
  verdicts: (affected, keys, _, before) => {
    affected.watches = true;
    for (const pool of keys.flatMap((key) => poolsOf(before, key))) affected.pools.add(pool);
  },
  deadlines: (affected, keys, entries, before) => {
    for (const key of keys) {
      const isNews = isNearer(ofTarget(before.deadlines, key), entries[key] as ToldDeadline | undefined);
      const pools = poolsOf(before, key);
      if (isNews) affected.watches = true;
      affected.countedWatches = true;
      for (const pool of pools) (isNews ? affected.pools : affected.countedPools).add(pool);
    }
  },
};

/** Whether something could now change earlier than was thought, or a probe has taken a step towards a change or back. */
function isNearer(before: ToldDeadline | undefined, after: ToldDeadline | undefined): boolean {
  if (!before || !after || isNearerInRegions(before, after)) return true;
  // What moves away by itself is told anew where it has come nearer, whatever it was when it was told before.
  if (before.end || after.end) return true;
  return before.steady !== after.steady || after.downMs < before.downMs || after.upMs < before.upMs ||
    after.changeMs < before.changeMs || after.rampMs < before.rampMs;
}

/** Of the newest snapshot that was asked about: as a rule, all but a few pools are those of the one before. */
const followed = new TargetPools();
let followedPools: Snapshot["pools"] | undefined;

function poolsOf({ pools }: Snapshot, target: string): readonly string[] {
  if (pools !== followedPools) followed.setAll(followedPools = pools);
  return [...followed.of(target)];
}

/** The same of any region that has a deadline of its own, or had one. */
function isNearerInRegions(
  { regions: before = NO_REGIONS }: VerdictDeadline,
  { regions: after = NO_REGIONS }: VerdictDeadline,
): boolean {
  if (before.length !== after.length) return true;
  return after.some((own, i) => own.region !== before[i]!.region || isNearer(before[i], own));
}

const NO_REGIONS: NonNullable<VerdictDeadline["regions"]> = [];
