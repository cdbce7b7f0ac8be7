/**
 * What lies in the store and is none of what is read there: by a program that is none of ours, or of a disk gone bad. It hides
 * nothing else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { KEYS } from "../../../core/state/keys.ts";
import { actorOf, ApiStage } from "./stage.ts";

const ADMIN = actorOf("admin");
const NODE = { addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };
const soon = () => new Date(Date.now() + 600_000).toISOString();

/** Keys at which something stands that cannot be read, and what tells of others of its kind all the same. */
const CASES: readonly [key: string, path: string, found: (body: any) => unknown, wanted: unknown][] = [
  [KEYS.node("bad"), "/v1/nodes", (body) => body.items.map(({ id }: any) => id), ["fra1"]],
  [KEYS.override("bad"), "/v1/overrides", (body) => body.items.map(({ id }: any) => id), ["o1"]],
  [KEYS.drains("waw"), "/v1/overrides/o1", (body) => body.id, "o1"],
  ["servers/%zz", "/v1/overrides/o1", (body) => body.id, "o1"],
  [KEYS.pool("bad.example."), "/v1/pools", (body) => body.items, []],
  [KEYS.zone("bad.example."), "/v1/zones", (body) => body.items.map(({ name }: any) => name), [
    "example.org.",
  ]],
  [KEYS.token("bad"), "/v1/tokens", (body) => body.items.map(({ name }: any) => name), ["ci"]],
  [KEYS.approval("bad"), "/v1/approvals", (body) => body.items, []],
  [KEYS.load("waw", 1), "/v1/peers?node=fra1", (body) => Array.isArray(body.peers), true],
  [KEYS.server("waw"), "/v1/servers", (body) => body.items.some(({ id }: any) => id === "fra"), true],
];

for (const value of ["{", "null", "[]", '"text"']) {
  Deno.test(`${value} in the store hides nothing else`, async () => {
    await using stage = await ApiStage.open();
    await stage.ask(ADMIN, "PUT", "/v1/nodes/fra1", NODE);
    const drain = { id: "o1", target: { node: "fra1" }, state: "drain", until: soon(), reason: "x" };
    await stage.ask(ADMIN, "POST", "/v1/overrides", drain);
    await stage.ask(ADMIN, "POST", "/v1/zones", { name: "example.org.", nameServers: ["ns.example.net."] });
    const token = { name: "ci", grants: [{ role: "viewer" }], expires: soon() };
    await stage.ask(ADMIN, "POST", "/v1/tokens", token);
    await stage.member.store.transact(CASES.map(([put]) => ({ put, value })), []);
    await stage.caughtUp();
    for (const [key, path, found, wanted] of CASES) {
      const { status, body } = await stage.ask(ADMIN, "GET", path);
      assert.equal(status, 200, `${key}: ${JSON.stringify(body)}`);
      assert.deepEqual(found(body), wanted, key);
    }
  });
}

Deno.test("what cannot be read can be taken away, or made anew", async () => {
  await using stage = await ApiStage.open();
  for (const id of ["bad1", "bad2"]) {
    await stage.member.store.transact([{ put: KEYS.node(id), value: "{" }], []);
  }
  await stage.caughtUp();
  const shown = await stage.ask(ADMIN, "GET", "/v1/nodes/bad1");
  assert.deepEqual([shown.status, shown.body.type], [409, "/problems/conflict"]);
  assert.match(shown.body.detail, /cannot be read: take it away/);
  assert.equal((await stage.ask(ADMIN, "PATCH", "/v1/nodes/bad1", { weight: 2 })).status, 409);
  assert.equal((await stage.ask(ADMIN, "DELETE", "/v1/nodes/bad1")).status, 204);
  assert.equal((await stage.ask(ADMIN, "PUT", "/v1/nodes/bad2", NODE)).status, 200);
  const { body } = await stage.ask(ADMIN, "GET", "/v1/nodes");
  assert.deepEqual(body.items.map(({ id }: any) => id), ["bad2"]);
});
