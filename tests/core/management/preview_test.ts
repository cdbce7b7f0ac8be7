import assert from "node:assert/strict";
import fc from "fast-check";
import { blastRadius, type MovingLeaf } from "../../../core/management/blast_radius.ts";
import { drainedAt } from "../../../core/management/drained.ts";
import { completeOverride, type OverrideBody } from "../../../core/management/overrides.ts";
import { emptied, mostlyLost, preview, refuseEmptied } from "../../../core/management/preview.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Write } from "../../../core/state/store.ts";
import { NOW_MS, problemIn } from "./support.ts";

const HOUR_MS = 3_600_000;
const at = (hours: number) => new Date(NOW_MS + hours * HOUR_MS).toISOString();

const ENTRIES = [["fra1", "eu"], ["fra2", "eu"], ["nyc1", "us"]].map(([id, region], i) => {
  const node = { id, region, addresses: [`192.0.2.${i + 1}`], location: { latitude: 0, longitude: 0 } };
  return { key: KEYS.node(id!), value: JSON.stringify(node), revision: 1, version: 1 };
});

const POOLS = [{ name: "all.example.", select: {} }, {
  name: "eu.example.",
  select: {},
  members: ["fra1", "fra2"],
}];

function previewed(body: Partial<OverrideBody>, atMs = NOW_MS, serves?: (node: string) => boolean) {
  const whole = { target: {}, until: at(9), reason: "kernel", ...body };
  const value = completeOverride(whole, { id: "new", actor: "token:anna", nowMs: NOW_MS });
  const write: Write = { put: KEYS.override("new"), value: JSON.stringify(value) };
  return preview(ENTRIES, [write], atMs, { pools: POOLS }, serves);
}

Deno.test("a preview tells which nodes would be something else, and how many would serve each pool", () => {
  const { changes, pools } = previewed({ target: { node: "fra1" }, state: "drain" });
  assert.deepEqual(changes, [
    { node: "fra1", before: { state: "up", weight: 1 }, after: { state: "drain", weight: 1 } },
  ]);
  assert.deepEqual(pools, [
    { pool: "all.example.", members: 3, before: 3, after: 2 },
    { pool: "eu.example.", members: 2, before: 2, after: 1 },
  ]);
});

Deno.test("an override for a pool changes its nodes there alone", () => {
  const { changes, pools } = previewed({ target: { pool: "eu.example." }, weight: 3 });
  assert.deepEqual(changes.map(({ node, pool, after }) => [node, pool, after!.weight]), [
    ["fra1", "eu.example.", 3],
    ["fra2", "eu.example.", 3],
  ]);
  assert.deepEqual(pools, []);
});

Deno.test("what begins later is looked at when it begins", () => {
  const body = { target: { region: "eu" }, state: "drain" as const, from: at(2) };
  assert.deepEqual(previewed(body).changes, []);
  assert.equal(previewed(body, NOW_MS + 2 * HOUR_MS).changes.length, 2);
});

Deno.test("what would empty a pool is refused, unless each such pool is acknowledged", async () => {
  const { pools } = previewed({ target: { region: "eu" }, state: "drain" });
  assert.deepEqual([emptied(pools), mostlyLost(pools)], [["eu.example."], ["all.example.", "eu.example."]]);
  const { status, pools: told } = await problemIn(() => refuseEmptied(pools, ["all.example."]));
  assert.deepEqual([status, told], [409, ["eu.example."]]);
  refuseEmptied(pools, ["eu.example."]);
  refuseEmptied([{ pool: "empty.example.", members: 1, before: 0, after: 0 }], []);
});

Deno.test("a node that checks find down does not keep a pool from being empty", () => {
  const { pools } = previewed({ target: { node: "fra1" }, state: "down" }, NOW_MS, (node) => node !== "fra2");
  assert.deepEqual(emptied(pools), ["eu.example."]);
  const already = previewed({ target: { node: "fra1" }, state: "down" }, NOW_MS, (node) => node === "nyc1");
  assert.deepEqual(emptied(already.pools), []);
});

Deno.test("a node that goes is told, and is missed in its pools", () => {
  const { changes, pools } = preview(ENTRIES, [{ remove: KEYS.node("nyc1") }], NOW_MS, { pools: POOLS });
  assert.deepEqual(changes, [{ node: "nyc1", before: { state: "up", weight: 1 } }]);
  assert.deepEqual(pools, [{ pool: "all.example.", members: 2, before: 3, after: 2 }]);
});

const leaf = (
  weight: number,
  demand: number,
  before: string,
  after: string,
  kmBefore = 0,
  kmAfter = 0,
): MovingLeaf => {
  const nodes = (text: string) => text.split(" ").filter(Boolean);
  return { weight, demand, before: nodes(before), after: nodes(after), kmBefore, kmAfter };
};

Deno.test("the blast radius counts networks and demand that move, and how much farther they go", () => {
  const radius = blastRadius([
    leaf(1, 10, "a b", "b a", 100, 100),
    leaf(2, 30, "a", "b", 100, 300),
    leaf(1, 60, "b", "b", 50, 50),
  ]);
  assert.deepEqual([radius.movedNetworks, radius.movedDemand, radius.lostDemand], [0.5, 0.3, 0]);
  assert.deepEqual([radius.addedKmMean, radius.addedKmMovedMean, radius.addedKmMax], [60, 200, 200]);
  assert.deepEqual(radius.nodes, [{ node: "a", before: 35, after: 5 }, { node: "b", before: 65, after: 95 }]);
});

Deno.test("who gets no answer any more is told apart, and has no distance", () => {
  const radius = blastRadius([leaf(1, 30, "a", "", 100, NaN), leaf(1, 10, "a", "a", 5, 5)]);
  assert.deepEqual([radius.lostDemand, radius.movedDemand, radius.addedKmMean], [0.75, 0.75, 0]);
});

Deno.test("nodes above their capacity are told, the worst first, and whether they are so already", () => {
  const capacities = new Map([["a", 10], ["b", 10], ["c", 0]]);
  const { overloads } = blastRadius(
    [leaf(1, 12, "a", "a"), leaf(1, 30, "c", "b"), leaf(1, 99, "c", "c")],
    capacities,
  );
  assert.deepEqual(overloads, [
    { node: "b", demand: 30, capacity: 10, isAlready: false },
    { node: "a", demand: 12, capacity: 10, isAlready: true },
  ]);
});

Deno.test("of nothing nothing moves", () => {
  assert.deepEqual(blastRadius([]), {
    ...{
      movedNetworks: 0,
      movedDemand: 0,
      lostDemand: 0,
      addedKmMean: 0,
      addedKmMovedMean: 0,
      addedKmMax: 0,
    },
    ...{ nodes: [], overloads: [] },
  });
});

const nodes = fc.subarray(["a", "b", "c"], { minLength: 1 });
const leaves = fc.array(fc.record({
  ...{ weight: fc.nat(9), demand: fc.nat(99), before: nodes, after: nodes },
  ...{ kmBefore: fc.nat(9000), kmAfter: fc.nat(9000) },
}));

Deno.test("no demand comes or goes, shares are shares, and the way back is as far", () => {
  fc.assert(
    fc.property(leaves, (some) => {
      const there = blastRadius(some);
      const back = blastRadius(some.map((one) => {
        return { ...one, before: one.after, after: one.before, kmBefore: one.kmAfter, kmAfter: one.kmBefore };
      }));
      const sum = there.nodes.reduce((sum, { before, after }) => sum + after - before, 0);
      assert.ok(Math.abs(sum) < 1e-6);
      assert.ok(there.movedDemand >= 0 && there.movedDemand <= 1 && there.movedNetworks <= 1);
      assert.equal(there.movedDemand, back.movedDemand);
      assert.ok(Math.abs(there.addedKmMean + back.addedKmMean) < 1e-6);
    }),
    { numRuns: 200, seed: 5 },
  );
});

Deno.test("a drain is done when the last answer of the last server has expired", () => {
  const servers = [
    { server: "fra", sinceMs: NOW_MS + 1000, ttl: 60 },
    { server: "waw", sinceMs: NOW_MS + 5000, ttl: 30 },
  ];
  assert.deepEqual(drainedAt(NOW_MS, servers, NOW_MS + 6000), {
    state: "expiring",
    drainedMs: NOW_MS + 61_000,
  });
  assert.deepEqual(drainedAt(NOW_MS, servers, NOW_MS + 61_000), {
    state: "drained",
    drainedMs: NOW_MS + 61_000,
  });
});

Deno.test("while a server has not told that it knows of it, a drain spreads", () => {
  const servers = [{ server: "waw", ttl: 1 }, { server: "fra", sinceMs: NOW_MS, ttl: 1 }];
  assert.deepEqual(drainedAt(NOW_MS, servers, NOW_MS + HOUR_MS), { state: "spreading", waitingFor: ["waw"] });
  assert.deepEqual(drainedAt(NOW_MS, [], NOW_MS), { state: "spreading", waitingFor: [] });
});

Deno.test("a drain that was known beforehand counts from its start", () => {
  const servers = [{ server: "fra", sinceMs: NOW_MS - HOUR_MS, ttl: 60 }];
  assert.deepEqual(drainedAt(NOW_MS, servers, NOW_MS), { state: "expiring", drainedMs: NOW_MS + 60_000 });
});
