/**
 * States of health to prove a pool in.
 *
 * @module
 */

import { withTargets } from "../fleet/by_target.ts";
import type { Node } from "../fleet/node.ts";
import type { TargetKey, Verdict } from "../fleet/verdict.ts";
import type { Snapshot } from "../snapshot.ts";

/** Which nodes are down or degraded; the others are up. */
export interface HealthState {
  /** For people: `all up`, `fra1 down`, `subset 3: 7 down`. */
  readonly name: string;
  readonly down: readonly string[];
  readonly degraded: readonly string[];
}

/** All up, all down, each single node down, and `subsets` random sets of nodes down, of up to half of them. */
export function healthStates(nodes: readonly string[], subsets: number, seed: number): HealthState[] {
  const random = generator(seed);
  const state = (name: string, down: readonly string[]): HealthState => ({ name, down, degraded: [] });
  const single = nodes.length > 1 ? nodes.map((id) => state(`${id} down`, [id])) : [];
  const sets = Array.from({ length: nodes.length > 1 ? subsets : 0 }, (_, i) => {
    const share = random() / 2;
    const down = nodes.filter(() => random() < share).slice(0, nodes.length - 1);
    return state(`subset ${i + 1}: ${down.length} down`, down);
  });
  return [state("all up", []), ...single, ...sets, state("all down", nodes)];
}

/** The snapshot as it would be with the nodes of a pool in that state. Everything else about them stays. */
export function snapshotIn({ down, degraded }: HealthState, snapshot: Snapshot, pool: string): Snapshot {
  const state = snapshot.pools[pool]!;
  const verdict = (state: Verdict["state"]): Verdict => ({ state, sinceMs: 0, reason: "supposed", ramp: 1 });
  const changes: Record<TargetKey, Verdict> = {};
  const targets: Record<string, readonly TargetKey[]> = {};
  for (const address of addressesOf(state.nodes)) {
    const key = `supposed ${address}`;
    const at = (ids: readonly string[]) =>
      addressesOf(state.nodes.filter(({ id }) => ids.includes(id))).has(address);
    changes[key] = verdict(at(down) ? "down" : at(degraded) ? "degraded" : "up");
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
