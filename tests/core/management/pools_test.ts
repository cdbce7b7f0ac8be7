import assert from "node:assert/strict";
import { managedPolicy, poolKind } from "../../../core/management/pools.ts";
import { Resources } from "../../../core/management/resource.ts";
import { ANNA, emptyWorld, faultsIn, problemIn } from "./support.ts";
import { policy } from "../fleet/make.ts";

const NAMES = ["entry.example.", "relay.example."];
const poolsOf = () => new Resources(emptyWorld(), poolKind(() => NAMES));

Deno.test("a managed pool says what takes the place of the Corefile's, and no more", async () => {
  const { value } = await poolsOf().create(
    { name: NAMES[0], answers: 3, ring: { share: 0.1, km: 50 } },
    ANNA,
  );
  const base = policy({ answers: 1, threshold: 0.4 });
  assert.deepEqual(managedPolicy(base, value), { ...base, answers: 3, ring: { share: 0.1, km: 50 } });
  assert.equal(managedPolicy(base, undefined), base);
});

Deno.test("what is not right in a pool is told", async () => {
  const pools = poolsOf(), [name] = NAMES;
  for (
    const [body, ...faults] of [
      [{ name: "entry.example" }, "/name"],
      [{ name: "Entry.example." }, "/name"],
      [{ name: "other.example." }, "/name"],
      [{ name, answers: 1.5 }, "/answers"],
      [{ name, threshold: 2, strategy: "cubic" }, "/strategy", "/threshold"],
      [
        { name, unknown: { policy: "nearest", latitude: 1, nodes: ["a"] } },
        "/unknown/longitude",
        "/unknown/nodes",
      ],
      [{ name, allDown: { policy: "pool" } }, "/allDown/pool"],
      [{ name, allDown: { policy: "nodata", pool: NAMES[1] } }, "/allDown/pool"],
      [{ name, allDown: { policy: "pool", pool: name } }, "/allDown/pool"],
    ] as const
  ) {
    assert.deepEqual((await faultsIn(() => pools.create(body, ANNA))).sort(), faults, JSON.stringify(body));
  }
});

Deno.test("a pool that another spills into stays", async () => {
  const pools = poolsOf(), [entry, relay] = NAMES;
  await pools.create({ name: relay }, ANNA);
  await pools.create({ name: entry, allDown: { policy: "pool", pool: relay } }, ANNA);
  assert.equal((await problemIn(() => pools.remove(relay!, ANNA))).type, "/problems/conflict");
  await pools.remove(entry!, ANNA);
  assert.equal((await pools.remove(relay!, ANNA)).status, 204);
});
