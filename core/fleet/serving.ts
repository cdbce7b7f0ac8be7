/**
 * What the control plane must remember of a pool.
 *
 * @module
 */

import type { Family } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import type { PoolPolicy, PoolState } from "./pool.ts";
import { makeView } from "./view.ts";

/**
 * Ids of the nodes that are known to serve now, ascending; undefined when the pool is all-down or nothing is known
 * yet, and what it remembered must be kept. Unknown counts as up in an answer, but not as good in memory. To be asked
 * at every change of the pool, and when something in a calendar of its nodes starts or ends.
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
