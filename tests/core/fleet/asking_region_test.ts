/**
 * By whose verdicts clients are answered.
 *
 * @module
 */

import assert from "node:assert/strict";
import { regionAt } from "../../../core/fleet/asking_region.ts";
import { byTarget } from "../../../core/fleet/by_target.ts";
import { deadlineOf } from "../../../core/fleet/deadline.ts";
import { snapshotDigest } from "../../../core/fleet/digest.ts";
import type { PoolState } from "../../../core/fleet/pool.ts";
import { makePartition } from "../../../core/fleet/partition.ts";
import { makeTheSame } from "../../../core/fleet/partition_inputs.ts";
import { updatedFrom } from "../../../core/fleet/partition_update.ts";
import type { State, Verdict, VerdictDeadline } from "../../../core/fleet/verdict.ts";
import { poolView, viewsAt } from "../../../core/fleet/view.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import {
  choose,
  CITIES,
  geography,
  ids,
  node,
  NOW_MS,
  place,
  type PlaceText,
  POOL,
  pool,
  snapshot,
} from "./make.ts";

const NODES = [
  node("fra", CITIES.frankfurt, { region: "eu" }),
  node("lon", CITIES.london, { region: "eu" }),
  node("nyc", CITIES.newYork, { region: "us" }),
  node("syd", CITIES.sydney),
];

/** `down`; with what regions say otherwise, `up eu=down`. */
type Said = Readonly<Record<string, string>>;

function shotOf(said: Said, state: PoolState = pool(NODES)): Snapshot {
  const verdict = (state: string): Verdict => ({ state: state as State, sinceMs: 0, reason: "", ramp: 1 });
  return snapshot([state], {
    verdicts: byTarget(Object.fromEntries(
      NODES.map(({ id, ipv4 }) => {
        const [all = "up", ...regions] = (said[id] ?? "up").split(" ");
        const owns = regions.map((own) => own.split("=")).map(([region, state]) => {
          return { region: region!, ...verdict(state!) };
        });
        return [`tcp ${ipv4}`, { ...verdict(all), ...owns.length > 0 && { regions: owns } }];
      }),
    )),
  });
}

/** Who is answered to clients at Paris, Vancouver, Perth, and nobody knows where. */
function answers(shot: Snapshot): string {
  const { paris, vancouver, perth } = CITIES;
  return [paris, vancouver, perth, undefined].map((at) => {
    const choice = choose(shot, at);
    return choice.outcome === "nodes" ? ids(choice).join("+") : choice.outcome;
  }).join(" ");
}

Deno.test("regionAt() is of the nearest node, be it up or down, in or out; equally near ones by id", () => {
  const view = (state: PoolState, said: Said = {}) => poolView(shotOf(said, state), POOL, 4, NOW_MS)!;
  const at = (point: PlaceText, state = pool(NODES), said: Said = {}) =>
    regionAt(view(state, said), place(point));
  assert.deepEqual([CITIES.paris, CITIES.seattle, CITIES.perth].map((city) => at(city)), ["eu", "us", ""]);
  assert.equal(at(CITIES.seattle, pool(NODES), { nyc: "down us=down" }), "us");
  const drained = NODES.map((one) => one.id === "nyc" ? { ...one, state: "drain" as const } : one);
  assert.equal(at(CITIES.seattle, pool(drained)), "us");
  const twins = [node("b", [0, 0], { region: "b" }), node("a", [0, 0], { region: "a" })];
  assert.equal(at([1, 1], pool(twins)), "a");
});

Deno.test("clients of a region are answered by its verdicts, others and the unlocated by everyone's", () => {
  assert.equal(answers(shotOf({})), "lon nyc syd fra+lon+nyc+syd");
  assert.equal(answers(shotOf({ lon: "up eu=down" })), "fra nyc syd fra+lon+nyc+syd");
  assert.equal(answers(shotOf({ lon: "down eu=up" })), "lon nyc syd fra+nyc+syd");
  assert.equal(answers(shotOf({ lon: "up us=down", nyc: "up eu=down" })), "lon nyc syd fra+lon+nyc+syd");
  assert.equal(answers(shotOf({ nyc: "up us=down" })), "lon lon syd fra+lon+nyc+syd");
  assert.equal(answers(shotOf({ lon: "up asia=down" })), "lon nyc syd fra+lon+nyc+syd", "nobody is there");
});

Deno.test("`unknown nearest` puts nobody into a region", () => {
  const unknown = { policy: "nearest", latitude: 51.5, longitude: 0 } as const;
  assert.equal(answers(shotOf({ lon: "up eu=down" }, pool(NODES, { unknown }))), "fra nyc syd lon");
});

const ALL_BUT = "up eu=down";
const EUROPE_SEES_NONE = { fra: ALL_BUT, lon: ALL_BUT, nyc: ALL_BUT, syd: ALL_BUT };

Deno.test("a region that would leave nobody is answered by everyone's verdicts, and by its own once it has somebody", () => {
  assert.equal(answers(shotOf(EUROPE_SEES_NONE)), "lon nyc syd fra+lon+nyc+syd");
  assert.equal(answers(shotOf({ ...EUROPE_SEES_NONE, nyc: "up" })), "nyc nyc syd fra+lon+nyc+syd");
  const half = pool(NODES, { threshold: 0.5 });
  assert.equal(answers(shotOf({ ...EUROPE_SEES_NONE, nyc: "up" }, half)), "lon nyc syd fra+lon+nyc+syd");
  assert.equal(
    answers(shotOf({ ...EUROPE_SEES_NONE, nyc: "up", syd: "up" }, half)),
    "nyc nyc syd fra+lon+nyc+syd",
  );
});

Deno.test("a region goes on where the rest of the world sees nobody; not where some would get no answer", () => {
  const none = "down us=up", said = { fra: none, lon: none, nyc: none, syd: none };
  const lastServing = { 4: ["syd"], 6: [] };
  assert.equal(answers(shotOf(said, pool(NODES, {}, { lastServing }))), "syd nyc syd syd");
  const nodata = pool(NODES, { allDown: { policy: "nodata" } });
  assert.equal(answers(shotOf(said, nodata)), "nodata nodata nodata nodata");
  const spilling = pool(NODES, { allDown: { policy: "pool", pool: "other." } });
  const other = pool([node("spare", CITIES.perth)], { name: "other.", allDown: { policy: "servfail" } });
  const both = { ...shotOf(said, spilling), pools: { [POOL]: spilling, "other.": other } };
  assert.equal(answers(both), "spare spare spare spare", "for there might be none at the end of it");
});

Deno.test("an answer has the deadlines of the verdicts by which it is", () => {
  const shot = shotOf({ lon: "up eu=down" });
  const moves = (atMs: number): Omit<VerdictDeadline, "regions"> => {
    return { downMs: atMs, upMs: atMs, changeMs: atMs, rampMs: Infinity, steady: true };
  };
  const deadlines = byTarget<VerdictDeadline>(Object.fromEntries(
    NODES.map(({ id, ipv4 }, i) => [`tcp ${ipv4}`, {
      ...moves(NOW_MS + 1000 * (i + 5)),
      ...id === "lon" && { regions: [{ region: "eu", ...moves(NOW_MS + 777) }] },
    }]),
  ));
  const earliest = (at: PlaceText, shot: Snapshot) =>
    deadlineOf(choose(shot, at).consulted(), viewsAt(shot, 4, NOW_MS), deadlines).earliestMs - NOW_MS;
  assert.equal(earliest(CITIES.paris, shot), 777, "lon may come back for Europe, before fra goes");
  assert.equal(earliest(CITIES.vancouver, shot), 7000, "nyc may go");
  assert.equal(earliest(CITIES.paris, shotOf({})), 6000, "lon may go");
  // Not used as it is: its nodes may come back to it.
  assert.equal(earliest(CITIES.paris, shotOf(EUROPE_SEES_NONE)), 777);
});

Deno.test("regions' verdicts are in digests, and in what partitions are made of; since when and why is not", () => {
  const shots = [
    shotOf({}),
    shotOf({ lon: "up eu=down" }),
    shotOf({ lon: "up us=down" }),
    shotOf({ lon: "down" }),
  ];
  assert.equal(new Set(shots.map((shot) => snapshotDigest(shot, NOW_MS))).size, 4);
  for (const a of shots) for (const b of shots) assert.equal(makeTheSame(a, b), a === b);
});

const WORLD = geography([CITIES.paris, CITIES.vancouver, CITIES.perth], {
  ...{ "0.0.0.0/2": 1, "64.0.0.0/2": 2, "128.0.0.0/1": 3 },
});

Deno.test("a partition is not made of the one before where a region differs, nor of one from then", () => {
  const jobOf = (said: Said, epoch: number) => ({
    snapshot: shotOf(said, pool(NODES, {}, { epoch })),
    ...{ geography: WORLD, pool: POOL, family: 4 as const, nowMs: NOW_MS },
  });
  const before = makePartition(jobOf({}, 1))!, job = jobOf({ lon: "up eu=down" }, 2);
  assert.ok(updatedFrom(before, jobOf({ lon: "down" }, 2)));
  assert.equal(updatedFrom(before, job), undefined);
  const regional = makePartition({ ...job, before })!;
  assert.equal(regional.basis, undefined);
  assert.equal(updatedFrom(regional, jobOf({}, 3)), undefined);
  const { basis: _, ...after } = makePartition({ ...jobOf({}, 1), before: regional })!;
  assert.deepEqual({ ...after, basis: before.basis }, before);
});

Deno.test("where all-down may come to nothing, a region's answer ends when everyone's verdicts leave nobody", () => {
  const said = { fra: "up eu=degraded", lon: "down eu=up", nyc: "down", syd: "up" };
  const nodata = shotOf(said, pool(NODES, { allDown: { policy: "nodata" } }));
  const never = { downMs: Infinity, upMs: Infinity, changeMs: Infinity, rampMs: Infinity, steady: true };
  const deadlines = byTarget<VerdictDeadline>(Object.fromEntries(
    NODES.map(({ id, ipv4 }, i) => {
      const downMs = NOW_MS + 1000 * (i + 5), own = { ...never, region: "eu" };
      return [`tcp ${ipv4}`, { ...never, downMs, ...id === "fra" || id === "lon" ? { regions: [own] } : {} }];
    }),
  ));
  const earliest = (shot: Snapshot) =>
    deadlineOf(choose(shot, CITIES.paris).consulted(), viewsAt(shot, 4, NOW_MS), deadlines).earliestMs -
    NOW_MS;
  assert.equal(answers(nodata).split(" ")[0], "lon");
  assert.equal(earliest(nodata), 8000, "fra and syd are gone at the earliest when the later of them is");
  assert.equal(earliest(shotOf(said)), Infinity, "its own verdict never changes");
});
