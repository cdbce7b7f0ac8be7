import assert from "node:assert/strict";
import fc from "fast-check";
import { firstProbeMs, nextProbeMs, Schedule } from "../../../plugins/health/schedule.ts";

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
