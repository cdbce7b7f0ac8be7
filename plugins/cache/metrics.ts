/**
 * What cache counts, under CoreDNS's names.
 *
 * @module
 */

import type { Metric } from "../../core/plugin.ts";

const BLOCK = ["server", "zones", "view"] as const;
const CACHE = ["server", "type", "zones", "view"] as const;

/** By name. */
export const metrics: Readonly<Record<string, Metric>> = {
  coredns_cache_entries: { kind: "gauge", help: "Answers in the cache.", labels: CACHE },
  coredns_cache_requests_total: {
    kind: "counter",
    help: "Queries for what is cached, or is of the kind that may be.",
    labels: BLOCK,
  },
  coredns_cache_hits_total: { kind: "counter", help: "Queries answered from the cache.", labels: CACHE },
  coredns_cache_misses_total: {
    kind: "counter",
    help: "Queries for what may be cached and was not.",
    labels: BLOCK,
  },
  coredns_cache_prefetch_total: {
    kind: "counter",
    help: "Answers asked for anew before they expired.",
    labels: BLOCK,
  },
  coredns_cache_drops_total: {
    kind: "counter",
    help: "Answers not kept because they did not answer the question.",
    labels: BLOCK,
  },
  coredns_cache_served_stale_total: {
    kind: "counter",
    help: "Queries answered by what had expired.",
    labels: BLOCK,
  },
  coredns_cache_evictions_total: { kind: "counter", help: "Answers that made room.", labels: CACHE },
};
