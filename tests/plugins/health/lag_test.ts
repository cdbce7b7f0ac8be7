import assert from "node:assert/strict";
import { LAG_TICK_MS, LagMeter, LagWatch } from "../../../plugins/health/lag.ts";
import { probeFairly } from "../../../plugins/health/prober_worker.ts";

Deno.test("LagMeter sees a tick that was late while a probe ran", () => {
  const lag = new LagMeter(0);
  lag.tick(50);
  lag.tick(400);
  assert.equal(lag.laggedSince(100, 410), true);
  assert.equal(lag.laggedSince(401, 410), false);
});

Deno.test("LagMeter sees a tick that is overdue when a probe ends before it", () => {
  const lag = new LagMeter(0);
  assert.equal(lag.laggedSince(0, 300), false);
  assert.equal(lag.laggedSince(0, 301), true);
});

Deno.test("LagMeter holds nothing against a rest between probes", () => {
  const lag = new LagMeter(0);
  lag.start(10_000);
  assert.equal(lag.laggedSince(10_000, 10_300), false);
  assert.equal(lag.laggedSince(10_000, 10_301), true);
});

Deno.test("LagWatch ticks while something is under way, and not afterwards", async () => {
  const ticks: number[] = [];
  class Told extends LagMeter {
    override tick(nowMs: number): void {
      ticks.push(nowMs);
      super.tick(nowMs);
    }
  }
  const watch = new LagWatch(new Told(0));
  const ticked = (count: number) => async () => {
    while (ticks.length < count) await new Promise((resolve) => setTimeout(resolve, LAG_TICK_MS));
  };
  await Promise.all([watch.during(ticked(1)), watch.during(ticked(3))]);
  const count = ticks.length;
  await new Promise((resolve) => setTimeout(resolve, 3 * LAG_TICK_MS));
  assert.equal(ticks.length, count);
  await watch.during(ticked(count + 1));
});

const target = { address: "192.0.2.1", check: { kind: "tcp", port: 80 } } as const;
const failure = { ok: false, latencyMs: 3000, reason: "timed out after 3000 ms" };

/** A prober whose attempts lag as told, and fail until `successAt`. */
async function attempts(lagged: boolean[], successAt = Infinity) {
  let attempt = 0;
  const lag = { laggedSince: () => lagged[attempt - 1] ?? false };
  const run = () => Promise.resolve(++attempt === successAt ? { ...failure, ok: true } : failure);
  const result = await probeFairly(target, { timeoutMs: 3000 }, lag, () => 0, run);
  return { ...result, attempt };
}

Deno.test("probeFairly() takes a failure without lag at its word", async () => {
  assert.deepEqual(await attempts([]), { ...failure, lagged: false, discarded: 0, attempt: 1 });
});

Deno.test("probeFairly() tries again at once after a failure during lag", async () => {
  const { ok, discarded, attempt } = await attempts([true, true, false], 3);
  assert.deepEqual([ok, discarded, attempt], [true, 2, 3]);
});

Deno.test("probeFairly() lets a failure stand after five that were thrown away", async () => {
  const { ok, discarded, attempt } = await attempts(new Array(20).fill(true));
  assert.deepEqual([ok, discarded, attempt], [false, 5, 6]);
});

Deno.test("probeFairly() keeps a success during lag, and says so", async () => {
  const { ok, lagged, attempt } = await attempts([true], 1);
  assert.deepEqual([ok, lagged, attempt], [true, true, 1]);
});
