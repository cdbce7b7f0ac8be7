import assert from "node:assert/strict";
import { formatMetrics } from "../../../core/server/exposition.ts";
import { Metrics, OVERFLOW, type Place } from "../../../core/server/metrics.ts";
import type { Metric } from "../../../core/plugin.ts";

const DECLARED = {
  a_total: { kind: "counter", help: "A.", labels: ["zone", "proto"] },
  b_total: { kind: "counter", help: "B." },
  c_seconds: { kind: "histogram", help: "C.", labels: ["zone"], buckets: [0.1, 1] },
  d: { kind: "gauge", help: "D, with \\ and\na second line.", labels: ["pool"] },
} satisfies Record<string, Metric>;

Deno.test("snapshot() has a sum for each set of labels, and of a histogram how many samples", () => {
  const metrics = new Metrics(DECLARED);
  metrics.count("a_total", { zone: "example.org.", proto: "udp" });
  metrics.count("a_total", { proto: "udp", zone: "example.org." }, 2);
  metrics.count("b_total");
  for (const value of [0.05, 0.5, 5]) metrics.observe("c_seconds", value, { zone: "." });
  metrics.gauge("d", 5, { pool: "p" });
  assert.deepEqual(metrics.snapshot(), {
    'a_total{proto="udp",zone="example.org."}': 3,
    b_total: 1,
    'c_seconds_count{zone="."}': 3,
  });
});

Deno.test("formatMetrics() writes what Prometheus reads", () => {
  const metrics = new Metrics(DECLARED);
  metrics.count("a_total", { zone: 'a"\\\n', proto: "udp" }, 1.5);
  for (const value of [0.05, 0.1, 0.5, 5]) metrics.observe("c_seconds", value, { zone: "." });
  metrics.gauge("d", -Infinity, { pool: "p" });
  assert.equal(
    formatMetrics(metrics.read()),
    String.raw`# HELP a_total A.
# TYPE a_total counter
a_total{zone="a\"\\\n",proto="udp"} 1.5
# HELP b_total B.
# TYPE b_total counter
b_total 0
# HELP c_seconds C.
# TYPE c_seconds histogram
c_seconds_bucket{zone=".",le="0.1"} 2
c_seconds_bucket{zone=".",le="1"} 3
c_seconds_bucket{zone=".",le="+Inf"} 4
c_seconds_sum{zone="."} 5.65
c_seconds_count{zone="."} 4
# HELP d D, with \\ and\na second line.
# TYPE d gauge
d{pool="p"} -Inf
`,
  );
});

/** A worker's registry, and what the control isolate was told of it. */
function worker(control: Metrics) {
  const attached: { current?: ReturnType<Metrics["attach"]> } = {};
  const metrics = new Metrics({}, (place: Place) => attached.current!.place(structuredClone(place)));
  attached.current = control.attach(metrics.buffer);
  metrics.declare(DECLARED);
  return { metrics, detach: () => attached.current!.detach() };
}

Deno.test("what several isolates count is one sum, while they live and after", () => {
  const control = new Metrics(DECLARED);
  const [one, two] = [worker(control), worker(control)];
  const bound = one.metrics.series("a_total", { zone: ".", proto: "tcp" });
  control.count("a_total", { zone: ".", proto: "tcp" });
  bound.record(10);
  two.metrics.count("a_total", { zone: ".", proto: "tcp" }, 100);
  two.metrics.count("b_total");
  two.metrics.observe("c_seconds", 0.5, { zone: "." });
  control.observe("c_seconds", 0.5, { zone: "." });
  const expected = { 'a_total{proto="tcp",zone="."}': 111, b_total: 1, 'c_seconds_count{zone="."}': 2 };
  assert.deepEqual(control.snapshot(), expected);
  one.detach();
  two.detach();
  assert.deepEqual(control.snapshot(), expected);
  bound.record(1000);
  assert.deepEqual(control.snapshot(), expected);
  assert.match(formatMetrics(control.read()), /c_seconds_sum\{zone="."\} 1\n/);
});

Deno.test("a metric has no more series than it may, and what finds no room is counted", () => {
  const metrics = new Metrics(DECLARED);
  for (let i = 0; i < 5005; i++) metrics.count("a_total", { zone: String(i) });
  metrics.count("a_total", { zone: "0" });
  metrics.count("b_total");
  const counts = metrics.snapshot();
  assert.equal(Object.keys(counts).filter((series) => series.startsWith("a_total")).length, 5000);
  assert.equal(counts[`${OVERFLOW}{metric="a_total"}`], 5);
  assert.equal(counts['a_total{proto="",zone="0"}'], 2);
  assert.equal(counts["b_total"], 1);
});

Deno.test("when every cell is used up, that is still counted", () => {
  const buckets = Array.from({ length: 998 }, (_, i) => i);
  const metrics = new Metrics({ wide: { kind: "histogram", help: "Wide.", labels: ["n"], buckets } });
  for (let i = 0; i < 200; i++) metrics.observe("wide", 1, { n: String(i) });
  assert.equal(metrics.snapshot()[`${OVERFLOW}{metric="wide"}`], 200 - Math.floor((131072 - 1024) / 1000));
});

Deno.test("a gauge is gone when it is taken away, or when who set it last goes", () => {
  const metrics = new Metrics(DECLARED);
  const shown = () => metrics.read().find(({ name }) => name === "d")?.series.map(({ cells }) => cells[0]);
  const [old, fresh] = [{}, {}];
  metrics.gauge("d", 1, { pool: "p" }, old);
  metrics.gauge("d", 2, { pool: "q" }, old);
  metrics.gauge("d", 3, { pool: "p" }, fresh);
  metrics.removeGauges(old);
  assert.deepEqual(shown(), [3]);
  metrics.gauge("d", 4, { pool: "r" }, fresh);
  metrics.gauge("d", undefined, { pool: "p" });
  assert.deepEqual(shown(), [4]);
});

Deno.test("a metric declared again goes on, and one declared otherwise begins anew", () => {
  const metrics = new Metrics(DECLARED);
  metrics.count("a_total", { zone: ".", proto: "udp" });
  metrics.declare(structuredClone(DECLARED));
  assert.deepEqual(metrics.snapshot(), { 'a_total{proto="udp",zone="."}': 1 });
  metrics.declare({ a_total: { kind: "counter", help: "A.", labels: ["zone"] } });
  metrics.count("a_total", { zone: ".", proto: "udp" });
  assert.deepEqual(metrics.snapshot(), { 'a_total{zone="."}': 1 });
});

Deno.test("onScrape() is called before metrics are read, until it is ended", () => {
  const metrics = new Metrics(DECLARED);
  let calls = 0;
  const end = metrics.onScrape(() => metrics.gauge("d", ++calls, { pool: "p" }));
  assert.match(formatMetrics(metrics.read()), /^d\{pool="p"\} 1$/m);
  end();
  assert.match(formatMetrics(metrics.read()), /^d\{pool="p"\} 1$/m);
});
