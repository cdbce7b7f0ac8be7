/** Everything that health counts. @module */

import type { Metric } from "../../core/plugin.ts";

/** By name. */
export const metrics: Readonly<Record<string, Metric>> = {
  coredns_health_request_duration_seconds: {
    kind: "histogram",
    help: "How long the process took to answer itself at its endpoint.",
    buckets: [0.00025, 0.0025, 0.025, 0.25, 2.5],
  },
  coredns_health_request_failures_total: {
    kind: "counter",
    help: "How often the process did not answer itself at its endpoint.",
  },
  meridian_health_probes_total: {
    kind: "counter",
    help: "Probes, by outcome; local = this machine could not probe.",
    labels: ["kind", "result"],
  },
  meridian_health_probes_discarded_total: {
    kind: "counter",
    help: "Failures thrown away because the prober itself lagged.",
    labels: ["kind"],
  },
  meridian_health_probes_late_total: {
    kind: "counter",
    help: "Probes that started more than a second late.",
  },
  meridian_health_probe_lag_seconds: {
    kind: "histogram",
    help: "How late probes started.",
    buckets: [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  meridian_health_verdict_changes_total: {
    kind: "counter",
    help: "Changes of a target's state.",
    labels: ["to"],
  },
  meridian_fail_open_answers_total: {
    kind: "counter",
    help: "Answers given as if all were up, because nothing was.",
    labels: ["pool"],
  },
};
