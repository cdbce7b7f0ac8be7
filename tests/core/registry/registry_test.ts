import assert from "node:assert/strict";
import { NODES } from "../../../core/registry/hearings.ts";
import {
  type NodeRecord,
  readRecord,
  readRegistration,
  type RegistrationRecord,
} from "../../../core/registry/node_record.ts";
import { CHALLENGE_MS } from "../../../core/registry/proof.ts";
import { type ProblemCode, type Proof, RegistryProblem } from "../../../core/registry/protocol.ts";
import type { Registry } from "../../../core/registry/registry.ts";
import type { AuditRecord } from "../../../core/state/audit.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { BEAT, document, makeServer, ORIGIN, settled, TestKey } from "./make.ts";
import type { MemoryStore } from "./memory_store.ts";

const recordOf = (store: MemoryStore, id = "fra1"): NodeRecord | undefined => {
  const entry = store.entries.get(KEYS.node(id));
  return entry && readRecord(id, entry);
};
const registrationOf = (store: MemoryStore, id = "fra1"): RegistrationRecord | undefined => {
  const entry = store.entries.get(KEYS.registration(id));
  return entry && readRegistration(entry);
};
const audited = (store: MemoryStore) =>
  [...store.entries.values()].filter(({ key }) => key.startsWith(PREFIXES.audit))
    .map(({ value }) => JSON.parse(value) as AuditRecord);

/** That something is refused, and as what. */
async function refused(code: ProblemCode, run: () => unknown, message = /./): Promise<RegistryProblem> {
  const problem = await Promise.resolve().then(run).then(() => undefined, (error) => error);
  assert.ok(problem instanceof RegistryProblem, `${problem ?? `${code} was wanted, and it was done`}`);
  assert.equal(problem.code, code, problem.message);
  assert.match(problem.message, message);
  return problem;
}

const register = (registry: Registry, proof: Proof, node = document()) => registry.register({ node, proof });

Deno.test("a node joins by a token, and its key is pinned: afterwards the key alone is enough", async () => {
  const { registry, store } = makeServer(), key = new TestKey();
  await refused(
    "join-token-wanted",
    () => register(registry, key.prove(registry, "fra1")),
    /fra1 is not known/,
  );
  const { lease, credential, notices } = await register(registry, {
    ...key.prove(registry, "fra1"),
    joinToken: "join",
  });
  assert.deepEqual([lease, notices], [{ seconds: 30, beatSeconds: 10 }, []]);
  assert.deepEqual(registry.authenticate(credential), { node: "fra1" });
  const record = recordOf(store)!;
  assert.deepEqual([record.publicKey, record.token, record.origin], [key.text, "t1", "registry"]);
  await register(registry, key.prove(registry, "fra1"));
  // It said nothing new: nothing was changed, and nothing recorded.
  assert.deepEqual(audited(store).map(({ action, actor, reason }) => [action, actor, reason]), [
    ["node.register", "node:fra1", "join token t1"],
  ]);
});

Deno.test("an id that is a key's is nobody else's, but for a token that may replace", async () => {
  const { registry, store } = makeServer(), key = new TestKey(), thief = new TestKey();
  await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  await refused("claimed", () => register(registry, thief.prove(registry, "fra1")), /fra1 belongs to key/);
  await refused("claimed", () => register(registry, { joinToken: "join" }));
  await refused("claimed", () => register(registry, { ...thief.prove(registry, "fra1"), joinToken: "join" }));
  assert.equal(recordOf(store)!.publicKey, key.text);
  await register(registry, { ...thief.prove(registry, "fra1"), joinToken: "replace" });
  assert.equal(recordOf(store)!.publicKey, thief.text);
  await refused("claimed", () => register(registry, key.prove(registry, "fra1")));
});

Deno.test("what came by a token without a key is that token's, until it has a key", async () => {
  const { registry, store } = makeServer(), key = new TestKey();
  await register(registry, { joinToken: "join" });
  await register(registry, { joinToken: "join" });
  await refused("claimed", () => register(registry, { joinToken: "other" }));
  await refused("join-token-wanted", () => register(registry, key.prove(registry, "fra1")));
  await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  assert.equal(recordOf(store)!.publicKey, key.text);
  await refused("claimed", () => register(registry, { joinToken: "join" }));
});

Deno.test("a node that an operator put there is its key's, if the operator said one, and else nobody's", async () => {
  const { registry, store } = makeServer(), key = new TestKey();
  const put = (record: object) => store.write([{ put: KEYS.node("fra1"), value: JSON.stringify(record) }]);
  put({ ...document(), origin: "management" });
  await refused("claimed", () => register(registry, { joinToken: "join" }), /belongs to an operator/);
  put({ ...document(), origin: "management", publicKey: key.text, state: "drain", note: "of ours" });
  await register(registry, key.prove(registry, "fra1"));
  const { origin, state, note } = recordOf(store) as NodeRecord & { note: string };
  assert.deepEqual([origin, state, note], ["management", "drain", "of ours"]);
  assert.ok(registrationOf(store) !== undefined);
});

Deno.test("an id of a node list is nobody's who joins, but for a token that may replace", async () => {
  const listed = new Set(["fra1"]), key = new TestKey();
  const { registry } = makeServer({ reserved: (id) => listed.has(id) });
  await refused("claimed", () => register(registry, { joinToken: "join" }), /belongs to a node list/);
  await refused("claimed", () => register(registry, key.prove(registry, "fra1")));
  await register(registry, { joinToken: "join" }, document("fra2"));
  await register(registry, { ...key.prove(registry, "fra1"), joinToken: "replace" });
  await register(registry, key.prove(registry, "fra1"));
});

Deno.test("by its key alone a node moves into no other pool", async () => {
  const { registry, store } = makeServer(), key = new TestKey();
  const other = document("fra1", { labels: { service: "admin" }, weight: 50, addresses: ["192.0.2.9"] });
  await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  const { notices } = await register(registry, key.prove(registry, "fra1"), other);
  assert.equal(notices.length, 2, `${notices}`);
  const kept = recordOf(store)!;
  assert.deepEqual([kept.labels, kept.weight, kept.region], [{ service: "entry" }, undefined, "eu-central"]);
  assert.deepEqual(kept.addresses, ["192.0.2.9"]);
  await register(registry, { ...key.prove(registry, "fra1"), joinToken: "other" }, other);
  assert.deepEqual(recordOf(store)!.labels, { service: "admin" });
});

Deno.test("what an operator changes stands until the node says something new", async () => {
  const { registry, store } = makeServer(), key = new TestKey();
  await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  const patched = { ...recordOf(store)!, capacity: 10, labels: { service: "relay" }, state: "drain" };
  store.write([{ put: KEYS.node("fra1"), value: JSON.stringify(patched) }]);
  await register(registry, key.prove(registry, "fra1"));
  assert.deepEqual(recordOf(store), patched);
  await register(registry, key.prove(registry, "fra1"), document("fra1", { capacity: 2000 }));
  assert.deepEqual(recordOf(store), { ...patched, capacity: 2000 });
});

Deno.test("a node gets the labels of its join token, whatever it says", async () => {
  const tokens = { join: { id: "t1", mayReplace: false, labels: { service: "relay", tier: "2" } } };
  const { registry, store } = makeServer({ tokens });
  await register(
    registry,
    { joinToken: "join" },
    document("fra1", { labels: { service: "entry", rack: "7" } }),
  );
  assert.deepEqual(recordOf(store)!.labels, { service: "relay", rack: "7", tier: "2" });
});

Deno.test("a proof is of one node, one key, one server, one minute, and one use", async () => {
  const { registry, clock } = makeServer(), key = new TestKey(), other = new TestKey();
  const whole = () => ({ ...key.prove(registry, "fra1"), joinToken: "join" });
  const is = (code: ProblemCode, proof: Proof, node = document()) =>
    refused(code, () => register(registry, proof, node));
  await is("challenge-refused", { ...whole(), challenge: `${whole().challenge}x` });
  await is("challenge-refused", { ...whole(), challenge: other.prove(registry, "fra1").challenge! });
  await is("challenge-refused", whole(), document("fra2"));
  await is("signature-refused", { ...whole(), signature: other.prove(registry, "fra1").signature! });
  await is("signature-refused", { ...whole(), server: "https://evil.example" });
  await is("signature-refused", {
    ...key.prove(registry, "fra1", "https://evil.example"),
    joinToken: "join",
  });
  await is("signature-refused", {
    ...key.prove(registry, "fra1", "https://evil.example"),
    server: ORIGIN,
    joinToken: "join",
  });
  await is("invalid", { key: key.text, joinToken: "join" });
  await is("invalid", { ...whole(), key: "c2hvcnQ=" });
  await is("invalid", {});
  const late = whole();
  clock.advance(CHALLENGE_MS);
  await is("challenge-refused", late);
  const used = whole();
  await register(registry, used);
  assert.match((await is("challenge-refused", used)).message, /used before/);
});

Deno.test("servers with one secret take each other's challenges and credentials, and others' not", async () => {
  const a = makeServer(), key = new TestKey();
  const b = makeServer({ store: a.store, server: "ams", clock: a.clock });
  const c = makeServer({ store: a.store, server: "cdg", clock: a.clock, secret: new Uint8Array(32) });
  const proof = { ...key.prove(a.registry, "fra1"), joinToken: "join" };
  const { credential } = await register(b.registry, proof);
  assert.deepEqual(a.registry.authenticate(credential), { node: "fra1" });
  await refused("credential-refused", () => c.registry.authenticate(credential), /none of this fleet/);
  await refused("challenge-refused", () => register(c.registry, key.prove(a.registry, "fra1")));
});

Deno.test("a credential is one node's, for a quarter of an hour, while its key is the same", async () => {
  const { registry, clock } = makeServer(), key = new TestKey();
  const { credential } = await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  const two = await register(registry, { joinToken: "join" }, document("fra2"));
  await refused(
    "credential-refused",
    () => registry.beat(two.credential, "fra1", BEAT),
    /node fra2's, not fra1's/,
  );
  await refused("credential-refused", () => registry.beat("nonsense", "fra1", BEAT));
  await refused("credential-refused", () => registry.beat(`x${credential}`, "fra1", BEAT));
  await register(registry, { ...new TestKey().prove(registry, "fra1"), joinToken: "replace" });
  await refused("credential-refused", () => registry.beat(credential, "fra1", BEAT), /another key/);
  clock.advance(two.credentialSeconds * 1000 - 1);
  assert.equal(registry.beat(two.credential, "fra2", BEAT).leaseUntilMs, clock.nowMs() + 30_000);
  assert.deepEqual(registry.beat(two.credential, "fra2", BEAT).lease, { seconds: 30, beatSeconds: 10 });
  clock.advance(1);
  await refused("credential-refused", () => registry.beat(two.credential, "fra2", BEAT), /expired/);
});

Deno.test("a node that leaves has to register again, and keeps its id; both are recorded", async () => {
  const { registry, store, clock } = makeServer(), key = new TestKey();
  const { credential } = await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  clock.advance(5000);
  await registry.leave(credential, "fra1");
  assert.equal(registrationOf(store)!.leftMs, clock.nowMs());
  await refused("not-registered", () => registry.beat(credential, "fra1", BEAT));
  await refused("claimed", () => register(registry, { joinToken: "join" }));
  const again = await register(registry, key.prove(registry, "fra1"));
  assert.equal(registrationOf(store)!.leftMs, undefined);
  registry.beat(again.credential, "fra1", BEAT);
  assert.deepEqual(audited(store).map(({ action }) => action), [
    "node.register",
    "node.leave",
    "node.register",
  ]);
  assert.ok(!JSON.stringify(audited(store)).includes(key.text), "keys are told by their fingerprints");
});

Deno.test("a node that an operator removed is none", async () => {
  const { registry, store } = makeServer();
  const { credential } = await register(registry, { joinToken: "join" });
  store.write([{ remove: KEYS.node("fra1") }]);
  await refused("not-registered", () => registry.beat(credential, "fra1", BEAT));
});

Deno.test("a heartbeat is taken where the replica has not heard of the registration yet", async () => {
  const { registry, replica } = makeServer();
  replica.onDifferences = () => {};
  const { credential } = await register(registry, { joinToken: "join" });
  assert.equal(replica.get(KEYS.node("fra1")), undefined);
  assert.ok(registry.beat(credential, "fra1", BEAT));
});

const wrong: [what: string, node: unknown, message: RegExp, field: string][] = [
  ["no object", null, /node must be an object: got null/, "/node"],
  ["no place", { id: "a", addresses: ["192.0.2.1"] }, /a node has no location/, "/node"],
  ["an address that is none", document("a", { addresses: ["192.0.2.256"] }), /IP address/, "/node"],
  [
    "a latitude too far",
    document("a", { location: { latitude: 91, longitude: 0 } }),
    /degrees from -90/,
    "/node",
  ],
  ["an unknown key", document("a", { capcity: 1 }), /did you mean 'capacity'\?/, "/node"],
  ["the operator's word", document("a", { state: "down" }), /for the operator to say/, "/node/state"],
  ["what the store has", document("a", { key: "x" }), /unknown key 'key'/, "/node"],
  ["an id that is none", document("a/b"), /id must be letters/, "/node/id"],
  ["an id that every object has", document("constructor"), /id must be letters/, "/node/id"],
  ["a label without a name", document("a", { labels: { "": "x" } }), /must have a name/, "/node/labels"],
  ["too much", document("a", { labels: { a: "x".repeat(9000) } }), /at most 8192 octets/, "/node"],
  ["too deep", document("a", { labels: { a: [[[[[["x"]]]]]] } }), /nested deeper than 4/, "/node"],
];
for (const [what, node, message, field] of wrong) {
  Deno.test(`a node is refused for ${what}`, async () => {
    const { registry, store } = makeServer();
    const problem = await refused(
      "invalid",
      () => registry.register({ node: node as never, proof: { joinToken: "join" } }),
      message,
    );
    assert.equal(problem.field, field);
    assert.equal([...store.entries.keys()].filter((key) => key.startsWith(NODES)).length, 0);
  });
}

Deno.test("what is no request is refused as that", async () => {
  const { registry } = makeServer();
  for (const request of [null, undefined, [], "x", 1]) {
    const run = [() => registry.register(request as never), () => registry.challenge(request as never)];
    for (const one of run) assert.equal((await refused("invalid", one, /must be an object/)).field, "");
  }
  const bare = { node: { id: "a/b" } } as never;
  assert.equal((await refused("invalid", () => registry.register(bare))).field, "/proof");
});

const wrongBeats: [beat: unknown, field: string][] = [
  [null, ""],
  [{}, "/load"],
  [{ load: { ...BEAT.load, cpu: -1 } }, "/load/cpu"],
  [{ load: { ...BEAT.load, network: NaN } }, "/load/network"],
  [{ ...BEAT, capacity: "many" }, "/capacity"],
  [{ ...BEAT, draining: 1 }, "/draining"],
  [{ ...BEAT, peers: [{ node: "../x", rttMs: 1 }] }, "/peers/0/node"],
  [{ ...BEAT, peers: new Array(17).fill({ node: "a", rttMs: 1 }) }, "/peers"],
];
Deno.test("a heartbeat that is none is refused with its field, and heard by nobody", async () => {
  const { registry, store } = makeServer();
  const { credential } = await register(registry, { joinToken: "join" });
  await registry.flush();
  const before = store.revision;
  for (const [beat, field] of wrongBeats) {
    assert.equal((await refused("invalid", () => registry.beat(credential, "fra1", beat))).field, field);
  }
  await registry.flush();
  assert.equal(store.revision, before);
});

Deno.test("two servers that register one node at once come to one key", async () => {
  const a = makeServer(), b = makeServer({ store: a.store, server: "ams", clock: a.clock });
  const keys = [new TestKey(), new TestKey()] as const;
  const results = await Promise.allSettled([
    register(a.registry, { ...keys[0].prove(a.registry, "fra1"), joinToken: "join" }),
    register(b.registry, { ...keys[1].prove(b.registry, "fra1"), joinToken: "join" }),
  ]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(recordOf(a.store)!.publicKey, keys[results[0].status === "fulfilled" ? 0 : 1].text);
});

Deno.test("what a token loses by being used is written with the registration, or the token is asked again", async () => {
  const { registry, store } = makeServer({
    joinTokens: {
      redeem() {
        const used = store.entries.get("tokens/once");
        if (used) return Promise.resolve(undefined);
        return Promise.resolve({
          ...{ id: "once", mayReplace: false },
          writes: [{ put: "tokens/once", value: "{}" }],
          conditions: [{ key: "tokens/once", revision: 0 }],
        });
      },
    },
  });
  const results = await Promise.allSettled(
    ["a", "b", "c"].map((id) => register(registry, { joinToken: "x" }, document(id))),
  );
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
  for (const result of results) {
    if (result.status === "rejected") assert.equal(result.reason.code, "join-token-refused");
  }
});

Deno.test("a store that is away is told as that: registration fails, heartbeats are heard and told to go elsewhere", async () => {
  const { registry, store, clock } = makeServer(), key = new TestKey();
  const { credential } = await register(registry, { ...key.prove(registry, "fra1"), joinToken: "join" });
  registry.start();
  await settled();
  assert.equal(registry.beat(credential, "fra1", BEAT).isAlone, undefined);
  store.isAway = true;
  await refused("unavailable", () => register(registry, key.prove(registry, "fra1")));
  for (let i = 0; i < 12; i++) {
    clock.advance(1000);
    await settled();
  }
  assert.equal(registry.beat(credential, "fra1", BEAT).isAlone, true);
  store.isAway = false;
  clock.advance(1000);
  await settled();
  assert.equal(registry.beat(credential, "fra1", BEAT).isAlone, undefined);
});

Deno.test("with a short lease a node is told sooner that a server is cut off", async () => {
  const { registry, store, clock } = makeServer({ lease: { leaseMs: 12_000, beatMs: 4000 } });
  const { credential, lease } = await register(registry, { joinToken: "join" });
  assert.deepEqual(lease, { seconds: 12, beatSeconds: 4 });
  assert.equal(JSON.parse(store.entries.get(KEYS.registration("fra1"))!.value).leaseMs, 12_000);
  registry.start();
  await settled();
  store.isAway = true;
  const told: number[] = [];
  for (let second = 1; second <= 8; second++) {
    clock.advance(1000);
    await settled();
    if (registry.beat(credential, "fra1", BEAT).isAlone) told.push(second);
  }
  assert.ok(told[0]! <= 6, "a third of the lease after what is in the store, not ten seconds");
});

Deno.test("a place that geography has elsewhere is flagged, and refused never", async () => {
  const { registry, store } = makeServer({
    locate: () => ({
      place: { latitude: 35.68, longitude: 139.69, country: "JP", subdivision: "" },
      ...{ precision: "city", source: "test.mmdb" },
    }),
  });
  const { notices } = await register(registry, { joinToken: "join" }, document("fra1"));
  assert.match(notices[0]!, /192\.0\.2\.1 is in JP by test\.mmdb, and the node says DE/);
  assert.deepEqual(registrationOf(store)!.flags, notices);
});
