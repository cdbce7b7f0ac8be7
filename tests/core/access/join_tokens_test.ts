import assert from "node:assert/strict";
import { type JoiningNode, JoinTokens } from "../../../core/access/join_tokens.ts";
import { makeToken } from "../../../core/access/token_text.ts";
import { type JoinLimits, readTokenRecord, Tokens } from "../../../core/access/tokens.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { person, repeatable, withWorld, type World } from "./support.ts";

const ADMIN = person("anna", { role: "admin" });

/** Nodes are in the pool that their role names. */
const poolsOf = ({ labels = {} }: JoiningNode) =>
  labels.role === undefined ? [] : [`${labels.role}.example.org`];

async function scene(world: World, join: Partial<JoinLimits> = {}, pools?: string[]) {
  const tokens = new Tokens(world);
  const { token, view } = await tokens.create(ADMIN, {
    ...{ name: "racks", expiresMs: world.clock.nowMs() + 1000, join: { usesLeft: 1, ...join } },
    grants: [{ role: "node", ...pools && { pools } }],
  });
  const joinTokens = new JoinTokens({ ...world, poolsOf });
  const register = async (node: JoiningNode) => {
    const { id, writes, conditions } = (await joinTokens.redeem(token, node))!;
    const put = { put: KEYS.node(node.id), value: JSON.stringify({ ...node, token: id }) };
    const { succeeded } = await world.store.transact([put, ...writes], conditions);
    return succeeded;
  };
  const usesLeft = async () =>
    readTokenRecord((await world.store.get(KEYS.token(view.id)))!.value).join!.usesLeft;
  return { ...{ tokens, token, view, joinTokens, register, usesLeft } };
}

Deno.test("redeem() lets a node in once for a use, and lets it come back for nothing", async () => {
  await withWorld(async (world) => {
    const { register, usesLeft, joinTokens, token } = await scene(world);
    assert.equal(await register({ id: "fra1" }), true);
    assert.equal(await usesLeft(), 0);
    assert.equal(await register({ id: "fra1" }), true);
    assert.deepEqual((await joinTokens.redeem(token, { id: "fra1" }))!.writes, []);
    await assert.rejects(register({ id: "fra2" }), { kind: "forbidden", message: /used up/ });
  });
});

Deno.test("redeem() gives the token's labels, and looks at the pools that the node is in with them", async () => {
  await withWorld(async (world) => {
    const labels = { role: "entry" }, own = { role: "relay", rack: "7" };
    const { joinTokens, token, view } = await scene(world, { labels, mayReplace: true }, [
      "entry.example.org",
    ]);
    const { writes: _, ...given } = (await joinTokens.redeem(token, { id: "fra1", labels: own }))!;
    assert.deepEqual({ ...given, conditions: given.conditions.length }, {
      ...{ id: view.id, mayReplace: true, labels, conditions: 1 },
    });
    const elsewhere = await scene(world, {}, ["entry.example.org"]);
    await assert.rejects(elsewhere.joinTokens.redeem(elsewhere.token, { id: "fra1", labels: own }), {
      message: /pool relay\.example\.org is outside/,
    });
    await assert.rejects(elsewhere.joinTokens.redeem(elsewhere.token, { id: "fra1" }), { kind: "forbidden" });
  });
});

Deno.test("redeem() knows no token that is made up, and says what is wrong with one that is real", async () => {
  await withWorld(async (world) => {
    const { joinTokens, token, tokens, view, register } = await scene(world, {
      usesLeft: 5,
      nodes: ["fra*"],
    });
    assert.equal(await joinTokens.redeem(makeToken(repeatable(8)).token, { id: "fra1" }), undefined);
    await assert.rejects(joinTokens.redeem("mer_x", { id: "fra1" }), /does not look like a token/);
    await assert.rejects(register({ id: "nyc1" }), /for nodes fra\*/);
    const { token: viewer } = await tokens.create(ADMIN, {
      ...{ name: "ci", grants: [{ role: "viewer" }], expiresMs: world.clock.nowMs() + 1000 },
    });
    await assert.rejects(joinTokens.redeem(viewer, { id: "fra1" }), { kind: "forbidden" });
    await register({ id: "fra1" });
    await tokens.revoke(ADMIN, view.id, "leaked");
    await assert.rejects(joinTokens.redeem(token, { id: "fra1" }), /revoked/);
  });
});

Deno.test("redeem() of an expired token lets nobody in, nor back", async () => {
  await withWorld(async (world) => {
    const { register } = await scene(world);
    await register({ id: "fra1" });
    world.clock.advance(1000);
    await assert.rejects(register({ id: "fra1" }), /expired/);
  });
});

Deno.test("redeem() does not let a node's own token make another", async () => {
  await withWorld(async (world) => {
    const { joinTokens, tokens } = await scene(world);
    const { token } = await tokens.create(ADMIN, {
      ...{ name: "fra1", grants: [{ role: "node" }], node: "fra1", expiresMs: world.clock.nowMs() + 1000 },
    });
    for (const id of ["fra1", "fra2"]) {
      await assert.rejects(joinTokens.redeem(token, { id }), { kind: "forbidden" }, id);
    }
  });
});

Deno.test("redeem() counts a node that came by another token before", async () => {
  await withWorld(async (world) => {
    const one = await scene(world), other = await scene(world);
    await one.register({ id: "fra1" });
    assert.equal(await other.register({ id: "fra1" }), true);
    assert.equal(await other.usesLeft(), 0);
  });
});
