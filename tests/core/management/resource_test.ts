import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { KEPT_MS, sweepAnswers } from "../../../core/management/idempotency.ts";
import { nodeKind, type NodeValue } from "../../../core/management/nodes.ts";
import { overrideKind } from "../../../core/management/overrides.ts";
import { byKey, type Reader, readerOf } from "../../../core/management/reader.ts";
import { Resources } from "../../../core/management/resource.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { type Entry, StoreUnavailableError } from "../../../core/state/store.ts";
import { ANNA, emptyWorld, faultsIn, problemIn } from "./support.ts";

const PLACE = { latitude: 50.11, longitude: 8.68, country: "DE" };
const node = (id: string, more: Partial<NodeValue> = {}): NodeValue => {
  return { id, addresses: ["192.0.2.1"], location: PLACE, ...more };
};

function nodesOf(world = emptyWorld(), fixed: readonly NodeValue[] = []) {
  return { world, nodes: new Resources(world, nodeKind(() => fixed)) };
}

Deno.test("what is created can be read, with its origin, its tag, and a record of who did it and why", async () => {
  const { world, nodes } = nodesOf();
  const { status, value, etag } = await nodes.create(node("fra1"), ANNA);
  assert.deepEqual([status, value], [201, { ...node("fra1"), origin: "api" }]);
  assert.deepEqual(await nodes.get("fra1"), { value, etag });
  const [record] = await world.audit();
  assert.deepEqual(
    [record!.actor, record!.action, record!.subject, record!.reason, record!.before, record!.after],
    ["token:anna", "node.create", "nodes/fra1", "a test", undefined, value],
  );
});

Deno.test("everything that is not right in a body is told at once, with pointers and the words that were meant", async () => {
  const { nodes, world } = nodesOf();
  const body = {
    id: "fra 1",
    adresses: ["192.0.2.1"],
    location: { latitude: 91, longitud: 8 },
    state: "drian",
    maintenance: [{ from: "2026-12-01", until: "soon" }],
  };
  const { status, type, errors } = await problemIn(() => nodes.create(body, ANNA));
  assert.deepEqual([status, type], [422, "/problems/invalid"]);
  assert.deepEqual(errors!.map(({ pointer, nearest }) => [pointer, nearest]).sort(), [
    ["/addresses", undefined],
    ["/adresses", "addresses"],
    ["/id", undefined],
    ["/location/latitude", undefined],
    ["/location/longitud", "longitude"],
    ["/location/longitude", undefined],
    ["/maintenance/0/until", undefined],
    ["/state", "drain"],
  ]);
  const latitude = errors!.find(({ pointer }) => pointer === "/location/latitude")!;
  assert.equal(latitude.detail, "wanted degrees from -90 to 90, got 91");
  assert.equal(world.store.revision, 0);
});

Deno.test("no node is called as what every object has", async () => {
  const { errors } = await problemIn(() => nodesOf().nodes.create(node("constructor"), ANNA));
  assert.match(
    `${errors![0]!.pointer} ${errors![0]!.detail}`,
    /^\/id wanted a name that no object .* by itself/,
  );
});

Deno.test("a pointer escapes what RFC 6901 escapes", async () => {
  const { nodes } = nodesOf();
  assert.deepEqual(await faultsIn(() => nodes.create({ ...node("fra1"), "a/b~c": 1 }, ANNA)), ["/a~1b~0c"]);
});

Deno.test("a node that no client could reach, or with two addresses of a family, is refused", async () => {
  const { nodes } = nodesOf();
  const addresses = ["192.0.2.1", "224.0.0.1", "192.0.2.2"];
  const faults = await faultsIn(() => nodes.create(node("fra1", { addresses }), ANNA));
  assert.deepEqual(faults, ["/addresses/1", "/addresses/2"]);
});

Deno.test("what is there is not created again", async () => {
  const { nodes } = nodesOf();
  await nodes.create(node("fra1"), ANNA);
  assert.equal((await problemIn(() => nodes.create(node("fra1"), ANNA))).status, 409);
});

Deno.test("put makes what is not there, and replaces what is", async () => {
  const { world, nodes } = nodesOf();
  assert.equal((await nodes.put("fra1", node("fra1", { weight: 2 }), ANNA)).status, 201);
  const { status, value } = await nodes.put("fra1", { addresses: ["192.0.2.9"], location: PLACE }, ANNA);
  assert.deepEqual([status, value], [200, { ...node("fra1"), addresses: ["192.0.2.9"], origin: "api" }]);
  assert.deepEqual((await world.audit()).map(({ action }) => action), ["node.create", "node.update"]);
});

Deno.test("a body's id is the path's", async () => {
  const { nodes } = nodesOf();
  assert.deepEqual(await faultsIn(() => nodes.put("fra1", node("fra2"), ANNA)), ["/id"]);
});

Deno.test("a merge patch changes what it names and takes away what is null (RFC 7396)", async () => {
  const { nodes } = nodesOf();
  await nodes.create(node("fra1", { weight: 2, labels: { role: "entry", rack: "7" } }), ANNA);
  const { value } = await nodes.patch("fra1", { weight: null, labels: { rack: null, row: "b" } }, ANNA);
  assert.deepEqual(value, { ...node("fra1", { labels: { role: "entry", row: "b" } }), origin: "api" });
});

Deno.test("fields that the server sets can be sent back as they are, and no other way", async () => {
  const { nodes } = nodesOf();
  await nodes.create(node("fra1"), ANNA);
  const { value } = await nodes.get("fra1");
  assert.equal((await nodes.put("fra1", { ...value, weight: 2 }, ANNA)).value!.origin, "api");
  assert.deepEqual(await faultsIn(() => nodes.patch("fra1", { origin: "registry" }, ANNA)), ["/origin"]);
  assert.deepEqual(await faultsIn(() => nodes.create(node("fra2", { origin: "static" }), ANNA)), ["/origin"]);
});

Deno.test("what changes nothing writes nothing and records nothing", async () => {
  const { world, nodes } = nodesOf();
  const { etag } = await nodes.create(node("fra1"), ANNA);
  const again = await nodes.patch("fra1", { addresses: ["192.0.2.1"] }, ANNA);
  assert.deepEqual([again.status, again.etag, (await world.audit()).length], [200, etag, 1]);
});

Deno.test("who holds an old tag is told who changed it and when", async () => {
  const { world, nodes } = nodesOf();
  const { etag } = await nodes.create(node("fra1"), ANNA);
  for (let i = 0; i < 9; i++) await nodes.create(node(`x${i}`), ANNA);
  world.clock.advance(60_000);
  await nodes.patch("fra1", { weight: 2 }, { actor: "token:bert" });
  for (let i = 0; i < 9; i++) await nodes.patch(`x${i}`, { weight: 2 }, ANNA);
  for (
    const change of [
      () => nodes.patch("fra1", { weight: 3 }, { ...ANNA, ifMatch: etag! }),
      () => nodes.put("fra1", node("fra1"), { ...ANNA, ifMatch: `"1", ${etag}` }),
      () => nodes.remove("fra1", { ...ANNA, ifMatch: etag! }),
    ]
  ) {
    const { status, changed } = await problemIn(change);
    assert.equal(status, 412);
    assert.deepEqual(changed, { actor: "token:bert", at: "2026-12-01T00:01:00.000Z", record: "fra/11" });
  }
});

Deno.test("the change of another server is found in its chain", async () => {
  const { world, nodes } = nodesOf();
  const { store } = world, elsewhere = { ...world, ledger: new Ledger({ ...world, server: "waw" }) };
  const { etag } = await nodes.create(node("fra1"), ANNA);
  await new Resources(elsewhere, nodeKind()).patch("fra1", { weight: 2 }, { actor: "token:bert" });
  const { changed } = await problemIn(() => nodes.remove("fra1", { ...ANNA, ifMatch: etag! }));
  assert.deepEqual([changed!.actor, changed!.record], ["token:bert", "waw/1"]);
  assert.equal(store.entries.has(KEYS.node("fra1")), true);
});

Deno.test("of several records of one transaction that of the subject tells who it was", async () => {
  const { world, nodes } = nodesOf(), event = { action: "node.update", subject: "nodes/fra1" };
  const { etag } = await nodes.create(node("fra1"), ANNA);
  await world.ledger.write(
    [{ ...event, actor: "token:cleo", subject: "nodes/waw1" }, { ...event, actor: "token:bert" }],
    [{ put: KEYS.node("fra1"), value: JSON.stringify(node("fra1")) }],
  );
  const { changed } = await problemIn(() => nodes.remove("fra1", { ...ANNA, ifMatch: etag! }));
  assert.deepEqual([changed!.actor, changed!.record], ["token:bert", "fra/3"]);
});

Deno.test("If-None-Match: * puts only what is not there; If-Match: * only what is", async () => {
  const { nodes } = nodesOf();
  const ifAbsent = { ...ANNA, ifNoneMatch: "*" }, ifThere = { ...ANNA, ifMatch: "*" };
  assert.equal((await problemIn(() => nodes.put("fra1", node("fra1"), ifThere))).status, 412);
  assert.equal((await nodes.put("fra1", node("fra1"), ifAbsent)).status, 201);
  assert.equal((await problemIn(() => nodes.put("fra1", node("fra1"), ifAbsent))).status, 412);
  assert.equal((await nodes.put("fra1", node("fra1", { weight: 3 }), ifThere)).status, 200);
  assert.equal((await problemIn(() => nodes.put("fra1", {}, { ...ANNA, ifMatch: "17" }))).status, 400);
});

Deno.test("of two changes at once none is lost: the slower is planned on what the faster made", async () => {
  const { world, nodes } = nodesOf();
  await nodes.create(node("fra1"), ANNA);
  world.store.meanwhile = () => {
    world.store.apply([{ put: KEYS.node("fra1"), value: JSON.stringify({ ...node("fra1"), capacity: 7 }) }]);
  };
  const { value } = await nodes.patch("fra1", { weight: 2 }, ANNA);
  assert.deepEqual([value!.capacity, value!.weight], [7, 2]);
});

Deno.test("of two creations at once the slower is told that it is there", async () => {
  const { world, nodes } = nodesOf();
  world.store.meanwhile = () => {
    world.store.apply([{ put: KEYS.node("fra1"), value: JSON.stringify(node("fra1")) }]);
  };
  assert.equal((await problemIn(() => nodes.create(node("fra1"), ANNA))).type, "/problems/exists");
});

Deno.test("what is removed is gone, with what it was in the log", async () => {
  const { world, nodes } = nodesOf();
  const { value } = await nodes.create(node("fra1"), ANNA);
  assert.deepEqual(await nodes.remove("fra1", ANNA), { status: 204 });
  assert.equal((await problemIn(() => nodes.get("fra1"))).status, 404);
  assert.equal((await problemIn(() => nodes.remove("fra1", ANNA))).status, 404);
  assert.deepEqual((await world.audit()).at(-1)!.before, value);
});

Deno.test("with a node goes that it registered", async () => {
  const { world, nodes } = nodesOf();
  await nodes.create(node("fra1"), ANNA);
  world.store.apply([{ put: KEYS.registration("fra1"), value: "{}" }]);
  const { transactions } = world.store;
  await nodes.remove("fra1", ANNA);
  assert.deepEqual(
    [KEYS.node("fra1"), KEYS.registration("fra1")].map((key) => world.store.entries.has(key)),
    [
      ...[false, false],
    ],
  );
  assert.equal(world.store.transactions, transactions + 1);
});

Deno.test("pages go on where the last one ended, whatever came and went meanwhile", async () => {
  const { world, nodes } = nodesOf();
  for (const id of ["a", "b", "c", "d", "e"]) await nodes.create(node(id), ANNA);
  const first = await nodes.list({ limit: 2 });
  await nodes.remove("b", ANNA);
  await nodes.remove("c", ANNA);
  await nodes.create(node("aa"), ANNA);
  const second = await nodes.list({ limit: 2, cursor: first.next! });
  const ids = [...first.items, ...second.items].map(({ value }) => value.id);
  assert.deepEqual([ids, second.next], [["a", "b", "d", "e"], undefined]);
  assert.equal(world.store.entries.size > 0, true);
});

Deno.test("pages that follow each other have everything once", async () => {
  const { nodes } = nodesOf();
  for (const id of ["a", "b", "c", "d", "e"]) await nodes.create(node(id), ANNA);
  const ids: string[] = [];
  for (let cursor: string | undefined; ids.length < 9;) {
    const page = await nodes.list(cursor === undefined ? { limit: 2 } : { limit: 2, cursor });
    ids.push(...page.items.map(({ value }) => value.id));
    if ((cursor = page.next) === undefined) break;
  }
  assert.deepEqual(ids, ["a", "b", "c", "d", "e"]);
});

Deno.test("lists are narrowed by filters, and an unknown one is told", async () => {
  const { nodes } = nodesOf();
  await nodes.create(node("a", { region: "eu", labels: { role: "entry" } }), ANNA);
  await nodes.create(node("b", { region: "us" }), ANNA);
  const idsBy = async (filters: Record<string, string>) =>
    (await nodes.list({}, filters)).items.map(({ value }) => value.id);
  assert.deepEqual(await idsBy({ region: "us" }), ["b"]);
  assert.deepEqual(await idsBy({ label: "role=entry", region: "eu" }), ["a"]);
  assert.deepEqual(await idsBy({ label: "role=exit" }), []);
  assert.match((await problemIn(() => idsBy({ regoin: "us" }))).detail, /did you mean 'region'/);
  assert.equal((await problemIn(() => nodes.list({ limit: 0 }))).status, 400);
  assert.equal((await problemIn(() => nodes.list({ cursor: "é" }))).status, 400);
});

Deno.test("nodes of a list are listed with the others, and are not changed here", async () => {
  const { nodes } = nodesOf(emptyWorld(), [node("b", { origin: "static" })]);
  await nodes.create(node("a"), ANNA);
  await nodes.create(node("c"), ANNA);
  const { items } = await nodes.list({ limit: 2 });
  assert.deepEqual(items.map(({ value }) => [value.id, value.origin]), [["a", "api"], ["b", "static"]]);
  assert.equal((await nodes.get("b")).value.origin, "static");
  assert.equal((await problemIn(() => nodes.remove("b", ANNA))).type, "/problems/fixed");
  assert.equal((await problemIn(() => nodes.create(node("b"), ANNA))).type, "/problems/exists");
});

Deno.test("a request that comes again with its key is answered as before, and done once", async () => {
  const { world, nodes } = nodesOf();
  const asking = { ...ANNA, idempotencyKey: "k1" };
  const first = await nodes.create(node("fra1"), asking);
  await nodes.patch("fra1", { weight: 5 }, ANNA);
  assert.deepEqual(await nodes.create(node("fra1"), asking), first);
  assert.equal((await world.audit()).length, 2);
});

Deno.test("whoever did not hear whether it was done asks again, and hears it", async () => {
  const { world, nodes } = nodesOf();
  const asking = { ...ANNA, idempotencyKey: "k1" };
  const transact = world.store.transact.bind(world.store);
  world.store.transact = async (...args) => {
    await transact(...args);
    world.store.transact = transact;
    throw new StoreUnavailableError("the answer was lost");
  };
  await assert.rejects(() => nodes.create(node("fra1"), asking), StoreUnavailableError);
  assert.equal((await nodes.create(node("fra1"), asking)).status, 201);
  assert.equal((await world.audit()).length, 1);
});

Deno.test("another request of the same key is refused, another's key is another, and a day later it is free", async () => {
  const { world, nodes } = nodesOf();
  const asking = { ...ANNA, idempotencyKey: "k1" };
  await nodes.create(node("fra1"), asking);
  const { status, type } = await problemIn(() => nodes.create(node("fra2"), asking));
  assert.deepEqual([status, type], [422, "/problems/key-reused"]);
  await nodes.create(node("fra2"), { ...asking, actor: "token:bert" });
  world.clock.advance(KEPT_MS);
  assert.equal((await nodes.create(node("fra3"), asking)).status, 201);
});

Deno.test("two requests of one key at the same time are one", async () => {
  const { world, nodes } = nodesOf();
  const asking = { ...ANNA, idempotencyKey: "k1" };
  const answers = await Promise.all([nodes.create(node("fra1"), asking), nodes.create(node("fra1"), asking)]);
  assert.deepEqual(answers[0], answers[1]);
  assert.equal((await world.audit()).length, 1);
});

Deno.test("two requests of one key at the same time are one, also where the server gives the id", async () => {
  const world = emptyWorld(), overrides = new Resources(world, overrideKind());
  const body = { target: { node: "fra1" }, state: "drain", until: "2026-12-02", reason: "kernel" };
  const asking = { ...ANNA, idempotencyKey: "k1" };
  const answers = await Promise.all([overrides.create(body, asking), overrides.create(body, asking)]);
  assert.deepEqual(answers[0], answers[1]);
  assert.equal((await overrides.list()).items.length, 1);
});

Deno.test("answers are swept when a day is over, not before", async () => {
  const { world, nodes } = nodesOf();
  for (let i = 0; i < 70; i++) await nodes.create(node(`n${i}`), { ...ANNA, idempotencyKey: `k${i}` });
  world.clock.advance(KEPT_MS - 1);
  await nodes.create(node("last"), { ...ANNA, idempotencyKey: "last" });
  assert.equal(await sweepAnswers(world.store, world.clock.nowMs()), 0);
  world.clock.advance(1);
  assert.equal(await sweepAnswers(world.store, world.clock.nowMs()), 70);
  assert.equal((await world.store.list(PREFIXES.idempotency)).entries.length, 1);
});

Deno.test("a replica can be read in the store's place, in the order of keys", async () => {
  const entries = ["nodes/b", "nodes/a"].map((key) => {
    return { key, value: JSON.stringify(node(key.slice(6))), revision: 3, version: 1 };
  });
  const reader = readerOf({
    revision: 3,
    get: () => undefined,
    *below() {
      yield* entries;
    },
  });
  const nodes = new Resources({ ...emptyWorld(), reader }, nodeKind());
  assert.deepEqual((await nodes.list()).items.map(({ value, etag }) => [value.id, etag]), [["a", '"3"'], [
    "b",
    '"3"',
  ]]);
  assert.equal(byKey(entries[0]!, entries[1]!), 1);
});

Deno.test("a page of thousands is read and no more of them, and others who ask have their turn", async () => {
  const world = emptyWorld(), count = 2000;
  const idOf = (i: number) => `n${String(i).padStart(5, "0")}`;
  let reads = 0;
  const entries = Array.from({ length: count }, (_, i): Entry => {
    const text = JSON.stringify({
      ...node(idOf(i), { region: i % 1000 === 999 ? "far" : "near" }),
      origin: "api",
    });
    return {
      ...{ key: KEYS.node(idOf(i)), revision: i + 1, version: 1 },
      get value() {
        reads++;
        return text;
      },
    };
  });
  const reader: Reader = {
    get: () => Promise.resolve(undefined),
    list: () => Promise.resolve({ revision: count, entries }),
  };
  const nodes = new Resources({ ...world, reader }, nodeKind(() => []));
  const first = await nodes.list({ limit: 10 });
  assert.ok(reads <= 11, `${reads} read for a page of 10`);
  assert.deepEqual(first.items.map(({ value, etag }) => [value.id, etag])[9], [idOf(9), '"10"']);
  // As often as the event loop goes round, it is looked how much has been read meanwhile.
  let most = 0, before = reads = 0, seen = 0, isDone = false;
  const look = () => {
    [most, before] = [Math.max(most, reads - before), reads];
    if (!isDone) setImmediate(look);
  };
  look();
  const far = await nodes.list({ limit: 10 }, { region: "far" });
  isDone = true;
  assert.ok(most > 0 && most <= 128, `${most} in one turn`);
  assert.deepEqual(far.items.map(({ value }) => value.id), [idOf(999), idOf(1999)]);
  assert.equal(far.next, undefined);
  assert.equal(reads, count);
  for (
    let page = await nodes.list({ limit: 999 });;
    page = await nodes.list({ limit: 999, cursor: page.next })
  ) {
    seen += page.items.length;
    if (page.next === undefined) break;
  }
  assert.equal(seen, count, "once each");
});
