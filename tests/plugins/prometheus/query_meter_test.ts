import assert from "node:assert/strict";
import { type Labels, parseAddress, parseName, type Sent } from "../../../core/plugin.ts";
import { QueryMeter } from "../../../plugins/prometheus/query_meter.ts";
import { contextOf } from "../../support/context.ts";
import { factsOf } from "../../support/scopes.ts";

/** A meter, and what it counted: `NAME{VALUES} SUM`, histograms as how many samples. */
function meterWith(facts: Parameters<typeof factsOf>[0] = {}) {
  const sums = new Map<string, number>();
  let bound = 0;
  const series = (name: string, labels: Labels = {}) => {
    bound++;
    const key = `${name}{${Object.values(labels)}}`;
    return {
      record: (by: number) => void sums.set(key, (sums.get(key) ?? 0) + (name.endsWith("_total") ? by : 1)),
    };
  };
  const meter = new QueryMeter({ facts: factsOf(facts), series });
  const count = (context: Parameters<typeof contextOf>[0] = {}, sent: Partial<Sent> = {}) => {
    const samples = meter.samplesOf(contextOf(context), {
      ...{ octets: 68, flags: 0x8400, plugin: "file", durationMs: 1 },
      ...sent,
    });
    for (const { series, value } of samples) series.record(value);
  };
  return { count, bound: () => bound, counted: () => [...sums].map(([key, sum]) => `${key} ${sum}`).sort() };
}

Deno.test("a query adds to six series at most, bound when they are first needed", () => {
  const { count, counted, bound } = meterWith();
  count();
  count({ edns: { ...contextOf().edns!, dnssecOk: true } });
  const labels = "dns://:53,example.org.,";
  assert.deepEqual(counted(), [
    `coredns_dns_do_requests_total{${labels}} 1`,
    `coredns_dns_request_duration_seconds{${labels}} 2`,
    `coredns_dns_request_size_bytes{${labels},udp} 2`,
    `coredns_dns_requests_total{${labels},udp,1,A} 2`,
    `coredns_dns_response_size_bytes{${labels},udp} 2`,
    `coredns_dns_responses_total{${labels},NOERROR,file} 2`,
  ]);
  const before = bound();
  for (let i = 0; i < 100; i++) count();
  assert.equal(bound(), before);
});

Deno.test("what was not said has no size and no RCODE", () => {
  const { count, counted } = meterWith();
  count({}, { octets: 0, flags: 0 });
  assert.ok(counted().every((line) => !line.includes("response")), counted().join("\n"));
});

Deno.test("zones, ports, families, types, plugins and RCODEs are told apart; addresses only where they are bound", () => {
  const address = (text: string, port = 53) => ({ address: parseAddress(text)!, port });
  const servers = [
    address("192.0.2.1"),
    address("192.0.2.2"),
    address("2001:db8::1"),
    address("192.0.2.1", 54),
  ];
  const requests = (facts: Parameters<typeof factsOf>[0]) => {
    const { count, counted } = meterWith(facts);
    for (const server of servers) count({ server });
    count({ server: servers[0]!, zone: parseName("example.com"), source: address("2001:db8::2", 5353) }, {
      flags: 0x8402,
      plugin: "",
    });
    return counted().filter((line) => /requests_total|responses_total/.test(line))
      .map((line) => line.replace(/^coredns_dns_(re\w+?)s_total/, "$1"));
  };
  assert.deepEqual(requests({ view: "inside" }), [
    "request{dns://:53,example.com.,inside,udp,2,A} 1",
    "request{dns://:53,example.org.,inside,udp,1,A} 3",
    "request{dns://:54,example.org.,inside,udp,1,A} 1",
    "response{dns://:53,example.com.,inside,SERVFAIL,} 1",
    "response{dns://:53,example.org.,inside,NOERROR,file} 3",
    "response{dns://:54,example.org.,inside,NOERROR,file} 1",
  ]);
  assert.deepEqual(requests({ plugins: ["bind"] }).filter((line) => line.startsWith("request")), [
    "request{dns://192.0.2.1:53,example.com.,,udp,2,A} 1",
    "request{dns://192.0.2.1:53,example.org.,,udp,1,A} 1",
    "request{dns://192.0.2.1:54,example.org.,,udp,1,A} 1",
    "request{dns://192.0.2.2:53,example.org.,,udp,1,A} 1",
    "request{dns://[2001:db8::1]:53,example.org.,,udp,1,A} 1",
  ]);
});
