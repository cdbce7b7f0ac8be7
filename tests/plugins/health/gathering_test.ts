import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Gathering } from "../../../plugins/health/gathering.ts";

/** A gathering, what it sent by id, and ways to end probes. */
function gathering() {
  const clock = new ManualClock();
  const sent: number[][] = [];
  const all = new Gathering(
    (reports) => sent.push(reports.map(({ id }) => id)),
    (delayMs, then) => clock.after(delayMs, then),
  );
  const report = { latencyMs: 1, reason: "", lagged: false, discarded: 0 };
  const take = (ok: boolean, ...ids: number[]) => ids.forEach((id) => all.take({ id, ok, ...report }));
  return { all, clock, sent, take };
}

Deno.test("Gathering sends in one message, at once, what nothing more is to come after", () => {
  const { all, clock, sent, take } = gathering();
  all.expect(3);
  take(true, 1, 2);
  assert.deepEqual(sent, []);
  take(true, 3);
  assert.deepEqual(sent, [[1, 2, 3]]);
  assert.equal(clock.nextMs, Infinity);
});

Deno.test("Gathering keeps a success no longer than a tenth of a second", () => {
  const { all, clock, sent, take } = gathering();
  all.expect(3);
  take(true, 1);
  clock.advance(60);
  take(true, 2);
  clock.advance(39);
  assert.deepEqual(sent, []);
  clock.advance(1);
  assert.deepEqual(sent, [[1, 2]]);
});

Deno.test("Gathering sends a failure within 5 ms, and what waited along with it", () => {
  const { all, clock, sent, take } = gathering();
  all.expect(5);
  take(true, 1);
  clock.advance(20);
  take(false, 2);
  clock.advance(3);
  take(false, 3);
  clock.advance(2);
  assert.deepEqual(sent, [[1, 2, 3]]);
  take(true, 4);
  clock.advance(99);
  assert.equal(sent.length, 1);
  clock.advance(1);
  assert.deepEqual(sent[1], [4]);
});

Deno.test("Gathering lets many wait for no more", () => {
  const { all, sent, take } = gathering();
  all.expect(100);
  take(true, ...Array.from({ length: 64 }, (_, i) => i));
  assert.deepEqual(sent.map(({ length }) => length), [64]);
});
