import assert from "node:assert/strict";
import { havePackages } from "../../scripts/packages.ts";
import { CORE_METRICS } from "../../core/server/core_metrics.ts";
import { OVERFLOW } from "../../core/server/metrics.ts";
import type { Metric } from "../../core/plugin.ts";
import { plugins } from "../../plugins/mod.ts";
import { DASHBOARD, makeDashboard } from "../../scripts/make_dashboard.ts";
import { freePort, startServer } from "../support/server.ts";

const RULES = "deploy/prometheus_alerts.yaml";

/** Every declaration, with who makes it. */
const declarations: readonly (readonly [who: string, name: string, metric: Metric])[] = [
  ...Object.entries(CORE_METRICS).map(([name, metric]) => ["core", name, metric] as const),
  ["core", OVERFLOW, { kind: "counter", help: "", labels: ["metric"] }],
  ...plugins.flatMap((plugin) =>
    Object.entries(plugin.metrics ?? {}).map(([name, metric]) => [plugin.name, name, metric] as const)
  ),
];

const declared = new Map(declarations.map(([, name, metric]) => [name, metric]));

/** What a server of any make has, or Prometheus itself makes. */
const FOREIGN = ["up"];

/** The names of metrics in text, and of a histogram's parts that of the histogram. */
function metricsIn(text: string): Set<string> {
  const names = [...text.matchAll(/\b(?:coredns|meridian|process)_[a-z0-9_]+/g)].map(([name]) => name);
  return new Set(names.map((name) => {
    const whole = name.replace(/_(bucket|count|sum)$/, "");
    return declared.get(whole)?.kind === "histogram" ? whole : name;
  }));
}

const hasPromtool = await havePackages(["prometheus"]);

/** Runs promtool; what it says when it is not content. */
async function promtool(args: readonly string[], input = ""): Promise<string> {
  const child = new Deno.Command("promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return code === 0 ? "" : new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Fields of what Formation's nodes report, and no metrics of ours. */
const FORMATIONS = ["process_count"];

/** Every TypeScript file below a folder. */
function sources(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? sources(`${folder}/${name}`) : name.endsWith(".ts") ? [`${folder}/${name}`] : []
  );
}

Deno.test("what the sources count is declared", () => {
  const undeclared = [...sources("core"), ...sources("plugins")].flatMap((file) => {
    const literals = Deno.readTextFileSync(file).matchAll(/"((?:coredns|meridian|process)_[a-z0-9_]+)"/g);
    return [...literals].map(([, name]) => name!)
      .filter((name) => !declared.has(name) && !FORMATIONS.includes(name)).map((name) => `${file}: ${name}`);
  });
  assert.deepEqual(undeclared, []);
});

Deno.test("who declares a metric that another declares says the same", () => {
  const said = (metric: Metric) => `${metric.kind} ${metric.labels ?? []} ${metric.buckets ?? []}`;
  const differing = declarations.filter(([, name, metric]) => said(metric) !== said(declared.get(name)!));
  assert.deepEqual(differing.map(([who, name]) => `${who}: ${name}`), []);
});

Deno.test("every metric in the alert rules and on the dashboard is declared", () => {
  for (const file of [RULES, DASHBOARD]) {
    const strangers = [...metricsIn(Deno.readTextFileSync(file))].filter((name) =>
      !declared.has(name) && !FOREIGN.includes(name)
    );
    assert.deepEqual(strangers, [], file);
  }
});

Deno.test("labels by which the rules and the dashboard select or group are those of the metric", () => {
  const text = Deno.readTextFileSync(RULES) + makeDashboard().replaceAll('\\"', '"');
  const wrong = [...text.matchAll(/\b((?:coredns|meridian)_[a-z0-9_]+)\{([^}]*)\}/g)].flatMap(
    ([, name, selectors]) => {
      const metric = declared.get(name!) ?? declared.get(name!.replace(/_(bucket|count|sum)$/, ""))!;
      const known = [...metric.labels ?? [], "instance", "job", "le"];
      return [...selectors!.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(([, label]) => label!)
        .filter((label) => !known.includes(label)).map((label) => `${name}: ${label}`);
    },
  );
  assert.deepEqual(wrong, []);
});

Deno.test("what the core, the fleet and health count is watched or shown", () => {
  const seen = metricsIn(Deno.readTextFileSync(RULES) + makeDashboard());
  const watched = ["core", "prometheus", "anycast", "health", "geo", "dnstap"];
  /** One may look at these by hand. */
  const spare = [
    "coredns_plugin_enabled",
    "process_virtual_memory_bytes",
    "meridian_heap_space_bytes",
    "meridian_dnstap_sent_total",
  ];
  const unseen = declarations.filter(([who, name]) =>
    watched.includes(who) && !seen.has(name) && !spare.includes(name)
  );
  assert.deepEqual(unseen.map(([who, name]) => `${who}: ${name}`), []);
});

Deno.test("the dashboard is what its script makes", () => {
  assert.equal(Deno.readTextFileSync(DASHBOARD), makeDashboard(), "run scripts/make_dashboard.ts");
  const { panels } = JSON.parse(makeDashboard()) as { panels: { id: number; type: string; title: string }[] };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  assert.deepEqual(panels.filter(({ type }) => type === "row").map(({ title }) => title), [
    ...[
      "Traffic",
      "Answers",
      "Data plane",
      "Latency",
      "Fleet",
      "Geo",
      "Health",
      "Cache and forward",
      "Reload and process",
      "Abuse",
    ],
  ]);
});

Deno.test("docs/OPERATING.md lists what the core counts", () => {
  const text = Deno.readTextFileSync("docs/OPERATING.md");
  const missing = declarations.filter(([who]) => who === "core")
    .map(([, name, { labels = [] }]) => labels.length > 0 ? `${name}{${labels.join(", ")}}` : name)
    .filter((series) => !text.includes(`\`${series}\``));
  assert.deepEqual(missing, []);
});

Deno.test({
  name: "promtool takes the alert rules",
  ignore: !hasPromtool,
  fn: async () => assert.equal(await promtool(["check", "rules", RULES]), ""),
});

/** Series that make alerts fire, minute by minute. */
const RULES_TEST = `
rule_files: [RULES]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'up{job="meridian", instance="a"}', values: "1 1 0x10" }
      - { series: 'meridian_pool_all_down{pool="p.", family="1", instance="a"}', values: "0 0 1x10" }
      - { series: 'meridian_pool_degraded{pool="p.", region="eu", instance="a"}', values: "0 0 1x20" }
      - { series: 'coredns_dns_responses_total{rcode="NOERROR", instance="a"}', values: "0+95x30" }
      - { series: 'coredns_dns_responses_total{rcode="SERVFAIL", instance="a"}', values: "0+5x30" }
      - { series: 'meridian_pool_answers_total{pool="p.", outcome="all-down fail-open", instance="a"}', values: "0+1x30" }
      - { series: 'meridian_geo_built_timestamp_seconds{source="g", instance="a"}', values: "-15552061x120" }
      - { series: 'coredns_reload_failed_total{instance="a"}', values: "0x5 1x30" }
      - { series: 'meridian_event_loop_lag_seconds_bucket{instance="a", le="0.5"}', values: "0+1x30" }
      - { series: 'meridian_event_loop_lag_seconds_bucket{instance="a", le="1"}', values: "0+100x30" }
      - { series: 'meridian_event_loop_lag_seconds_bucket{instance="a", le="+Inf"}', values: "0+100x30" }
      - { series: 'meridian_health_probe_lag_seconds_bucket{instance="a", le="1"}', values: "0+1x30" }
      - { series: 'meridian_health_probe_lag_seconds_bucket{instance="a", le="2.5"}', values: "0+100x30" }
      - { series: 'meridian_health_probe_lag_seconds_bucket{instance="a", le="+Inf"}', values: "0+100x30" }
      - { series: 'meridian_fleet_state_age_seconds{instance="a"}', values: "3x3 300x30" }
      - { series: 'meridian_fleet_diverging_servers{instance="a"}', values: "0x3 1x30" }
      - { series: 'meridian_fleet_namesakes{instance="a"}', values: "0x3 1x30" }
    promql_expr_test: []
    alert_rule_test:
ALERTS
`;

/** When each alert must be quiet still, and when it must fire. */
const FIRES: readonly (readonly [alert: string, quiet: string, firing: string, labels: string])[] = [
  ["MeridianDown", "1m", "4m", "job: meridian, instance: a, severity: critical"],
  ["MeridianPoolAllDown", "1m", "4m", 'pool: p., family: "1", instance: a, severity: critical'],
  ["MeridianRegionDegraded", "4m", "9m", "pool: p., region: eu, instance: a, severity: warning"],
  ["MeridianServfail", "1m", "8m", "instance: a, severity: critical"],
  ["MeridianFailOpen", "0m", "4m", "instance: a, pool: p., severity: critical"],
  ["MeridianGeoDataOld", "30m", "70m", "source: g, instance: a, severity: warning"],
  ["MeridianReloadFailed", "5m", "8m", "instance: a, severity: warning"],
  ["MeridianControlStalls", "2m", "9m", "instance: a, severity: warning"],
  ["MeridianStoreAway", "5m", "8m", "instance: a, severity: warning"],
  ["MeridianServersDiverge", "5m", "8m", "instance: a, severity: warning"],
  ["MeridianNamesakes", "5m", "8m", "instance: a, severity: warning"],
  ["MeridianProbeLag", "2m", "9m", "instance: a, severity: warning"],
];

Deno.test({
  name: "the alerts fire when they should, and not before",
  ignore: !hasPromtool,
  async fn() {
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    const alerts = FIRES.flatMap(([alert, quiet, firing, labels]) => [
      `      - { eval_time: ${quiet}, alertname: ${alert}, exp_alerts: [] }`,
      `      - { eval_time: ${firing}, alertname: ${alert}, exp_alerts: [{ exp_labels: { ${labels} } }] }`,
    ]);
    // What an annotation says is of no interest here.
    const rules = await Deno.makeTempFile({ suffix: ".yaml" });
    const bare = Deno.readTextFileSync(RULES).replace(/^ {8}annotations:\n( {10}.*\n)+/gm, "");
    await Deno.writeTextFile(rules, bare);
    await Deno.writeTextFile(file, RULES_TEST.replace("RULES", rules).replace("ALERTS", alerts.join("\n")));
    assert.equal(await promtool(["test", "rules", file]), "");
    await Deno.remove(file);
    await Deno.remove(rules);
  },
});

Deno.test({
  name: "promtool takes what a server with everything shows",
  ignore: !hasPromtool,
  async fn() {
    const port = freePort();
    const server = await startServer(`anycast.example:1053 {
    bind 127.0.0.1
    prometheus 127.0.0.1:${port} {
        runtime_metrics
    }
    geo
    health 127.0.0.1:${freePort()} {
        check exec /usr/bin/test {address} != 192.0.2.1
    }
    anycast entry.anycast.example {
        nodes nodes.yaml
    }
    ttl 5 60
    file zones/anycast.example.zone
}
.:1053 {
    bind 127.0.0.1
    prometheus 127.0.0.1:${port}
    whoami
}
`);
    try {
      for (const name of ["entry.anycast.example", "missing.anycast.example", "www.example.org"]) {
        await server.ask(name);
      }
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      assert.equal(await promtool(["check", "metrics"], text), "");
      const shown = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
      assert.deepEqual(shown.filter((name) => !declared.has(name)), []);
      assert.ok(shown.length > 30, `${shown.length} metrics`);
    } finally {
      await server.close();
    }
  },
});
