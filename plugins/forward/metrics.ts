/**
 * What forward counts.
 *
 * @module
 */

import type { Metric } from "../../core/plugin.ts";

/** Seconds: as all of CoreDNS's histograms of time, from a quarter of a millisecond, doubling. */
const TIME_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

/** By name. */
export const metrics: Readonly<Record<string, Metric>> = {
  coredns_forward_healthcheck_broken_total: {
    kind: "counter",
    help: "Attempts for which every upstream was down.",
  },
  coredns_forward_max_concurrent_rejects_total: {
    kind: "counter",
    help: "Queries refused because too many were waiting.",
  },
  coredns_proxy_request_duration_seconds: {
    kind: "histogram",
    help: "Time that exchanges with an upstream took, by the RCODE of its reply.",
    labels: ["proxy_name", "to", "rcode"],
    buckets: TIME_BUCKETS,
  },
  coredns_proxy_healthcheck_failures_total: {
    kind: "counter",
    help: "Failed probes of an upstream.",
    labels: ["proxy_name", "to"],
  },
  coredns_proxy_conn_cache_hits_total: {
    kind: "counter",
    help: "Queries that found an open connection to an upstream.",
    labels: ["proxy_name", "to", "proto"],
  },
  coredns_proxy_conn_cache_misses_total: {
    kind: "counter",
    help: "Queries for which a connection to an upstream was opened.",
    labels: ["proxy_name", "to", "proto"],
  },
  meridian_forward_failures_total: {
    kind: "counter",
    help: "Failed exchanges with an upstream.",
    labels: ["to"],
  },
  meridian_forward_ignored_total: {
    kind: "counter",
    help: "Messages from an upstream, or in its name, that were not the reply waited for.",
    labels: ["to"],
  },
};
