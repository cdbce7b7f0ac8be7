/**
 * What only shows of pools when every server block has been read.
 *
 * @module
 */

import { formatPosition, type Problems, type Token } from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";
import { isWithin, type Name } from "../dns/name.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import { whyEmptiedByDistance } from "../fleet/spill.ts";

/** A pool of the Corefile, and where that names it. */
export interface DeclaredPool {
  readonly policy: PoolPolicy;
  readonly token: Token;
}

/** A block that answers managed pools. */
export interface PoolsTaken {
  readonly key: string;
  readonly zones: readonly Name[];
  readonly token: Token;
}

/** Pools have names of their own, and `all-down pool NAME` must lead to an end. */
export function checkPools(pools: readonly DeclaredPool[], problems: Problems): void {
  const byName = new Map<string, DeclaredPool>();
  for (const pool of pools) {
    if (byName.has(pool.policy.name)) {
      problems.error(pool.token, `pool ${pool.policy.name} is declared twice`);
    }
    byName.set(pool.policy.name, pool);
  }
  for (const { policy, token } of pools) {
    const why = whyEmptiedByDistance(policy, (name) => byName.get(name)?.policy);
    // Within one pool its own options show it already.
    if (why && policy.allDown.policy === "pool") problems.error(token, why);
    const path = [policy.name];
    for (let down = policy.allDown; down.policy === "pool";) {
      const next = byName.get(down.pool);
      if (!next) {
        const guess = nearest(down.pool, [...byName.keys()]);
        const hint = guess ? `did you mean ${guess}?` : `there are ${[...byName.keys()].join(", ")}`;
        problems.error(token, `all-down pool ${down.pool}: there is no such pool; ${hint}`);
        break;
      }
      if (path.includes(down.pool)) {
        problems.error(
          token,
          `all-down pool ${down.pool}: leads in a circle: ${[...path, down.pool].join(" → ")}`,
        );
        break;
      }
      path.push(down.pool);
      down = next.policy.allDown;
    }
  }
}

/** A managed pool is one block's: by whose health else, and by whose geography? */
export function checkTakers(takers: readonly PoolsTaken[], problems: Problems): void {
  for (const [i, { zones, token }] of takers.entries()) {
    const areAlike = (a: Name, b: Name) => isWithin(a, b) || isWithin(b, a);
    const other = takers.slice(0, i).find((other) =>
      other.zones.some((theirs) => zones.some((zone) => areAlike(zone, theirs)))
    );
    if (!other) continue;
    problems.error(
      token,
      `managed pools of these zones are answered by the block at ${
        formatPosition(other.token.at)
      } already: ` +
        "want one block for them",
    );
  }
}
