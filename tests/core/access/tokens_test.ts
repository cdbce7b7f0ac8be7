import assert from "node:assert/strict";
import fc from "fast-check";
import type { Actor, Grant } from "../../../core/access/actor.ts";
import { may } from "../../../core/access/roles.ts";
import { base32 } from "../../../core/access/random.ts";
import { hashToken, isToken, makeToken, readToken, TOKEN_PATTERN } from "../../../core/access/token_text.ts";
import {
  readTokenRecord,
  tokenActor,
  tokenLookUp,
  type TokenRequest,
  Tokens,
  useJoinToken,
  verifyToken,
} from "../../../core/access/tokens.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { person, repeatable, withWorld, type World } from "./support.ts";

const DAY_MS = 86_400_000;
const ADMIN = person("anna", { role: "admin" });
const LOCAL: Actor = { id: "local:root", way: "local", grants: [{ role: "admin" }] };

const wanted = ({ clock }: World, more: Partial<TokenRequest> = {}): TokenRequest => ({
  ...{ name: "ci", grants: [{ role: "viewer" }], expiresMs: clock.nowMs() + DAY_MS },
  ...more,
});

async function lookUpIn({ store }: World) {
  const { entries } = await store.list(PREFIXES.tokens);
  const records = entries.map(({ value }) => readTokenRecord(value));
  return (id: string) => records.find((record) => record.id === id);
}

Deno.test("a token has 80 characters that scanners can match, and its id", () => {
  const random = repeatable();
  for (let i = 0; i < 100; i++) {
    const { id, token } = makeToken(random);
    assert.equal(token.length, 80);
    assert.equal(TOKEN_PATTERN.exec(`x ${token} y`)![0], token);
    assert.deepEqual(readToken(token), { id });
  }
});

Deno.test("readToken() finds every single character that is changed, left out, doubled or swapped with the next", () => {
  const { token } = makeToken(repeatable());
  const wrong = [...token].flatMap((one, i) => [
    token.slice(0, i) + (one === "a" ? "b" : "a") + token.slice(i + 1),
    token.slice(0, i) + token.slice(i + 1),
    token.slice(0, i) + one + token.slice(i),
    token.slice(0, i) + (token[i + 1] ?? "") + one + token.slice(i + 2),
  ]).filter((one) => one !== token);
  for (const text of [...wrong, "", token.toUpperCase(), `${token} `, `${token}\n`]) {
    assert.ok("fault" in readToken(text), text);
  }
});

Deno.test("base32() writes the vectors of RFC 4648 section 10, small and without padding", () => {
  const octets = (text: string) => new TextEncoder().encode(text);
  assert.deepEqual(["", "f", "fo", "foo", "foob", "fooba", "foobar"].map((text) => base32(octets(text))), [
    "",
    "my",
    "mzxq",
    "mzxw6",
    "mzxw6yq",
    "mzxw6ytb",
    "mzxw6ytboi",
  ]);
});

Deno.test("hashToken() keeps nothing of a token, and never the same twice", () => {
  const random = repeatable(), { token } = makeToken(random), { token: other } = makeToken(random);
  const kept = hashToken(token, random), again = hashToken(token, random);
  assert.notEqual(kept.hash, again.hash);
  assert.deepEqual([isToken(token, kept), isToken(token, again), isToken(other, kept)], [true, true, false]);
  assert.ok(!JSON.stringify(kept).includes(token.slice(21, 40)));
});

Deno.test("create() shows a token once: neither the store, nor the log, nor a list has it or lets it be checked", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), { token, view } = await tokens.create(ADMIN, wanted(world));
    const secret = token.slice(21), { entries } = await world.store.list("");
    assert.ok(!JSON.stringify(entries).includes(secret));
    const listed = await tokens.list();
    assert.deepEqual(listed, [view]);
    for (const told of [listed, await world.records(), await tokens.get(view.id)]) {
      assert.doesNotMatch(JSON.stringify(told), /"hash"|"salt"/);
    }
    assert.deepEqual((await world.records()).map(({ actor, action, subject }) => [actor, action, subject]), [
      ["oidc:anna", "token.create", `tokens/${view.id}`],
    ]);
    const verified = verifyToken(token, await lookUpIn(world), world.clock.nowMs());
    assert.ok("record" in verified);
    const actor = tokenActor(verified.record);
    assert.deepEqual([actor.id, actor.people], [`token:anna/${view.id}`, ["anna", "anna"]]);
    assert.equal(may(actor, { resource: "nodes", verb: "read" }).allowed, true);
  });
});

Deno.test("verifyToken() takes no token that is wrong, expired, revoked or gone, and says why to whoever had the secret", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), { token, view } = await tokens.create(ADMIN, wanted(world));
    const verify = async (text: string, nowMs = world.clock.nowMs()) =>
      verifyToken(text, await lookUpIn(world), nowMs);
    const forged = makeToken(repeatable(2)).token;
    assert.deepEqual(await verify(forged), { fault: "there is no such token", isKnown: false });
    const body = `mer_${view.id}_`;
    let other = makeToken(repeatable(3));
    for (let i = 4; other.id === view.id; i++) other = makeToken(repeatable(i));
    const guess = makeToken((count) => count === 10 ? decoded(view.id) : repeatable(9)(count)).token;
    assert.ok(guess.startsWith(body));
    assert.deepEqual(await verify(guess), { fault: "there is no such token", isKnown: false });
    assert.ok("record" in await verify(token, view.expiresMs - 1));
    assert.deepEqual(await verify(token, view.expiresMs), {
      fault: "it expired on 2026-11-24T00:00:00.000Z",
      isKnown: true,
    });
    await tokens.revoke(ADMIN, view.id, "laptop lost");
    assert.deepEqual(await verify(token), {
      fault: "it was revoked on 2026-11-23T00:00:00.000Z",
      isKnown: true,
    });
    assert.deepEqual(await verify(guess), { fault: "there is no such token", isKnown: false });
  });
});

/** The octets that base32 wrote. */
function decoded(text: string): Uint8Array {
  const bits = [...text].map((one) =>
    "abcdefghijklmnopqrstuvwxyz234567".indexOf(one).toString(2).padStart(5, "0")
  );
  return Uint8Array.from(bits.join("").match(/.{8}/g)!, (octet) => parseInt(octet, 2));
}

Deno.test("create() refuses what has no end, no name, no right shape, and names the field", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), now = world.clock.nowMs(), node: Grant = { role: "node" };
    const join = { usesLeft: 1 };
    const cases: [Partial<TokenRequest>, string][] = [
      [{ expiresMs: now }, "expiresMs"],
      [{ expiresMs: now + 366 * DAY_MS + 1 }, "expiresMs"],
      [{ expiresMs: NaN }, "expiresMs"],
      [{ expiresMs: Infinity }, "expiresMs"],
      [{ name: " " }, "name"],
      [{ name: "a\nb" }, "name"],
      [{ person: "" }, "person"],
      [{ grants: [] }, "grants"],
      [{ grants: [{ role: "root" as "admin" }] }, "grants.0.role"],
      [{ grants: [{ role: "viewer", pools: [] }] }, "grants.0"],
      [{ grants: [{ role: "viewer", pools: ["a", "b c"] }] }, "grants.0.pools.1"],
      [{ grants: [node] }, "node"],
      [{ grants: [node], node: "fra1", join }, "node"],
      [{ grants: [{ role: "viewer" }], node: "fra1" }, "grants"],
      [{ grants: [node, { role: "viewer" }], join }, "grants"],
      [{ grants: [node], join: { usesLeft: 0 } }, "join.usesLeft"],
      [{ grants: [node], join: { usesLeft: 1.5 } }, "join.usesLeft"],
      [{ grants: [node], join: { usesLeft: 1, labels: { role: "" } } }, "join.labels.role"],
    ];
    for (const [more, field] of cases) {
      await assert.rejects(tokens.create(ADMIN, wanted(world, more)), { kind: "invalid", field }, field);
    }
    assert.deepEqual((await world.store.list("")).entries, []);
    await tokens.create(ADMIN, wanted(world, { expiresMs: now + 366 * DAY_MS }));
  });
});

Deno.test("create() hands out nothing that its maker does not have", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), some = person("bert", { role: "admin", pools: ["eu-*"] });
    const create = (actor: Actor, ...grants: Grant[]) => tokens.create(actor, wanted(world, { grants }));
    await create(some, { role: "operator", pools: ["eu-web"] });
    await create(some, { role: "admin", pools: ["eu-*"] });
    const refused: [Actor, Grant][] = [
      [some, { role: "viewer" }],
      [some, { role: "operator", pools: ["us-web"] }],
      [some, { role: "operator", pools: ["*"] }],
      [some, { role: "operator", pools: ["eu-web"], zones: ["example.org"] }],
      [person("carl", { role: "operator" }), { role: "viewer" }],
      [person("dora", { role: "approver" }), { role: "viewer" }],
      [person("eve"), { role: "viewer" }],
    ];
    for (const [actor, grant] of refused) {
      await assert.rejects(create(actor, grant), { kind: "forbidden" }, JSON.stringify([actor, grant]));
    }
    await assert.rejects(
      create(person("finn", { role: "admin", pools: ["eu-*"] }, { role: "viewer" }), { role: "viewer" }),
      { kind: "forbidden" },
    );
  });
});

Deno.test("who made a token is behind it too, unless it was made on the machine itself", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), lookUp = async (id: string) => (await lookUpIn(world))(id)!;
    const made = await tokens.create(ADMIN, wanted(world, { person: "Bert" }));
    assert.deepEqual(tokenActor(await lookUp(made.view.id)).people, ["bert", "anna"]);
    const local = await tokens.create(LOCAL, wanted(world, { person: "carl" }));
    assert.deepEqual(tokenActor(await lookUp(local.view.id)).people, ["carl"]);
    const byBert = await tokens.create(
      { ...tokenActor(await lookUp(made.view.id)), grants: [{ role: "admin" }] },
      wanted(world, { person: "dora" }),
    );
    assert.deepEqual(tokenActor(await lookUp(byBert.view.id)).people, ["dora", "bert", "anna"]);
  });
});

Deno.test("revoke() is for admins and for whoever has the token, once, with a record", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), { view } = await tokens.create(ADMIN, wanted(world));
    const owner = tokenActor((await lookUpIn(world))(view.id)!);
    await assert.rejects(tokens.revoke(person("bert", { role: "operator" }), view.id, ""), {
      kind: "forbidden",
    });
    await assert.rejects(tokens.revoke(ADMIN, "none", ""), { kind: "absent" });
    const { revoked } = await tokens.revoke(owner, view.id, "leaked");
    assert.deepEqual(revoked, { by: owner.id, atMs: world.clock.nowMs(), reason: "leaked" });
    world.clock.advance(1000);
    assert.deepEqual((await tokens.revoke(ADMIN, view.id, "again")).revoked, revoked);
    const last = (await world.records()).at(-1)!;
    assert.deepEqual([last.action, last.reason, last.number], ["token.revoke", "leaked", 2]);
  });
});

Deno.test("revoke() by an admin of some pools leaves others' tokens alone", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), some = person("bert", { role: "admin", pools: ["eu-*"] });
    const all = await tokens.create(ADMIN, wanted(world));
    const eu = await tokens.create(ADMIN, wanted(world, { grants: [{ role: "viewer", pools: ["eu-web"] }] }));
    await assert.rejects(tokens.revoke(some, all.view.id, ""), { kind: "forbidden" });
    assert.ok((await tokens.revoke(some, eu.view.id, "")).revoked);
  });
});

Deno.test("sweep() takes away what has been of no use for a month, and nothing else", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), day = world.clock.nowMs() + DAY_MS;
    const make = (name: string, expiresMs: number) =>
      tokens.create(ADMIN, wanted(world, { name, expiresMs }));
    await make("short", day);
    const lost = await make("lost", day + 300 * DAY_MS);
    await make("long", day + 300 * DAY_MS);
    await tokens.revoke(ADMIN, lost.view.id, "lost");
    world.clock.advance(30 * DAY_MS);
    assert.equal(await tokens.sweep("server:fra"), 0);
    world.clock.advance(1);
    assert.equal(await tokens.sweep("server:fra"), 1);
    world.clock.advance(DAY_MS);
    assert.equal(await tokens.sweep("server:fra"), 1);
    assert.deepEqual((await tokens.list()).map(({ name }) => name), ["long"]);
  });
});

Deno.test("a join token makes so many nodes and no more, also when two come at once", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), { ledger, store, clock } = world;
    const join = { usesLeft: 2, nodes: ["fra*"], labels: { role: "entry" } };
    const { view } = await tokens.create(ADMIN, wanted(world, { grants: [{ role: "node" }], join }));
    const read = async () => {
      const entry = (await store.get(KEYS.token(view.id)))!;
      return { record: readTokenRecord(entry.value), revision: entry.revision };
    };
    const use = (at: Awaited<ReturnType<typeof read>>, node: string) => {
      const { writes, conditions, labels } = useJoinToken(at.record, at.revision, node, clock.nowMs());
      assert.deepEqual(labels, { role: "entry" });
      const event = { actor: "token:x", action: "node.register", subject: `nodes/${node}` };
      return ledger.write([event], [...writes, { put: KEYS.node(node), value: "{}" }], conditions);
    };
    const at = await read();
    const both = await Promise.all([use(at, "fra1"), use(at, "fra2")]);
    assert.deepEqual(both.map(({ succeeded }) => succeeded), [true, false]);
    const next = await read();
    assert.throws(
      () => useJoinToken(next.record, next.revision, "nyc1", clock.nowMs()),
      /for nodes fra\*, not nyc1/,
    );
    assert.ok((await use(next, "fra2")).succeeded);
    const last = await read();
    assert.throws(() => useJoinToken(last.record, last.revision, "fra3", clock.nowMs()), /used up/);
    const late = { ...next.record, expiresMs: clock.nowMs() };
    assert.throws(() => useJoinToken(late, 1, "fra3", clock.nowMs()), /expired/);
    const { join: _, ...none } = next.record;
    assert.throws(() => useJoinToken(none, 1, "fra3", clock.nowMs()), { kind: "forbidden" });
  });
});

Deno.test("tokenLookUp() finds what is there now, and reads a record once for as long as it is the same", async () => {
  await withWorld(async (world) => {
    const tokens = new Tokens(world), { view, revision } = await tokens.create(ADMIN, wanted(world));
    let entry = await world.store.get(KEYS.token(view.id));
    assert.equal(entry!.revision, revision);
    const lookUp = tokenLookUp((key) => key === KEYS.token(view.id) ? entry : undefined);
    assert.equal(lookUp(view.id), lookUp(view.id));
    assert.equal(lookUp("none"), undefined);
    await tokens.revoke(ADMIN, view.id, "lost");
    entry = await world.store.get(KEYS.token(view.id));
    assert.ok(lookUp(view.id)!.revoked);
    entry = undefined;
    assert.equal(lookUp(view.id), undefined);
  });
});

Deno.test("verifyToken() throws at no text", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 120 }), (text) => {
      assert.ok("fault" in verifyToken(text, () => undefined, 0));
    }),
    { seed: 3 },
  );
});
