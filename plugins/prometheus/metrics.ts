/**
 * Everything that prometheus itself counts. CoreDNS's names, labels and bucket edges where CoreDNS has the thing, so that
 * its dashboards and alerts fit.
 *
 * @module
 */

import type { Metric } from "../../core/plugin.ts";
import { QUERY_METRICS } from "../../core/query_metrics.ts";

/** 250 µs, doubled fifteen times. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, n) => 0.00025 * 2 ** n);

/** Octets. */
const SIZE_BUCKETS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];

/** Lengths of prefixes: IPv4's to 32, IPv6's to 128. */
const PREFIX_BUCKETS = [0, 8, 12, 16, 20, 22, 24, 28, 32, 40, 44, 48, 52, 56, 64, 128];

const LAG_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const QUERIES: Readonly<Record<string, Metric>> = {
  ...QUERY_METRICS,
  coredns_dns_request_duration_seconds: {
    kind: "histogram",
    help: "From a query's arrival until its reply was encoded.",
    labels: ["server", "zone", "view"],
    buckets: DURATION_BUCKETS,
  },
  coredns_dns_request_size_bytes: {
    kind: "histogram",
    help: "Octets of queries.",
    labels: ["server", "zone", "view", "proto"],
    buckets: SIZE_BUCKETS,
  },
  coredns_dns_response_size_bytes: {
    kind: "histogram",
    help: "Octets of replies.",
    labels: ["server", "zone", "view", "proto"],
    buckets: SIZE_BUCKETS,
  },
  coredns_dns_do_requests_total: {
    kind: "counter",
    help: "Queries with the DO bit set.",
    labels: ["server", "zone", "view"],
  },
};

const DECISIONS: Readonly<Record<string, Metric>> = {
  meridian_pool_answers_total: {
    kind: "counter",
    help:
      "Answers that a pool chose, by what decided: nearest, bias, ring, unlocated, spill, an all-down policy, none.",
    labels: ["pool", "outcome"],
  },
  meridian_pool_selected_total: {
    kind: "counter",
    help: "How often a node was in an answer of a pool.",
    labels: ["pool", "node"],
  },
  meridian_pool_scope_prefix_length: {
    kind: "histogram",
    help:
      "Bits of the client's address that answers of pools held for, by the address's family (1 = IPv4, 2 = IPv6).",
    labels: ["family"],
    buckets: PREFIX_BUCKETS,
  },
  meridian_pool_locations_total: {
    kind: "counter",
    help:
      "Answers of pools by how exactly the client's place was known: operator, city, country, special, none.",
    labels: ["precision"],
  },
};

const FLEET: Readonly<Record<string, Metric>> = {
  meridian_pool_nodes: {
    kind: "gauge",
    help:
      "Nodes of a pool that have an address of the family, by state; out = taken out by someone or the calendar.",
    labels: ["pool", "family", "state"],
  },
  meridian_pool_serving_nodes: {
    kind: "gauge",
    help: "Nodes of a pool that serve.",
    labels: ["pool", "family"],
  },
  meridian_pool_all_down: {
    kind: "gauge",
    help: "1 while a pool's all-down policy applies.",
    labels: ["pool", "family"],
  },
  meridian_snapshot_epoch: { kind: "gauge", help: "How often answers could have changed since the start." },
  meridian_snapshot_published_timestamp_seconds: {
    kind: "gauge",
    help: "When answers could last have changed.",
  },
  meridian_overrides: { kind: "gauge", help: "Overrides in force." },
  meridian_geo_built_timestamp_seconds: {
    kind: "gauge",
    help: "When geo data were built by who made them.",
    labels: ["source"],
  },
  meridian_geo_loaded_timestamp_seconds: {
    kind: "gauge",
    help: "When geo data were taken.",
    labels: ["source"],
  },
  meridian_geo_refused: {
    kind: "gauge",
    help: "1 while a newer file of geo data is refused.",
    labels: ["source"],
  },
};

const PROCESS: Readonly<Record<string, Metric>> = {
  process_cpu_seconds_total: { kind: "counter", help: "User and system CPU time." },
  process_resident_memory_bytes: { kind: "gauge", help: "Resident memory." },
  process_virtual_memory_bytes: { kind: "gauge", help: "Virtual memory." },
  process_start_time_seconds: { kind: "gauge", help: "When the process started, since 1970." },
  process_open_fds: { kind: "gauge", help: "Open file descriptors." },
  process_max_fds: { kind: "gauge", help: "The most file descriptors that may be open." },
  meridian_event_loop_lag_seconds: {
    kind: "histogram",
    help: "How late timers of the control isolate came.",
    buckets: LAG_BUCKETS,
  },
  meridian_heap_bytes: {
    kind: "gauge",
    help: "The control isolate's heap: used, total, limit, and external to it. With runtime_metrics.",
    labels: ["kind"],
  },
  meridian_heap_space_bytes: {
    kind: "gauge",
    help: "Memory used in each space of the control isolate's heap. With runtime_metrics.",
    labels: ["space"],
  },
};

/** By name. */
export const metrics: Readonly<Record<string, Metric>> = { ...QUERIES, ...DECISIONS, ...FLEET, ...PROCESS };
