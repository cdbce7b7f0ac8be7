/**
 * Partitions against choosing leaf by leaf: many leaves at few places, so that each thing that they have in common, a place,
 * a ring, who is admitted, a set drawn, is met again elsewhere.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { unite } from "../../../core/fleet/consulted.ts";
import { answerKey, makePartition, makeTraced, Workspace } from "../../../core/fleet/partition.ts";
import { type Geography, placeAt, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import { leafHash } from "../../../core/fleet/rendezvous.ts";
import { type Choice, select } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import {
  findNetwork,
  lengthAt,
  networkAt,
  NetworkCursor,
  type NetworkTable,
  valueAt,
} from "../../../core/net/network_table.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { modelScope } from "../../model/selection.ts";
import { NOW_MS, POOL } from "./make.ts";
import { type RandomPool, randomPool, regionalPool, snapshotOf } from "./random_fleet.ts";
import { randomGeography } from "./random_geography.ts";

/** As chosen for one leaf alone. */
function choices(shot: Snapshot, { places }: Geography, leaves: NetworkTable): Choice[] {
  const views = viewsAt(shot, 4, NOW_MS);
  return Array.from({ length: leaves.count }, (_, i) => {
    const value = valueAt(leaves, i);
    const placeId = value >= SPECIAL_CLASS_FIRST ? 0 : value;
    const place = placeId === 0 ? undefined : placeAt(places, placeId);
    return select(views, POOL, { place, placeId, leaf: leafHash(networkAt(leaves, i)) });
  });
}

const workspace = new Workspace();

Deno.test("makePartition() and makeTraced() are what choosing leaf by leaf comes to", () => {
  fc.assert(
    fc.property(randomPool(true, 2, 8), randomPool(false, 1, 5), randomGeography(), check),
    { numRuns: 600, seed: 7 },
  );
});

Deno.test("they are where regions have verdicts of their own, whose borders are no scope's by themselves", () => {
  let regional = 0;
  fc.assert(
    fc.property(
      ...[regionalPool(true, 2, 8), regionalPool(false, 1, 5), randomGeography()],
      (main, spare, world) => {
        check(main, spare, world);
        const { consulted } = makePartition(jobOf(snapshotOf(main, spare), world))!;
        if (consulted.flat().some(({ region }) => region !== undefined)) regional++;
      },
    ),
    { numRuns: 400, seed: 8 },
  );
  assert.ok(regional > 100, `${regional}`);
});

function jobOf(snapshot: Snapshot, geography: Geography) {
  return { snapshot, geography, pool: POOL, family: 4, nowMs: NOW_MS } as const;
}

function check(main: RandomPool, spare: RandomPool, world: Geography): void {
  const shot = snapshotOf(main, spare);
  const job = jobOf(shot, world);
  const traced = makeTraced(job, workspace)!, made = traced.partition;
  const { rows: _, ...published } = makePartition(job)!;
  const { blocks: blocksOfIt, ...rest } = made;
  assert.deepEqual(published, published.blocks ? { ...rest, blocks: blocksOfIt } : rest);
  const all = { 4: choices(shot, world, world.v4), 6: choices(shot, world, world.v6) };
  assert.equal(made.tailored, new Set([...all[4], ...all[6]].map(answerKey)).size > 1);
  for (const family of [4, 6] as const) {
    const leaves = family === 4 ? world.v4 : world.v6, blocks = made.blocks[family];
    const answers = all[family].map(answerKey);
    const forModel = answers.map((answer, i) => {
      const { octets, length } = networkAt(leaves, i);
      const special = valueAt(leaves, i) >= SPECIAL_CLASS_FIRST;
      return { leaf: { family, octets: [...octets], length }, special, answer };
    });
    const below = Map.groupBy(answers.keys(), (i) => findNetwork(blocks, networkAt(leaves, i).octets));
    assert.equal(below.size, blocks.count);
    for (const [block, entries] of below) {
      for (const i of entries) {
        assert.equal(traced.answerKeys[traced.answerOf(new NetworkCursor(leaves, i))], answers[i]);
        assert.equal(lengthAt(blocks, block), modelScope(forModel, i));
      }
      if (!made.tailored) continue;
      const consulted = entries.map((i) => all[family][i]!.consulted());
      assert.deepEqual(made.consulted[valueAt(blocks, block)], unite(consulted));
    }
  }
  if (!made.tailored) {
    assert.deepEqual(made.consulted, [unite([...all[4], ...all[6]].map((one) => one.consulted()))]);
  }
}
