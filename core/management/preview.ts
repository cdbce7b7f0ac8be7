/**
 * What a change would make of the fleet, before anybody makes it: nodes that would be something else, and pools that would
 * lose theirs. What that means for clients is counted by {@linkcode blastRadius}.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { Node } from "../fleet/node.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import { type Entry, keyOf, type Write } from "../state/store.ts";
import {
  type EffectiveFleet,
  effectOf,
  factsOf,
  isMember,
  type KnownBesides,
  type Standing,
  standingIn,
} from "./effective.ts";
import type { MovesAsked } from "./moves_job.ts";
import { ProblemError } from "./problem.ts";

/** Whether checks let a node serve a pool, as far as they know now. */
export type Serves = (node: string, pool: string) => boolean;

/** A node that would be something else, in a pool or everywhere. */
export interface StandingChange {
  readonly node: string;
  /** Absent = wherever no pool is told. */
  readonly pool?: string;
  /** Absent = it is new. */
  readonly before?: Pick<Standing, "state" | "weight">;
  /** Absent = it would be gone. */
  readonly after?: Pick<Standing, "state" | "weight">;
}

/** How many of a pool's nodes serve it. */
export interface PoolChange {
  readonly pool: string;
  readonly members: number;
  readonly before: number;
  readonly after: number;
}

/** What a change would make of the fleet. */
export interface Preview {
  /** For when it is worked out, milliseconds since 1970. */
  readonly atMs: number;
  readonly before: EffectiveFleet;
  readonly after: EffectiveFleet;
  readonly changes: readonly StandingChange[];
  /** Pools in which other nodes, or another number of them, would serve. */
  readonly pools: readonly PoolChange[];
}

/**
 * What `writes` would make of the fleet.
 *
 * @param atMs When it begins to hold: of an override in the future, its start.
 */
export function preview(
  entries: readonly Entry[],
  writes: readonly Write[],
  atMs: number,
  besides: KnownBesides = {},
  serves: Serves = () => true,
): Preview {
  const factsBefore = factsOf(entries, besides), factsAfter = factsOf(withWrites(entries, writes), besides);
  const before = effectOf(factsBefore, atMs), after = effectOf(factsAfter, atMs);
  const names = [...new Set([...factsBefore.pools, ...factsAfter.pools].map(({ name }) => name))].sort();
  const pools = names.flatMap((pool) => {
    const was = servingIn(before, pool, serves), is = servingIn(after, pool, serves);
    const membership = factsAfter.pools.find(({ name }) => name === pool);
    const members = factsAfter.nodes.filter(({ node }) => membership && isMember(node, membership)).length;
    return was.join() === is.join() ? [] : [{ pool, members, before: was.length, after: is.length }];
  });
  return { atMs, before, after, changes: changesBetween(before, after), pools };
}

/**
 * What a server is asked, so that it tells what would move: whoever a preview makes something else, in which pools. A node that
 * stands in a list is what the list says, whatever the store has. `policies`: of pools that would have other ones.
 */
export function movesAsked(
  { atMs, before, after }: Preview,
  policies: Readonly<Record<string, PoolPolicy | null>> = {},
): MovesAsked {
  const pools: Record<string, { policy?: PoolPolicy; nodes: Record<string, Node | null> } | null> = {};
  for (const [name, policy] of Object.entries(policies)) pools[name] = policy && { policy, nodes: {} };
  for (const id of new Set([...before.nodes.keys(), ...after.nodes.keys()])) {
    const was = before.nodes.get(id), is = after.nodes.get(id);
    const isListed = was?.origin === "static" || is?.origin === "static";
    if (isListed && was?.origin !== is?.origin) continue;
    const isOther = !isDeepStrictEqual(was?.node, is?.node);
    for (const pool of new Set([...was?.pools ?? [], ...is?.pools ?? []])) {
      const comesOrGoes = was?.pools.includes(pool) !== is?.pools.includes(pool);
      if (pools[pool] === null || !isOther && !comesOrGoes) continue;
      (pools[pool] ??= { nodes: {} }).nodes[id] = is?.pools.includes(pool) ? is.node : null;
    }
  }
  return { atMs, overrides: { before: before.overrides, after: after.overrides }, pools };
}

/** Entries as they would be. */
export function withWrites(entries: Iterable<Entry>, writes: readonly Write[]): Entry[] {
  const written = new Set(writes.map(keyOf));
  const kept = [...entries].filter(({ key }) => !written.has(key));
  return [
    ...kept,
    ...writes.flatMap((write) =>
      "put" in write ? [{ key: write.put, value: write.value, revision: 0, version: 0 }] : []
    ),
  ];
}

/** Pools of which some nodes serve now and none would. */
export function emptied(pools: readonly PoolChange[]): string[] {
  return pools.filter(({ before, after }) => before > 0 && after === 0).map(({ pool }) => pool);
}

/** Pools that would lose most of the nodes that serve them: for that a second person is asked. */
export function mostlyLost(pools: readonly PoolChange[]): string[] {
  return pools.filter(({ before, after }) => after < before / 2).map(({ pool }) => pool);
}

/** @throws {ProblemError} `would-empty-pool`, unless every pool that would be empty is acknowledged by its name. */
export function refuseEmptied(pools: readonly PoolChange[], acknowledged: readonly string[]): void {
  const left = emptied(pools).filter((pool) => !acknowledged.includes(pool));
  if (left.length === 0) return;
  const detail = `nobody would serve ${left.join(", ")}: name it as acknowledged if that is meant`;
  throw new ProblemError("would-empty-pool", detail, { pools: left });
}

function servingIn({ nodes }: EffectiveFleet, pool: string, serves: Serves): string[] {
  return [...nodes.values()]
    .filter((node) => node.pools.includes(pool) && standingIn(node, pool).state === "up")
    .map(({ node: { id } }) => id)
    .filter((id) => serves(id, pool));
}

function changesBetween(before: EffectiveFleet, after: EffectiveFleet): StandingChange[] {
  const ids = [...new Set([...before.nodes.keys(), ...after.nodes.keys()])].sort();
  return ids.flatMap((id) => {
    const was = before.nodes.get(id), is = after.nodes.get(id);
    const pools = [...new Set([...Object.keys(was?.inPools ?? {}), ...Object.keys(is?.inPools ?? {})])]
      .sort();
    const inPools = pools.flatMap((pool) =>
      changeOf(id, was && standingIn(was, pool), is && standingIn(is, pool), pool)
    );
    return [...changeOf(id, was, is), ...inPools];
  });
}

function changeOf(
  node: string,
  before: Standing | undefined,
  after: Standing | undefined,
  pool?: string,
): StandingChange[] {
  if (before?.state === after?.state && before?.weight === after?.weight) return [];
  const short = ({ state, weight }: Standing) => ({ state, weight });
  return [{
    ...{ node, ...pool !== undefined && { pool } },
    ...before && { before: short(before) },
    ...after && { after: short(after) },
  }];
}
