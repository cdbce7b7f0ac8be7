/**
 * Which regions of a pool are degraded: decision 0007, "Regional degradation". Pure but for what a {@linkcode DegradeWatch} remembers, which is since
 * when it has seen a region well again.
 *
 * @module
 */

import type { Snapshot } from "../snapshot.ts";
import type { DegradePolicy, PoolState } from "./pool.ts";
import { poolView } from "./view.ts";

/** Regions that are degraded, with since when, milliseconds since 1970: what all servers have in common. */
export type Degraded = Readonly<Record<string, number>>;

/** By region, ascending: how much of it is healthy, from 0 to 1. */
export type RegionShares = Readonly<Record<string, number>>;

/** Ids of the nodes of a pool that serve in any family of addresses, and those among them that recover. */
export function servingNodes(
  snapshot: Snapshot,
  { policy: { name } }: PoolState,
  nowMs: number,
): {
  readonly serving: ReadonlySet<string>;
  readonly recovering: ReadonlySet<string>;
  readonly degraded: ReadonlySet<string>;
} {
  const found = { serving: new Set<string>(), recovering: new Set<string>(), degraded: new Set<string>() };
  for (const family of [4, 6] as const) {
    for (const { node: { id }, ramp, state } of poolView(snapshot, name, family, nowMs)?.serving ?? []) {
      found.serving.add(id);
      if (ramp < 1) found.recovering.add(id);
      if (state === "degraded") found.degraded.add(id);
    }
  }
  return found;
}

/** Of each region the healthy share of its nodes, or of their capacity where that is less. Nodes of no region have none. */
export function regionShares(nodes: PoolState["nodes"], serving: ReadonlySet<string>): RegionShares {
  const counts = new Map<string, { all: number; up: number; capacity: number; capacityUp: number }>();
  for (const { id, region, capacity } of nodes) {
    if (region === "") continue;
    let count = counts.get(region);
    if (!count) counts.set(region, count = { all: 0, up: 0, capacity: 0, capacityUp: 0 });
    count.all++;
    count.capacity += capacity;
    if (!serving.has(id)) continue;
    count.up++;
    count.capacityUp += capacity;
  }
  const regions = [...counts].sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(regions.map(([region, { all, up, capacity, capacityUp }]) => [
    region,
    Math.min(up / all, capacity > 0 ? capacityUp / capacity : 1),
  ]));
}

/** What is to be made of what was seen. */
export interface Judged {
  /** The very same as before where nothing is to change. */
  readonly degraded: Degraded;
  /** When one of them is to be well, if nothing changes meanwhile; Infinity = not by time alone. */
  readonly nextMs: number;
  /** The earliest instant at which one of them may be well for whoever has watched longer; Infinity likewise. */
  readonly mayEndMs: number;
}

/** Watches the regions of one pool. */
export class DegradeWatch {
  /** Of degraded regions: since when they have been above, without a break, as seen here. */
  readonly #aboveMs = new Map<string, number>();
  /** Degraded regions that were seen below: here it is known when they came above. */
  readonly #seenBelow = new Set<string>();

  /** A region is degraded from when it is below one threshold, until it has been above the other for as long as it takes. */
  judge(
    degraded: Degraded,
    shares: RegionShares,
    { below, above, dwellMs }: DegradePolicy,
    nowMs: number,
  ): Judged {
    const next = new Map<string, number>();
    let nextMs = Infinity, mayEndMs = Infinity, hasChanged = false;
    for (const region of [...this.#aboveMs.keys()]) {
      if (!Object.hasOwn(degraded, region)) this.#forget(region);
    }
    for (const [region, sinceMs] of Object.entries(degraded)) {
      // A region without nodes is well, but no sooner than others: it may be that they are not known here yet.
      const isThere = Object.hasOwn(shares, region), share = isThere ? shares[region]! : 1;
      if (share < Math.max(above, below)) {
        next.set(region, sinceMs);
        this.#seenBelow.add(region);
        this.#aboveMs.delete(region);
        continue;
      }
      const aboveMs = this.#aboveMs.get(region) ?? nowMs;
      this.#aboveMs.set(region, aboveMs);
      if (nowMs >= aboveMs + dwellMs) {
        this.#forget(region);
        hasChanged = true;
        continue;
      }
      next.set(region, sinceMs);
      nextMs = Math.min(nextMs, aboveMs + dwellMs);
      if (isThere) mayEndMs = Math.min(mayEndMs, (this.#seenBelow.has(region) ? aboveMs : sinceMs) + dwellMs);
    }
    for (const [region, share] of Object.entries(shares)) {
      if (share < below && !Object.hasOwn(degraded, region)) {
        next.set(region, nowMs);
        hasChanged = true;
      }
    }
    return { degraded: hasChanged ? Object.fromEntries(next) : degraded, nextMs, mayEndMs };
  }

  #forget(region: string): void {
    this.#aboveMs.delete(region);
    this.#seenBelow.delete(region);
  }
}
