import assert from "node:assert/strict";
import type { CorefilePool, PoolTaker } from "../../../core/fleet/hub.ts";
import { policyOf } from "../../../core/fleet/pool_terms.ts";
import { managedPool, poolKind, type PoolValue } from "../../../core/management/pools.ts";
import { Resources } from "../../../core/management/resource.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { ANNA, emptyWorld, faultsIn, problemIn } from "./support.ts";

const TAKER: PoolTaker = {
  ...{ block: "1", zones: ["example."], checks: ["tls", "web"], nodes: [], registered: true },
};
const ENTRY = "entry.example.", RELAY = "relay.example.", OLD = "old.example.";
const COREFILE: readonly CorefilePool[] = [{
  name: OLD,
  select: { role: "old" },
  policy: policyOf(OLD, { select: { role: "old" }, answers: 3, allDown: { policy: "nodata" } }),
  owners: [OLD, "older.example."],
}];

function poolsOf(pools = COREFILE, takers: readonly PoolTaker[] = [TAKER]) {
  const world = emptyWorld();
  return { world, pools: new Resources(world, poolKind(() => ({ pools, takers }))) };
}

Deno.test("a managed pool comes to the policy that the same words come to in a Corefile", async () => {
  const { pools } = poolsOf();
  const { value } = await pools.create(
    { name: ENTRY, answers: 3, compat: true, bias: { country: 0.2 } },
    ANNA,
  );
  assert.deepEqual(value, { name: ENTRY, answers: 3, compat: true, bias: { country: 0.2 }, origin: "api" });
  assert.deepEqual(policyOf(ENTRY, managedPool(value!)), {
    ...{ name: ENTRY, select: {}, answers: 3, strategy: "linear", compat: true, threshold: 0 },
    ...{ bias: { region: 0.8, country: 0.2, maxKm: 1000 }, maxDistanceKm: Infinity },
    ...{ unknown: { policy: "all" }, allDown: { policy: "last-known-good" } },
  });
});

Deno.test("what is not right in a pool is told", async () => {
  const { pools } = poolsOf(), name = ENTRY;
  for (
    const [body, ...faults] of [
      [{ name: "entry.example" }, "/name"],
      [{ name: "Entry.example." }, "/name"],
      [{ name: "entry.other." }, "/name"],
      [{ name: "older.example." }, "/name"],
      [{ name, answers: 1.5 }, "/answers"],
      [{ name, answers: 17 }, "/answers"],
      [{ name, threshold: 2, strategy: "cubic" }, "/strategy", "/threshold"],
      [{ name, bias: { region: 1.1 }, maxDistanceKm: -1 }, "/bias/region", "/maxDistanceKm"],
      [{ name, checks: ["tls", "wbe"] }, "/checks/1"],
      [
        { name, unknown: { policy: "nearest", latitude: 1, nodes: ["a"] } },
        "/unknown/longitude",
        "/unknown/nodes",
      ],
      [{ name, allDown: { policy: "pool" } }, "/allDown/pool"],
      [{ name, allDown: { policy: "nodata", pool: OLD } }, "/allDown/pool"],
      [{ name, allDown: { policy: "pool", pool: name } }, "/allDown/pool"],
      [{ name, allDown: { policy: "pool", pool: RELAY } }, "/allDown/pool"],
      [{ name, maxDistanceKm: 5000, allDown: { policy: "servfail" } }, "/allDown/policy"],
      [{ name, maxDistanceKm: 5000, allDown: { policy: "pool", pool: OLD } }, "/allDown/policy"],
      [{ name, origin: "corefile" }, "/origin"],
    ] as const
  ) {
    assert.deepEqual((await faultsIn(() => pools.create(body, ANNA))).sort(), faults, JSON.stringify(body));
  }
});

Deno.test("a mistyped word is told with the one that was probably meant", async () => {
  const { pools } = poolsOf();
  const nearestOf = async (body: object) => {
    const { errors } = await problemIn(() => pools.create({ name: ENTRY, ...body }, ANNA));
    return errors?.map(({ nearest }) => nearest);
  };
  assert.deepEqual(await nearestOf({ strategy: "liner" }), ["linear"]);
  assert.deepEqual(await nearestOf({ answer: 1 }), ["answers"]);
  assert.deepEqual(await nearestOf({ checks: ["wbe"] }), ["web"]);
  assert.deepEqual(await nearestOf({ allDown: { policy: "pool", pool: "odl.example." } }), [OLD]);
});

Deno.test("pools must not spill round in a circle, nor by distance to where nothing is answered, whoever is changed last", async () => {
  const { pools } = poolsOf();
  const spilling = (pool: string, more = {}) => ({ allDown: { policy: "pool", pool }, ...more });
  await pools.create({ name: RELAY }, ANNA);
  await pools.create({ name: ENTRY, ...spilling(RELAY, { maxDistanceKm: 500 }) }, ANNA);
  const change = (patch: object) => pools.patch(RELAY, patch, ANNA);
  assert.deepEqual(await faultsIn(() => change(spilling(ENTRY))), ["/allDown/pool"]);
  assert.deepEqual(await faultsIn(() => change({ allDown: { policy: "nodata" } })), ["/allDown/policy"]);
  assert.equal((await change({ allDown: { policy: "fail-open" } })).status, 200);
});

Deno.test("a pool that another spills into stays", async () => {
  const { pools } = poolsOf();
  await pools.create({ name: RELAY }, ANNA);
  await pools.create({ name: ENTRY, allDown: { policy: "pool", pool: RELAY } }, ANNA);
  assert.equal((await problemIn(() => pools.remove(RELAY, ANNA))).type, "/problems/conflict");
  await pools.remove(ENTRY, ANNA);
  assert.equal((await pools.remove(RELAY, ANNA)).status, 204);
});

Deno.test("a server that answers no managed pools takes none, but lets go of what is there", async () => {
  const { world, pools } = poolsOf([], []);
  const { errors } = await problemIn(() => pools.create({ name: ENTRY }, ANNA));
  assert.match(errors![0]!.detail, /want `anycast managed` in a server block/);
  world.store.apply([{ put: KEYS.pool(ENTRY), value: JSON.stringify({ name: ENTRY }) }]);
  assert.equal((await pools.patch(ENTRY, { answers: 1 }, ANNA)).value!.answers, 1);
  assert.equal((await pools.remove(ENTRY, ANNA)).status, 204);
});

Deno.test("pools of the Corefile are listed, changed there alone, and hide what the store has of their names", async () => {
  const { world, pools } = poolsOf();
  const shown = async () => (await pools.list()).items.map(({ value }) => value);
  const old: PoolValue = {
    ...{ name: OLD, select: { role: "old" }, answers: 3, strategy: "linear", threshold: 0 },
    bias: { region: 0, country: 0, maxKm: 1000 },
    ...{ unknown: { policy: "all" }, allDown: { policy: "nodata" }, origin: "corefile" },
  };
  const kindOf = async (run: () => Promise<unknown>) => (await problemIn(run)).type;
  assert.deepEqual(await shown(), [old]);
  assert.equal(await kindOf(() => pools.create({ name: OLD }, ANNA)), "/problems/exists");
  assert.equal(await kindOf(() => pools.put(OLD, {}, ANNA)), "/problems/fixed");
  assert.equal(await kindOf(() => pools.patch(OLD, { answers: 1 }, ANNA)), "/problems/fixed");
  assert.equal(await kindOf(() => pools.remove(OLD, ANNA)), "/problems/fixed");
  // Made before the Corefile had one of this name, or on a server that has none.
  world.store.apply([{ put: KEYS.pool(OLD), value: JSON.stringify({ name: OLD, answers: 1 }) }]);
  assert.deepEqual(await shown(), [old]);
  assert.deepEqual((await pools.get(OLD)).value, old);
  assert.equal(await kindOf(() => pools.patch(OLD, { answers: 2 }, ANNA)), "/problems/fixed");
  assert.equal((await pools.remove(OLD, ANNA)).status, 204);
  assert.deepEqual(await shown(), [old]);
});
