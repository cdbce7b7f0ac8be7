import assert from "node:assert/strict";
import {
  currentDemand,
  Demands,
  demandText,
  sweepDemand,
  VERSIONS_MAX,
} from "../../../core/management/demand.ts";
import { getServer, healthSummary, listHealth, listServers } from "../../../core/management/servers.ts";
import { digestOf } from "../../../core/state/canonical.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { ANNA, emptyWorld, faultsIn, problemIn } from "./support.ts";

Deno.test("demand of many networks is kept in rows, and read back whole", async () => {
  const world = emptyWorld(), demands = new Demands(world);
  const networks = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [`10.${i >> 8}.${i & 255}.0/24`, i]),
  );
  const { status, value } = await demands.put({ source: "logs", networks }, ANNA);
  assert.deepEqual([status, value!.number, value!.networks, value!.total], [201, 1, 10_000, 49_995_000]);
  const current = await currentDemand(world.store);
  assert.deepEqual([current!.number, Object.fromEntries(current!.networks)], [1, networks]);
  assert.equal(JSON.stringify(await world.audit()).length < 1000, true);
});

Deno.test("an older version can be made the current one again", async () => {
  const world = emptyWorld(), demands = new Demands(world);
  await demands.put({ source: "given", networks: { "198.51.100.0/24": 1 } }, ANNA);
  await demands.put({ source: "given", networks: { "198.51.100.0/24": 2 } }, ANNA);
  assert.deepEqual((await demands.list()).items.map(({ number }) => number), [2, 1]);
  assert.deepEqual([...(await currentDemand(world.store))!.networks], [["198.51.100.0/24", 2]]);
  await demands.use(1, ANNA);
  assert.deepEqual([...(await currentDemand(world.store))!.networks], [["198.51.100.0/24", 1]]);
  assert.equal((await problemIn(() => demands.use(3, ANNA))).status, 404);
});

Deno.test("what is no network, is there twice, or asks for less than nothing is told", async () => {
  const demands = new Demands(emptyWorld());
  const put = (networks: Record<string, number>) => demands.put({ source: "given", networks }, ANNA);
  assert.deepEqual(await faultsIn(() => put({ "198.51.100.0/33": 1, "x": 1 })), [
    "/networks/198.51.100.0~133",
    "/networks/x",
  ]);
  assert.deepEqual(await faultsIn(() => put({ "2001:db8::/32": 1, "2001:0db8::/32": 1 })), [
    "/networks/2001:0db8::~132",
  ]);
  assert.deepEqual(await faultsIn(() => put({ "198.51.100.0/24": -1 })), ["/networks/198.51.100.0~124"]);
  assert.deepEqual(await faultsIn(() => put({})), ["/networks"]);
});

Deno.test("rows that no version names are swept, when nobody can be about to name them", async () => {
  const world = emptyWorld(), demands = new Demands(world);
  await demands.put({ source: "given", networks: { "198.51.100.0/24": 1 } }, ANNA);
  const began = world.clock.nowMs().toString(36);
  world.store.apply([{ put: `${KEYS.demandRows(`${began}-left`)}000000`, value: "{}" }]);
  assert.equal(await sweepDemand(world.store, world.clock.nowMs()), 0);
  assert.equal(await sweepDemand(world.store, world.clock.nowMs() + 3_600_001), 1);
  assert.equal((await world.store.list(PREFIXES.demandRows)).entries.length, 1);
});

Deno.test("servers are told with what they answer by", async () => {
  const { store } = emptyWorld();
  const value = { region: "eu", url: "https://fra", version: "1", digest: "abc", nowMs: 0, key: "PEM" };
  store.apply([{ put: KEYS.server("fra"), value: JSON.stringify(value) }]);
  const { items } = await listServers(store, {}, { region: "eu" });
  assert.deepEqual(items, [await getServer(store, "fra")]);
  assert.deepEqual([items[0]!.id, items[0]!.digest, items[0]!.pulse], [
    "fra",
    "abc",
    "1970-01-01T00:00:00.000Z",
  ]);
  assert.equal((await problemIn(() => getServer(store, "waw"))).status, 404);
});

Deno.test("health is counted, and what is not up is named, the worst first", () => {
  const one = (node: string, state: "up" | "degraded" | "down" | "unknown") => {
    return { node, pools: ["p."], address: node, target: `${node} tcp 443`, state, since: "", reason: "" };
  };
  const all = [one("a", "up"), one("b", "unknown"), one("c", "down"), one("d", "degraded"), one("e", "up")];
  const { states, notUp } = healthSummary(all);
  assert.deepEqual([states, notUp.map(({ node }) => node)], [{ up: 2, degraded: 1, down: 1, unknown: 1 }, [
    "c",
    "d",
    "b",
  ]]);
  assert.deepEqual(listHealth(all, { limit: 1 }, { state: "up" }).items.map(({ node }) => node), ["a"]);
});

Deno.test("of many networks others have a turn after each two thousand, and the digest is that of all", async () => {
  let turns = 0;
  const rest = () => Promise.resolve(void turns++), world = emptyWorld();
  const demands = new Demands({ ...world, rest });
  const networks = Object.fromEntries(
    Array.from({ length: 20_001 }, (_, i) => [`10.${i >> 8}.${i & 255}.0/24`, i / 7]),
  );
  const { value } = await demands.put({ source: "logs", networks }, ANNA);
  // Ten times while they are read, eleven while they are hashed.
  assert.ok(turns >= 21, `${turns}`);
  assert.equal(value!.digest, digestOf(networks));
  turns = 0;
  const current = await currentDemand(world.store, rest);
  assert.deepEqual(Object.fromEntries(current!.networks), networks);
  assert.equal(turns, 11);
  const pieces = await Array.fromAsync(demandText(world.store, value!));
  assert.deepEqual(JSON.parse(pieces.join("")), { source: "logs", networks });
  assert.ok(pieces.every(({ length }) => length < 100_000));
});

Deno.test("the oldest version goes when one more than is kept comes, and the current one stays", async () => {
  const world = emptyWorld(), demands = new Demands(world);
  const put = (demand: number) =>
    demands.put({ source: "given", networks: { "198.51.100.0/24": demand } }, ANNA);
  const numbers = async () => (await demands.list()).items.map(({ number }) => number);
  for (let i = 1; i <= VERSIONS_MAX; i++) await put(i);
  await demands.use(1, ANNA);
  await put(9);
  assert.deepEqual(await numbers(), [9, 8, 7, 6, 5, 4, 3, 1]);
  const removed = (await world.audit()).filter(({ action }) => action === "demand.delete");
  assert.deepEqual(removed.map(({ subject, reason }) => [subject, reason]), [
    ["demand/versions/2", "only 8 are kept"],
  ]);
  await put(10);
  assert.deepEqual(await numbers(), [10, 9, 8, 7, 6, 5, 4, 3]);
});

Deno.test("what is no map of networks is told, and of many mistakes the first hundred", async () => {
  const demands = new Demands(emptyWorld());
  const put = (networks: unknown) => demands.put({ source: "given", networks }, ANNA);
  for (const networks of [[], "x", 1, undefined]) {
    assert.deepEqual(await faultsIn(() => put(networks)), ["/networks"]);
  }
  for (const demand of ["1", null, [], {}]) {
    assert.deepEqual(await faultsIn(() => put({ "198.51.100.0/24": demand })), [
      "/networks/198.51.100.0~124",
    ]);
  }
  const wrong = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`x${i}`, 1]));
  assert.equal((await faultsIn(() => put(wrong))).length, 100);
});
