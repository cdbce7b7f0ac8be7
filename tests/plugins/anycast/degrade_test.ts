/**
 * A region of a pool that loses most of its capacity, among 100,000 client networks: where its traffic goes, and how it comes
 * back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { prove } from "../../../core/prove/prove.ts";
import type { PoolState } from "../../../core/fleet/pool.ts";
import { POOL } from "../../core/fleet/make.ts";
import { havePackages } from "../../../scripts/packages.ts";
import { RegionWorld } from "./region_world.ts";
import { highestBound, nearestMetres, optimum } from "./transport.ts";

/** The most that a node which serves is asked for, as a share of what it can do. */
function fullest(world: RegionWorld, asked: Float64Array): number {
  return Math.max(...world.serving().map((n) => asked[n]! / world.nodes[n]!.capacity));
}

function degradationOf(world: RegionWorld): PoolState["degradation"] {
  return world.publisher.snapshot.pools[POOL]!.degradation;
}

function all(ids: readonly string[], state: "up" | "down") {
  return Object.fromEntries(ids.map((id) => [id, state]));
}

for (const [answers, region] of [[1, "eu"], [2, "na-west"]] as const) {
  Deno.test(`${region} loses 60 % of its capacity, of ${answers} answers: nobody is asked for more than it can do, at the least added distance`, async () => {
    const world = new RegionWorld({ networks: 100_000, places: 12_000, answers, use: 0.6 });
    world.keeper.start();
    await world.pass(0);
    const before = world.load();
    assert.ok(fullest(world, before.asked) <= 1, "before");
    const down = world.some(region, 0.62);
    world.set(all(down, "down"));
    world.publisher.flush();
    assert.ok(
      fullest(world, world.load().asked) > 1.2,
      "where everybody goes to the nearest, somebody has too much",
    );
    await world.pass(0);

    const { asked, metres } = world.load();
    assert.ok(
      fullest(world, asked) <= 1,
      `the fullest is asked for ${fullest(world, asked)} of what it can do`,
    );
    const transport = world.transport(), nearest = nearestMetres(transport);
    const most = (metres - nearest) / (highestBound(transport) - nearest);
    assert.ok(most >= 1 && most <= 1.05, `${most} times the least that it can add`);
    if (await havePackages(["glpk-utils"])) {
      const { prices } = degradationOf(world)!;
      const guess = Float64Array.from(world.serving(), (n) => prices[world.nodes[n]!.id] ?? 0);
      const solved = await optimum(transport, guess, 3);
      assert.ok(
        solved.most - solved.least < 1e-3 * (solved.least - nearest),
        `the optimum is between ${solved.least} and ${solved.most}`,
      );
      const times = (metres - nearest) / (solved.most - nearest);
      assert.ok(times >= 0.999 && times <= 1.05, `${times} times what the optimum adds`);
    }

    // Those of other regions keep their nodes, but for the few who lose less than whom they make room for.
    const moved = world.movedElsewhere(region, before.nodes);
    assert.ok(moved < 0.03, `${moved} of what other regions ask for goes elsewhere, too`);

    // What is answered is what the objective says, leaf by leaf; and where it is not, that is found.
    const { snapshot } = world.publisher, { geography } = world;
    const states = [{ name: "as it is", down, degraded: [] }, {
      name: "one more",
      down: [...down, "sa-0"],
      degraded: [],
    }];
    const asking = { geography, pool: POOL, family: 4, states, nowMs: world.clock.nowMs() } as const;
    assert.deepEqual(prove({ ...asking, snapshot }).counterExamples, []);
    const state = snapshot.pools[POOL]!, degradation = state.degradation!;
    const wrong = { ...state, degradation: { ...degradation, prices: wrongAtFirst(degradation.prices) } };
    const proof = prove({ ...asking, snapshot: { ...snapshot, pools: { [POOL]: wrong } } });
    assert.ok(proof.failures > 0, "prices of which the oracle knows others are not found");

    world.set(all(down, "up"));
    await world.pass(119_000);
    assert.deepEqual(degradationOf(world)?.regions, [region]);
    await world.pass(2000);
    assert.equal(degradationOf(world), undefined);
    assert.deepEqual(world.load().nodes, before.nodes);
    assert.deepEqual(world.decided, [region, ""]);
    assert.deepEqual(world.errors, []);
    world.close();
  });
}

/** Prices that are a hundred kilometres too much when they are first asked for: by the oracle. */
function wrongAtFirst(prices: Readonly<Record<string, number>>): Record<string, number> {
  const asked = new Set<string>(), wrong: Record<string, number> = {};
  for (const [id, metres] of Object.entries(prices)) {
    Object.defineProperty(wrong, id, {
      enumerable: true,
      get: () => {
        if (asked.has(id)) return metres;
        asked.add(id);
        return metres + 100_000;
      },
    });
  }
  return wrong;
}

Deno.test("while nodes fail, flap, come back by and by, and demand goes up and down, there is one decision and one back", async () => {
  const world = new RegionWorld({ networks: 12_000, places: 1500, answers: 2, use: 0.6, seed: 3 });
  world.keeper.start();
  await world.pass(0);
  const down = world.some("eu", 0.62), flapping = down.slice(0, 2), others = down.slice(2);
  const fullests: number[] = [];
  /** Demand differs from what servers know of it, by the network. */
  const look = () => {
    const most = fullest(world, world.load(world.noisy(0.1)).asked);
    fullests.push(most);
    assert.ok(most <= 1.02, `a node is asked for ${most} of what it can do`);
  };
  world.set(all(down, "down"));
  for (let minute = 0; minute < 8; minute++) {
    world.tellDemand(world.noisy(0.1));
    await world.pass(60_000);
    look();
  }
  assert.deepEqual(world.decided, ["eu"]);
  // All but two come back, by and by; with these two, which flap for five minutes, the region would be well again.
  for (const ramp of [0.1, 0.3, 0.6, 1]) {
    world.set(Object.fromEntries(others.map((id) => [id, { state: "up", ramp }])));
    await world.pass(10_000);
    look();
  }
  for (let turn = 0; turn < 30; turn++) {
    const isUp = turn % 2 === 0;
    world.set(Object.fromEntries(flapping.map((id) => [id, isUp ? { state: "up", ramp: 0.1 } : "down"])));
    await world.pass(10_000);
    if (turn % 5 === 0) look();
  }
  assert.deepEqual(world.decided, ["eu"]);
  world.set(all(flapping, "up"));
  for (let minute = 0; minute < 5; minute++) {
    world.tellDemand(world.noisy(0.1));
    await world.pass(60_000);
    look();
  }
  assert.deepEqual(world.decided, ["eu", ""]);
  assert.ok(Math.max(...fullests) > 0.9, "nothing was near to full");
  assert.deepEqual(world.errors, []);
  assert.deepEqual(world.journal.lines.filter((line) => line.startsWith("error")), []);
  world.close();
});
