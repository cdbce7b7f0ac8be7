/** The metrics that the core itself counts, whatever plugins there are. @module */

import type { Metric, PluginModule } from "../plugin.ts";
import type { Configuration } from "./configure.ts";
import type { Metrics } from "./metrics.ts";

/** Makes known what the core and the plugins in use count. */
export function declareMetrics(
  metrics: Metrics,
  { configuration, modules }: { configuration: Configuration; modules: readonly PluginModule[] },
): void {
  const used = new Set(configuration.blocks.flatMap(({ facts }) => facts.plugins));
  metrics.declare(CORE_METRICS);
  for (const module of modules) if (used.has(module.name)) metrics.declare(module.metrics ?? {});
}

/** By name. `docs/OPERATING.md` lists them. */
export const CORE_METRICS: Readonly<Record<string, Metric>> = {
  coredns_dns_requests_total: {
    kind: "counter",
    help: 'Queries. Those that no server block took are under the zone "dropped".',
    labels: ["server", "zone", "view", "proto", "family", "type"],
  },
  coredns_dns_responses_total: {
    kind: "counter",
    help: "Replies. The plugin is the one that answered; none where the server did.",
    labels: ["server", "zone", "view", "rcode", "plugin"],
  },
  coredns_panics_total: { kind: "counter", help: "Bugs that a query met: it was answered SERVFAIL." },
  meridian_faults_total: {
    kind: "counter",
    help: "Bugs that a query met, by the plugin whose they are.",
    labels: ["plugin"],
  },
  meridian_socket_faults_total: {
    kind: "counter",
    help: "Failures of sockets, by what failed.",
    labels: ["transport", "kind"],
  },
  meridian_udp_dropped_total: {
    kind: "counter",
    help: "Datagrams that were not answered, by the reason.",
    labels: ["reason"],
  },
  meridian_tcp_connections_total: { kind: "counter", help: "TCP connections taken." },
  meridian_tcp_closed_total: {
    kind: "counter",
    help: "TCP connections that the server closed before the client did, by the reason.",
    labels: ["reason"],
  },
  meridian_worker_failures_total: {
    kind: "counter",
    help: "Workers that failed, and what they did is done without them.",
    labels: ["worker"],
  },
};
