/** The state of the fleet and of its data, looked up when metrics are read. @module */

import { type PoolView, poolView } from "../../core/fleet/view.ts";
import type { ControlScope, Snapshot } from "../../core/plugin.ts";

/** Where gauges are set. */
export type Gauge = ControlScope["gauge"];

const STATES = ["up", "degraded", "down", "unknown", "out"] as const;

/** Sets the gauges of a snapshot. */
export function showFleet(snapshot: Snapshot, nowMs: number, gauge: Gauge): void {
  gauge("meridian_snapshot_epoch", snapshot.epoch);
  gauge("meridian_snapshot_published_timestamp_seconds", snapshot.publishedMs / 1000);
  gauge("meridian_overrides", snapshot.overrides.filter(({ untilMs }) => untilMs > nowMs).length);
  for (const pool of Object.keys(snapshot.pools)) {
    for (const family of [4, 6] as const) {
      const view = poolView(snapshot, pool, family, nowMs);
      if (view && view.members.length > 0) showPool(view, gauge);
    }
  }
  for (const { sources } of Object.values(snapshot.geographies)) {
    for (const { name: source, builtMs, loadedMs, refused } of sources) {
      if (builtMs > 0) gauge("meridian_geo_built_timestamp_seconds", builtMs / 1000, { source });
      gauge("meridian_geo_loaded_timestamp_seconds", loadedMs / 1000, { source });
      gauge("meridian_geo_refused", refused === undefined ? 0 : 1, { source });
    }
  }
}

/** Takes away the gauges of pools that have been shown and are no more. */
export function hidePools(pools: Iterable<string>, gauge: Gauge): void {
  for (const pool of pools) {
    for (const family of ["1", "2"]) {
      for (const state of STATES) gauge("meridian_pool_nodes", undefined, { pool, family, state });
      gauge("meridian_pool_serving_nodes", undefined, { pool, family });
      gauge("meridian_pool_all_down", undefined, { pool, family });
    }
  }
}

function showPool({ name: pool, family: number, members, serving, allDown }: PoolView, gauge: Gauge): void {
  const family = number === 4 ? "1" : "2";
  const counts = { up: 0, degraded: 0, down: 0, unknown: 0, out: 0 };
  for (const { out, state } of members) counts[out === undefined ? state : "out"]++;
  for (const state of STATES) gauge("meridian_pool_nodes", counts[state], { pool, family, state });
  gauge("meridian_pool_serving_nodes", serving.length, { pool, family });
  gauge("meridian_pool_all_down", allDown ? 1 : 0, { pool, family });
}
