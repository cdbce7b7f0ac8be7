/**
 * The control isolate's one place for the fleet's state: who writes what, who hears of it.
 *
 *     anycast  --setNodes-->   hub  --onPools-->   health          (which addresses to probe)
 *     health   --setTargets, setVerdicts-->  hub  --> snapshot     (what a query is answered from)
 *
 * @module
 */

import type { PoolPartitions } from "../snapshot.ts";
import type { SharedZone } from "../zone/shared_zone.ts";
import type { Node, Override } from "./node.ts";
import type { ClientDemand } from "./client_places.ts";
import type { Degraded, RegionShares } from "./degradation.ts";
import type { Degradation, DegradePolicy, PoolPolicy } from "./pool.ts";
import type { ManagedPool } from "./pool_terms.ts";
import type { TargetKey, ToldDeadline, Verdict } from "./verdict.ts";

/** A pool as health must know it. */
export interface PoolNodes {
  readonly policy: PoolPolicy;
  /** The server block it stands in. */
  readonly block: string;
  /** Names of the checks that decide; undefined = every check of the block. */
  readonly checks?: readonly string[];
  readonly nodes: readonly Node[];
  /** Presentation form, folded: the names that it answers; absent = its own alone. */
  readonly owners?: readonly string[];
  /** Whether it is from the store, and no Corefile's. */
  readonly isManaged?: true;
  /** Whether it also takes nodes that register themselves. */
  readonly takesRegistered?: boolean;
}

/** A server block that answers managed pools. Plain data. */
export interface PoolTaker {
  /** Its key. */
  readonly block: string;
  /** Presentation form, folded: in one of these lies the name of each that it answers. */
  readonly zones: readonly string[];
  /** Names of the checks that there are in it. */
  readonly checks: readonly string[];
  /** Nodes of lists that its pools take from, ascending by id. */
  readonly nodes: readonly Node[];
  /** Whether they take from those too that registered themselves. */
  readonly registered: boolean;
}

/** A pool of the Corefile, as the rest of the fleet is to know it. Plain data. */
export interface CorefilePool {
  readonly name: string;
  readonly select: PoolPolicy["select"];
  /** All that it says of itself. */
  readonly policy?: PoolPolicy;
  /** As in {@linkcode PoolNodes}. */
  readonly owners?: readonly string[];
  readonly checks?: readonly string[];
}

/** How much of each region of a pool is healthy, as one server sees it. */
export interface PoolShares {
  readonly degrade: DegradePolicy;
  readonly shares: RegionShares;
}

/** What all servers of a fleet have in common. */
export interface DegradationNews {
  /** By pool: its degraded regions. */
  readonly degraded: Readonly<Record<string, Degraded>>;
  /** What clients ask for; absent = nobody has said. */
  readonly demand?: { readonly number: number; readonly clients: ClientDemand };
}

/** Hands fleet state from its writers to its readers. Changes are gathered: one snapshot a turn of the event loop. */
export interface FleetHub {
  /** anycast: the nodes of a pool, replacing those it had. */
  setNodes(pool: PoolNodes): void;
  /** anycast: the same of several at once, and the names of pools that are no more. */
  setPools(pools: readonly PoolNodes[], gone: readonly string[]): void;
  /** Calls back with every pool now, and after each change. */
  onPools(listener: (pools: readonly PoolNodes[]) => void): void;
  /** anycast: partitions that are new, by pool; undefined removes a pool's. */
  setPartitions(partitions: Readonly<Record<string, PoolPartitions | undefined>>): void;
  /**
   * health: which targets decide over each address of a pool, and the share of an address's checks that may be
   * down before the address is.
   */
  setTargets(
    pool: string,
    targets: Readonly<Record<string, readonly TargetKey[]>>,
    failingShare: number,
  ): void;
  /** health: verdicts that changed; undefined removes one. */
  setVerdicts(verdicts: Readonly<Record<TargetKey, Verdict | undefined>>): void;
  /** health: deadlines that changed; undefined removes one. */
  setDeadlines(deadlines: Readonly<Record<TargetKey, ToldDeadline | undefined>>): void;
  setOverrides(overrides: readonly Override[]): void;
  /** anycast: that traffic of some of a pool's regions goes elsewhere; undefined = of none. */
  setDegradation(pool: string, degradation: Degradation | undefined): void;
  /** anycast: what is healthy of a pool; undefined = nobody looks any more. Absent in a server that shares no state with others. */
  noteShares?(pool: string, shares: PoolShares | undefined): void;
  /** Calls back with what servers have in common of this, once it is known and after each change. Absent likewise. */
  onDegradations?(listener: (news: DegradationNews) => void): void;
  /**
   * Calls back with the nodes that registered themselves, ascending by id, now and after each change. Absent in a server that
   * shares no state with others.
   */
  onRegistry?(listener: (nodes: readonly Node[]) => void): void;
  /** The same with the zones that are managed through the store; what has not changed is the same object. */
  onZones?(listener: (zones: readonly SharedZone[]) => void): void;
  /** anycast: a block that answers managed pools, replacing what was said of it. Absent as {@linkcode onRegistry} is. */
  setTaker?(taker: PoolTaker): void;
  /** Calls back with all managed pools, now and after each change; what has not changed is the same object. */
  onManagedPools?(listener: (pools: readonly ManagedPool[]) => void): void;
  /**
   * Calls back with what a plugin's half in the fleet isolate told last, now if it has, and whenever it tells something else.
   * Absent in a server that shares no state with others.
   */
  onTold?(plugin: string, listener: (value: unknown) => void): void;
}
