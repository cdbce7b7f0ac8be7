/**
 * What the control plane must remember of a pool, and when it must look again.
 *
 * @module
 */

import type { Family } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import type { PoolPolicy, PoolState } from "./pool.ts";
import { overridesByNode, segmentOf } from "./schedule.ts";
import { makeView } from "./view.ts";

/**
 * Ids of the nodes that are known to serve now, ascending; undefined when the pool is all-down or nothing is known
 * yet, and what it remembered must be kept. Unknown counts as up in an answer, but not as good in memory. To be asked at every change of the fleet, and at each {@linkcode nextScheduleChangeMs}.
 */
export function servingIds(
  snapshot: Pick<Snapshot, "verdicts" | "overrides">,
  pool: PoolState,
  policy: PoolPolicy,
  family: Family,
  nowMs: number,
): readonly string[] | undefined {
  const view = makeView({ ...pool, policy }, snapshot, family, nowMs);
  const known = view.serving.filter(({ state }) => state !== "unknown");
  return view.allDown || known.length === 0 ? undefined : known.map(({ node }) => node.id);
}

/** The next instant at which a window or an override of any pool's node starts or ends; Infinity = none. */
export function nextScheduleChangeMs(
  { pools, overrides }: Pick<Snapshot, "pools" | "overrides">,
  nowMs: number,
): number {
  const forced = overridesByNode(overrides);
  return Object.values(pools).flatMap(({ nodes }) => nodes).reduce(
    (least, node) => Math.min(least, segmentOf(node, forced.get(node.id) ?? [], nowMs).untilMs),
    Infinity,
  );
}
