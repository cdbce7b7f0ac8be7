/**
 * What there is to be proved of a pool, and what came of it.
 *
 * @module
 */

import type { Geography } from "../fleet/place.ts";
import type { Family } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import { Oracle, weightIn } from "./oracle.ts";
import type { HealthState } from "./states.ts";

/** What to prove. */
export interface ProveRequest {
  readonly snapshot: Snapshot;
  readonly geography: Geography;
  readonly pool: string;
  /** Of the answer: A or AAAA. */
  readonly family: Family;
  readonly states: readonly HealthState[];
  readonly nowMs: number;
  /** Distances that oracles for the same nodes and places share. */
  readonly distances?: Uint32Array;
  /** Scopes that clients were told with the snapshot as it is. */
  readonly said?: readonly SaidScope[];
}

/** What the client of a leaf was told. */
export interface SaidScope {
  /** Of the client. */
  readonly family: Family;
  /** An entry of the geography's table. */
  readonly leaf: number;
  /** Absent = none was. */
  readonly scopePrefixLength: number | undefined;
}

/** What came of it. */
export interface Proof {
  readonly pool: string;
  readonly family: Family;
  readonly states: number;
  readonly nodes: number;
  readonly leaves: { readonly 4: number; readonly 6: number };
  /** Over all states. */
  readonly blocks: number;
  readonly leavesChecked: number;
  /** The most by which an answer missed the oracle's objective, in metres; 0 when every answer is right. */
  readonly regretMetres: number;
  readonly failures: number;
  /** The first of them. */
  readonly counterExamples: readonly CounterExample[];
}

/** One client that gets something else than it should. */
export interface CounterExample {
  readonly what: "objective" | "scope not sound" | "scope not minimal" | "partition";
  readonly state: string;
  readonly network: string;
  readonly found: string;
  readonly wanted: string;
}

/** The oracle of a pool and a family: worth keeping, since it knows every distance. */
export function oracleFor({ snapshot, geography, pool, family, nowMs, distances }: ProveRequest): Oracle {
  const state = snapshot.pools[pool];
  if (!state) throw new RangeError(`Cannot prove pool ${pool}: there is no such pool`);
  const nodes = state.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
  return new Oracle(
    state.policy,
    nodes.map((node) => {
      const { id, place, region } = node, weight = weightIn(node, snapshot.overrides, nowMs, pool);
      const { prices = {} } = state.degradation ?? {}, priceM = Object.hasOwn(prices, id) ? prices[id]! : 0;
      return { id, ...place, weight, region, priceM };
    }),
    geography.places,
    distances,
    mayEndEmpty(snapshot.pools, pool),
  );
}

function mayEndEmpty(pools: Snapshot["pools"], pool: string): boolean {
  const allDown = pools[pool]?.policy.allDown;
  if (allDown?.policy === "pool") return mayEndEmpty(pools, allDown.pool);
  return allDown?.policy === "nodata" || allDown?.policy === "servfail";
}
