/**
 * What it costs a query to be counted, in nanoseconds: `deno run -A scripts/bench_metrics.ts`.
 *
 * Three ways: a label set made into text each time and looked up, one looked up in the registry, and series bound once,
 * which is what plugins/prometheus does. Each is the least of several rounds, since a machine is never slower than it is.
 *
 * @module
 */

import { CLASS, TYPE } from "../core/dns/types.ts";
import {
  type Answer,
  emptyAnswer,
  parseAddress,
  parseName,
  type QueryContext,
  type Sent,
} from "../core/plugin.ts";
import { Metrics } from "../core/server/metrics.ts";
import { EMPTY_SNAPSHOT } from "../core/snapshot.ts";
import { DecisionMeter } from "../plugins/prometheus/decision_meter.ts";
import { metrics as declared } from "../plugins/prometheus/metrics.ts";
import { QueryMeter } from "../plugins/prometheus/query_meter.ts";

const ROUNDS = 9, QUERIES = 200_000;

/** The least time of a call over several rounds, in nanoseconds. */
function leastNs(call: (i: number) => void): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    for (let i = 0; i < QUERIES; i++) call(i);
    least = Math.min(least, (performance.now() - startMs) * 1e6 / QUERIES);
  }
  return least;
}

const zone = parseName("example.org"), address = parseAddress("192.0.2.53")!;
const contexts: QueryContext[] = [TYPE.A, TYPE.AAAA, TYPE.A, TYPE.TXT].map((type) => ({
  question: { name: zone, type, class: CLASS.IN },
  name: zone,
  zone,
  messageId: 1,
  recursionDesired: false,
  checkingDisabled: false,
  edns: { version: 0, payloadSize: 1232, dnssecOk: type === TYPE.TXT, options: [] },
  source: { address, port: 5353 },
  server: { address, port: 53 },
  transport: "udp",
  sizeOctets: 45,
  octets: new Uint8Array(45),
  nowMs: 0,
  snapshot: EMPTY_SNAPSHOT,
  ecs: true,
}));
const sent: Sent = { octets: 120, flags: 0x8400, plugin: "file", durationMs: 0.021 };
const plain = emptyAnswer(0);
const chosen = emptyAnswer(0, { selections: [{ pool: "p.", nodes: ["fra1", "lon1"], why: "nearest" }] });

/** The series that a query of every kind adds to, as label sets. */
function labelSets({ transport, source, question }: QueryContext) {
  const labels = { server: "dns://:53", zone: "example.org.", view: "" };
  const family = source.address.family === 4 ? "1" : "2", proto = transport;
  return [
    ["coredns_dns_requests_total", 1, { ...labels, proto, family, type: question.type === 1 ? "A" : "AAAA" }],
    ["coredns_dns_responses_total", 1, { ...labels, rcode: "NOERROR", plugin: "file" }],
    ["coredns_dns_request_duration_seconds", 0.000021, labels],
    ["coredns_dns_request_size_bytes", 45, { ...labels, proto }],
    ["coredns_dns_response_size_bytes", 120, { ...labels, proto }],
  ] as const;
}

const byText = new Map<string, number>();
function countByText(context: QueryContext): void {
  for (const [name, value, labels] of labelSets(context)) {
    const pairs = Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => `${k}="${v}"`);
    const series = `${name}{${pairs.join(",")}}`;
    byText.set(series, (byText.get(series) ?? 0) + value);
  }
}

const registry = new Metrics(declared);
function countByLabels(context: QueryContext): void {
  for (const [name, value, labels] of labelSets(context)) registry.observe(name, value, labels);
}

const scope = {
  facts: { key: "1", zones: [zone], dataZones: [], owned: [], labelZones: [], plugins: [] },
  series: (name: string, labels = {}) => registry.series(name, labels),
  geography: () => undefined,
};
const queries = new QueryMeter(scope), decisions = new DecisionMeter(scope);

/** As the exchange counts a reply. */
function count(context: QueryContext, answer: Answer): void {
  const samples = queries.samplesOf(context, sent);
  decisions.add(samples, context, answer);
  for (const { series, value } of samples) series.record(value);
}

console.log(`ns a query, least of ${ROUNDS} rounds of ${QUERIES}:`);
console.log(`  label sets to text   ${leastNs((i) => countByText(contexts[i & 3]!)).toFixed(0)}`);
console.log(`  label sets, looked up ${leastNs((i) => countByLabels(contexts[i & 3]!)).toFixed(0)}`);
console.log(
  `  bound series         ${leastNs((i) => count(contexts[i & 3]!, plain)).toFixed(1)}`,
);
console.log(`  bound, and a pool's  ${leastNs((i) => count(contexts[i & 3]!, chosen)).toFixed(1)}`);
