/**
 * Rows of clients against the answers that the plugin gives them.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { byTarget, targetEntries } from "../../../core/fleet/by_target.ts";
import { rowOf } from "../../../core/fleet/client_table.ts";
import { makePartition } from "../../../core/fleet/partition.ts";
import { isKeyedByLeaf, spillPath } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import { type Address, formatPrefix, type Prefix } from "../../../core/net/address.ts";
import { networkAt } from "../../../core/net/network_table.ts";
import { DEEP_ROW } from "../../../core/net/network_rows.ts";
import type { Answer } from "../../../core/plugin.ts";
import anycast from "../../../plugins/anycast/mod.ts";
import { precisionOf } from "../../../plugins/prometheus/decision_meter.ts";
import { answerScope, factsOf, queryOf, readAnycast } from "../../plugins/anycast/scopes.ts";
import { CITIES, geography, node, NOW_MS, POOL, pool, snapshot } from "./make.ts";
import { randomPool, regionalPool, snapshotOf } from "./random_fleet.ts";
import { randomGeography } from "./random_geography.ts";

const { config, owned } = readAnycast("anycast www.example.org {\nnodes nodes.yaml\n}");

/** The first and the last address of every leaf. */
function boundaries(world: Geography): Address[] {
  return [world.v4, world.v6].flatMap((table) =>
    Array.from({ length: table.count }, (_, i) => networkAt(table, i)).flatMap((leaf) => [leaf, lastOf(leaf)])
  );
}

function lastOf({ family, octets, length }: Prefix): Address {
  const last = octets.map((octet, i) => octet | 0xff >> Math.min(8, Math.max(0, length - 8 * i)));
  return { family, octets: last };
}

/** All of an answer that a reply or a metric shows, distances aside. */
function shown(answer: Answer, client: Address, world: Geography): string {
  const { dependence: { scopePrefixLength, deadline }, selections, ...rest } = answer;
  return JSON.stringify([
    ...[rest.rcode, rest.answer, rest.authority, rest.extendedErrors, scopePrefixLength, deadline],
    selections?.map(({ distanceKm: _, ...selection }) => selection),
    precisionOf(world, client),
  ]);
}

Deno.test("clients of one row get the very same answer, and count alike", () => {
  let [tables, rowsMet] = [0, 0];
  const deadlines = fc.array(fc.nat(3), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(
      ...[
        fc.oneof(randomPool(true, 1, 6), regionalPool(true, 1, 6)),
        randomPool(false, 1, 4),
        randomGeography({ deep: true }),
        deadlines,
      ],
      (main, spare, world, soon) => {
        const plain = snapshotOf(main, spare);
        const known = targetEntries(plain.verdicts).map(([target], i) => {
          const atMs = NOW_MS + 1000 * soon[i % soon.length]!;
          return [target, {
            downMs: atMs,
            upMs: atMs,
            changeMs: atMs,
            rampMs: Infinity,
            steady: true,
          }] as const;
        });
        const shot = { ...plain, deadlines: byTarget(Object.fromEntries(known)) };
        const made = makePartition({
          snapshot: shot,
          geography: world,
          pool: POOL,
          family: 4,
          nowMs: NOW_MS,
        })!;
        const isDrawn = spillPath(viewsAt(shot, 4, NOW_MS), POOL).some(isKeyedByLeaf);
        if (isDrawn) return assert.equal(made.rows, undefined);
        const partitions = { [POOL]: { 4: made } };
        const plugin = anycast.answerer(config, answerScope(factsOf(owned), { world }));
        const byRow = new Map<string, string>();
        for (const client of boundaries(world)) {
          const subnet = formatPrefix({ ...client, length: client.octets.length * 8 });
          const answer = plugin.answer(
            queryOf("www.example.org", 1, { ...shot, partitions }, { world, subnet }),
            () => assert.fail(),
          ) as Answer;
          const row = made.rows ? rowOf(made.rows.clients, client) : 0;
          if (row === DEEP_ROW) continue;
          assert.equal(answer.dependence.clients, made.rows?.clients);
          const found = shown(answer, client, world);
          assert.equal(byRow.get(`${row}`) ?? found, found, `${subnet} in row ${row}`);
          byRow.set(`${row}`, found);
        }
        tables += made.rows ? 1 : 0;
        rowsMet += byRow.size;
      },
    ),
    { numRuns: 500, seed: 11 },
  );
  assert.ok(tables > 70 && rowsMet > 300, `${tables} tables, ${rowsMet} rows`);
});

const WORLD = geography([CITIES.paris, CITIES.frankfurt, CITIES.sydney], {
  "10.0.0.0/8": "private",
  "64.0.0.0/2": 1,
  "128.0.0.0/2": 2,
  "192.0.0.0/2": 3,
  "2001:db8::/32": 1,
  "2001:db8:0:1::/80": 2,
});

function rows(answers: number) {
  const nodes = [node("lon", CITIES.london), node("syd", CITIES.sydney)];
  const shot = snapshot([pool(nodes, { answers, unknown: { policy: "nodes", nodes: ["lon"] } })]);
  return makePartition({ snapshot: shot, geography: WORLD, pool: POOL, family: 4, nowMs: NOW_MS })!;
}

Deno.test("siblings of one row are one network, and a network longer than /64 is not told", () => {
  const { clients } = rows(1).rows!;
  const networks = Array.from({ length: clients[4].count }, (_, i) => formatPrefix(networkAt(clients[4], i)));
  assert.deepEqual(networks, [
    "0.0.0.0/5",
    "8.0.0.0/7",
    "10.0.0.0/8",
    "11.0.0.0/8",
    "12.0.0.0/6",
    "16.0.0.0/4",
    "32.0.0.0/3",
    "64.0.0.0/2",
    "128.0.0.0/2",
    "192.0.0.0/2",
  ]);
  assert.equal(
    rowOf(clients, { family: 6, octets: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, ...Array(8).fill(0)) }),
    DEEP_ROW,
  );
  assert.ok(clients[4].codes.buffer instanceof SharedArrayBuffer);
});

Deno.test("where every client gets the same nodes, rows tell in what order", () => {
  assert.equal(rows(2).tailored, true, "the unlocated get one node");
  const same = snapshot([pool([node("lon", CITIES.london), node("syd", CITIES.sydney)], { answers: 2 })]);
  const made = makePartition({ snapshot: same, geography: WORLD, pool: POOL, family: 4, nowMs: NOW_MS })!;
  assert.equal(made.tailored, false);
  const rowAt = (head: number) =>
    rowOf(made.rows!.clients, { family: 4, octets: Uint8Array.of(head, 0, 0, 0) });
  assert.equal(rowAt(64), rowAt(128));
  assert.notEqual(rowAt(64), rowAt(192));
});
