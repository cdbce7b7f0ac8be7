/**
 * What a change that waits would move, kept small: for who is to agree to it, and to be held against the same counted later.
 *
 * @module
 */

import { previewSchema } from "./preview_schema.ts";
import type { z } from "@hono/zod-openapi";

/** Of a preview what is kept of it. Pools and moves are those where most is asked for by whom it concerns, the most first. */
export const countedSchema = previewSchema.pick({
  ...{ at: true, pools: true, emptied: true, moves: true, movesUnknown: true, weighedBy: true },
}).openapi("Counted", { description: "what it would move: as in a preview, of the pools that matter most" });

/** See the module. */
export type Counted = z.output<typeof countedSchema>;

type Moves = NonNullable<Counted["moves"]>[number];

/** So many pools are kept, and so many nodes above their capacity of each. */
const POOLS_MAX = 20, OVERLOADS_MAX = 10;

/** What is kept of a preview. */
export function countedOf({ at, pools, emptied, moves, movesUnknown, weighedBy }: Counted): Counted {
  const lost = (one: Counted["pools"][number]) => one.before === 0 ? 0 : 1 - one.after / one.before;
  const kept = moves?.toSorted((a, b) => b.movedDemand - a.movedDemand).slice(0, POOLS_MAX);
  return {
    ...{ at, emptied: emptied.slice(0, POOLS_MAX), weighedBy },
    pools: pools.toSorted((a, b) => lost(b) - lost(a)).slice(0, POOLS_MAX),
    ...kept && {
      moves: kept.map((one) => ({ ...one, nodes: [], overloads: one.overloads.slice(0, OVERLOADS_MAX) })),
    },
    ...movesUnknown !== undefined && { movesUnknown },
  };
}

/** By how much a share may have grown, and a distance: what lives is never counted twice alike. */
const SHARE_MORE = 0.01, KM_MORE = 25, KM_TIMES = 1.1;

/** The same of a share of which a part was counted, in the time that there was: that is not the same part each time. */
const SHARE_MORE_OF_PART = 0.05;

/** Why a change would do more by now than it would have when it was looked at; undefined where it would not. */
export function whyMore(was: Counted, is: Counted): string | undefined {
  const emptied = is.emptied.find((pool) => !was.emptied.includes(pool));
  if (emptied !== undefined) return `it would leave ${emptied} with nobody by now`;
  const poolsWere = new Map(was.pools.map((one) => [one.pool, one]));
  for (const { pool, before, after } of is.pools) {
    const expected = poolsWere.get(pool)?.after ?? (was.pools.length < POOLS_MAX ? before : 0);
    if (after < expected) return `it would leave ${after} nodes to ${pool} by now, not ${expected}`;
  }
  if (!is.moves) return undefined;
  if (!was.moves) return "what it would move was not known, and is by now";
  for (const now of is.moves) {
    const then = was.moves.find(({ pool, types }) =>
      pool === now.pool && types.some((type) => now.types.includes(type))
    );
    // Of what is left out it is known that it is less than of what is there.
    const why = whyMovesMore(then ?? leastOf(was.moves), now);
    if (why !== undefined) return `${now.pool}: ${why}`;
  }
  return undefined;
}

type Amounts = Pick<
  Moves,
  "movedNetworks" | "movedDemand" | "lostDemand" | "addedKmMovedMean" | "addedKmMax" | "overloads"
>;

const NOTHING: Amounts = {
  ...{ movedNetworks: 0, movedDemand: 0, lostDemand: 0, addedKmMovedMean: 0, addedKmMax: 0, overloads: [] },
};

function leastOf(moves: readonly Moves[]): Amounts {
  return moves.length < POOLS_MAX ? NOTHING : { ...NOTHING, ...moves.at(-1)! };
}

function whyMovesMore(was: Amounts, is: Moves): string | undefined {
  const isPart = is.counted.networks < 1 || is.counted.demand < 1;
  const more = isPart ? SHARE_MORE_OF_PART : SHARE_MORE;
  const shares = [
    ["of networks", was.movedNetworks, is.movedNetworks],
    ["of what is asked for", was.movedDemand, is.movedDemand],
    ["of what is asked for unanswered", was.lostDemand, is.lostDemand],
  ] as const;
  for (const [of, before, now] of shares) {
    if (now > before + more) return `by now it would be ${percent(now)} ${of}, not ${percent(before)}`;
  }
  const distances = [[was.addedKmMovedMean, is.addedKmMovedMean], [was.addedKmMax, is.addedKmMax]] as const;
  for (const [before, now] of distances) {
    if (now > Math.max(before * KM_TIMES, before + KM_MORE)) {
      return `by now it would be ${Math.round(now)} km farther, not ${Math.round(before)}`;
    }
  }
  const above = is.overloads.find(({ node }) => !was.overloads.some((one) => one.node === node));
  return above && was.overloads.length < OVERLOADS_MAX
    ? `by now ${above.node} would be above its capacity`
    : undefined;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
