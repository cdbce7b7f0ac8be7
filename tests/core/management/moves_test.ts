import assert from "node:assert/strict";
import fc from "fast-check";
import { demandByPlace, packDemand } from "../../../core/fleet/client_places.ts";
import { metresBetween } from "../../../core/fleet/distance.ts";
import { type Geography, placeAt, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import type { PoolNodes } from "../../../core/fleet/hub.ts";
import { leafHashAt } from "../../../core/fleet/rendezvous.ts";
import { select } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { countMoves, type MovesJob, type PoolMoves } from "../../../core/management/moves.ts";
import { MovesCounter } from "../../../core/management/moves_counter.ts";
import { movesJob } from "../../../core/management/moves_job.ts";
import { findNetwork, NetworkCursor } from "../../../core/net/network_table.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { CITIES, geography, node, NOW_MS, override, POOL, pool, snapshot } from "../fleet/make.ts";
import { nodesOf, regionalPool, snapshotOf, SPARE } from "../fleet/random_fleet.ts";
import { randomGeography } from "../fleet/random_geography.ts";

const job = (before: Snapshot, after: Snapshot, more: Partial<MovesJob> = {}): MovesJob => ({
  pools: [{ pool: POOL, families: [4], block: "1" }],
  ...{ before, after, geographies: {}, atMs: NOW_MS, timeMs: Infinity, ...more },
});

/** Asks for each leaf, one by one, as a query does. */
function bruteForce(before: Snapshot, after: Snapshot, geography: Geography) {
  const { places } = geography, demand = demandByPlace(geography), leaves: [number, number][] = [];
  for (const table of [geography.v4, geography.v6]) {
    const cursor = new NetworkCursor(table);
    do {
      if (cursor.value > 0 && cursor.value < SPECIAL_CLASS_FIRST) {
        leaves.push([cursor.value, leafHashAt(cursor)]);
      }
    } while (cursor.next());
  }
  const count = (id: number) => leaves.filter(([placeId]) => placeId === id).length;
  const sums = { networks: 0, demand: 0, asked: 0, kmMax: 0 };
  for (const [placeId, leaf] of leaves) {
    const place = placeAt(places, placeId), asked = demand[placeId]! / count(placeId);
    const answers = [before, after].map((snapshot) => {
      const { chosen } = select(viewsAt(snapshot, 4, NOW_MS), POOL, { place, placeId, leaf });
      const metres = chosen.map(({ member }) => metresBetween(place, member.node.place));
      return {
        ids: chosen.map(({ member }) => member.node.id).sort().join(),
        km: Math.min(...metres) / 1000,
      };
    });
    const [is, would] = answers;
    sums.asked += asked;
    if (is!.ids === would!.ids) continue;
    sums.networks += 1 / leaves.length;
    sums.demand += asked;
    if (is!.ids !== "" && would!.ids !== "") sums.kmMax = Math.max(sums.kmMax, would!.km - is!.km);
  }
  return { ...sums, demand: sums.demand / sums.asked, leaves: leaves.length };
}

Deno.test("countMoves() counts what asking for every leaf does, whatever a pool's policy and state", () => {
  fc.assert(
    fc.property(
      regionalPool(true),
      regionalPool(false),
      randomGeography(),
      fc.subarray(["n0", "n1", "n2", "n3", "n4"], { minLength: 1 }),
      fc.constantFrom("drain", "up", "weight"),
      (main, spare, geography, out, state) => {
        const before = snapshotOf(main, spare), ids = new Set(nodesOf(main).map(({ id }) => id));
        const after = {
          ...before,
          overrides: out.filter((id) => ids.has(id)).map((id) =>
            override(id, state, state === "weight" ? { weight: 5 } : {})
          ),
        };
        const all = bruteForce(before, after, geography);
        fc.pre(all.leaves > 0 && all.asked > 0);
        const [moves] = countMoves(job(before, after, { geographies: { 1: geography } }), () => 0);
        const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a} ${b}`);
        near(moves!.movedNetworks, all.networks);
        near(moves!.movedDemand, all.demand);
        near(moves!.addedKmMax, all.kmMax);
        assert.deepEqual([moves!.counted, moves!.isSampled], [{ networks: 1, demand: 1 }, false]);
      },
    ),
    { numRuns: 150, seed: 11 },
  );
});

Deno.test("countMoves() has those draw who are known to ask, each of a network's leaves for its part", () => {
  fc.assert(
    fc.property(
      regionalPool(true),
      regionalPool(false),
      randomGeography(),
      fc.uniqueArray(fc.nat(15), { minLength: 1, maxLength: 8 }),
      (main, spare, geography, blocks) => {
        const before = snapshotOf(main, spare), after = { ...before, overrides: [override("n0", "drain")] };
        // Each of four leaves, and each leaf beside a half of one.
        const asked = new Map(blocks.flatMap((block, i) => [
          [`${block * 16}.0.0.0/4`, 4 * (i + 1)],
          [`${block * 16 + 2}.0.0.0/7`, 1],
        ]));
        const sums = { all: 0, moved: 0 };
        for (const [i, block] of blocks.entries()) {
          for (let leaf = 0; leaf < 4; leaf++) {
            const cursor = new NetworkCursor(geography.v4),
              octets = Uint8Array.of(block * 16 + leaf * 4, 0, 0, 0);
            cursor.moveTo(findNetwork(geography.v4, octets));
            const placeId = cursor.value >= SPECIAL_CLASS_FIRST ? 0 : cursor.value;
            const client = {
              ...{ placeId, leaf: leafHashAt(cursor) },
              place: placeId === 0 ? undefined : placeAt(geography.places, placeId),
            };
            const [is, would] = [before, after].map((snapshot) =>
              select(viewsAt(snapshot, 4, NOW_MS), POOL, client).chosen.map(({ member }) => member.node.id)
                .sort()
                .join()
            );
            const demand = i + 1 + (leaf === 0 ? 1 : 0);
            sums.all += demand;
            if (is !== would) sums.moved += demand;
          }
        }
        const [found] = countMoves(
          job(before, after, { geographies: { 1: geography }, demand: packDemand(asked) }),
          () => 0,
        );
        assert.ok(Math.abs(found!.movedDemand - sums.moved / sums.all) < 1e-9);
      },
    ),
    { numRuns: 100, seed: 5 },
  );
});

const NODES = [
  node("fra", CITIES.frankfurt, { capacity: 100 }),
  node("nyc", CITIES.newYork, { capacity: 100 }),
];
const WORLD = geography([CITIES.paris, CITIES.london, CITIES.seattle], {
  "198.51.100.0/24": 1,
  "203.0.113.0/25": 2,
  "192.0.2.0/28": 3,
});
const DRAINED = { overrides: [override("fra", "drain")] };

function moves(more: Partial<MovesJob> = {}, sinceMs = () => 0): PoolMoves {
  const before = snapshot([pool(NODES)]), after = snapshot([pool(NODES)], DRAINED);
  return countMoves(job(before, after, { geographies: { 1: WORLD }, ...more }), sinceMs)[0]!;
}

Deno.test("countMoves() counts networks alike, and what they ask for by addresses or by the map that is given", () => {
  const { movedNetworks, movedDemand, overloads } = moves();
  assert.ok(Math.abs(movedNetworks - 2 / 3) < 1e-9);
  assert.ok(Math.abs(movedDemand - (256 + 128) / (256 + 128 + 16)) < 1e-9);
  assert.deepEqual(overloads, [], "addresses are no load");
  const demand = packDemand(new Map([["198.51.100.0/24", 30], ["192.0.2.0/28", 90]]));
  const given = moves({ demand });
  assert.deepEqual([given.movedNetworks, given.movedDemand], [movedNetworks, 0.25]);
  assert.deepEqual(given.overloads, [{ node: "nyc", demand: 120, capacity: 100, isAlready: false }]);
});

Deno.test("countMoves() counts who has no place where somebody has said that they ask", () => {
  const demand = packDemand(new Map([["10.0.0.0/8", 3], ["192.0.2.0/28", 1]]));
  assert.equal(moves({ demand }).movedDemand, 0.75);
});

Deno.test("countMoves() counts one client that asks once where there is no geography", () => {
  const { movedNetworks, counted } = moves({ pools: [{ pool: POOL, families: [4, 6] }] });
  assert.deepEqual([movedNetworks, counted], [1, { networks: 1, demand: 1 }]);
});

Deno.test("countMoves() ends in time, with those who ask for most, and says of how much it speaks", () => {
  const places = Array.from({ length: 200 }, (_, i) => [i / 3, i] as const);
  const networks = Object.fromEntries(places.map((_, i) => [`1.${i}.0.0/${16 + Math.floor(i / 20)}`, i + 1]));
  const late = (timeMs: number) => {
    let nowMs = 0;
    return moves({ geographies: { 1: geography(places, networks) }, timeMs }, () => nowMs += 1);
  };
  const { counted } = late(0);
  assert.ok(counted.networks > 0.2 && counted.networks < 0.5, `${counted.networks}`);
  assert.ok(counted.demand > 0.8 && counted.demand < 1, `${counted.demand}`);
  assert.deepEqual(late(1000).counted, { networks: 1, demand: 1 });
});

const handed = (more: Partial<PoolNodes> = {}) => () => ({ block: "1", takesRegistered: true, ...more });

Deno.test("movesJob() looks at the pools alone whose answers would be others, both families at once where they go together", () => {
  const both = NODES.map((node, i) => ({ ...node, ipv6: `2001:db8::${i + 1}` }));
  const now = snapshot([
    pool(both),
    pool([node("syd", CITIES.sydney)], { name: "other.example." }),
    pool([node("per", CITIES.perth)], {
      name: "spilling.example.",
      maxDistanceKm: 10,
      allDown: { policy: "pool", pool: POOL },
    }),
  ], { geographies: { 1: WORLD } });
  const asked = { atMs: NOW_MS, overrides: { before: [], after: DRAINED.overrides }, pools: {} };
  const { pools, before, after } = movesJob(now, handed(), asked, 1000);
  assert.deepEqual(pools, [
    { pool: "spilling.example.", families: [4], block: "1" },
    { pool: POOL, families: [4, 6], block: "1" },
  ]);
  assert.deepEqual(Object.keys(before.pools).sort(), ["spilling.example.", POOL]);
  assert.deepEqual([before.overrides.length, after.overrides.length], [0, 1]);
  assert.deepEqual(
    movesJob(now, handed(), { ...asked, overrides: { before: [], after: [] } }, 1000).pools,
    [],
  );
});

Deno.test("movesJob() gives a pool nodes that come and go, new ones only where it takes such", () => {
  const now = snapshot([pool(NODES)], { geographies: { 1: WORLD } });
  const asked = {
    ...{ atMs: NOW_MS, overrides: { before: [], after: [] } },
    pools: { [POOL]: { nodes: { fra: null, lon: node("lon", CITIES.london) } } },
  };
  const after = (more: Partial<PoolNodes>) =>
    movesJob(now, handed(more), asked, 1000).after.pools[POOL]!.nodes.map(({ id }) => id);
  assert.deepEqual(after({}), ["lon", "nyc"]);
  assert.deepEqual(after({ takesRegistered: false }), ["nyc"]);
  const gone = movesJob(now, handed(), { ...asked, pools: { [POOL]: null } }, 1000);
  const [counted] = countMoves({ ...gone, geographies: { 1: WORLD } }, () => 0);
  assert.equal(counted!.lostDemand, 1);
});

Deno.test("MovesCounter counts in a worker, one job after the other, and refuses what waits too long", async () => {
  const counter = new MovesCounter();
  const before = snapshot([pool(NODES)]), after = snapshot([pool(NODES)], DRAINED);
  const one = job(before, after, { geographies: { 1: WORLD } });
  const asked = Array.from({ length: 4 }, () => counter.count(one));
  await assert.rejects(counter.count(one), /4 changes are being looked at already/);
  for (const [found] of await Promise.all(asked)) assert.deepEqual(found, moves());
  await assert.rejects(counter.count({ ...one, geographies: { 1: {} as Geography } }), /./);
  const left = counter.count(one);
  counter.close();
  await assert.rejects(left, /is being stopped/);
});

Deno.test("countMoves() has nothing to say of spilling but what the pool spilled to says", () => {
  const near = pool([node("syd", CITIES.sydney)], {
    name: SPARE,
    maxDistanceKm: 10,
    allDown: { policy: "pool", pool: POOL },
  });
  const before = snapshot([pool(NODES), near]), after = snapshot([pool(NODES), near], DRAINED);
  const pools = [{ pool: SPARE, families: [4] as const, block: "1" }];
  assert.ok(Math.abs(moves({ pools, before, after }).movedNetworks - 2 / 3) < 1e-9);
});
