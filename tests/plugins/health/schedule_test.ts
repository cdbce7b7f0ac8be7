import assert from "node:assert/strict";
import fc from "fast-check";
import {
  drawBeatsFromMs,
  firstProbeMs,
  nextProbeMs,
  probeBeatMs,
  Schedule,
} from "../../../plugins/health/schedule.ts";

const pace = { intervalMs: 10_000, fall: 3, confirm: true };

const gaps: [string, boolean, Partial<typeof pace>, number, number, number][] = [
  ["at the interval at most", false, {}, 3, 0, 10_000],
  ["a tenth earlier at least", false, {}, 3, 1, 9000],
  ["a second after a suspicious one", true, {}, 3, 0.5, 1000],
  ["when a suspicious one that took longer is over", true, {}, 3000, 0.5, 3000],
  ["at the interval when nothing is confirmed", true, { confirm: false }, 3, 0, 10_000],
  ["no later than usual after a suspicious one at short intervals", true, { intervalMs: 1000 }, 3, 0, 900],
];

for (const [name, isSuspect, more, tookMs, unit, expected] of gaps) {
  Deno.test(`nextProbeMs(): ${name}`, () => {
    assert.equal(
      nextProbeMs({ ...pace, ...more }, isSuspect, 50_000, 50_000 + tookMs, unit),
      50_000 + expected,
    );
  });
}

Deno.test("nextProbeMs(): of many targets on a beat, a tenth of the interval early at most and never late", () => {
  const beats = fc.record({
    intervalMs: fc.integer({ min: 1000, max: 3_600_000 }),
    count: fc.integer({ min: 8, max: 100_000 }),
    startedMs: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
    fromMs: fc.integer({ min: 0, max: 86_400_000 }),
    unit: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(beats, ({ intervalMs, count, startedMs, fromMs, unit }) => {
      const beatMs = probeBeatMs(intervalMs, count);
      const atMs = nextProbeMs(
        { ...pace, intervalMs },
        false,
        startedMs,
        startedMs + 3,
        unit,
        beatMs,
        fromMs,
      );
      // Instants of this size are exact to a four-thousandth of a millisecond.
      assert.ok(atMs >= startedMs + 0.9 * intervalMs - 1e-3 && atMs <= startedMs + intervalMs + 1e-3);
      const beat = (atMs - fromMs) / beatMs;
      assert.ok(Math.abs(beat - Math.round(beat)) * beatMs < 1e-3, `at ${atMs}, on a beat of ${beatMs}`);
    }),
    { numRuns: 500, seed: 5 },
  );
});

Deno.test("nextProbeMs(): jitter uses every beat there is", () => {
  const at = (unit: number) => nextProbeMs(pace, false, 50_000, 50_003, unit, 250) - 50_000;
  assert.deepEqual([1, 0.7, 0.5, 0.3, 0].map(at), [9000, 9250, 9500, 9750, 10_000]);
});

Deno.test("drawBeatsFromMs(): processes probe at instants of their own", () => {
  const at = (unit: number) => nextProbeMs(pace, false, 50_000, 50_003, 1, 500, drawBeatsFromMs(unit)) % 500;
  assert.equal(new Set([0, 0.1234, 0.4567, 0.789].map(at)).size, 4);
});

Deno.test("nextProbeMs(): a suspicious target waits for no beat", () => {
  assert.equal(nextProbeMs(pace, true, 50_003, 50_006, 0.5, 500), 51_003);
});

Deno.test("probeBeatMs(): a beat for about eight targets, half the jitter at most, and none for a few targets", () => {
  const beats = [1, 7, 8, 50, 1000, 10_000].map((count) => probeBeatMs(10_000, count));
  assert.deepEqual(beats, [0, 0, 500, 500, 80, 8]);
});

Deno.test("firstProbeMs() spreads neighbours evenly over the interval", () => {
  const tenths = new Array(10).fill(0);
  for (let i = 0; i < 5000; i++) {
    const atMs = firstProbeMs(`192.0.2.${i % 256} tcp ${i >> 8}`, 10_000, 5000, 7000);
    tenths[Math.floor((atMs - 7000) / 1000)]++;
  }
  for (const count of tenths) {
    assert.ok(Math.abs(count - 500) < 100, `${count} probes in a tenth of the interval`);
  }
});

Deno.test("firstProbeMs() asks a few targets soon", () => {
  for (let i = 0; i < 11; i++) {
    const atMs = firstProbeMs(`192.0.2.${i} tcp 8443`, 10_000, 11, 7000);
    assert.ok(atMs >= 7000 && atMs < 7110, `first asked after ${atMs - 7000} ms`);
  }
});

Deno.test("Schedule takes in order of time, then of asking, as a sorted list would", () => {
  const operations = fc.array(fc.record({
    key: fc.constantFrom(..."abcdefgh"),
    atMs: fc.integer({ min: 0, max: 20 }),
    what: fc.constantFrom("set", "set", "set", "delete", "take"),
  }));
  fc.assert(
    fc.property(operations, (all) => {
      const schedule = new Schedule();
      let model: { key: string; atMs: number }[] = [];
      for (const { key, atMs, what } of all) {
        if (what === "take") {
          const ordered = model.toSorted((a, b) => a.atMs - b.atMs).filter((entry) => entry.atMs <= atMs);
          const expected = ordered.slice(0, 2);
          assert.deepEqual(schedule.takeDue(atMs, 2), expected);
          model = model.filter((entry) => !expected.includes(entry));
        } else {
          model = model.filter((entry) => entry.key !== key);
          if (what === "set") model.push({ key, atMs });
          if (what === "set") schedule.set(key, atMs);
          else schedule.delete(key);
        }
        assert.equal(schedule.nextMs(), Math.min(Infinity, ...model.map(({ atMs }) => atMs)));
      }
    }),
    { numRuns: 500, seed: 3 },
  );
});
