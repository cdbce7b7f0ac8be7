/** The metrics that the core itself counts, whatever plugins there are. @module */

import { formatName } from "../dns/name.ts";
import { VERSION } from "../command/version.ts";
import type { AnsweringModule, Labels, Metric } from "../plugin.ts";
import { QUERY_METRICS } from "../query_metrics.ts";
import type { Configuration } from "./configure.ts";
import type { Metrics } from "./metrics.ts";

/** Makes known what the core and the plugins in use count. */
export function declareMetrics(
  metrics: Metrics,
  { configuration, modules }: { configuration: Configuration; modules: readonly AnsweringModule[] },
): void {
  const used = new Set(configuration.blocks.flatMap(({ facts }) => facts.plugins));
  metrics.declare(CORE_METRICS);
  for (const module of modules) if (used.has(module.name)) metrics.declare(module.metrics ?? {});
}

/**
 * Shows who this is and which plugins each zone has. `hostsOf` gives the addresses that the words of a `bind` stand for.
 */
export function showConfiguration(
  { blocks }: Configuration,
  hostsOf: (hosts: readonly string[]) => readonly string[],
  gauge: (name: string, value: number, labels: Labels) => void,
): void {
  const goversion = `deno${Deno.version.deno}`;
  gauge("coredns_build_info", 1, { version: VERSION, revision: "", goversion });
  for (const { facts, endpoints, listenOn } of blocks) {
    const hosts = listenOn.length === 0 ? [""] : hostsOf(listenOn).map(bracketed);
    for (const { zone, port } of endpoints) {
      for (const host of hosts) {
        const labels = { server: `dns://${host}:${port}`, zone: formatName(zone), view: facts.view ?? "" };
        for (const name of facts.plugins) gauge("coredns_plugin_enabled", 1, { ...labels, name });
      }
    }
  }
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/** By name. `docs/OPERATING.md` lists them. */
export const CORE_METRICS: Readonly<Record<string, Metric>> = {
  ...QUERY_METRICS,
  coredns_build_info: {
    kind: "gauge",
    help: "1, with the version of the server and of what it runs on.",
    labels: ["version", "revision", "goversion"],
  },
  coredns_plugin_enabled: {
    kind: "gauge",
    help: "1 for each plugin of a zone.",
    labels: ["server", "zone", "view", "name"],
  },
  coredns_reload_failed_total: {
    kind: "counter",
    help: "Reloads that were not taken: the server serves as before.",
  },
  coredns_reload_version_info: {
    kind: "gauge",
    help: "1, with the hash of the configuration that is served by.",
    labels: ["hash", "value"],
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
  meridian_log_dropped_lines_total: {
    kind: "counter",
    help: "Lines of the log that were left out, because what reads it is too slow or cannot be written to.",
  },
  meridian_tcp_connections_total: { kind: "counter", help: "TCP connections taken." },
  meridian_tcp_closed_total: {
    kind: "counter",
    help: "TCP connections that the server closed before the client did, by the reason.",
    labels: ["reason"],
  },
  meridian_http_closed_total: {
    kind: "counter",
    help: "Connections to HTTP listeners that the server closed before the client did, by the reason.",
    labels: ["reason"],
  },
  meridian_udp_kernel_dropped_total: {
    kind: "counter",
    help: "Datagrams that the kernel dropped because the sockets that data workers read had no room.",
  },
  meridian_memo_hits_total: {
    kind: "counter",
    help: "Replies of data workers that were repeated without asking the chain.",
  },
  meridian_memo_misses_total: { kind: "counter", help: "Packets for which data workers asked the chain." },
  meridian_fleet_state_age_seconds: {
    kind: "gauge",
    help: "For how long the store has not confirmed that what is known of the fleet is all there is.",
  },
  meridian_fleet_servers: {
    kind: "gauge",
    help: "Servers that answer from the same store, this one included.",
  },
  meridian_fleet_namesakes: {
    kind: "gauge",
    help: "Names by which more than one server goes, each of which takes the other's word for its own.",
  },
  meridian_fleet_diverging_servers: {
    kind: "gauge",
    help: "Other servers that answer from something else than this one, by their digests.",
  },
  meridian_fleet_isolate_failures_total: {
    kind: "counter",
    help: "Times that the fleet isolate failed and another one took its place.",
  },
  meridian_workers: { kind: "gauge", help: "Data workers that answer just now." },
  meridian_worker_failures_total: {
    kind: "counter",
    help: "Workers that failed and were replaced.",
    labels: ["worker"],
  },
};
