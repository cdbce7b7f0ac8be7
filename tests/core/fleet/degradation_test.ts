import assert from "node:assert/strict";
import { type Degraded, DegradeWatch } from "../../../core/fleet/degradation.ts";
import type { DegradePolicy } from "../../../core/fleet/pool.ts";
import { NOW_MS } from "./make.ts";

const POLICY: DegradePolicy = { below: 0.6, above: 0.75, dwellMs: 10_000 };

Deno.test("judge() ends a region that has no nodes no sooner than another: they may not be known here yet", () => {
  const watch = new DegradeWatch(), degraded: Degraded = { eu: NOW_MS - 60_000 };
  const before = watch.judge(degraded, {}, POLICY, NOW_MS);
  assert.equal(before.degraded, degraded);
  assert.deepEqual([before.nextMs, before.mayEndMs], [NOW_MS + 10_000, Infinity]);
  assert.equal(watch.judge(degraded, { eu: 0.5 }, POLICY, NOW_MS + 9000).degraded, degraded);
  assert.equal(watch.judge(degraded, {}, POLICY, NOW_MS + 10_000).degraded, degraded);
  assert.equal(watch.judge(degraded, {}, POLICY, NOW_MS + 19_999).degraded, degraded);
  assert.deepEqual(watch.judge(degraded, {}, POLICY, NOW_MS + 20_000).degraded, {});
});

Deno.test("judge() takes regions for what they are, whatever they are called", () => {
  for (const region of ["constructor", "__proto__", "toString"]) {
    const watch = new DegradeWatch(), shares = (share: number) => Object.fromEntries([[region, share]]);
    const well = watch.judge({}, shares(1), POLICY, NOW_MS);
    assert.deepEqual([Object.keys(well.degraded), well.nextMs, well.mayEndMs], [[], Infinity, Infinity]);
    const { degraded } = watch.judge({}, shares(0.5), POLICY, NOW_MS);
    assert.deepEqual(Object.entries(degraded), [[region, NOW_MS]]);
    assert.equal(watch.judge(degraded, shares(1), POLICY, NOW_MS + 1000).mayEndMs, NOW_MS + 10_000);
    const after = watch.judge(degraded, shares(1), POLICY, NOW_MS + 11_000);
    assert.deepEqual(Object.keys(after.degraded), []);
  }
});
