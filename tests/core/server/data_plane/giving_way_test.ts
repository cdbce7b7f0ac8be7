import assert from "node:assert/strict";
import { ManualClock } from "../../../../core/clock.ts";
import {
  CALM_LOOKS,
  GivingWay,
  LIST_LOOKS,
  LOOK_MS,
  MOST_WAITED,
  type Threads,
} from "../../../../core/server/data_plane/giving_way.ts";

const HELPER = 12, ISOLATE = 20;

/** Threads that wait as long as a test says, and where they were moved. */
function watched(system: Partial<Threads> = {}) {
  const clock = new ManualClock(), waitedNs = new Map([[HELPER, 5e9], [ISOLATE, 7e9]]), moves: string[] = [];
  const givingWay = new GivingWay(clock, {
    threadsBehind: () => [HELPER],
    waitedNs: (thread) => waitedNs.get(thread),
    moveBehind: (threads, behind) => void moves.push(`${threads.toSorted().join(" ")} ${behind}`),
    ...system,
  });
  /** So many looks, between which a thread waits for this share of the time. @returns What was moved. */
  const looks = (count: number, share = 0, thread = ISOLATE) => {
    for (let i = 0; i < count; i++) {
      waitedNs.set(thread, waitedNs.get(thread)! + share * LOOK_MS * 1e6);
      clock.advance(LOOK_MS);
    }
    return moves.splice(0);
  };
  return { givingWay, looks, waitedNs };
}

Deno.test("threads that do not wait go far behind, and come forward when one misses something", () => {
  for (const thread of [HELPER, ISOLATE]) {
    const { givingWay, looks } = watched();
    givingWay.watch(ISOLATE);
    assert.deepEqual(looks(CALM_LOOKS - 1), []);
    assert.deepEqual(looks(1), ["12 20 far"]);
    assert.deepEqual(looks(10, MOST_WAITED.far, thread), []);
    assert.deepEqual(looks(1, MOST_WAITED.far + 0.01, thread), ["12 20 some"]);
    assert.deepEqual(looks(10, MOST_WAITED.some + 0.01, thread), []);
    assert.deepEqual(looks(CALM_LOOKS - 1, MOST_WAITED.some, thread), []);
    assert.deepEqual(looks(1, 0.9, thread), []);
    assert.deepEqual(looks(CALM_LOOKS), ["12 20 far"]);
  }
});

Deno.test("threads that are started later are where the others are after a while, and those that ended are forgotten", () => {
  const behind = [HELPER];
  const { givingWay, looks, waitedNs } = watched({ threadsBehind: () => behind });
  givingWay.watch(ISOLATE);
  assert.deepEqual(looks(CALM_LOOKS), ["12 20 far"]);
  behind[0] = 13;
  waitedNs.delete(HELPER);
  waitedNs.set(13, 0);
  assert.deepEqual(looks(LIST_LOOKS - CALM_LOOKS), []);
  assert.deepEqual(looks(1), ["13 20 far"]);
});

Deno.test("when the last isolate has gone the helpers come forward, and nobody looks any more", () => {
  const { givingWay, looks } = watched();
  const ends = [givingWay.watch(ISOLATE), givingWay.watch(ISOLATE + 1)];
  looks(CALM_LOOKS);
  ends[0]!();
  assert.deepEqual(looks(0), []);
  ends[1]!();
  assert.deepEqual(looks(0), ["12 some"]);
  assert.deepEqual(looks(10, 0.9), []);
  givingWay.watch(ISOLATE);
  assert.deepEqual(looks(CALM_LOOKS), ["12 20 far"]);
});
