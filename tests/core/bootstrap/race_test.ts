import assert from "node:assert/strict";
import fc from "fast-check";
import { type Attempt, bestOf, race } from "../../../core/bootstrap/race.ts";
import { FakeNetwork } from "./fake_network.ts";

/** Whom to reach: of what priority, after how many milliseconds; a text = refused with it; undefined = silent. */
type Entrant = { priority: number; after?: number | string };

/** Runs a race. @returns What came of each, who was best, and when each was started. */
async function raced(entrants: Entrant[], { count = 1, timeoutMs = 10_000 } = {}) {
  const network = new FakeNetwork(() => undefined), { clock } = network;
  const startMs = clock.nowMs(), started: number[] = [];
  const attempts = await network.run(race(entrants, {
    ...{ count, timeoutMs, attemptDelayMs: 250, attemptTimeoutMs: 2500, clock },
    elapsedMs: () => clock.nowMs() - startMs,
    signal: new AbortController().signal,
    probe: ({ after }, signal) => {
      started.push(clock.nowMs() - startMs);
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        if (typeof after === "string") reject(new Error(after));
        else if (after !== undefined) clock.after(after, () => resolve("connected"));
      });
    },
  }));
  const tookMs = clock.nowMs() - startMs;
  return { attempts, best: bestOf(entrants, attempts, count), started, tookMs };
}

const outcomes = (attempts: Attempt[]) => attempts.map(({ outcome }) => outcome);

Deno.test("race() begins with the next 250 ms after one that is silent, and the first that answers wins", async () => {
  const { attempts, best, started, tookMs } = await raced([
    { priority: 0 },
    { priority: 0 },
    { priority: 0, after: 40 },
    { priority: 0, after: 1 },
  ]);
  assert.deepEqual(started, [0, 250, 500]);
  assert.deepEqual(best, [2]);
  assert.deepEqual(outcomes(attempts), ["given up", "given up", "reached", "not tried"]);
  assert.equal(tookMs, 540);
});

Deno.test("race() does not wait to begin with the next when one is refused", async () => {
  const { attempts, started, best } = await raced([
    { priority: 0, after: "connection refused" },
    { priority: 0, after: "connection refused" },
    { priority: 0, after: 30 },
  ]);
  assert.deepEqual(started, [0, 0, 0]);
  assert.deepEqual(attempts[0], { outcome: "failed", why: "connection refused" });
  assert.deepEqual(best, [2]);
});

Deno.test("race() waits for one of better priority, however fast the others are", async () => {
  const slow = await raced([{ priority: 10, after: 900 }, { priority: 20, after: 5 }]);
  assert.deepEqual(slow.best, [0]);
  assert.equal(slow.tookMs, 900);
  const silent = await raced([{ priority: 10 }, { priority: 20, after: 5 }]);
  assert.deepEqual(silent.best, [1]);
  assert.deepEqual(silent.attempts[0], { outcome: "failed", why: "no answer within 2500 ms" });
});

Deno.test("race() orders equals by round trip, and waits for one only while it could be better", async () => {
  const { best, tookMs, attempts } = await raced([
    { priority: 0, after: 300 }, // begun at 0
    { priority: 0, after: 20 }, // begun at 250: there at 270, and after 300 ms the first is too late to be better
    { priority: 0, after: 20 },
  ]);
  assert.deepEqual(best, [1]);
  assert.deepEqual(outcomes(attempts), ["given up", "reached", "not tried"]);
  assert.equal(tookMs, 270);
  const close = await raced([{ priority: 0, after: 280 }, { priority: 0, after: 29 }, {
    priority: 0,
    after: 1,
  }]);
  assert.deepEqual(close.best, [1]);
});

Deno.test("race() waits for one that was begun later and may be faster", async () => {
  const { best, tookMs } = await raced([{ priority: 0, after: 300 }, { priority: 0, after: 60 }]);
  assert.deepEqual([best, tookMs], [[1], 310]);
  const inVain = await raced([{ priority: 0, after: 300 }, { priority: 0 }]);
  assert.deepEqual([inVain.best, inVain.tookMs], [[0], 550]);
});

Deno.test("race() collects as many as are wanted, best first", async () => {
  const { best, attempts } = await raced([
    { priority: 0, after: 90 },
    { priority: 0, after: 60 },
    { priority: 0, after: "refused" },
    { priority: 0, after: 30 },
    { priority: 0, after: 10 },
  ], { count: 3 });
  assert.deepEqual(best, [3, 1, 0]);
  assert.equal(attempts[4]!.outcome, "not tried");
});

Deno.test("race() ends with those there are when the time is over", async () => {
  const { best, attempts, tookMs } = await raced(
    [{ priority: 0, after: 10 }, { priority: 0 }, { priority: 0 }, { priority: 0 }],
    { count: 3, timeoutMs: 400 },
  );
  assert.deepEqual(best, [0]);
  assert.deepEqual(outcomes(attempts), ["reached", "given up", "given up", "not tried"]);
  assert.match((attempts[1] as { why: string }).why, /silent so far, and the time was over/);
  assert.equal(tookMs, 400);
});

Deno.test("race() of nobody is over at once", async () => {
  assert.deepEqual((await raced([])).attempts, []);
});

Deno.test("race() has the best priorities of all that can be reached, whoever is fast, silent or refused", async () => {
  const entrant = fc.record({
    priority: fc.integer({ min: 0, max: 3 }),
    after: fc.oneof(fc.integer({ min: 0, max: 2400 }), fc.constantFrom("refused", undefined)),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(entrant, { maxLength: 10 }),
      fc.integer({ min: 1, max: 4 }),
      async (list, count) => {
        const entrants = list.toSorted((a, b) => a.priority - b.priority) as Entrant[];
        const { best, attempts } = await raced(entrants, { count, timeoutMs: 60_000 });
        const reachable = entrants.filter(({ after }) => typeof after === "number").slice(0, count);
        assert.deepEqual(best.map((i) => entrants[i]!.priority), reachable.map(({ priority }) => priority));
        const rtts = best.map((i) => (attempts[i] as { rttMs: number }).rttMs);
        assert.deepEqual(rtts, best.map((i) => entrants[i]!.after));
      },
    ),
    { numRuns: 60, seed: 7 },
  );
});
