/**
 * Pools: the nodes that can answer for a service name, and the policy that picks among them.
 *
 * @module
 */

import type { Node } from "./node.ts";
import type { TargetKey } from "./verdict.ts";

/** The seed's four ways of turning kilometres into a score; `reference` formulas stand in docs/decisions/0001. */
export type Strategy = "linear" | "quadratic" | "logarithmic" | "stepped";

/** What happens when nothing serves. */
export type AllDown =
  | { readonly policy: "last-known-good" | "fail-open" | "nodata" | "servfail" }
  | { readonly policy: "pool"; readonly pool: string };

/** Who answers clients without a location. */
export type UnknownPolicy =
  | { readonly policy: "nearest"; readonly latitude: number; readonly longitude: number }
  | { readonly policy: "nodes"; readonly nodes: readonly string[] }
  | { readonly policy: "all" };

/** How a pool picks. Plain data, from the Corefile. */
export interface PoolPolicy {
  /** The pool's first owner name, presentation form, folded. */
  readonly name: string;
  /** Labels that a node must have. */
  readonly select: Readonly<Record<string, string>>;
  /** How many nodes an answer has. */
  readonly answers: number;
  readonly strategy: Strategy;
  /** Whether nodes are ordered as the Formation network orders them: decision 0001, "Compat". */
  readonly compat?: boolean;
  readonly bias: { readonly region: number; readonly country: number; readonly maxKm: number };
  /** Infinity = no limit. */
  readonly maxDistanceKm: number;
  /** Equal if d ≤ max(d0·(1+share), d0+km). Absent = only equal within 1 m. */
  readonly ring?: { readonly share: number; readonly km: number };
  /** Share of nodes up below which all-down applies; 0 = off. */
  readonly threshold: number;
  /** Whether traffic of a region that is short of nodes goes elsewhere, and from when to when. Absent = it does not. */
  readonly degrade?: DegradePolicy;
  readonly unknown: UnknownPolicy;
  readonly allDown: AllDown;
}

/** When a region is degraded: decision 0007, "Regional degradation". */
export interface DegradePolicy {
  /** From when its healthy share of nodes or of capacity is below this; from 0 to 1. */
  readonly below: number;
  /** Until it has been at least this, and at least `below`, … */
  readonly above: number;
  /** … for so long. */
  readonly dwellMs: number;
}

/** That traffic of some regions of a pool goes elsewhere. Plain data. */
export interface Degradation {
  /** The regions, ascending. */
  readonly regions: readonly string[];
  /** Of nodes by id: whole metres, more than 0, that are added to their distance from everybody. Ascending by id. */
  readonly prices: Readonly<Record<string, number>>;
  /** The earliest instant at which one of them may be degraded no more, as far as is known now; Infinity = none. */
  readonly mayEndMs: number;
}

/** A pool as it stands: part of the snapshot. */
export interface PoolState {
  readonly policy: PoolPolicy;
  /** Grows when nodes, verdicts, overrides or ramp steps of this pool change. */
  readonly epoch: number;
  /** The nodes that match `select`, ascending by id (UTF-16 code unit order). */
  readonly nodes: readonly Node[];
  /** The targets that decide over an address: its every check. No entry = no check = up. */
  readonly targets: Readonly<Record<string, readonly TargetKey[]>>;
  /** The share of an address's checks that may be down before the address is; 0 = none may. */
  readonly failingShare: number;
  /** Ids of the nodes that served at the last instant the pool was not all-down, by family. */
  readonly lastServing: { readonly 4: readonly string[]; readonly 6: readonly string[] };
  /** Absent while no region is degraded. */
  readonly degradation?: Degradation;
}
