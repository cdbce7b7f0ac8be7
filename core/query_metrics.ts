/**
 * What is counted of every query, be it that a server block took it (plugin prometheus) or that none did (the core). CoreDNS's
 * names and labels.
 *
 * @module
 */

import type { Metric } from "./plugin.ts";

/** By name. */
export const QUERY_METRICS = {
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
} as const satisfies Readonly<Record<string, Metric>>;
