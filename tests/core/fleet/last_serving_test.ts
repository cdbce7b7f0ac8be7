import assert from "node:assert/strict";
import { LastServing, TOGETHER_MS } from "../../../core/fleet/last_serving.ts";

Deno.test("LastServing keeps, once all are down, those that went down together", () => {
  const memory = new LastServing([]);
  assert.deepEqual(memory.update(["a", "b", "c"], 0), ["a", "b", "c"]);
  memory.update(["b", "c"], 1_000_000);
  memory.update(["c"], 1_000_000 + TOGETHER_MS + 1);
  assert.deepEqual(memory.update(undefined, 1_000_000 + TOGETHER_MS + 5000), ["b", "c"]);
  assert.deepEqual(memory.update(undefined, 9_000_000), ["b", "c"], "while all-down, time does not matter");
});

Deno.test("LastServing starts from what an earlier process knew, until a node is known to serve", () => {
  const memory = new LastServing(["a"]);
  assert.deepEqual(memory.update(undefined, 0), ["a"]);
  assert.deepEqual(memory.update(["b"], 1), ["b"]);
});

Deno.test("LastServing returns the same array when nothing changed, so that nothing is published for it", () => {
  const memory = new LastServing([]);
  const ids = memory.update(["a"], 0);
  assert.equal(memory.update(["a"], 1000), ids);
});

Deno.test("LastServing.keepOn() forgets those who went down long ago, as update() would", () => {
  const memory = new LastServing([]);
  memory.update(["a", "b"], 0);
  memory.update(["b"], 1000);
  assert.deepEqual(memory.keepOn(1000 + TOGETHER_MS), ["a", "b"]);
  assert.deepEqual(memory.keepOn(1001 + TOGETHER_MS), ["b"]);
  assert.deepEqual(memory.update(undefined, 9_000_000), ["b"]);
  assert.deepEqual(memory.keepOn(99_000_000), ["b"], "while all-down, time does not matter");
});
