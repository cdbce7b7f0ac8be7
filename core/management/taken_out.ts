/**
 * How many of a pool's nodes people keep out of answers, before and after a change: what says whether it is one for two.
 * All that they keep out counts together, and for a day what they have taken away altogether, so that it makes no
 * difference to take one node after the other. What checks find is not looked at.
 *
 * @module
 */

import type { PoolEffect } from "../access/critical.ts";
import type { AuditRecord } from "../state/audit.ts";
import { canonicalJson } from "../state/canonical.ts";
import { PREFIXES } from "../state/keys.ts";
import { objectIn } from "../state/object_in.ts";
import type { Entry, Write } from "../state/store.ts";
import {
  type EffectiveFleet,
  effectOf,
  factsOf,
  type FleetFacts,
  isMember,
  type KnownBesides,
  type Standing,
  standingIn,
} from "./effective.ts";
import { withWrites } from "./preview.ts";

/** How long nodes that were taken away still count. */
export const COUNTED_MS = 86_400_000;

/** At so many instants is looked at most: overrides and maintenance begin and end by themselves. */
const INSTANTS_MAX = 100;

/**
 * Of each pool of which `writes` would take out more at some time, the worst.
 *
 * @param atMs When they begin to hold.
 * @param former What nodes and pools were a while ago, {@linkcode formerly}: what was in a pool then counts too.
 */
export function takenOut(
  entries: readonly Entry[],
  writes: readonly Write[],
  atMs: number,
  besides: KnownBesides = {},
  former: readonly Entry[] = [],
): PoolEffect[] {
  const was = factsOf(entries, besides), is = factsOf(withWrites(entries, writes), besides);
  const counted = countedIn(was, former, besides), worst = new Map<string, PoolEffect>();
  let instantMs = atMs;
  for (let i = 0; i < INSTANTS_MAX && instantMs < Infinity; i++) {
    const before = effectOf(was, instantMs), after = effectOf(is, instantMs);
    for (const [name, ids] of counted) {
      const [outBefore, outAfter] = [outOf(ids, before, name), outOf(ids, after, name)];
      if (outAfter <= outBefore || outAfter <= (worst.get(name)?.outAfter ?? 0)) continue;
      worst.set(name, { name, nodes: ids.size, outBefore, outAfter });
    }
    instantMs = Math.min(before.nextMs, after.nextMs);
  }
  return [...worst.values()];
}

/** What nodes and pools have been since `sinceMs`, before each change that the log has of them. */
export function formerly(log: Iterable<Entry>, sinceMs: number): Entry[] {
  const former = new Map<string, Entry>();
  for (const { value } of log) {
    // Most records are of something else: those are not worth reading.
    if (!/"action":"(?:node|pool)\.(?:update|delete)"/.test(value)) continue;
    const { atMs = -Infinity, before, subject = "" } = (objectIn(value) ?? {}) as Partial<AuditRecord>;
    if (atMs < sinceMs || before === undefined) continue;
    const key = `${subject.split("/", 1)[0]}/`, text = canonicalJson(before);
    former.set(text, { key, value: text, revision: 0, version: 0 });
  }
  return [...former.values()];
}

/** The nodes that count, by pool: those that are in it, and those that were. */
function countedIn(
  now: FleetFacts,
  former: readonly Entry[],
  { pools = [] }: KnownBesides,
): Map<string, ReadonlySet<string>> {
  const earlier = former.map((entry) =>
    factsOf([entry], entry.key.startsWith(PREFIXES.pools) ? { pools } : {})
  );
  const nodes = [now, ...earlier].flatMap((facts) => facts.nodes);
  return new Map(now.pools.map(({ name }) => {
    const memberships = [now, ...earlier].flatMap((facts) =>
      facts.pools.filter((pool) => pool.name === name)
    );
    const members = nodes.filter(({ node }) => memberships.some((one) => isMember(node, one)));
    return [name, new Set(members.map(({ node: { id } }) => id))];
  }));
}

/** A weight that is less than this share of the pool's greatest is as good as none. */
const LEAST_SHARE = 0.01;

function outOf(ids: ReadonlySet<string>, { nodes }: EffectiveFleet, pool: string): number {
  const weights = [...ids].flatMap((id) => {
    const node = nodes.get(id), { state, weight } = node ? standingIn(node, pool) : GONE;
    return state === "up" && node?.pools.includes(pool) ? [weight] : [];
  });
  const least = LEAST_SHARE * weights.reduce((most, weight) => Math.max(most, weight), 0);
  return ids.size - weights.filter((weight) => weight >= least).length;
}

const GONE: Standing = { state: "down", weight: 0 };
