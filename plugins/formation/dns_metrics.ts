/**
 * How the DNS fares, in the manner of form-node-metrics: whole numbers alone, durations in microseconds, nothing that could be
 * null.
 *
 * @module
 */

import type { Fields } from "./json.ts";

/** What of the server's status goes into it. */
export interface ServerStatus {
  readonly nowMs: number;
  readonly snapshot: { readonly epoch: number };
  readonly nodes: readonly {
    readonly pool: string;
    readonly node: string;
    readonly address: string;
    readonly operator: string;
    readonly checks: readonly {
      readonly state: string;
      readonly sinceMs?: number;
      readonly reason?: string;
    }[];
  }[];
  /** By name and labels, as metrics are written. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Health and resolution. */
export interface DnsMetrics {
  readonly node_id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly dns_metrics: Fields;
  readonly dns_health: readonly {
    readonly domain: string;
    readonly node_id: string;
    readonly ip: string;
    readonly status: HealthStatus;
    /** Seconds since 1970; 0 = not known. */
    readonly since: number;
    readonly reason: string;
  }[];
}

/** form-dns's words. */
export type HealthStatus = "healthy" | "unhealthy" | "unknown";

/** Of a server. `before`: its counters some time ago, for what is told by the second. */
export function dnsMetrics(
  server: string,
  status: ServerStatus,
  before?: { readonly atMs: number; readonly counters: ServerStatus["counters"] },
): DnsMetrics {
  const { nowMs, counters, nodes, snapshot: { epoch } } = status;
  const health = nodes.map(({ pool, node, address, checks, operator }) => {
    const deciding = checks.find(({ state }) => state === "down") ?? checks[0];
    return {
      ...{ domain: pool.replace(/\.$/, ""), node_id: node, ip: address },
      status: statusOf(checks, operator),
      since: Math.floor((deciding?.sinceMs ?? 0) / 1000),
      reason: deciding?.reason ?? "",
    };
  });
  const count = (status: HealthStatus) => health.filter((one) => one.status === status).length;
  const responses = (rcode: string) => sum(counters, "coredns_dns_responses_total", `rcode="${rcode}"`);
  const queries = sum(counters, "coredns_dns_requests_total");
  const spanS = before ? (nowMs - before.atMs) / 1000 : 0;
  return {
    ...{ node_id: server, timestamp: Math.floor(nowMs / 1000) },
    dns_metrics: {
      queries_total: queries,
      queries_per_sec: spanS > 0
        ? Math.max(0, Math.round((queries - sum(before!.counters, "coredns_dns_requests_total")) / spanS))
        : 0,
      responses_noerror_total: responses("NOERROR"),
      responses_nxdomain_total: responses("NXDOMAIN"),
      responses_servfail_total: responses("SERVFAIL"),
      responses_refused_total: responses("REFUSED"),
      all_down_answers_total: sum(counters, "meridian_all_down_answers_total"),
      fail_open_answers_total: sum(counters, "meridian_fail_open_answers_total"),
      ...{ nodes_healthy: count("healthy"), nodes_unhealthy: count("unhealthy") },
      ...{ nodes_unknown: count("unknown"), snapshot_epoch: Math.trunc(epoch) },
    },
    dns_health: health,
  };
}

/** What the checks of a node come to: whatever is not known counts as up, and is told as unknown. */
export function statusOf(checks: readonly { readonly state: string }[], operator = "up"): HealthStatus {
  if (operator !== "up" || checks.some(({ state }) => state === "down")) return "unhealthy";
  return checks.some(({ state }) => state === "up" || state === "degraded") ? "healthy" : "unknown";
}

function sum(counters: ServerStatus["counters"], name: string, label = ""): number {
  let total = 0;
  for (const [series, value] of Object.entries(counters)) {
    if (series !== name && !series.startsWith(`${name}{`)) continue;
    if (label === "" || series.includes(label)) total += value;
  }
  return Math.trunc(total);
}
