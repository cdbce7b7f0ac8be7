/** Everything that anycast counts. @module */

import type { Metric } from "../../core/plugin.ts";

/** By name. */
export const metrics: Readonly<Record<string, Metric>> = {
  meridian_all_down_answers_total: {
    kind: "counter",
    help: "Answers worked out by an all-down policy.",
    labels: ["pool", "policy"],
  },
  meridian_fail_open_answers_total: {
    kind: "counter",
    help: "Answers given as if all were up, because nothing was.",
    labels: ["pool"],
  },
  meridian_node_list_reloads_total: {
    kind: "counter",
    help: "Changed node lists, taken or refused.",
    labels: ["outcome"],
  },
  meridian_pool_degraded: {
    kind: "gauge",
    help: "1 while traffic of the region goes elsewhere, as too little of it serves.",
    labels: ["pool", "region"],
  },
  meridian_pool_region_healthy_ratio: {
    kind: "gauge",
    help:
      "The share of the region's nodes that serve, or of their capacity where that is less; of pools that degrade.",
    labels: ["pool", "region"],
  },
  meridian_pool_price_max_metres: {
    kind: "gauge",
    help: "The most that is added to the distance of a node, so that it is asked for no more than it can do.",
    labels: ["pool"],
  },
  meridian_partition_made_timestamp_seconds: {
    kind: "gauge",
    help: "When the networks with equal answers were last worked out.",
    labels: ["pool", "family"],
  },
  meridian_partition_current: {
    kind: "gauge",
    help: "1 while they are of the present state; else each query looks for its own scope.",
    labels: ["pool", "family"],
  },
};
