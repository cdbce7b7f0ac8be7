/**
 * What a partition still says after nodes went down and came back.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { unite } from "../../../core/fleet/consulted.ts";
import { answerKey, makeTraced, Workspace } from "../../../core/fleet/partition.ts";
import { changedSince, looksAtAny } from "../../../core/fleet/plain_basis.ts";
import { placeAt, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import { select } from "../../../core/fleet/select.ts";
import { makeView, viewsAt } from "../../../core/fleet/view.ts";
import { findNetwork, networkAt, valueAt } from "../../../core/net/network_table.ts";
import { CITIES, node, NOW_MS, policy, POOL, pool, snapshot, verdicts } from "./make.ts";
import { randomGeography } from "./random_geography.ts";

const IDS = ["seattle", "newYork", "perth", "sydney", "singapore", "frankfurt", "london", "paris"] as const;
const NODES = IDS.map((id) => node(id, CITIES[id]));

const randomStates = fc.array(fc.constantFrom("up", "down", "degraded", "unknown"), {
  minLength: IDS.length,
  maxLength: IDS.length,
});

const randomUnknown = fc.constantFrom(
  { policy: "all" } as const,
  { policy: "nodes", nodes: ["perth", "paris", "london"] } as const,
  { policy: "nearest", latitude: 1, longitude: 100 } as const,
);

Deno.test("what looked at none that changed has the answer from before, and looked at the same", () => {
  let same = 0, other = 0;
  fc.assert(
    fc.property(
      ...[randomGeography(), randomStates, randomStates, randomUnknown, fc.integer({ min: 1, max: 3 })],
      (world, before, after, unknown, answers) => {
        const [old, now] = [before, after].map((states) =>
          snapshot([pool(NODES, { answers, unknown })], {
            verdicts: verdicts(NODES, Object.fromEntries(IDS.map((id, i) => [id, states[i]!]))),
          })
        ) as [typeof EMPTY, typeof EMPTY];
        const job = { snapshot: old, geography: world, pool: POOL, family: 4, nowMs: NOW_MS } as const;
        const { partition: { basis, tailored, blocks, consulted } } = makeTraced(job, new Workspace())!;
        const views = viewsAt(now, 4, NOW_MS);
        const changed = basis && changedSince(basis, views(POOL)!);
        if (!changed) return;
        for (const family of [4, 6] as const) {
          const leaves = family === 4 ? world.v4 : world.v6;
          const below = Map.groupBy(
            Array.from({ length: leaves.count }, (_, i) => i),
            (i) => tailored ? findNetwork(blocks[family], networkAt(leaves, i).octets) : 0,
          );
          for (const [block, entries] of below) {
            const looked = consulted[tailored ? valueAt(blocks[family], block) : 0]!;
            if (looksAtAny(looked, changed)) {
              other++;
              continue;
            }
            const choices = entries.map((i) => {
              const value = valueAt(leaves, i), placeId = value >= SPECIAL_CLASS_FIRST ? 0 : value;
              const place = placeId === 0 ? undefined : placeAt(world.places, placeId);
              return select(views, POOL, { place, placeId, leaf: 0 });
            });
            assert.equal(new Set(choices.map(answerKey)).size, 1);
            if (tailored) assert.deepEqual(unite(choices.map((choice) => choice.consulted())), looked);
            if (changed.length > 0) same++;
          }
        }
      },
    ),
    { numRuns: 300, seed: 3 },
  );
  assert.ok(same > 300 && other > 300, `${same} ${other}`);
});

const EMPTY = snapshot([]);

Deno.test("a basis says nothing of other members, another policy or a pool where more matters", () => {
  const viewOf = (nodes = NODES, more: Parameters<typeof policy>[0] = {}) =>
    makeView(pool(nodes, more), EMPTY, 4, NOW_MS);
  const job = { snapshot: snapshot([pool(NODES)]), pool: POOL, family: 4, nowMs: NOW_MS } as const;
  const world = fc.sample(randomGeography(), { numRuns: 1, seed: 1 })[0]!;
  const { basis } = makeTraced({ ...job, geography: world }, new Workspace())!.partition;
  assert.deepEqual(changedSince(basis!, viewOf()), []);
  const moved = NODES.map((one, i) => i > 0 ? one : { ...one, place: NODES[1]!.place });
  const renumbered = NODES.map((one, i) => i > 0 ? one : { ...one, ipv4: NODES[1]!.ipv4! });
  assert.equal(changedSince(basis!, viewOf(NODES.slice(1))), undefined);
  assert.equal(changedSince(basis!, viewOf(moved)), undefined);
  assert.equal(changedSince(basis!, viewOf(renumbered)), undefined);
  assert.equal(changedSince(basis!, viewOf(NODES, { answers: 2 })), undefined);
  assert.equal(changedSince(basis!, viewOf(NODES, { threshold: 0.1 })), undefined);
  assert.equal(changedSince(basis!, viewOf(NODES, { maxDistanceKm: 9000 })), undefined);
  assert.equal(changedSince(basis!, viewOf(NODES, { ring: { share: 0.5, km: 100 } })), undefined);
});
