/**
 * From what a change would make of the fleet to what there is to be counted: of which pools other answers would come, and
 * the parts of the snapshot that these depend on.
 *
 * @module
 */

import type { ClientDemand } from "../fleet/client_places.ts";
import type { PoolNodes } from "../fleet/hub.ts";
import type { Node, Override } from "../fleet/node.ts";
import { partOf } from "../fleet/partition_inputs.ts";
import type { PoolPolicy, PoolState } from "../fleet/pool.ts";
import { spillPath } from "../fleet/select.ts";
import { type PoolView, viewsAt } from "../fleet/view.ts";
import type { Family } from "../net/address.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../snapshot.ts";
import type { MovesJob, MovingPool } from "./moves.ts";

/** What is asked of a server: what would move if these were in force. Plain data. */
export interface MovesAsked {
  /** The instant that is looked at, milliseconds since 1970. */
  readonly atMs: number;
  /** All that decide, as they are and as they would be. */
  readonly overrides: { readonly before: readonly Override[]; readonly after: readonly Override[] };
  /** Pools that would have other nodes or another policy, by name; null = it would be gone. */
  readonly pools: Readonly<Record<string, PoolAfter | null>>;
  /** Absent = by addresses. */
  readonly demand?: ClientDemand;
}

/** What a pool would be; what is absent is as it was. */
export interface PoolAfter {
  readonly policy?: PoolPolicy;
  /** Those that would be other ones, by id; null = it would not be there. */
  readonly nodes?: Readonly<Record<string, Node | null>>;
}

/** What there is to be counted, of a snapshot. `poolNamed`: pools as they were handed over. `timeMs`: for how long at most. */
export function movesJob(
  snapshot: Snapshot,
  poolNamed: (name: string) => Pick<PoolNodes, "block" | "takesRegistered" | "isManaged"> | undefined,
  { atMs, overrides, pools: changed, demand }: MovesAsked,
  timeMs: number,
): MovesJob {
  // Who stands in a list may come to a pool of the store.
  const takesNew = (name: string) => {
    const { takesRegistered = false, isManaged = false } = poolNamed(name) ?? {};
    return takesRegistered || isManaged;
  };
  const before: Snapshot = { ...snapshot, overrides: overrides.before };
  const after: Snapshot = {
    ...snapshot,
    overrides: overrides.after,
    pools: poolsAfter(snapshot, changed, takesNew),
  };
  const names = [...new Set([...Object.keys(before.pools), ...Object.keys(after.pools)])].sort();
  const pools = names.flatMap((pool): MovingPool[] => {
    const block = poolNamed(pool)?.block;
    return familiesApart(before, after, pool, atMs).map((families) => ({
      ...{ pool, families },
      ...block !== undefined && snapshot.geographies[block] && { block },
    }));
  });
  const keys = new Set(pools.flatMap(({ block }) => block ?? []));
  return {
    ...{ pools, atMs, timeMs, ...demand && { demand } },
    before: partsOf(before, pools),
    after: partsOf(after, pools),
    geographies: Object.fromEntries([...keys].map((key) => [key, snapshot.geographies[key]!])),
  };
}

function poolsAfter(
  { pools }: Snapshot,
  changed: Readonly<Record<string, PoolAfter | null>>,
  takesNew: (pool: string) => boolean,
): Record<string, PoolState> {
  const after: Record<string, PoolState> = { ...pools };
  for (const [name, change] of Object.entries(changed)) {
    const pool = pools[name];
    if (!pool) continue;
    if (change) after[name] = poolAfter(pool, change, takesNew(name));
    else delete after[name];
  }
  return after;
}

/** `takesNew`: whether nodes may come to it that it does not have. */
function poolAfter(
  pool: PoolState,
  { policy = pool.policy, nodes: changed = {} }: PoolAfter,
  takesNew: boolean,
): PoolState {
  const nodes = new Map(pool.nodes.map((node) => [node.id, node]));
  for (const [id, node] of Object.entries(changed)) {
    if (node && (takesNew || nodes.has(id))) nodes.set(id, node);
    else if (!node) nodes.delete(id);
  }
  const sorted = [...nodes.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  return { ...pool, policy, nodes: sorted };
}

/** The families for which a pool would answer otherwise; those that go the same way together. */
function familiesApart(before: Snapshot, after: Snapshot, pool: string, atMs: number): Family[][] {
  const changes = ([4, 6] as const).flatMap((family) => {
    const was = essence(before, pool, family, atMs), is = essence(after, pool, family, atMs);
    return was === is ? [] : [{ family, text: `${was}\n${is}` }];
  });
  const [one, other] = changes;
  if (one && other && one.text === other.text) return [[4, 6]];
  return changes.map(({ family }) => [family]);
}

/** All that answers of a pool depend on, addresses aside. */
function essence(snapshot: Snapshot, pool: string, family: Family, atMs: number): string {
  const path = spillPath(viewsAt(snapshot, family, atMs), pool);
  // Without an address of the family there is no such record, wherever it would spill to.
  return path[0]?.members.length === 0 ? "" : JSON.stringify(path.map(essenceOf));
}

function essenceOf({ policy, members, regional = new Map() }: PoolView): unknown {
  return [
    policy,
    members.map(({ node: { id, place, region, capacity }, serving, ramp, weight, out, remembered }) => [
      ...[id, place, region, capacity, serving, ramp, weight, out !== undefined, remembered],
    ]),
    Array.from(regional, ([region, view]) => [region, essenceOf(view)]),
  ];
}

function partsOf(snapshot: Snapshot, moving: readonly MovingPool[]): Snapshot {
  const { verdicts, overrides } = snapshot;
  const pools = Object.assign({}, ...moving.map(({ pool }) => partOf(snapshot, pool).pools));
  return { ...EMPTY_SNAPSHOT, pools, verdicts, overrides };
}
