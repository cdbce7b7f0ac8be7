/**
 * What an explanation tells of a pool: the facts of the decision that filled an RRset. Plain data; instants are
 * milliseconds since 1970.
 *
 * @module
 */

import type { Deadline } from "../answer.ts";
import type { Family } from "../net/address.ts";
import type { Place } from "./place.ts";
import type { State, Verdict, VerdictDeadline } from "./verdict.ts";

/** Why a pool answered as it did. */
export interface PoolFacts {
  readonly pool: string;
  readonly family: Family;
  readonly outcome: string;
  readonly why: string;
  /** Pools that were all-down on the way, with what they did about it. */
  readonly allDown: readonly { readonly pool: string; readonly policy: string }[];
  /** Regions of which traffic goes elsewhere; absent = none. */
  readonly degraded?: readonly string[];
  /** That prices lead the client to a node farther away than one that serves: which that is, and how much nearer. */
  readonly moved?: { readonly from: string; readonly addedKm: number };
  /** Where the client is, if that is known. */
  readonly place: Place | null;
  /** The client's leaf, as a prefix. */
  readonly leaf: string;
  readonly scope: { readonly prefixLength: number; readonly from: string };
  readonly deadline: Deadline;
  readonly consulted: readonly ConsultedFacts[];
  /** Of pools of which the client's region has verdicts of its own; these decide unless they would leave nobody. */
  readonly regions: readonly {
    readonly pool: string;
    readonly region: string;
    readonly decides: boolean;
  }[];
  /** Every node of the pool, and of those it spilled to, in order of rank. */
  readonly nodes: readonly NodeFacts[];
}

/** What was looked at of a node, and when each of it could change. */
export interface ConsultedFacts extends Omit<VerdictDeadline, "regions"> {
  readonly pool: string;
  /** By which region's verdicts; absent = by everyone's. */
  readonly region?: string;
  readonly node: string;
  /** As {@linkcode LOOK} in consulted.ts calls them. */
  readonly for: readonly string[];
  /** The next instant in its calendar. */
  readonly nextScheduleMs: number;
}

/** A node and what came of it. */
export interface NodeFacts {
  readonly pool: string;
  readonly id: string;
  readonly address: string;
  /** Absent where the client has no place. */
  readonly distanceKm?: number;
  /** What is added to it. */
  readonly priceKm?: number;
  readonly bonus?: number;
  readonly score?: number;
  /** From 1. */
  readonly rank: number;
  /** Of its address, all checks taken together. */
  readonly state: State;
  readonly checks: readonly CheckFacts[];
  readonly ramp: number;
  readonly weight: number;
  readonly serving: boolean;
  /** Its place in the answer, from 1; 0 when it is not in it. */
  readonly chosen: number;
  readonly whyNot?: string;
}

/** What is known of one check of an address, by the verdicts that hold for the client. */
export interface CheckFacts extends Partial<Verdict> {
  readonly target: string;
  /** Whose verdict it is; absent = everyone's. */
  readonly region?: string;
  /** What everyone's is, where it is a region's. */
  readonly globally?: State;
}
