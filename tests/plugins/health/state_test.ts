import assert from "node:assert/strict";
import fc from "fast-check";
import { DEFAULTS } from "../../../plugins/health/options.ts";
import { nextProbeMs } from "../../../plugins/health/schedule.ts";
import {
  adopt,
  deadlines,
  type Event,
  isSuspect,
  next,
  type TargetState,
  type Timing,
  unknownState,
  verdict,
  wakeMs,
} from "../../../plugins/health/state.ts";

const START_MS = 1_700_000_000_000;
const { slowFlap: _slowFlap, holdDown: _holdDown, ...bare } = DEFAULTS;
/** fall 3, rise 6 and nothing else. */
const PLAIN: Timing = { ...bare, rampMs: 0 };

/** A state from a line of outcomes, one each 10 s: `.` fast success, `s` slow success, `x` failure. */
function after(
  outcomes: string,
  timing: Timing,
  from = unknownState(START_MS),
  startMs = START_MS,
): TargetState {
  return [...outcomes].reduce((state, outcome, i) => {
    return next(state, eventOf(outcome, startMs + (i + 1) * 10_000), timing);
  }, from);
}

function eventOf(outcome: string, atMs: number): Event {
  if (outcome === "x") return { kind: "failed", atMs, reason: "connection refused" };
  return { kind: "ok", atMs, latencyMs: outcome === "s" ? 900 : 3, reason: "connected" };
}

/** The history of states: one letter a probe, `?` unknown, `u` up, `D` degraded, `d` down. */
function history(outcomes: string, timing: Timing): string {
  const letters = { unknown: "?", up: "u", degraded: "D", down: "d" };
  return [...outcomes].map((_, i) => letters[after(outcomes.slice(0, i + 1), timing).state]).join("");
}

const SLOW_FLAP: Timing = { ...PLAIN, slowFlap: { failures: 5, clear: 6 } };
const LATENCY: Timing = { ...PLAIN, slowMs: 500 };

const histories: [string, Timing, string, string][] = [
  ["unknown becomes up after rise successes", PLAIN, ".......", "?????uu"],
  ["unknown takes fall failures to go down", PLAIN, "xxxx", "??dd"],
  ["one failure at the start does not mark a target down", PLAIN, "x......", "??????u"],
  ["a success in between starts the count of failures anew", PLAIN, "......xx.xx.xxx", "?????uuuuuuuuud"],
  [
    "down comes up after rise successes in a row",
    PLAIN,
    "xxx.....x......",
    "??ddddddddddddu",
  ],
  ["failures that are not in a row add up", SLOW_FLAP, "......x.x.x.x.x.", "?????uuuuuuuuudd"],
  ["six successes in a row forgive", SLOW_FLAP, "......x.x.x.x......x", "?????uuuuuuuuuuuuuuu"],
  ["five successes in a row do not forgive", SLOW_FLAP, "......x.x.x.x.....x", "?????uuuuuuuuuuuuud"],
  ["fall slow successes in a row degrade", LATENCY, "......ss.sss", "?????uuuuuuD"],
  ["rise fast successes in a row restore", LATENCY, "......sss.....s......", "?????uuuDDDDDDDDDDDDu"],
  ["a degraded target goes down like any", LATENCY, "......sssxxx", "?????uuuDDDd"],
  ["slow from the start is degraded at once", LATENCY, "sss", "??D"],
  ["a target that comes up slowly comes up degraded", LATENCY, "xxx...sss", "??ddddddD"],
];

for (const [name, timing, outcomes, expected] of histories) {
  Deno.test(`next(): ${name}`, () => assert.equal(history(outcomes, timing), expected));
}

Deno.test("next(): a success without a fair latency counts neither as slow nor as fast", () => {
  const state = after("......ss", LATENCY);
  const lagged = next(state, { kind: "ok", atMs: START_MS + 1e5, reason: "connected" }, LATENCY);
  assert.equal(lagged.slow, 2);
  assert.equal(next(lagged, eventOf("s", START_MS + 2e5), LATENCY).state, "degraded");
});

Deno.test("next(): the first down has no hold-down, each further one within the hour doubles it up to the most", () => {
  const timing = { ...PLAIN, holdDown: { firstMs: 60_000, maxMs: 200_000 } };
  const holds: number[] = [];
  let state = unknownState(START_MS), atMs = START_MS;
  for (let round = 0; round < 5; round++) {
    state = after("xxx", timing, state, atMs);
    holds.push(state.holdMs);
    atMs += 300_000;
    state = after("......", timing, state, atMs);
    assert.equal(state.state, "up");
    atMs += 300_000;
  }
  assert.deepEqual(holds, [0, 60_000, 120_000, 200_000, 200_000]);
  assert.equal(after("xxx", timing, state, atMs + 3_600_000).holdMs, 0);
});

Deno.test("next(): a target held down comes up when the hold-down ends, not at the next probe", () => {
  const timing = { ...PLAIN, holdDown: { firstMs: 100_000, maxMs: 100_000 } };
  const twice = after("xxx......xxx", timing);
  const wentDownMs = START_MS + 120_000;
  const ready = after("......", timing, twice, wentDownMs);
  assert.equal(ready.state, "down");
  assert.equal(wakeMs(ready, timing), wentDownMs + 100_000);
  assert.equal(next(ready, { kind: "time", atMs: wentDownMs + 99_999 }, timing).state, "down");
  const up = next(ready, { kind: "time", atMs: wentDownMs + 100_000 }, timing);
  assert.deepEqual([up.state, up.sinceMs], ["up", wentDownMs + 100_000]);
  const failed = next(ready, eventOf("x", wentDownMs + 65_000), timing);
  assert.equal(wakeMs(failed, timing), Infinity);
});

Deno.test("next(): the ramp takes ten steps of a tenth of the span each", () => {
  const timing = { ...PLAIN, rampMs: 120_000 };
  let state = after("xxx......", timing);
  const upMs = START_MS + 90_000;
  const seen = [verdict(state).ramp];
  for (let step = 1; step < 10; step++) {
    assert.equal(wakeMs(state, timing), upMs + step * 12_000);
    assert.equal(next(state, { kind: "time", atMs: upMs + step * 12_000 - 1 }, timing).ramp, step);
    state = next(state, { kind: "time", atMs: upMs + step * 12_000 }, timing);
    seen.push(verdict(state).ramp);
  }
  assert.deepEqual(seen, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  assert.equal(wakeMs(state, timing), Infinity);
});

Deno.test("next(): a target that was never down has no ramp", () => {
  assert.equal(verdict(after("......", { ...PLAIN, rampMs: 120_000 })).ramp, 1);
});

Deno.test("adopt() keeps a fresh state without its counters, and of a stale one only the history", () => {
  const kept = after("......xx", DEFAULTS);
  const soon = adopt(kept, kept.probedMs + 60_000);
  assert.deepEqual([soon.state, soon.failures, soon.flaps], ["up", 0, 0]);
  assert.equal(after("xx", DEFAULTS, soon).state, "up");
  const down = after("xxx", DEFAULTS);
  const late = adopt(down, down.probedMs + 900_001);
  assert.deepEqual([late.state, late.wentDownMs], ["unknown", down.wentDownMs]);
  assert.equal(adopt(down, down.probedMs - 1).state, "unknown");
});

Deno.test("deadlines() are steady exactly while no probe has taken a step towards a change", () => {
  const steady = (outcomes: string, timing = LATENCY) =>
    deadlines(after(outcomes, timing), timing, 0, 0).steady;
  assert.equal(steady(""), false);
  assert.equal(steady("......"), true);
  assert.equal(steady("......x"), false);
  assert.equal(steady("......x.....", { ...LATENCY, ...SLOW_FLAP }), false);
  assert.equal(steady("......x......", { ...LATENCY, ...SLOW_FLAP }), true);
  assert.equal(steady("......s"), false);
  assert.equal(steady("......sss"), true);
  assert.equal(steady("......sss."), false);
  assert.equal(steady("xxx"), true);
  assert.equal(steady("xxx."), false);
});

Deno.test("deadlines(): a quiet target at the defaults could be down two seconds after its next probe", () => {
  const deadline = deadlines(after("......", DEFAULTS), DEFAULTS, START_MS + 70_000, START_MS + 60_000);
  assert.deepEqual(deadline, {
    downMs: START_MS + 72_000,
    upMs: Infinity,
    changeMs: START_MS + 72_000,
    rampMs: Infinity,
    steady: true,
  });
});

Deno.test("deadlines() of a probe under way are not in the past", () => {
  const deadline = deadlines(after("......xx", PLAIN), PLAIN, START_MS + 81_000, START_MS + 81_700);
  assert.equal(deadline.downMs, START_MS + 81_700);
});

// The property: what deadlines() says in closed form is what trying every outcome on the real timetable finds.

const timings: fc.Arbitrary<Timing> = fc.record({
  fall: fc.integer({ min: 1, max: 4 }),
  rise: fc.integer({ min: 1, max: 4 }),
  flap: fc.option(
    fc.record({ failures: fc.integer({ min: 0, max: 2 }), clear: fc.integer({ min: 1, max: 5 }) }),
  ),
  confirm: fc.boolean(),
  hold: fc.option(fc.constantFrom({ firstMs: 15_000, maxMs: 40_000 }, { firstMs: 3000, maxMs: 3000 })),
  rampMs: fc.constantFrom(0, 20_000, 120_000),
  slowMs: fc.constantFrom(500, Infinity),
  intervalMs: fc.constantFrom(1000, 2000, 10_000),
}).map(({ flap, hold, ...timing }) => ({
  ...timing,
  timeoutMs: 500,
  ...(flap && { slowFlap: { failures: timing.fall + flap.failures, clear: flap.clear } }),
  ...(hold && { holdDown: hold }),
}));

const outcome = fc.record({
  what: fc.constantFrom("x", "x", ".", "s"),
  tookMs: fc.constantFrom(0, 3, 500),
  unit: fc.constantFrom(0, 0.5, 1),
});

/** A state and the start of the probe after it. */
interface Moment {
  readonly state: TargetState;
  readonly probeMs: number;
  readonly nowMs: number;
}

/** What one probe brings, with the passing of time before it. */
function step(
  { state, probeMs }: Moment,
  what: string,
  tookMs: number,
  unit: number,
  timing: Timing,
): Moment {
  const before = pass(state, probeMs + tookMs, timing);
  const nowMs = probeMs + tookMs;
  const later = next(before, eventOf(what, nowMs), timing);
  return { state: later, nowMs, probeMs: nextProbeMs(timing, isSuspect(later), probeMs, nowMs, unit) };
}

/** Wakes a state as often as it asks to be until `untilMs`. */
function pass(state: TargetState, untilMs: number, timing: Timing): TargetState {
  for (let now = state;;) {
    const atMs = wakeMs(now, timing);
    if (atMs > untilMs) return now;
    now = next(now, { kind: "time", atMs }, timing);
  }
}

/** The earliest instants by trying every sequence of outcomes, probes as early as can be. */
function bruteForce(start: Moment, timing: Timing, depth: number) {
  const earliest = { downMs: Infinity, upMs: Infinity, changeMs: Infinity, rampMs: Infinity };
  const note = (before: TargetState, after: TargetState, atMs: number) => {
    if (after.state !== before.state) {
      if (after.state === "down") earliest.downMs = Math.min(earliest.downMs, atMs);
      if (before.state === "down") earliest.upMs = Math.min(earliest.upMs, atMs);
      earliest.changeMs = Math.min(earliest.changeMs, atMs);
    } else if (after.ramp !== before.ramp) {
      earliest.rampMs = Math.min(earliest.rampMs, atMs);
      earliest.changeMs = Math.min(earliest.changeMs, atMs);
    }
  };
  const walk = ({ state, probeMs }: Moment, left: number) => {
    const wakesMs = wakeMs(state, timing);
    if (wakesMs <= probeMs || left === 0) {
      if (wakesMs === Infinity) return;
      const woken = next(state, { kind: "time", atMs: wakesMs }, timing);
      note(state, woken, wakesMs);
      if (left > 0 && woken.state === state.state) walk({ state: woken, probeMs, nowMs: wakesMs }, left);
      return;
    }
    for (const what of "x.s") {
      const later = step({ state, probeMs, nowMs: probeMs }, what, 0, 1, timing);
      note(state, later.state, probeMs);
      // A first change ends the path, but for one that was not of the kind that is still sought.
      if (later.state.state === state.state || state.state !== "down" && later.state.state !== "down") {
        walk(later, left - 1);
      }
    }
  };
  walk(start, depth);
  return earliest;
}

Deno.test("deadlines() are the earliest instants that trying every outcome finds, to the millisecond", () => {
  fc.assert(
    fc.property(timings, fc.array(outcome, { maxLength: 14 }), (timing, outcomes) => {
      let moment: Moment = { state: unknownState(START_MS), probeMs: START_MS + 500, nowMs: START_MS };
      for (const { what, tookMs, unit } of outcomes) moment = step(moment, what, tookMs, unit, timing);
      const { steady: _steady, ...found } = deadlines(moment.state, timing, moment.probeMs, moment.nowMs);
      assert.deepEqual(rounded(found), rounded(bruteForce(moment, timing, 5)));
    }),
    { numRuns: 1500, seed: 1 },
  );
});

Deno.test("deadlines(): nothing happens before them, whatever the latency and the jitter", () => {
  fc.assert(
    fc.property(timings, fc.array(outcome, { minLength: 1, maxLength: 40 }), (timing, outcomes) => {
      let moment: Moment = { state: unknownState(START_MS), probeMs: START_MS + 500, nowMs: START_MS };
      for (const { what, tookMs, unit } of outcomes) {
        const { downMs, upMs, changeMs } = deadlines(moment.state, timing, moment.probeMs, moment.nowMs);
        const later = step(moment, what, tookMs, unit, timing);
        const [before, after] = [moment.state.state, later.state.state];
        if (after !== before) assert.ok(later.state.sinceMs >= changeMs - 1e-3);
        if (after === "down" && before !== "down") assert.ok(later.nowMs >= downMs - 1e-3);
        if (before === "down" && after !== "down") assert.ok(later.state.sinceMs >= upMs - 1e-3);
        moment = later;
      }
    }),
    { numRuns: 1000, seed: 2 },
  );
});

/** Away with the float's last digits: a tenth of a ramp is not always a whole number of milliseconds. */
function rounded<T extends Readonly<Record<string, number>>>(instants: T): Record<string, number> {
  return Object.fromEntries(Object.entries(instants).map(([name, ms]) => [name, Math.round(ms * 8) / 8]));
}
