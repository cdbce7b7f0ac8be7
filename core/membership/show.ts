/**
 * What a server that is one of several shows of that: to the others what it answers from, to people who else does.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { hasSameDigest, snapshotDigest } from "../fleet/digest.ts";
import type { PoolNodes } from "../fleet/hub.ts";
import type { TtlBounds, TtlsByPool } from "../fleet/ttl_bounds.ts";
import type { Metrics } from "../server/metrics.ts";
import type { Publisher } from "../server/publisher.ts";
import type { Snapshot } from "../snapshot.ts";
import type { FleetLink } from "./link.ts";

/** Who shows it. */
export interface ShownServer {
  readonly publisher: Publisher;
  readonly metrics: Metrics;
  readonly clock: Clock;
  isServing(): boolean;
  /** How long what pools of a block fill may be kept. */
  ttlsOf(block: string): TtlBounds | undefined;
  /** Whose the gauges are. */
  readonly owner: object;
}

/** How long a change waits for others before the fleet hears of the digest of them all. */
const DIGEST_MS = 100;

/** How long a digest holds while nothing is published that is in it: an override may begin by time alone. */
const HOLDS_MS = 5000;

/** Begins to show it; the function that comes back ends that. */
export function showFleet(
  link: FleetLink,
  { publisher, metrics, clock, isServing, owner, ttlsOf }: ShownServer,
): () => void {
  let cancel: (() => void) | undefined, pools: readonly PoolNodes[] = [];
  publisher.onPools((now) => pools = now);
  // What is in a snapshot is in answers at once: who reads packets looks for a new one before each batch.
  let { overridesRevision: revision, draining } = link;
  let told: { readonly of: Snapshot; readonly atMs: number } | undefined;
  const tellDigest = () => {
    const { snapshot } = publisher, nowMs = clock.nowMs();
    // Deadlines move away all the time, and are in no digest.
    if (told && nowMs - told.atMs < HOLDS_MS && hasSameDigest(told.of, snapshot)) return;
    told = { of: snapshot, atMs: nowMs };
    link.tellDigest(snapshotDigest(snapshot, nowMs));
  };
  const tell = () => {
    cancel = undefined;
    if (!isServing()) return;
    tellDigest();
    if (revision !== undefined) {
      link.tellAnswering({ revision, draining, ttls: ttlsByPool(pools, ttlsOf) });
    }
  };
  const tellSoon = () => {
    ({ overridesRevision: revision, draining } = link);
    cancel ??= clock.after(DIGEST_MS, tell);
  };
  tellSoon();
  const ends = [
    publisher.onSnapshot(tellSoon),
    metrics.onScrape(() => showGauges(link, metrics, clock, owner)),
  ];
  return () => {
    cancel?.();
    for (const end of ends) end();
  };
}

function ttlsByPool(pools: readonly PoolNodes[], ttlsOf: ShownServer["ttlsOf"]): TtlsByPool {
  return Object.fromEntries(pools.flatMap(({ policy: { name }, block }) => {
    const ttls = ttlsOf(block);
    return ttls ? [[name, ttls]] : [];
  }));
}

function showGauges({ status }: FleetLink, metrics: Metrics, clock: Clock, owner: object): void {
  const { server, servers, confirmedMs } = status, own = servers[server]?.digest ?? "";
  const ageMs = confirmedMs === undefined ? Infinity : clock.nowMs() - confirmedMs;
  const diverging = Object.values(servers).filter(({ digest }) => digest !== "" && digest !== own).length;
  metrics.gauge("meridian_fleet_state_age_seconds", Math.max(0, ageMs) / 1000, {}, owner);
  metrics.gauge("meridian_fleet_servers", Object.keys(servers).length, {}, owner);
  const twice = Object.values(servers).filter(({ isTwice }) => isTwice).length;
  metrics.gauge("meridian_fleet_namesakes", twice, {}, owner);
  metrics.gauge("meridian_fleet_diverging_servers", diverging, {}, owner);
}
