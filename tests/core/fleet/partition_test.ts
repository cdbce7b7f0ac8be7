import assert from "node:assert/strict";
import fc from "fast-check";
import { rowOf } from "../../../core/fleet/client_table.ts";
import { type Consulted, unite } from "../../../core/fleet/consulted.ts";
import { answerKey, isCurrent, makePartition, makeTraced, Workspace } from "../../../core/fleet/partition.ts";
import { PartitionBuilder } from "../../../core/fleet/partition_builder.ts";
import { type Geography, placeAt, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import { leafHash } from "../../../core/fleet/rendezvous.ts";
import { type Choice, select } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { type Family, formatPrefix, parseAddress } from "../../../core/net/address.ts";
import { findNetwork, lengthAt, networkAt, valueAt } from "../../../core/net/network_table.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { modelScope } from "../../model/selection.ts";
import { CITIES, geography, node, NOW_MS, type PlaceText, POOL, pool, snapshot, verdicts } from "./make.ts";
import { randomPool, snapshotOf } from "./random_fleet.ts";

const PLACES: PlaceText[] = [CITIES.paris, CITIES.frankfurt, CITIES.sydney, CITIES.newYork];
const [PARIS, FRANKFURT, SYDNEY, NEW_YORK] = [1, 2, 3, 4];

function partition(shot: Snapshot, geography: Geography, family: Family = 4) {
  return makeTraced({ snapshot: shot, geography, pool: POOL, family, nowMs: NOW_MS }, new Workspace())!
    .partition;
}

function blocks({ blocks }: ReturnType<typeof partition>, family: Family = 4): string[] {
  return Array.from({ length: blocks[family].count }, (_, i) => formatPrefix(networkAt(blocks[family], i)));
}

const LON = node("lon", CITIES.london), SYD = node("syd", CITIES.sydney), FRA = node("fra", CITIES.frankfurt);

Deno.test("makePartition() joins siblings whose answers are equal, whatever their places", () => {
  const world = geography(PLACES, { "0.0.0.0/2": PARIS!, "64.0.0.0/2": FRANKFURT!, "128.0.0.0/1": SYDNEY! });
  const made = partition(snapshot([pool([LON, SYD])]), world);
  assert.deepEqual(blocks(made), ["0.0.0.0/1", "128.0.0.0/1"]);
  assert.equal(made.tailored, true);
  assert.deepEqual(blocks(partition(snapshot([pool([LON, SYD, FRA])]), world)), [
    "0.0.0.0/2",
    "64.0.0.0/2",
    "128.0.0.0/1",
  ]);
});

Deno.test("makePartition() has one answer for all where every client gets the same", () => {
  const world = geography(PLACES, { "0.0.0.0/2": PARIS!, "10.0.0.0/8": "private", "128.0.0.0/1": SYDNEY! });
  const one = partition(snapshot([pool([LON], {}, { epoch: 7 })]), world);
  assert.equal(one.tailored, false);
  assert.equal(one.consulted.length, 1);
  assert.deepEqual(one.epochs, { [POOL]: 7 });
  // Two nodes of one address are one answer, and so are nodes without an address.
  const shared = { ipv6: "::1" };
  const fleet = snapshot([pool([{ ...LON, ...shared }, { ...SYD, ...shared }])]);
  assert.equal(partition(fleet, world, 6).tailored, false);
  assert.equal(partition(fleet, world, 4).tailored, true);
  assert.equal(partition(snapshot([pool([LON])]), world, 6).tailored, false);
});

Deno.test("makePartition() never joins a special-purpose block to a neighbour", () => {
  const unknown: PoolPolicy["unknown"] = { policy: "nodes", nodes: ["lon"] };
  const world = geography(PLACES, { "10.0.0.0/8": "private", "11.0.0.0/8": "other", "128.0.0.0/1": SYDNEY! });
  const found = blocks(partition(snapshot([pool([LON, SYD], { unknown })]), world));
  assert.ok(found.includes("10.0.0.0/8") && found.includes("11.0.0.0/8"), found.join());
});

Deno.test("makePartition() has a block consult what any leaf below it does", () => {
  const world = geography(PLACES, {
    "0.0.0.0/1": PARIS!,
    "128.0.0.0/2": FRANKFURT!,
    "192.0.0.0/2": NEW_YORK!,
  });
  const nodes = [LON, SYD, { ...FRA, state: "down" as const }];
  const made = partition(snapshot([pool(nodes)]), world);
  assert.deepEqual(blocks(made), ["0.0.0.0/0"]);
  assert.equal(made.tailored, true, "IPv6 clients are unlocated and get all");
  const [{ looks }] = made.consulted[valueAt(made.blocks[4], 0)] as [Consulted];
  // Frankfurt would take its own clients back; for those of Paris London stays the nearest.
  assert.deepEqual([...looks], [2, 1, 0]);
});

Deno.test("isCurrent() is false once a pool, the geography or the time has moved on", () => {
  const busy = { ...LON, maintenance: [{ fromMs: NOW_MS + 10, untilMs: NOW_MS + 20, reason: "" }] };
  const spare = pool([SYD], { name: "b." });
  const shot = snapshot([pool([busy, FRA], { allDown: { policy: "pool", pool: "b." } }), spare]);
  const made = partition(shot, geography(PLACES, { "0.0.0.0/1": PARIS! }, 5));
  assert.equal(isCurrent(made, shot, 5, NOW_MS + 9), true);
  assert.equal(isCurrent(made, shot, 5, NOW_MS + 10), false);
  assert.equal(isCurrent(made, shot, 6, NOW_MS), false);
  assert.equal(
    isCurrent(made, { ...shot, pools: { ...shot.pools, "b.": { ...spare, epoch: 2 } } }, 5, NOW_MS),
    false,
  );
});

Deno.test("makePartition() knows no pool that is not there", () => {
  assert.equal(
    makePartition({ snapshot: snapshot([]), geography: geography([], {}), pool: POOL, family: 4, nowMs: 0 }),
    undefined,
  );
});

Deno.test("makePartition() has the scopes of the model, sound and minimal, and each block what its leaves consulted", () => {
  const prefix = fc.tuple(fc.nat(255), fc.nat(3), fc.integer({ min: 1, max: 10 })).map(([a, b, length]) => {
    const octets = (a << 8 | b << 6) >>> (16 - length) << (16 - length);
    return `${octets >> 8}.${octets & 255}.0.0/${length}`;
  });
  const value = fc.oneof({ weight: 8, arbitrary: fc.nat(3) }, {
    weight: 1,
    arbitrary: fc.constant("special"),
  });
  const networks = fc.array(fc.tuple(prefix, value), { maxLength: 12 }).map((all) => Object.fromEntries(all));
  fc.assert(
    fc.property(randomPool(true, 1, 4), randomPool(false, 1, 3), networks, (main, spare, networks) => {
      const world = geography(PLACES, networks);
      const shot = snapshotOf(main, spare);
      const made = partition(shot, world);
      const choices = choicesByLeaf(shot, world);
      const keys = new Set(choices.map(answerKey));
      keys.add(answerKey(choiceAt(shot, world, 6, 0)));
      assert.equal(made.tailored, keys.size > 1);
      const table = made.blocks[4];
      const leaves = choices.map((choice, i) => {
        const { octets, length } = networkAt(world.v4, i);
        return {
          leaf: { family: 4 as const, octets: [...octets], length },
          special: valueAt(world.v4, i) >= SPECIAL_CLASS_FIRST,
          answer: answerKey(choice),
        };
      });
      const byBlock = new Map<number, Choice[]>();
      for (const [i, { leaf }] of leaves.entries()) {
        const block = findNetwork(table, Uint8Array.from(leaf.octets));
        assert.equal(lengthAt(table, block), modelScope(leaves, i), formatPrefix(networkAt(world.v4, i)));
        byBlock.set(block, [...byBlock.get(block) ?? [], choices[i]!]);
      }
      if (!made.tailored) return;
      for (const [block, below] of byBlock) {
        assert.deepEqual(
          made.consulted[valueAt(table, block)],
          unite(below.map((choice) => choice.consulted())),
        );
      }
    }),
    { numRuns: 400, seed: 4 },
  );
});

function choicesByLeaf(shot: Snapshot, world: Geography): Choice[] {
  return Array.from({ length: world.v4.count }, (_, i) => choiceAt(shot, world, 4, i));
}

function choiceAt(shot: Snapshot, world: Geography, clientFamily: Family, entry: number): Choice {
  const table = clientFamily === 4 ? world.v4 : world.v6;
  const value = valueAt(table, entry);
  const placeId = value >= SPECIAL_CLASS_FIRST ? 0 : value;
  return select(viewsAt(shot, 4, NOW_MS), POOL, {
    place: placeId === 0 ? undefined : placeAt(world.places, placeId),
    placeId,
    leaf: leafHash(networkAt(table, entry)),
  });
}

Deno.test("PartitionBuilder makes in a worker what makePartition() makes", async () => {
  const builder = new PartitionBuilder();
  try {
    const world = geography(PLACES, { "0.0.0.0/1": PARIS!, "192.0.0.0/2": SYDNEY! });
    const nodes = [LON, SYD, FRA];
    const spare = pool([SYD], { name: "b." });
    const main = pool(nodes, { allDown: { policy: "pool", pool: "b." }, maxDistanceKm: 2000 });
    const shot = snapshot([main, spare, pool([LON], { name: "other." })], {
      verdicts: verdicts(nodes, { fra: "down", lon: "up" }),
    });
    const job = { snapshot: shot, geography: world, pool: POOL, family: 4, nowMs: NOW_MS } as const;
    const made = (await builder.make(job))!;
    assert.deepEqual(made, makePartition(job));
    assert.ok(made.rows!.clients[4].codes.buffer instanceof SharedArrayBuffer);
    assert.equal(made.rows!.scopes[rowOf(made.rows!.clients, parseAddress("192.0.2.1")!)], 2);
    assert.equal(await builder.make({ ...job, pool: "gone." }), undefined);
  } finally {
    builder.close();
  }
});
