/**
 * What can be wrong between pools that spill into one another, wherever in the Corefile they stand.
 *
 * @module
 */

import type { PoolPolicy } from "./pool.ts";
import { reachKm } from "./score.ts";

/** Why `all-down pool` of a policy leads nowhere, or round in a circle; undefined when it leads to an end. */
export function whyNoEnd(
  policy: PoolPolicy,
  poolNamed: (name: string) => PoolPolicy | undefined,
): string | undefined {
  const path = [policy.name];
  for (let { allDown } = policy; allDown.policy === "pool";) {
    const next = poolNamed(allDown.pool);
    if (!next) return `all-down pool ${allDown.pool}: there is no such pool`;
    if (path.includes(next.name)) {
      return `all-down pool ${allDown.pool}: leads in a circle: ${[...path, next.name].join(" → ")}`;
    }
    path.push(next.name);
    allDown = next.allDown;
  }
  return undefined;
}

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
