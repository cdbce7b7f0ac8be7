/**
 * Partitions made of the ones before them against such as are made from all leaves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { rowOf } from "../../../core/fleet/client_table.ts";
import { makePartition, type Partition } from "../../../core/fleet/partition.ts";
import { keyOfConsulted } from "../../../core/fleet/partition_outcomes.ts";
import { staying, updatedFrom } from "../../../core/fleet/partition_update.ts";
import { type Geography, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import type { Family } from "../../../core/net/address.ts";
import { networkAt, type NetworkTable } from "../../../core/net/network_table.ts";
import { DEEP_ROW } from "../../../core/net/network_rows.ts";
import { tableBuilder } from "../../../core/net/table_builder.ts";
import { generator } from "../../../core/prove/states.ts";
import { CITIES, geography, node, NOW_MS, POOL, pool, snapshot, verdicts } from "./make.ts";

const CITIES_HERE = Object.values(CITIES);

/** Some of them at one address. */
const NODES = Object.entries(CITIES).map(([id, at], i) =>
  node(id, at, { ipv4: `192.0.2.${1 + Math.min(i, 7)}` })
);

/** Leaves by chance: near each other they tend to be alike, some are special, and some longer than a /64. */
function randomLeaves(family: Family, random: () => number): NetworkTable {
  const builder = tableBuilder(family);
  let specials = 0;
  const divide = (length: number, place: number, dives = false): void => {
    const moved = random() < 0.3 ? Math.floor(random() * (CITIES_HERE.length + 1)) : place;
    const mayDive = family === 6 && (dives || random() < 0.002), most = family === 4 ? 24 : 68;
    const divides = length < 7 || (mayDive && length < 61) ||
      random() < (length < 12 || length > 60 ? 0.6 : 0.48);
    if (length < most && divides) {
      divide(length + 1, moved, mayDive);
      divide(length + 1, moved);
    } else {
      builder.append(length, random() < 0.02 ? SPECIAL_CLASS_FIRST + specials++ : moved);
    }
  };
  divide(0, 0);
  return builder.finish();
}

function randomWorld(random: () => number): Geography {
  return { ...geography(CITIES_HERE, {}), v4: randomLeaves(4, random), v6: randomLeaves(6, random) };
}

/** What each leaf's clients are told, beside the numbers of their rows; rows are the same where the others' are. */
function assertSame(updated: Partition, whole: Partition, { v4, v6 }: Geography): void {
  assert.equal(updated.tailored, whole.tailored);
  const told = ({ rows, consulted }: Partition) => {
    const looks = consulted.map(keyOfConsulted);
    return Array.from(rows!.scopes, (scope, row) => `/${scope} ${looks[rows!.consulted[row]!]!}`);
  };
  const [here, there] = [told(updated), told(whole)], others = new Map<number, number>();
  for (const leaves of [v4, v6]) {
    for (let entry = 0; entry < leaves.count; entry++) {
      const leaf = networkAt(leaves, entry);
      const row = rowOf(updated.rows!.clients, leaf), other = rowOf(whole.rows!.clients, leaf);
      const known = others.get(row) ?? other;
      others.set(row, other);
      // Leaves are many, and an assertion takes longer than all else.
      if (row === DEEP_ROW || other === DEEP_ROW) assert.equal(row, other);
      else if (here[row] !== there[other] || known !== other) {
        assert.fail(`leaf ${entry} of IPv${leaves.family}: ${here[row]}, not ${there[other]}`);
      }
    }
  }
}

const UNKNOWN: readonly PoolPolicy["unknown"][] = [
  { policy: "all" },
  { policy: "nodes", nodes: ["perth", "paris", "london"] },
  { policy: "nearest", latitude: 1, longitude: 100 },
];

Deno.test("a partition made of the one before says what one made of all leaves does", () => {
  let updates = 0, leaves = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const random = generator(seed), world = randomWorld(random);
    const states: Record<string, "up" | "down"> = {};
    const more = { answers: 1 + seed % 3, unknown: UNKNOWN[seed % UNKNOWN.length]! };
    const jobOf = (epoch: number) => ({
      snapshot: snapshot([pool(NODES, more, { epoch })], { verdicts: verdicts(NODES, states) }),
      ...{ geography: world, pool: POOL, family: 4 as const, nowMs: NOW_MS },
    });
    let before = makePartition(jobOf(1))!;
    for (let epoch = 2; epoch < 9; epoch++) {
      for (let i = 0; i <= epoch % 3; i++) {
        const { id } = NODES[Math.floor(random() * NODES.length)]!;
        states[id] = states[id] === "down" ? "up" : "down";
      }
      const job = jobOf(epoch), whole = makePartition(job)!, updated = updatedFrom(before, job);
      if (updated) {
        assertSame(updated, whole, world);
        assert.deepEqual(
          { ...updated, rows: 0, consulted: 0 } as unknown,
          { ...whole, rows: 0, consulted: 0 } as unknown,
        );
        updates++;
        leaves += world.v4.count + world.v6.count;
      }
      before = updated ?? whole;
    }
  }
  assert.ok(updates > 40 && leaves > 20_000, `${updates} of ${leaves} leaves`);
});

Deno.test("a partition is made of all leaves where more than who serves has changed, or all get the same", () => {
  const world = randomWorld(generator(7));
  const jobOf = (states: Parameters<typeof verdicts>[1], more: Partial<PoolPolicy> = {}) => ({
    snapshot: snapshot([pool(NODES, more)], { verdicts: verdicts(NODES, states) }),
    ...{ geography: world, pool: POOL, family: 4 as const, nowMs: NOW_MS },
  });
  const before = makePartition(jobOf({}))!;
  assert.ok(updatedFrom(before, jobOf({ paris: "down" })));
  assert.equal(makePartition({ ...jobOf({ paris: "down" }), before })!.rows!.networks, before.rows!.networks);
  assert.equal(updatedFrom(before, jobOf({ paris: "down" }, { answers: 2 })), undefined);
  assert.equal(updatedFrom(before, jobOf({ paris: "down" }, { maxDistanceKm: 9000 })), undefined);
  assert.equal(
    updatedFrom(before, { ...jobOf({ paris: "down" }), geography: { ...world, epoch: 2 } }),
    undefined,
  );
  const allBut = (id: string) =>
    Object.fromEntries(NODES.map((node) => [node.id, node.id === id ? "up" as const : "down" as const]));
  const alone = jobOf({ ...allBut("sydney"), perth: "up" });
  const two = makePartition(alone)!;
  assert.equal(two.tailored, true);
  assert.equal(updatedFrom(two, jobOf(allBut("sydney"))), undefined);
  assert.equal(makePartition({ ...jobOf(allBut("sydney")), before: two })!.tailored, false);
});

const allDown = (nodes: readonly { id: string }[]) =>
  Object.fromEntries(nodes.map(({ id }) => [id, "down" as const]));

Deno.test("a partition made of the other family's says what one made of all leaves does, where addresses are alike", () => {
  const world = randomWorld(generator(11));
  const jobOf = (family: Family, down: readonly string[], offset: (i: number) => number) => {
    const nodes = NODES.map((one, i) => ({ ...one, ipv6: `2001:db8::${offset(i)}` }));
    return {
      snapshot: snapshot([pool(nodes)], { verdicts: verdicts(nodes, allDown(down.map((id) => ({ id })))) }),
      ...{ geography: world, pool: POOL, family, nowMs: NOW_MS },
    };
  };
  const alike = (i: number) => 1 + Math.min(i, 7), apart = (i: number) => 1 + i;
  const before = makePartition(jobOf(6, [], alike))!;
  const job = jobOf(4, ["paris"], alike), updated = updatedFrom(before, job);
  assert.equal(updated?.family, 4);
  assertSame(updated, makePartition(job)!, world);
  assert.equal(updatedFrom(makePartition(jobOf(6, [], apart))!, jobOf(4, ["paris"], apart)), undefined);
});

Deno.test("a partition is made of all leaves where many nodes have changed at once", () => {
  const nodes = [0, 1].flatMap((more) =>
    Object.entries(CITIES).map(([id, [latitude, longitude]]) =>
      node(`${id}${more}`, [latitude - 3 * more, longitude + 3 * more])
    )
  );
  const jobOf = (changed: number) => ({
    snapshot: snapshot([pool(nodes)], { verdicts: verdicts(nodes, allDown(nodes.slice(0, changed))) }),
    ...{ geography: randomWorld(generator(12)), pool: POOL, family: 4 as const, nowMs: NOW_MS },
  });
  const before = makePartition(jobOf(0))!;
  assert.ok(updatedFrom(before, jobOf(8)));
  assert.ok(updatedFrom(before, jobOf(9)) === undefined);
});

Deno.test("a partition is made of all leaves where more is looked at than its rows' keys tell apart", () => {
  const geography = randomWorld(generator(13));
  const jobOf = (down: readonly string[]) => ({
    snapshot: snapshot([pool(NODES)], { verdicts: verdicts(NODES, allDown(down.map((id) => ({ id })))) }),
    ...{ geography, pool: POOL, family: 4 as const, nowMs: NOW_MS },
  });
  const before = makePartition(jobOf([]))!, [anything] = before.consulted;
  const withLooks = (count: number): Partition => ({
    ...before,
    consulted: [...before.consulted, ...new Array(count - before.consulted.length).fill(anything)],
  });
  const isMade = (looks: number, ...down: string[]) =>
    updatedFrom(withLooks(looks), jobOf(down)) !== undefined;
  assert.equal(isMade(2 ** 20 - 2, "perth", "sydney", "singapore"), true, "two more are looked at");
  assert.equal(isMade(2 ** 20 - 1, "perth", "sydney", "singapore"), false);
  assert.equal(isMade(2 ** 20, "paris"), false);
});

Deno.test("staying() takes any number of rows", () => {
  const consulted = Uint32Array.from({ length: 200_000 }, (_, row) => row % 150_000),
    isOld = new Uint8Array(200_000);
  isOld[7] = isOld[149_999] = isOld[100_000] = 1;
  const stay = staying({ consulted }, isOld);
  assert.deepEqual([stay.length, stay[7], stay[149_999], stay[100_000], stay[8]], [150_000, 1, 0, 0, 1]);
});
