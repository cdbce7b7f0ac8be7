import assert from "node:assert/strict";
import { Counters, OVERFLOW_SERIES, seriesOf } from "../../../core/server/counters.ts";

Deno.test("snapshot() has a sum for each name and set of labels", () => {
  const counters = new Counters();
  counters.count("a_total");
  counters.count("a_total", { zone: "example.org.", proto: "udp" });
  counters.count("a_total", { proto: "udp", zone: "example.org." }, 2);
  assert.deepEqual(counters.snapshot(), { "a_total": 1, 'a_total{proto="udp",zone="example.org."}': 3 });
});

Deno.test("merge() adds what another isolate took, once", () => {
  const [control, worker] = [new Counters(), new Counters()];
  control.count("a_total");
  worker.count("a_total");
  control.merge(structuredClone(worker.take()));
  worker.count("b_total");
  control.merge(structuredClone(worker.take()));
  assert.deepEqual(control.snapshot(), { a_total: 2, b_total: 1 });
  assert.deepEqual(worker.snapshot(), {});
});

Deno.test("count() keeps no more series than it may, and loses no count", () => {
  const counters = new Counters();
  for (let i = 0; i < 10_005; i++) counters.count("a_total", { name: String(i) });
  counters.count("a_total", { name: "0" });
  const counts = counters.snapshot();
  assert.equal(Object.keys(counts).length, 10_001);
  assert.equal(counts[OVERFLOW_SERIES], 5);
  assert.equal(counts['a_total{name="0"}'], 2);
});

Deno.test("seriesOf() escapes what would end a label", () => {
  assert.equal(seriesOf("a", { b: 'x"y\\z\n' }), 'a{b="x\\"y\\\\z\\n"}');
});
