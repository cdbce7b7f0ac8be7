/**
 * What can be wrong between pools that spill into one another, wherever in the Corefile they stand.
 *
 * @module
 */

import type { PoolPolicy } from "./pool.ts";
import { reachKm } from "./score.ts";

/**
 * Why a client's place could decide whether a pool's name exists: distance makes a pool spill, and where that leads,
 * in the end, nothing is answered. In words; undefined when all is well. Loops end it.
 */
export function whyEmptiedByDistance(
  policy: PoolPolicy,
  poolNamed: (name: string) => PoolPolicy | undefined,
): string | undefined {
  if (reachKm(policy) === Infinity) return undefined;
  const path = [policy.name];
  let last = policy;
  while (last.allDown.policy === "pool" && !path.includes(last.allDown.pool)) {
    const next = poolNamed(last.allDown.pool);
    if (!next) return undefined;
    path.push(next.name);
    last = next;
  }
  const { policy: end } = last.allDown;
  if (end !== "nodata" && end !== "servfail") return undefined;
  return `max-distance cannot go with all-down ${end} (${path.join(" → ")}): ` +
    "where a client is must not decide whether a name exists";
}
