import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { CorefileError, Problems } from "../../../core/plugin.ts";
import prometheus from "../../../plugins/prometheus/mod.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";
import { freePort, startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

Deno.test("parse() reads the address and runtime_metrics", () => {
  const parse = (text: string) => prometheus.parse(directivesOf(text), parseScopeOf());
  assert.deepEqual(parse("prometheus"), { address: "localhost:9153", runtime: false });
  assert.deepEqual(parse("prometheus [::1]:9153 {\n runtime_metrics\n}"), {
    address: "[::1]:9153",
    runtime: true,
  });
});

Deno.test("parse() points at what is wrong", () => {
  for (const text of ["9153", "localhost", "localhost:0", "localhost:65536", "http://localhost:9153"]) {
    assert.throws(
      () => prometheus.parse(directivesOf(`  prometheus ${text}`), parseScopeOf()),
      (error: CorefileError) =>
        error.at.line === 2 && error.at.column === 14 && error.message.includes(`got '${text}'`),
      text,
    );
  }
  const problems = new Problems();
  prometheus.parse(directivesOf("prometheus\nprometheus"), parseScopeOf({ problems }));
  assert.deepEqual(problems.errors.map(({ at, message }) => `${at.line}: ${message}`), [
    "3: prometheus: stands twice in this server block: want it once",
  ]);
});

/** The samples of an exposition by series, ports and addresses taken out. */
function samplesOf(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const [, series, value] = /^(.*) (\S+)$/.exec(line)!;
    return [series!.replace(/server="dns:\/\/([^"]*):\d+"/, 'server="dns://$1:P"'), value!];
  }));
}

async function scrape(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  return await response.text();
}

for (const workers of [0, 1]) {
  const where = workers ? "in a data worker" : "in the control isolate";

  Deno.test(`queries answered ${where} are counted under CoreDNS's names, labels and buckets`, async () => {
    const port = freePort();
    const server = await startServer(
      `anycast.example:1053 {
    bind 127.0.0.1
    prometheus 127.0.0.1:${port}
    geo
    anycast entry.anycast.example {
        nodes nodes.yaml
        answers 1
    }
    file zones/anycast.example.zone
}
`,
      { workers },
    );
    try {
      await server.ask("entry.anycast.example", "A", { subnet: "80.128.0.0/24" });
      await server.ask("entry.anycast.example", "A", { subnet: "10.0.0.0/8" });
      await server.ask("anycast.example", "SOA", { transport: "tcp" });
      await server.ask("missing.anycast.example", "SVCB");
      await server.ask("www.example.org");
      const zone = 'server="dns://127.0.0.1:P",zone="anycast.example.",view=""';
      const dropped = 'server="dns://:P",zone="dropped",view=""';
      const wanted = [
        [`coredns_dns_requests_total{${zone},proto="udp",family="1",type="A"}`, 2],
        [`coredns_dns_requests_total{${zone},proto="tcp",family="1",type="SOA"}`, 1],
        [`coredns_dns_requests_total{${zone},proto="udp",family="1",type="other"}`, 1],
        [`coredns_dns_requests_total{${dropped},proto="udp",family="1",type="A"}`, 1],
        [`coredns_dns_responses_total{${zone},rcode="NOERROR",plugin="file"}`, 3],
        [`coredns_dns_responses_total{${zone},rcode="NXDOMAIN",plugin="file"}`, 1],
        [`coredns_dns_responses_total{${dropped},rcode="REFUSED",plugin=""}`, 1],
        [`coredns_dns_request_duration_seconds_count{${zone}}`, 4],
        [`coredns_dns_request_duration_seconds_bucket{${zone},le="8.192"}`, 4],
        [`coredns_dns_request_size_bytes_bucket{${zone},proto="udp",le="100"}`, 3],
        [`coredns_dns_response_size_bytes_count{${zone},proto="tcp"}`, 1],
        [`coredns_dns_do_requests_total{${zone}}`, 0],
        [`coredns_plugin_enabled{${zone},name="geo"}`, 1],
        ['meridian_pool_answers_total{pool="entry.anycast.example.",outcome="nearest"}', 1],
        ['meridian_pool_answers_total{pool="entry.anycast.example.",outcome="unlocated"}', 1],
        ['meridian_pool_selected_total{pool="entry.anycast.example.",node="fra1"}', 2],
        ['meridian_pool_locations_total{precision="country"}', 1],
        ['meridian_pool_locations_total{precision="special"}', 1],
        ['meridian_pool_scope_prefix_length_count{family="1"}', 2],
        ['meridian_pool_nodes{pool="entry.anycast.example.",family="1",state="up"}', 10],
        ['meridian_pool_all_down{pool="entry.anycast.example.",family="2"}', 0],
        ["coredns_panics_total", 0],
      ] as const;
      const told = async () => {
        const samples = samplesOf(await scrape(port));
        return wanted.map(([series]) => `${series} ${samples.get(series)}`);
      };
      const all = wanted.map(([series, value]) => `${series} ${value}`);
      // A worker may have sent a reply that it has not counted yet.
      await until("all to be counted", async () => isDeepStrictEqual(await told(), all)).catch(() => {});
      assert.deepEqual(await told(), all);
      const samples = samplesOf(await scrape(port));
      const build = [...samples.keys()].filter((series) => series.startsWith("coredns_build_info"));
      assert.match(build[0]!, /^coredns_build_info\{version="[\d.]+",revision="",goversion="deno[\d.]+"\}$/);
      assert.ok(Number(samples.get("process_resident_memory_bytes")) > 1e7);
      assert.ok(Number(samples.get("process_cpu_seconds_total")) > 0);
      assert.ok(
        [...samples.keys()].some((series) => series.startsWith("meridian_geo_built_timestamp_seconds")),
      );
    } finally {
      await server.close();
    }
  });
}

Deno.test("blocks share an address, and what each tells is there once", async () => {
  const port = freePort();
  const block = (zone: string) =>
    `${zone}:1053 {\n bind 127.0.0.1\n prometheus 127.0.0.1:${port}\n whoami\n}\n`;
  const server = await startServer(block("example.org") + block("example.com"));
  try {
    await server.ask("example.org");
    await server.ask("example.com");
    await until(
      "a timer of the event loop's",
      async () =>
        samplesOf(await scrape(port)).get("meridian_event_loop_lag_seconds_count") !== "0" &&
        samplesOf(await scrape(port)).has("meridian_event_loop_lag_seconds_count"),
    );
    const text = await scrape(port);
    const samples = samplesOf(text);
    for (const zone of ["example.org.", "example.com."]) {
      const labels = `server="dns://127.0.0.1:P",zone="${zone}",view=""`;
      assert.equal(
        samples.get(`coredns_dns_responses_total{${labels},rcode="NOERROR",plugin="whoami"}`),
        "1",
      );
    }
    assert.equal(text.match(/^process_open_fds /gm)?.length, 1);
    assert.equal(text.match(/^# TYPE coredns_dns_requests_total /gm)?.length, 1);
  } finally {
    await server.close();
  }
  await assert.rejects(scrape(port));
});

Deno.test("an address that is taken keeps the server from starting, and is named", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  try {
    const start = startServer(`.:1053 {\n bind 127.0.0.1\n prometheus ${address}\n whoami\n}\n`);
    await assert.rejects(start, new RegExp(`prometheus: cannot listen on ${address}: `));
  } finally {
    listener.close();
  }
});
