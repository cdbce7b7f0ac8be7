import { byTarget, NO_TARGETS } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import type { Deadline } from "../../../core/answer.ts";
import type { Node } from "../../../core/fleet/node.ts";
import { addressDeadline, deadlineOf } from "../../../core/fleet/deadline.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import type { Verdict, VerdictDeadline } from "../../../core/fleet/verdict.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { choose, CITIES, deadlines, node, NOW_MS, override, pool, snapshot, verdicts } from "./make.ts";
import type { Snapshot } from "../../../core/snapshot.ts";

const LON = node("lon", CITIES.london),
  FRA = node("fra", CITIES.frankfurt),
  NYC = node("nyc", CITIES.newYork),
  SYD = node("syd", CITIES.sydney);
const ALL = [LON, FRA, NYC, SYD];

/** The deadline of the answer for Paris, in milliseconds from now. */
function deadline(
  more: Partial<PoolPolicy>,
  states: Parameters<typeof verdicts>[1],
  known: Parameters<typeof deadlines>[1],
  { nodes = ALL, overrides = [] as Snapshot["overrides"], pools = [] as ReturnType<typeof pool>[] } = {},
): Deadline {
  const inMs = (at: Partial<VerdictDeadline>): Partial<VerdictDeadline> =>
    Object.fromEntries(
      Object.entries(at).map(([key, value]) => [key, typeof value === "number" ? NOW_MS + value : value]),
    );
  const shot = snapshot([pool(nodes, more), ...pools], {
    overrides,
    verdicts: verdicts(nodes, states),
    deadlines: deadlines(nodes, Object.fromEntries(Object.entries(known).map(([id, at]) => [id, inMs(at)]))),
  });
  const choice = choose(shot, CITIES.paris);
  const { earliestMs, scheduledMs, steady } = deadlineOf(
    choice.consulted(),
    viewsAt(shot, 4, NOW_MS),
    shot.deadlines,
  );
  return { earliestMs: earliestMs - NOW_MS, scheduledMs: scheduledMs - NOW_MS, steady };
}

const NEVER = { earliestMs: Infinity, scheduledMs: Infinity, steady: true };

Deno.test("deadlineOf() is when the first of the chosen could go down; who is farther does not matter", () => {
  const known = {
    lon: { downMs: 30 },
    fra: { downMs: 20 },
    nyc: { downMs: 10, steady: false },
    syd: { upMs: 5 },
  };
  assert.deepEqual(deadline({ answers: 2 }, { syd: "down" }, known), { ...NEVER, earliestMs: 20 });
  assert.deepEqual(deadline({ answers: 1 }, { syd: "down" }, known), { ...NEVER, earliestMs: 30 });
  assert.deepEqual(deadline({ answers: 3 }, { syd: "down" }, known), {
    ...NEVER,
    earliestMs: 10,
    steady: false,
  });
});

Deno.test("deadlineOf() heeds when a nearer node could come back", () => {
  const known = { lon: { upMs: 7, steady: false }, fra: { downMs: 20 }, syd: { upMs: 5 } };
  assert.deepEqual(deadline({}, { lon: "down", syd: "down" }, known), {
    ...NEVER,
    earliestMs: 7,
    steady: false,
  });
  // Where fewer serve than are wanted, any that comes back joins the answer.
  assert.equal(deadline({ answers: 4 }, { lon: "down", syd: "down" }, known).earliestMs, 5);
});

Deno.test("deadlineOf() is never where nothing can change", () => {
  assert.deepEqual(deadline({}, {}, {}), NEVER);
});

Deno.test("deadlineOf() takes a target without a timetable for one that may change at any time", () => {
  const shot = snapshot([pool([LON])]);
  const choice = choose(shot, CITIES.paris);
  const found = deadlineOf(choice.consulted(), viewsAt(shot, 4, NOW_MS), NO_TARGETS);
  assert.deepEqual(found, { earliestMs: -Infinity, scheduledMs: Infinity, steady: false });
});

Deno.test("deadlineOf() heeds the calendars of all that was consulted", () => {
  const busy = (node: Node, fromMs: number) => ({
    ...node,
    maintenance: [{ fromMs: NOW_MS + fromMs, untilMs: NOW_MS + 1000, reason: "" }],
  });
  const nodes = [busy(LON, 40), busy(FRA, 30), NYC];
  assert.deepEqual(deadline({}, {}, {}, { nodes }), { earliestMs: 40, scheduledMs: 40, steady: true });
  const overrides = [override("lon", "drain", { untilMs: NOW_MS + 12 })];
  assert.deepEqual(deadline({}, {}, { fra: { downMs: 11 } }, { overrides }), {
    earliestMs: 11,
    scheduledMs: 12,
    steady: true,
  });
});

Deno.test("deadlineOf() has the ramp step of a nearer node that is not admitted as scheduled", () => {
  const states = { lon: { ramp: 1e-9 } };
  assert.deepEqual(deadline({}, states, { lon: { rampMs: 9 }, fra: { downMs: 20 } }), {
    earliestMs: 9,
    scheduledMs: 9,
    steady: true,
  });
  assert.deepEqual(deadline({}, { syd: { ramp: 1e-9 } }, { syd: { rampMs: 9 } }), NEVER);
});

Deno.test("deadlineOf() heeds a far node that would come before one not admitted", () => {
  const states = { lon: { ramp: 1e-9 }, nyc: "down", syd: "down" } as const;
  assert.equal(deadline({ answers: 2 }, states, { nyc: { upMs: 4 } }).earliestMs, 4);
});

Deno.test("deadlineOf() heeds every change in a ring, and nodes that would join it", () => {
  const ring = { share: 0.5, km: 50 };
  const known = { lon: { changeMs: 8, downMs: 90 }, fra: { changeMs: 6, downMs: 90 }, nyc: { changeMs: 3 } };
  // From Paris it is 344 km to London and 479 km to Frankfurt: within half as far again.
  assert.equal(deadline({ ring }, {}, known).earliestMs, 6);
  assert.equal(deadline({ ring }, { fra: "down" }, { fra: { upMs: 4 } }).earliestMs, 4);
  assert.equal(deadline({ ring }, { nyc: "down" }, { nyc: { upMs: 4 } }).earliestMs, Infinity);
});

Deno.test("deadlineOf() with bias heeds the nearest, from which the bias's reach is counted", () => {
  const bias = { region: 0, country: 0.9, maxKm: 200 };
  const german = node("dus", [51.2, 6.8, "DE"]);
  const states = { dus: "up", lon: "up" } as const;
  const shot = (known: Parameters<typeof deadlines>[1]) =>
    snapshot([pool([LON, german], { bias })], {
      verdicts: verdicts([LON, german], states),
      deadlines: deadlines([LON, german], known),
    });
  const made = shot({ lon: { downMs: NOW_MS + 5 }, dus: { downMs: NOW_MS + 9 } });
  const choice = choose(made, [48.86, 2.35, "DE"]);
  assert.deepEqual(choice.chosen.map(({ member }) => member.node.id), ["dus"]);
  assert.equal(
    deadlineOf(choice.consulted(), viewsAt(made, 4, NOW_MS), made.deadlines).earliestMs,
    NOW_MS + 5,
  );
});

Deno.test("deadlineOf() with a threshold heeds the loss of so many that it is fallen below", () => {
  const known = { lon: { downMs: 90 }, fra: { downMs: 50 }, nyc: { downMs: 20 }, syd: { downMs: 10 } };
  assert.equal(deadline({ threshold: 0.5 }, {}, known).earliestMs, 50);
  assert.equal(deadline({ threshold: 1 }, {}, known).earliestMs, 10);
  const overrides = [override("syd", "drain", { fromMs: NOW_MS + 3 })];
  assert.equal(deadline({ threshold: 1 }, {}, known, { overrides }).scheduledMs, 3);
  assert.equal(deadline({}, {}, known, { overrides }).scheduledMs, Infinity);
});

Deno.test("deadlineOf() when all are down is when as many as are missing could be back", () => {
  const down = { lon: "down", fra: "down", nyc: "down", syd: "down" } as const;
  const known = { lon: { upMs: 40 }, fra: { upMs: 30 }, nyc: { upMs: 20 }, syd: { upMs: 60 } };
  assert.equal(deadline({}, down, known).earliestMs, 20);
  assert.equal(deadline({ threshold: 0.5 }, down, known).earliestMs, 30);
  assert.equal(deadline({ threshold: 0.5 }, { ...down, syd: "up" }, known).earliestMs, 20);
  assert.equal(deadline({ threshold: 1 }, down, known).earliestMs, 60);
  assert.equal(deadline({ allDown: { policy: "nodata" } }, down, known).earliestMs, 20);
});

Deno.test("deadlineOf() when all are down and a ring is set heeds every change of a weight", () => {
  const more = { threshold: 1, ring: { share: 0.5, km: 50 } };
  assert.equal(deadline(more, { nyc: "down" }, { nyc: { upMs: 9 }, lon: { changeMs: 6 } }).earliestMs, 6);
  assert.equal(
    deadline({ threshold: 1 }, { nyc: "down" }, { nyc: { upMs: 9 }, lon: { changeMs: 6 } }).earliestMs,
    9,
  );
});

Deno.test("deadlineOf() of a client out of reach heeds who is within, and of a spilled answer both pools", () => {
  const spare = pool([SYD], { name: "b." });
  const more = { maxDistanceKm: 600, allDown: { policy: "pool", pool: "b." } } as const;
  const states = { lon: "down", fra: "down" } as const;
  const known = { lon: { upMs: 40 }, fra: { upMs: 30 }, nyc: { upMs: 5, downMs: 4 }, syd: { downMs: 35 } };
  assert.equal(deadline(more, states, known, { pools: [spare] }).earliestMs, 30);
  assert.equal(deadline(more, states, { ...known, syd: { downMs: 25 } }, { pools: [spare] }).earliestMs, 25);
  // Last-known-good gives New York here: it matters, too.
  assert.equal(deadline({ maxDistanceKm: 600 }, states, known).earliestMs, 4);
});

Deno.test("addressDeadline() is the least of the targets', and for up the latest of the fewest that suffice", () => {
  const target = (state: Verdict["state"]) => ({ state, sinceMs: 0, reason: "", ramp: 1 });
  const checks = [
    { target: "a", verdict: target("down") },
    { target: "b", verdict: target("down") },
    { target: "c", verdict: target("up") },
  ];
  const known = (downMs: number, upMs: number, steady = true) => ({
    downMs,
    upMs,
    changeMs: 99,
    rampMs: 77,
    steady,
  });
  const told = { a: known(Infinity, 30), b: known(Infinity, 10), c: known(5, Infinity, false) };
  const of = (recoveriesMissing: number) =>
    addressDeadline(
      { checks, state: recoveriesMissing > 0 ? "down" : "degraded", recoveriesMissing },
      byTarget(told),
    );
  assert.deepEqual(of(2), { downMs: Infinity, upMs: 30, changeMs: 99, rampMs: 77, steady: false });
  assert.equal(of(1).upMs, 10);
  assert.deepEqual([of(0).upMs, of(0).downMs], [Infinity, 5]);
});
