/**
 * States of health to prove a pool in.
 *
 * @module
 */

import { withTargets } from "../fleet/by_target.ts";
import type { Node } from "../fleet/node.ts";
import type { RegionalVerdict, TargetKey, Verdict } from "../fleet/verdict.ts";
import type { Snapshot } from "../snapshot.ts";

/** Which nodes are down or degraded; the others are up. */
export interface HealthState {
  /** For people: `all up`, `fra1 down`, `subset 3: 7 down`. */
  readonly name: string;
  readonly down: readonly string[];
  readonly degraded: readonly string[];
  /** What regions have to say for themselves, of every node; absent = none has. */
  readonly regions?: readonly RegionalState[];
}

/** Which nodes are down or degraded to the clients of a region; the others are up to them. */
export interface RegionalState extends Pick<HealthState, "down" | "degraded"> {
  readonly region: string;
}

/**
 * All up, all down, each single node down, and `subsets` random sets of nodes down, of up to half of them; and where nodes
 * have regions such in which these see something else: {@linkcode regionalStates}.
 *
 * @param regions By region, the nodes that stand in it.
 */
export function healthStates(
  nodes: readonly string[],
  subsets: number,
  seed: number,
  regions: ReadonlyMap<string, readonly string[]> = new Map(),
): HealthState[] {
  const random = generator(seed);
  const state = (name: string, down: readonly string[]): HealthState => ({ name, down, degraded: [] });
  const single = nodes.length > 1 ? nodes.map((id) => state(`${id} down`, [id])) : [];
  const sets = Array.from({ length: nodes.length > 1 ? subsets : 0 }, (_, i) => {
    const share = random() / 2;
    const down = nodes.filter(() => random() < share).slice(0, nodes.length - 1);
    return state(`subset ${i + 1}: ${down.length} down`, down);
  });
  const regional = nodes.length > 1 ? regionalStates(nodes, regions, random) : [];
  return [state("all up", []), ...single, ...sets, state("all down", nodes), ...regional];
}

/** Each region cut off from its own nodes; one from all; one that sees all while nobody else does; all at odds. */
function regionalStates(
  nodes: readonly string[],
  regions: ReadonlyMap<string, readonly string[]>,
  random: () => number,
): HealthState[] {
  const [first] = regions.keys();
  if (first === undefined) return [];
  const seen = (region: string, down: readonly string[]): RegionalState => ({ region, down, degraded: [] });
  const state = (name: string, down: readonly string[], regions: readonly RegionalState[]): HealthState => {
    return { name, down, degraded: [], regions };
  };
  const some = () => nodes.filter(() => random() < 0.4).slice(0, nodes.length - 1);
  return [
    ...Array.from(regions, ([region, own]) => state(`${region} sees its own down`, [], [seen(region, own)])),
    state(`${first} sees all down`, [], [seen(first, nodes)]),
    state(`${first} sees all up, nobody else any`, nodes, [seen(first, [])]),
    state(
      "each region sees others down",
      some(),
      Array.from(regions.keys(), (region) => seen(region, some())),
    ),
  ];
}

/** The snapshot as it would be with the nodes of a pool in that state. Everything else about them stays. */
export function snapshotIn(
  { regions = [], ...everyone }: HealthState,
  snapshot: Snapshot,
  pool: string,
): Snapshot {
  const state = snapshot.pools[pool]!;
  const verdict = (state: Verdict["state"]): Verdict => ({ state, sinceMs: 0, reason: "supposed", ramp: 1 });
  const changes: Record<TargetKey, Verdict> = {};
  const targets: Record<string, readonly TargetKey[]> = {};
  for (const address of addressesOf(state.nodes)) {
    const key = `supposed ${address}`;
    const at = (ids: readonly string[]) =>
      addressesOf(state.nodes.filter(({ id }) => ids.includes(id))).has(address);
    const said = ({ down, degraded }: Pick<HealthState, "down" | "degraded">) =>
      verdict(at(down) ? "down" : at(degraded) ? "degraded" : "up");
    const owns: RegionalVerdict[] = regions.map(({ region, ...own }) => ({ region, ...said(own) }));
    changes[key] = { ...said(everyone), ...owns.length > 0 && { regions: owns } };
    targets[address] = [key];
  }
  const ids = (family: "ipv4" | "ipv6") => state.nodes.filter((node) => node[family]).map(({ id }) => id);
  const lastServing = { 4: ids("ipv4"), 6: ids("ipv6") };
  const supposed = { ...state, targets, lastServing, failingShare: 0, epoch: state.epoch + 1 };
  const verdicts = withTargets(snapshot.verdicts, changes);
  return { ...snapshot, verdicts, pools: { ...snapshot.pools, [pool]: supposed } };
}

/** The addresses of some nodes. Nodes that share one share its state: verdicts are on addresses. */
export function addressesOf(nodes: readonly Node[]): Set<string> {
  return new Set(nodes.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((address) => address !== undefined));
}

/** Numbers in [0, 1), the same ones for the same seed (Mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
