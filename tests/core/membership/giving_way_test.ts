import assert from "node:assert/strict";
import {
  BEAT_MS,
  keepBehind,
  LATE_MS,
  type Places,
  REPEAT_BEATS,
  TIMELY_BEATS,
} from "../../../core/membership/giving_way.ts";

/** An isolate whose beats come as late as a test says, and where it went. */
function isolate(places: Partial<Places> = {}) {
  let nowMs = 1_000_000, due = Infinity, then = () => {};
  const went: string[] = [];
  const clock = {
    nowMs: () => nowMs,
    after(delayMs: number, callBack: () => void) {
      [due, then] = [nowMs + delayMs, callBack];
      return () => {};
    },
  };
  keepBehind(clock, {
    giveWay: (behind) => went.push(behind) > 0,
    mayComeForward: () => true,
    ...places,
  });
  const beats = (count: number, lateMs = 0) => {
    for (let i = 0; i < count; i++) {
      nowMs = due + lateMs;
      then();
    }
    return went.splice(0);
  };
  return { beats, isWatched: () => due < Infinity };
}

Deno.test("who has its turn in time goes far behind, who is late comes forward until it is in time again", () => {
  const { beats } = isolate();
  assert.deepEqual(beats(TIMELY_BEATS - 1), ["some"]);
  assert.deepEqual(beats(1), ["far"]);
  assert.deepEqual(beats(20, LATE_MS - 1), []);
  assert.deepEqual(beats(1, LATE_MS), ["some"]);
  assert.deepEqual(beats(5, 3 * BEAT_MS), []);
  assert.deepEqual(beats(TIMELY_BEATS - 1), []);
  assert.deepEqual(beats(1, LATE_MS), []);
  assert.deepEqual(beats(TIMELY_BEATS), ["far"]);
});

Deno.test("where it is is said again now and then, for others move the runtime's helpers too", () => {
  const { beats } = isolate();
  assert.deepEqual(beats(TIMELY_BEATS), ["some", "far"]);
  assert.deepEqual(beats(REPEAT_BEATS - 1), []);
  assert.deepEqual(beats(1), ["far"]);
});

Deno.test("who could not come back does not go far, and who cannot give way at all is left alone", () => {
  const stuck = isolate({ mayComeForward: () => false });
  assert.equal(stuck.isWatched(), false);
  assert.equal(isolate({ giveWay: () => false }).isWatched(), false);
});
