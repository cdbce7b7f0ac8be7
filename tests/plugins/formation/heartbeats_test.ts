import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Heartbeats } from "../../../plugins/formation/heartbeats.ts";

const LEASE_MS = 30_000;

/** Heartbeats whose hearings are noted, in seconds since the start. */
function make(timeoutMs = 60_000) {
  const clock = new ManualClock(1_800_000_000_000), startMs = clock.nowMs(), heard: number[] = [];
  let untilMs = -Infinity;
  const heartbeats = new Heartbeats({
    ...{ clock, leaseMs: LEASE_MS, timeoutMs, staleMs: 300_000 },
    hear(_, leaseMs) {
      assert.ok(leaseMs > 0 && leaseMs <= LEASE_MS);
      heard.push((clock.nowMs() - startMs) / 1000);
      untilMs = clock.nowMs() + leaseMs;
    },
  });
  heartbeats.start();
  const at = (seconds: number) => clock.advanceTo(startMs + seconds * 1000);
  /** Whether a lease of what was heard holds now. */
  const isLeased = () => clock.nowMs() < untilMs;
  return { heartbeats, heard, at, isLeased, nowMs: () => clock.nowMs() };
}

Deno.test("a heartbeat is heard on until a lease ends with it: never a gap before, and none after 60 s", () => {
  const { heartbeats, heard, at, isLeased, nowMs } = make();
  heartbeats.beat("n", nowMs());
  for (let second = 0; second < 59; second++) {
    at(second);
    assert.ok(isLeased(), `${second} s`);
  }
  assert.ok(heard.at(-1)! >= 29 && heard.at(-1)! <= 30, `${heard}`);
  at(60);
  assert.ok(!isLeased());
  at(300);
  assert.equal(isLeased(), false);
  assert.ok(heard.length <= 5, "the registry is not asked every second");
});

Deno.test("a heartbeat between two looks is heard no longer than one that comes with them", () => {
  for (const lateMs of [1, 20, 500, 999]) {
    const { heartbeats, heard, at, nowMs } = make();
    heartbeats.beat("n", nowMs() + lateMs - 1000);
    at(200);
    assert.ok(heard.at(-1)! <= 30, `${lateMs} ms: ${heard}`);
    assert.ok(heard.at(-1)! >= 28, `${lateMs} ms: ${heard}`);
  }
});

Deno.test("a heartbeat every 30 s holds the lease, and so does one that comes 25 s late", () => {
  const { heartbeats, at, isLeased, nowMs } = make();
  let next = 0;
  for (let second = 0; second < 400; second++) {
    at(second);
    if (second === next) {
      heartbeats.beat("n", nowMs());
      next += second === 120 ? 55 : 30;
    }
    assert.ok(isLeased(), `${second} s`);
  }
});

Deno.test("a list that is read late leaves no gap, however short the time that a heartbeat may age", () => {
  for (const [timeoutMs, everyMs] of [[30_000, 10_000], [45_000, 30_000], [60_000, 30_000]] as const) {
    const { heartbeats, heard, at, isLeased, nowMs } = make(timeoutMs);
    for (let second = 0; second < 2000; second++) {
      at(second);
      // Read every ten seconds, and five seconds old by then.
      const sentMs = nowMs() - 5000, beatMs = sentMs - sentMs % everyMs;
      if (second % 10 === 0) heartbeats.beat("n", beatMs, { source: "list" });
      assert.ok(isLeased(), `${timeoutMs} ms: ${second} s`);
    }
    const lastMs = heartbeats.lastMs("n")!, endMs = lastMs + timeoutMs;
    for (let second = 2000; nowMs() < endMs - 1000; second++) {
      at(second);
      assert.ok(isLeased());
    }
    at(2100);
    assert.ok(!isLeased());
    assert.ok(heard.length < 2000 / 4, "nor is the registry asked every second");
  }
});

Deno.test("one that is old when it comes is heard once, and one that is too old is not", () => {
  const { heartbeats, heard, at, nowMs } = make();
  heartbeats.beat("n", nowMs() - 45_000, { source: "list" });
  assert.deepEqual(heard, [0]);
  assert.equal(heartbeats.isAlive("n"), true);
  at(16);
  assert.equal(heartbeats.isAlive("n"), false);
  at(40);
  heartbeats.beat("n", nowMs() - 61_000, { source: "list" });
  assert.deepEqual(heard, [0]);
  // A clock that is ahead makes nobody live longer.
  heartbeats.beat("n", nowMs() + 3_600_000, { source: "list" });
  assert.equal(heartbeats.lastMs("n"), nowMs());
});

Deno.test("one that its list says is down is not heard, whatever its heartbeats", () => {
  const { heartbeats, heard, nowMs } = make();
  heartbeats.beat("n", nowMs(), { source: "list", isDown: true });
  assert.deepEqual([heard.length, heartbeats.isAlive("n")], [0, false]);
});

Deno.test("while a list is away its nodes stay as they were, and after 300 s nobody knows, which counts as up", () => {
  const { heartbeats, at, isLeased, nowMs } = make();
  heartbeats.beat("alive", nowMs(), { source: "list" });
  heartbeats.beat("dead", nowMs() - 100_000, { source: "list" });
  at(10);
  heartbeats.setAway("list", true);
  for (let second = 11; second < 300; second++) {
    at(second);
    assert.ok(isLeased(), `${second} s`);
    assert.deepEqual([heartbeats.isAlive("alive"), heartbeats.isAlive("dead")], [true, false]);
  }
  at(311);
  assert.equal(heartbeats.isAlive("dead"), true);
  heartbeats.setAway("list", false);
  assert.deepEqual([heartbeats.isAlive("alive"), heartbeats.isAlive("dead")], [false, false]);
});

Deno.test("a list that is behind takes nothing back from who speaks for itself", () => {
  const { heartbeats, nowMs } = make();
  heartbeats.beat("n", nowMs());
  heartbeats.beat("n", nowMs() - 90_000, { source: "list", isDown: true });
  assert.equal(heartbeats.isAlive("n"), true);
  heartbeats.forget("n");
  assert.equal(heartbeats.lastMs("n"), undefined);
});
