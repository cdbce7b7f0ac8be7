import assert from "node:assert/strict";
import { policyOf } from "../../../core/fleet/pool_terms.ts";
import { nodeOf } from "../../../core/management/nodes.ts";
import { actorOf, ApiStage } from "./stage.ts";

const ADA = actorOf("admin"), VIC = actorOf("viewer");
const NODE = {
  ...{ addresses: ["192.0.2.1"], location: { latitude: 50, longitude: 8 } },
  labels: { role: "entry" },
};
const ENTRY = "entry.example.", OLD = "old.example.";

/** Four nodes, a Corefile with one pool and a block that answers managed ones. */
async function withFleet(
  run: (stage: ApiStage) => Promise<void>,
  approvals: "off" | "on" = "off",
): Promise<void> {
  await using stage = await ApiStage.open({}, undefined, { approvals });
  const policy = policyOf(OLD, { select: { role: "old" } });
  stage.member.takeBesides({
    nodes: [],
    pools: [{ name: OLD, select: { role: "old" }, policy, owners: [OLD, "older.example."] }],
    takers: [{ ...{ block: "1", zones: ["example."], checks: ["tls"], nodes: [], registered: true } }],
  });
  for (const id of ["n1", "n2", "n3", "n4"]) {
    assert.equal((await stage.ask(ADA, "POST", "/v1/nodes", { id, ...NODE })).status, 201);
  }
  await run(stage);
}

Deno.test("a pool is made, read, changed and taken away, each with its place in the audit log", async () => {
  await withFleet(async (stage) => {
    const made = await stage.ask(ADA, "POST", "/v1/pools?reason=launch", { name: ENTRY, answers: 2 });
    assert.deepEqual([made.status, made.body], [201, { name: ENTRY, answers: 2, origin: "api" }]);
    const read = await stage.ask(VIC, "GET", `/v1/pools/${ENTRY}`);
    assert.deepEqual([read.status, read.headers.get("etag")], [200, made.headers.get("etag")]);
    const stale = { "If-Match": '"1"' };
    assert.equal((await stage.ask(ADA, "PATCH", `/v1/pools/${ENTRY}`, { answers: 3 }, stale)).status, 412);
    assert.equal((await stage.ask(ADA, "PATCH", `/v1/pools/${ENTRY}`, { answers: 3 })).body.answers, 3);
    const put = await stage.ask(ADA, "PUT", `/v1/pools/${ENTRY}`, { strategy: "stepped" });
    assert.deepEqual(put.body, { name: ENTRY, strategy: "stepped", origin: "api" });
    const gone = await stage.ask(ADA, "DELETE", `/v1/pools/${ENTRY}?acknowledge=${ENTRY}`);
    assert.equal(gone.status, 204);
    const { body: { items } } = await stage.ask(VIC, "GET", `/v1/audit?subject=pools/${ENTRY}`);
    assert.deepEqual(items.map(({ action }: { action: string }) => action).sort(), [
      ...["pool.create", "pool.delete", "pool.update", "pool.update"],
    ]);
  });
});

Deno.test("what is wrong in a pool is told as a problem, every field with its place and the nearest word", async () => {
  await withFleet(async (stage) => {
    const body = { name: ENTRY, answers: 17, strategy: "quadratik", checks: ["tsl"] };
    const { status, headers, body: problem } = await stage.ask(ADA, "POST", "/v1/pools", body);
    assert.deepEqual([status, headers.get("content-type")], [422, "application/problem+json"]);
    assert.deepEqual(problem.errors, [
      { pointer: "/answers", detail: "wanted a whole number from 1 to 16, got 17" },
      {
        pointer: "/strategy",
        detail:
          "wanted linear, quadratic, logarithmic, stepped, got \"quadratik\"; did you mean 'quadratic'?",
        nearest: "quadratic",
      },
    ]);
    const { body: next } = await stage.ask(ADA, "POST", "/v1/pools", { name: ENTRY, checks: ["tsl"] });
    assert.deepEqual(next.errors.map(({ pointer, nearest }: Record<string, string>) => [pointer, nearest]), [
      ["/checks/0", "tls"],
    ]);
  });
});

Deno.test("a pool of the Corefile goes first, and the interface says so", async () => {
  await withFleet(async (stage) => {
    for (
      const [method, path, body] of [
        ["POST", "/v1/pools", { name: OLD }],
        ["PUT", `/v1/pools/${OLD}`, {}],
        ["PATCH", `/v1/pools/${OLD}`, { answers: 1 }],
        ["DELETE", `/v1/pools/${OLD}`, undefined],
      ] as const
    ) {
      const { status, body: { detail } } = await stage.ask(ADA, method, path, body);
      assert.equal(status, 409, method);
      if (method !== "POST") assert.match(detail, /is from the Corefile: change it there/);
    }
    const { status, body: { errors } } = await stage.ask(ADA, "POST", "/v1/pools", {
      name: "older.example.",
    });
    assert.equal(status, 422);
    assert.match(errors[0].detail, /pool old\.example\. of the Corefile answers "older\.example\." already/);
    const { body: { items } } = await stage.ask(VIC, "GET", "/v1/pools");
    assert.deepEqual(items.map(({ name, origin }: Record<string, string>) => [name, origin]), [[
      OLD,
      "corefile",
    ]]);
  });
});

Deno.test("what a change of a pool moves is told before, and one that leaves it with nobody wants to be meant", async () => {
  await withFleet(async (stage) => {
    const pool = { name: ENTRY, select: { role: "entry" } };
    const { body: preview } = await stage.ask(ADA, "POST", "/v1/pools?preview", pool);
    assert.deepEqual(preview.pools, [{ pool: ENTRY, members: 4, before: 0, after: 4 }]);
    assert.equal((await stage.ask(VIC, "GET", `/v1/pools/${ENTRY}`)).status, 404, "nothing was made");
    await stage.ask(ADA, "POST", "/v1/pools", pool);
    const nobody = { select: { role: "none" } }, path = `/v1/pools/${ENTRY}`;
    const refused = await stage.ask(ADA, "PATCH", path, nobody);
    assert.deepEqual([refused.status, refused.body.pools], [409, [ENTRY]]);
    assert.equal((await stage.ask(ADA, "PATCH", path, { members: ["n1"] })).status, 200);
    assert.equal((await stage.ask(ADA, "DELETE", path)).status, 409);
    const deleted = await stage.ask(ADA, "DELETE", `${path}?preview&acknowledge=${ENTRY}`);
    assert.deepEqual(deleted.body.pools, [{ pool: ENTRY, members: 0, before: 1, after: 0 }]);
    assert.equal((await stage.ask(ADA, "DELETE", `${path}?acknowledge=${ENTRY}`)).status, 204);
  });
});

Deno.test("a preview counts the nodes that the pool's block takes, and no others", async () => {
  await withFleet(async (stage) => {
    const membersOf = async (name: string) => {
      const { body } = await stage.ask(ADA, "POST", "/v1/pools?preview", { name });
      return body.pools.map(({ after }: { after: number }) => after);
    };
    const listed = nodeOf({ ...NODE, id: "l1" });
    const taker = { zones: ["example."], checks: [], nodes: [], registered: true };
    stage.member.takeBesides({
      nodes: [listed],
      pools: [],
      takers: [
        { ...taker, block: "1" },
        { ...taker, block: "2", zones: ["example.net."], nodes: [listed], registered: false },
        { ...taker, block: "3", zones: ["example.org."], nodes: [listed] },
      ],
    });
    assert.deepEqual(await membersOf("entry.example."), [4]);
    assert.deepEqual(await membersOf("entry.example.net."), [1]);
    assert.deepEqual(await membersOf("entry.example.org."), [5]);
  });
});

Deno.test("with approvals a pool is deleted, or loses most of its nodes, by two people", async () => {
  await withFleet(async (stage) => {
    await stage.ask(ADA, "POST", "/v1/pools", { name: ENTRY, select: { role: "entry" } });
    const few = await stage.ask(ADA, "PATCH", `/v1/pools/${ENTRY}`, { members: ["n1"] });
    assert.deepEqual([few.status, few.body.request.critical[0].kind], [202, "pool-forced"]);
    const some = await stage.ask(ADA, "PATCH", `/v1/pools/${ENTRY}`, { members: ["n1", "n2"] });
    assert.equal(some.status, 200, "half of them are not most");
    const deleted = await stage.ask(ADA, "DELETE", `/v1/pools/${ENTRY}?acknowledge=${ENTRY}`);
    assert.deepEqual([deleted.status, deleted.body.request.critical[0].kind], [202, "pool-deleted"]);
    assert.equal((await stage.ask(VIC, "GET", `/v1/pools/${ENTRY}`)).status, 200);
  }, "on");
});

Deno.test("whoever may change some pools may change no others, nor make them", async () => {
  await withFleet(async (stage) => {
    const some = actorOf("admin", ["entry.*"]);
    assert.equal((await stage.ask(some, "POST", "/v1/pools", { name: ENTRY })).status, 201);
    assert.equal((await stage.ask(some, "POST", "/v1/pools", { name: "relay.example." })).status, 403);
    assert.equal((await stage.ask(some, "PUT", "/v1/pools/relay.example.", {})).status, 403);
    await stage.ask(ADA, "POST", "/v1/pools", { name: "relay.example." });
    assert.equal((await stage.ask(some, "PATCH", "/v1/pools/relay.example.", { answers: 1 })).status, 403);
    assert.equal((await stage.ask(some, "DELETE", "/v1/pools/relay.example.")).status, 403);
    assert.equal((await stage.ask(VIC, "POST", "/v1/pools", { name: "own.example." })).status, 403);
  });
});

Deno.test("an override may be for a managed pool", async () => {
  await withFleet(async (stage) => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const drain = { target: { pool: ENTRY }, state: "drain", until, reason: "kernel" };
    const path = `/v1/overrides?acknowledge=${ENTRY}`;
    assert.equal((await stage.ask(ADA, "POST", path, drain)).status, 422);
    await stage.ask(ADA, "POST", "/v1/pools", { name: ENTRY, select: { role: "entry" } });
    assert.equal((await stage.ask(ADA, "POST", path, drain)).status, 201);
  });
});

Deno.test("a join token for some pools lets no node into another, be it a managed one", async () => {
  await withFleet(async (stage) => {
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const grants = [{ role: "node", pools: ["entry.*"] }];
    const token = async () => {
      const wanted = { name: "rack", grants, expires, join: { usesLeft: 3 } };
      return (await stage.ask(ADA, "POST", "/v1/tokens", wanted)).body.token;
    };
    const registers = async (id: string) => {
      const body = { node: { id, ...NODE }, proof: { joinToken: await token() } };
      return (await stage.ask(undefined, "POST", "/v1/registrations", body)).status;
    };
    await stage.ask(ADA, "POST", "/v1/pools", { name: ENTRY, select: { role: "entry" } });
    assert.equal(await registers("n5"), 201);
    await stage.ask(ADA, "POST", "/v1/pools", { name: "relay.example.", select: { role: "entry" } });
    assert.equal(await registers("n6"), 403);
  });
});
