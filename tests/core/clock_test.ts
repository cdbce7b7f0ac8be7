import assert from "node:assert/strict";
import { afterTurns, type Clock, ManualClock } from "../../core/clock.ts";
import { setImmediate } from "node:timers";

Deno.test("afterTurns() calls back once, after as long as it was told", () => {
  const clock = new ManualClock(), calls: number[] = [], fromMs = clock.nowMs();
  afterTurns(clock, 2000, () => calls.push(clock.nowMs() - fromMs));
  clock.advance(1999);
  assert.deepEqual(calls, []);
  clock.advance(10_000);
  assert.deepEqual(calls, [2000]);
});

Deno.test("afterTurns() lets the event loop turn before it calls back, however long the process stood still", async () => {
  const manual = new ManualClock(), order: string[] = [];
  let next: (() => void) | undefined;
  // Whatever is asked for is overdue the next time that timers are seen to.
  const clock: Clock = {
    nowMs: () => manual.nowMs(),
    after: (_, then) => (next = then, () => next = undefined),
  };
  afterTurns(clock, 2000, () => order.push("given up"));
  setImmediate(() => order.push("what came was read"));
  while (next) {
    const then = next;
    next = undefined;
    then();
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.deepEqual(order, ["what came was read", "given up"]);
});

Deno.test("afterTurns() is cancelled at any time", () => {
  for (const ms of [0, 1, 200, 1999]) {
    const clock = new ManualClock();
    const cancel = afterTurns(clock, 2000, () => assert.fail("called back"));
    clock.advance(ms);
    cancel();
    clock.advance(10_000);
    assert.equal(clock.nextMs, Infinity);
  }
});
