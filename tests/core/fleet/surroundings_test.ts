/**
 * Blocks found around a leaf against those of partitions.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Allowance } from "../../../core/fleet/allowance.ts";
import { makeTraced, Workspace } from "../../../core/fleet/partition.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import { type Consulted, viewKey } from "../../../core/fleet/consulted.ts";
import { spillPath } from "../../../core/fleet/select.ts";
import { surroundings } from "../../../core/fleet/surroundings.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { findNetwork, lengthAt, networkAt, valueAt } from "../../../core/net/network_table.ts";
import { CITIES, geography, node, NOW_MS, POOL, pool, snapshot } from "./make.ts";
import { type RandomPool, randomPool, regionalPool, snapshotOf } from "./random_fleet.ts";
import { randomGeography } from "./random_geography.ts";

const workspace = new Workspace();

Deno.test("surroundings() of any leaf are its block in the partition, and have looked at the same", () => {
  let told = 0;
  fc.assert(
    fc.property(
      ...[randomPool(true, 2, 24), randomPool(false, 1, 5), randomGeography({ deep: true })],
      (main, spare, world) => void (told += check(main, spare, world)),
    ),
    { numRuns: 120, seed: 5 },
  );
  assert.ok(told > 12_000, `${told}`);
});

Deno.test("surroundings() are where regions have verdicts of their own", () => {
  let told = 0;
  fc.assert(
    fc.property(
      ...[regionalPool(true, 2, 8), regionalPool(false, 1, 5), randomGeography({ deep: true })],
      (main, spare, world) => void (told += check(main, spare, world)),
    ),
    { numRuns: 80, seed: 6 },
  );
  assert.ok(told > 5000, `${told}`);
});

/** @returns How many there were. */
function check(main: RandomPool, spare: RandomPool, world: Geography): number {
  let told = 0;
  const shot = snapshotOf(main, spare), views = viewsAt(shot, 4, NOW_MS);
  const job = { snapshot: shot, geography: world, pool: POOL, family: 4, nowMs: NOW_MS } as const;
  const { partition: { tailored, blocks, consulted } } = makeTraced(job, workspace)!;
  for (const family of [4, 6] as const) {
    const leaves = family === 4 ? world.v4 : world.v6;
    for (let i = 0; i < leaves.count; i++) {
      const leaf = networkAt(leaves, i);
      const found = surroundings(views, spillPath(views, POOL), world, leaf);
      if (!found) continue;
      told++;
      const block = findNetwork(blocks[family], leaf.octets);
      assert.equal(found.isWhole, !tailored);
      assert.equal(found.prefixLength, tailored ? lengthAt(blocks[family], block) : 0);
      const wanted = consulted[tailored ? valueAt(blocks[family], block) : 0]!;
      assert.deepEqual(sorted(found.consulted), sorted(wanted));
    }
  }
  return told;
}

function sorted(consulted: readonly Consulted[]): Consulted[] {
  return consulted.toSorted((a, b) => viewKey(a) < viewKey(b) ? -1 : 1);
}

Deno.test("surroundings() are not told where they are too wide to be looked through at once", () => {
  const places = Array.from({ length: 256 }, (_, i) => [50 + i / 1000, 8, "", ""] as const);
  const networks = Object.fromEntries(places.map((_, i) => [`${i}.0.0.0/8`, i + 1]));
  const nodes = Array.from({ length: 40 }, (_, i) => node(`n${i}`, i > 0 ? CITIES.sydney : CITIES.frankfurt));
  const shot = snapshot([pool(nodes, { bias: { region: 0.5, country: 0, maxKm: 1000 } })]);
  const world = geography(places, networks), views = viewsAt(shot, 4, NOW_MS);
  const around = () => surroundings(views, spillPath(views, POOL), world, networkAt(world.v4, 7));
  assert.equal(around(), undefined);
  // What was looked at once is known: in the end all of it is.
  for (let i = 0; i < 20; i++) around();
  assert.equal(around()?.prefixLength, 0);
});

Deno.test("surroundings() take no more than the allowance has", () => {
  const nodes = [node("fra", CITIES.frankfurt), node("syd", CITIES.sydney)];
  const shot = snapshot([pool(nodes)]), views = viewsAt(shot, 4, NOW_MS);
  const world = geography([CITIES.paris, CITIES.perth], {
    "0.0.0.0/2": 1,
    "64.0.0.0/2": 1,
    "128.0.0.0/1": 2,
  });
  const around = (allowance: Allowance) =>
    surroundings(views, spillPath(views, POOL), world, networkAt(world.v4, 0), {
      of: allowance,
      nowMs: NOW_MS,
    });
  const allowance = new Allowance(0, 100_000);
  assert.equal(around(allowance)?.prefixLength, 1);
  assert.ok(allowance.at(NOW_MS) < 100_000);
  allowance.take(100_000);
  assert.equal(around(allowance), undefined);
});
