import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Health } from "../../../plugins/forward/health.ts";

/** A health of two failures with probes that end when told. */
function healthOf(maxFails = 2) {
  const clock = new ManualClock();
  const probes: { resolve(): void; reject(reason: Error): void }[] = [];
  let failedProbes = 0;
  const health = new Health({
    clock,
    intervalMs: 500,
    maxFails,
    probe: () => new Promise<void>((resolve, reject) => void probes.push({ resolve, reject })),
    onProbeFailed: () => void failedProbes++,
  });
  const fail = async () => {
    probes.at(-1)!.reject(new Error("timed out"));
    await settle();
  };
  return { health, clock, probes, fail, failedProbes: () => failedProbes };
}

const settle = () => new Promise<void>((resolve) => setTimeout(resolve));

Deno.test("a failure starts one loop of probes, however many follow", () => {
  const { health, probes } = healthOf(10);
  for (let i = 0; i < 5; i++) health.failed();
  assert.equal(probes.length, 1);
});

Deno.test("exactly max_fails failures, the exchange and its probes together, mean down", async () => {
  const { health, fail, failedProbes } = healthOf(2);
  health.failed();
  assert.equal(health.isDown, false);
  await fail();
  assert.equal(health.isDown, true);
  assert.equal(failedProbes(), 1);
});

Deno.test("the next probe follows an interval after the failure, and a reply ends the loop", async () => {
  const { health, clock, probes, fail } = healthOf(1);
  health.failed();
  await fail();
  clock.advance(499);
  assert.equal(probes.length, 1);
  clock.advance(1);
  assert.equal(probes.length, 2);
  probes[1]!.resolve();
  await settle();
  assert.equal(health.isDown, false);
  clock.advance(10_000);
  assert.equal(probes.length, 2);
  health.failed();
  assert.equal(probes.length, 3);
});

Deno.test("a reply to a query sets the count to zero", () => {
  const { health } = healthOf(2);
  health.failed();
  health.replied();
  health.failed();
  assert.equal(health.isDown, false);
});

Deno.test("close() while a probe is under way ends the loop with it", async () => {
  const { health, clock, probes, fail } = healthOf(1);
  health.failed();
  health.close();
  await fail();
  clock.advance(10_000);
  health.failed();
  assert.equal(probes.length, 1);
});
