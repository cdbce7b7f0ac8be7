/**
 * What the fleet is at an instant, by what people and nodes have written into the store: a pure function of its entries and
 * the clock, so that every server that knows the same comes to the same. What checks find comes on top, elsewhere.
 *
 *     nodes/ + node lists --\
 *     pools/ + Corefile   ---+--> nodes by id, each with what it is now and why
 *     overrides/          --/     overrides, of which never two decide at once, for the FleetHub
 *                                 the next instant at which something changes by the clock alone
 *
 * @module
 */

import type { PoolTaker } from "../fleet/hub.ts";
import type { Node, Override } from "../fleet/node.ts";
import { segmentOf } from "../fleet/schedule.ts";
import { PREFIXES } from "../state/keys.ts";
import type { Entry } from "../state/store.ts";
import { nodeOf, nodeSchema, type NodeValue } from "./nodes.ts";
import { type OverrideValue, storedOverrideSchema } from "./overrides.ts";
import { isTakenBy, type Membership, poolSchema, type PoolValue } from "./pools.ts";
import { type Reign, reignsOf } from "./precedence.ts";

/** What the fleet consists of. */
export interface FleetFacts {
  readonly nodes: readonly { readonly node: Node; readonly origin: Origin }[];
  readonly pools: readonly Membership[];
  readonly overrides: readonly OverrideValue[];
  /** Keys of the store whose values cannot be read: they are left out. */
  readonly unreadable: readonly string[];
}

/** Where a node is from. */
export type Origin = NonNullable<NodeValue["origin"]>;

/** What is known besides the store: node lists, and the pools of the Corefile. */
export interface KnownBesides {
  readonly nodes?: readonly Node[];
  readonly pools?: readonly Membership[];
  /** Blocks that answer managed pools; absent = nobody knows which nodes those may have. */
  readonly takers?: readonly PoolTaker[] | undefined;
}

/** What a node is now, in one pool or everywhere. */
export interface Standing {
  readonly state: "up" | "drain" | "down";
  readonly weight: number;
  /** What says so; absent when it is as it was written. */
  readonly by?: {
    readonly kind: "override" | "maintenance";
    readonly id?: string;
    readonly actor?: string;
    readonly reason: string;
    readonly fromMs: number;
    readonly untilMs: number;
  };
  /** Of the weight, when an override says so. */
  readonly weightBy?: string;
}

/** A node with all that is said of it. */
export interface EffectiveNode extends Standing {
  readonly node: Node;
  readonly origin: Origin;
  /** The pools that take it. */
  readonly pools: readonly string[];
  /** Where it is something else in a pool than everywhere. */
  readonly inPools: Readonly<Record<string, Standing>>;
}

/** What the fleet is at an instant. */
export interface EffectiveFleet {
  /** By id, ascending. */
  readonly nodes: ReadonlyMap<string, EffectiveNode>;
  /** For {@linkcode FleetHub.setOverrides}: those that decide, now and later; of one node and pool never two at once. */
  readonly overrides: readonly Override[];
  /** When something changes by the clock alone; Infinity = never. */
  readonly nextMs: number;
  readonly unreadable: readonly string[];
}

/** What the fleet is at `nowMs`, from entries of the store; those that are nothing of it may be among them. */
export function effectiveFleet(
  entries: Iterable<Entry>,
  nowMs: number,
  besides: KnownBesides = {},
): EffectiveFleet {
  return effectOf(factsOf(entries, besides), nowMs);
}

/** What entries of the store say. A node of the store goes before one of a list that has its id. */
export function factsOf(
  entries: Iterable<Entry>,
  { nodes = [], pools = [], takers = [] }: KnownBesides = {},
): FleetFacts {
  const unreadable: string[] = [], overrides: OverrideValue[] = [], managed: Membership[] = [];
  const registered = new Set<string>();
  const nodesById = new Map(nodes.map((node) => [node.id, { node, origin: "static" as Origin }]));
  const poolsByName = new Map(pools.map((pool) => [pool.name, pool]));
  for (const { key, value } of entries) {
    const read = <T>(
      schema: { safeParse(value: unknown): { success: boolean; data?: unknown } },
    ): T | undefined => {
      const parsed = schema.safeParse(jsonOf(value));
      if (!parsed.success) unreadable.push(key);
      return parsed.success ? parsed.data as T : undefined;
    };
    if (key.startsWith(PREFIXES.nodes)) {
      const node = read<NodeValue>(nodeSchema);
      if (!node) continue;
      registered.add(node.id);
      nodesById.set(node.id, { node: nodeOf(node), origin: node.origin ?? "api" });
    } else if (key.startsWith(PREFIXES.pools)) {
      const pool = read<PoolValue>(poolSchema);
      // The Corefile's goes first.
      if (pool && !poolsByName.has(pool.name)) managed.push(managedMembership(pool));
    } else if (key.startsWith(PREFIXES.overrides)) {
      const override = read<OverrideValue>(storedOverrideSchema);
      if (override) overrides.push(override);
    }
  }
  const among = takers.map((taker) => ({ taker, ids: idsOf(taker, registered) }));
  for (const pool of managed) {
    const ids = among.find(({ taker }) => isTakenBy(pool.name, taker))?.ids;
    poolsByName.set(pool.name, ids ? { ...pool, among: ids } : pool);
  }
  return { nodes: [...nodesById.values()], pools: [...poolsByName.values()], overrides, unreadable };
}

/** The nodes that there are for a block's managed pools. */
function idsOf({ nodes, registered: isOpen }: PoolTaker, registered: ReadonlySet<string>): Set<string> {
  return new Set([...nodes.map(({ id }) => id), ...isOpen ? registered : []]);
}

/** Who is in a managed pool. */
export function managedMembership({ name, select = {}, members }: PoolValue): Membership {
  return { name, select, members };
}

/** What facts come to at `nowMs`. */
export function effectOf({ nodes, pools, overrides, unreadable }: FleetFacts, nowMs: number): EffectiveFleet {
  const effective = new Map<string, EffectiveNode>(), decisive: Override[] = [];
  let nextMs = Infinity;
  for (const { node, origin } of nodes.toSorted((a, b) => a.node.id < b.node.id ? -1 : 1)) {
    const own = pools.filter((pool) => isMember(node, pool)).map(({ name }) => name).sort();
    const plans = plansOf(node, own, overrides);
    // Those that have ended still say since when others decide: so that is the same whenever it is worked out.
    const forced = plans.flatMap(({ pool, reigns }) =>
      reigns.filter(({ untilMs }) => untilMs > nowMs).map((reign) => overrideOf(node.id, pool, reign))
    );
    decisive.push(...forced);
    nextMs = Math.min(nextMs, segmentOf(node, forced, nowMs).untilMs);
    const inPools = Object.fromEntries(
      plans.flatMap(({ pool, reigns }) =>
        pool === undefined ? [] : [[pool, standingOf(node, reigns, nowMs)]]
      ),
    );
    const everywhere = standingOf(node, plans[0]!.reigns, nowMs);
    effective.set(node.id, { node, origin, pools: own, inPools, ...everywhere });
  }
  return { nodes: effective, overrides: decisive, nextMs, unreadable };
}

/** What a node is in one pool. */
export function standingIn(node: EffectiveNode, pool: string): Standing {
  return node.inPools[pool] ?? node;
}

/** Whether a pool takes a node: one of its members where it names them, one with the labels it wants where not. */
export function isMember(
  { id, labels }: Pick<Node, "id" | "labels">,
  { select, members, among }: Membership,
): boolean {
  if (members && !idsIn(members).has(id) || among && !among.has(id)) return false;
  return Object.entries(select).every(([name, value]) => labels[name] === value);
}

const known = new WeakMap<readonly string[], ReadonlySet<string>>();

/** Made once for each list: a pool may name ten thousand, and each node of the fleet is looked for. */
function idsIn(members: readonly string[]): ReadonlySet<string> {
  const ids = known.get(members) ?? new Set(members);
  known.set(members, ids);
  return ids;
}

/** The pools whose answers an override may change: for those its author needs to have a say. */
export function poolsOf(target: OverrideValue["target"], { nodes, pools }: FleetFacts): string[] {
  if (target.pool !== undefined) return [target.pool];
  const names = pools.filter((pool) =>
    nodes.some(({ node }) => isMember(node, pool) && isFor({ target }, node, [pool.name]))
  );
  return names.map(({ name }) => name).sort();
}

/** Whether an override is for a node, wherever it answers or in its pools. */
export function isFor(
  { target }: Pick<OverrideValue, "target">,
  node: Node,
  pools: readonly string[],
): boolean {
  if (target.node !== undefined) return target.node === node.id;
  if (target.pool !== undefined) return pools.includes(target.pool);
  if (target.region !== undefined) return target.region === node.region;
  return Object.entries(target.labels ?? {}).every(([name, value]) => node.labels[name] === value);
}

/** Who decides over a node: everywhere, then in each pool that has overrides of its own. */
interface Plan {
  readonly pool: string | undefined;
  readonly reigns: readonly Reign[];
}

function plansOf(node: Node, pools: readonly string[], overrides: readonly OverrideValue[]): Plan[] {
  const own = overrides.filter((override) => isFor(override, node, pools));
  const everywhere = own.filter(({ target }) => target.pool === undefined);
  const named = new Set(own.flatMap(({ target }) => target.pool ?? []));
  return [
    { pool: undefined, reigns: reigns(everywhere) },
    ...[...named].sort().map((pool) => {
      return { pool, reigns: reigns(own.filter(({ target }) => (target.pool ?? pool) === pool)) };
    }),
  ];
}

/** States and weights are decided each for itself. */
function reigns(overrides: readonly OverrideValue[]): Reign[] {
  const isWeight = ({ weight }: OverrideValue) => weight !== undefined;
  return [
    ...reignsOf(overrides.filter((override) => !isWeight(override))),
    ...reignsOf(overrides.filter(isWeight)),
  ];
}

function overrideOf(
  nodeId: string,
  pool: string | undefined,
  { override, fromMs, untilMs }: Reign,
): Override {
  const { state, weight, reason, actor } = override;
  return {
    ...{ nodeId, reason, actor, fromMs, untilMs, state: state ?? "weight" },
    ...weight !== undefined && { weight },
    ...pool !== undefined && { pool },
  };
}

function standingOf(node: Node, reigns: readonly Reign[], nowMs: number): Standing {
  const inForce = reigns.filter((reign) => isWithin(reign, nowMs));
  const weighing = inForce.find(({ override }) => override.weight !== undefined)?.override;
  const deciding = inForce.find(({ override }) => override.state !== undefined);
  return {
    ...stateOf(node, deciding, nowMs),
    weight: weighing?.weight ?? node.weight,
    ...weighing && { weightBy: weighing.id },
  };
}

function stateOf(node: Node, deciding: Reign | undefined, nowMs: number): Pick<Standing, "state" | "by"> {
  if (deciding) {
    const { override: { id, actor, reason, state }, fromMs, untilMs } = deciding;
    return { state: state!, by: { kind: "override", id, actor, reason, fromMs, untilMs } };
  }
  if (node.state !== "up") return { state: node.state };
  const window = node.maintenance.find((window) => isWithin(window, nowMs));
  return window ? { state: "drain", by: { kind: "maintenance", ...window } } : { state: "up" };
}

function isWithin({ fromMs, untilMs }: { fromMs: number; untilMs: number }, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < untilMs;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
