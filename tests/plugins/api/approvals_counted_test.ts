import assert from "node:assert/strict";
import type { Actor } from "../../../core/access/actor.ts";
import { ManualClock } from "../../../core/clock.ts";
import { countedSchema } from "../../../core/management/counted.ts";
import { digestOf } from "../../../core/state/canonical.ts";
import { ApiStage } from "./stage.ts";

const POOL = "entry.example.", START_MS = Date.UTC(2026, 11, 1);
const person = (name: string, role: "operator" | "approver" | "viewer"): Actor => ({
  ...{ id: `oidc:${name}`, way: "oidc", grants: [{ role }], people: [name] },
});
const OLA = person("ola", "operator"), EVE = person("eve", "approver"), VERA = person("vera", "viewer");

const moves = (movedDemand: number) => [{
  ...{ pool: POOL, types: ["A"], movedNetworks: 0.25, movedDemand, lostDemand: 0 },
  ...{ addedKmMean: 10, addedKmMovedMean: 20, addedKmMax: 300, isSampled: false },
  nodes: [{ node: "n4", before: 1, after: 4 }],
  overloads: [{ node: "n4", demand: 12, capacity: 10, isAlready: false }],
  counted: { networks: 1, demand: 1 },
}];

/** Four nodes in one pool, of which three are to go; a server that counts what it is told. */
class Stage implements AsyncDisposable {
  moved: number | Error = 0.5;
  asked = 0;
  api!: ApiStage;

  static async open(): Promise<Stage> {
    const self = new Stage();
    self.api = await ApiStage.open({}, (what) => {
      if (what !== "moves") return Promise.resolve({ nodes: [] });
      self.asked++;
      return self.moved instanceof Error ? Promise.reject(self.moved) : Promise.resolve(moves(self.moved));
    }, { approvals: "on", clock: new ManualClock(START_MS) });
    self.api.member.takeBesides({ nodes: [], pools: [{ name: POOL, select: { role: "entry" } }] });
    for (const id of ["n1", "n2", "n3", "n4"]) {
      const node = { id, addresses: ["192.0.2.1"], location: { latitude: 50, longitude: 8 } };
      const labels = { role: "entry", rack: id === "n4" ? "8" : "7" };
      assert.equal((await self.api.ask(OLA, "POST", "/v1/nodes", { ...node, labels })).status, 201);
    }
    return self;
  }

  /** Asks to drain three of them. */
  async drain() {
    const until = new Date(START_MS + 3_600_000).toISOString();
    const body = { target: { labels: { rack: "7" } }, state: "drain", until, reason: "power" };
    const asked = await this.api.ask(OLA, "POST", "/v1/overrides", body);
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    return asked.body;
  }

  approve({ id, digest }: { id: string; digest: string }, as = EVE) {
    return this.api.ask(as, "POST", `/v1/approvals/${id}/approve`, { digest });
  }

  async shown(id: string) {
    return (await this.api.ask(EVE, "GET", `/v1/approvals/${id}`)).body;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.api[Symbol.asyncDispose]();
  }
}

Deno.test("a request shows what it would move as it was counted, and its digest is of that too", async () => {
  await using stage = await Stage.open();
  const { id, digest, request } = await stage.drain();
  const { counted } = request;
  assert.deepEqual(countedSchema.strict().parse(counted), counted);
  assert.deepEqual(counted.moves, moves(0.5).map((one) => ({ ...one, nodes: [] })));
  assert.deepEqual(counted.pools, [{ pool: POOL, members: 4, before: 4, after: 1 }]);
  assert.equal(digest, digestOf(request));
  assert.equal(stage.asked, 1);
  assert.equal((await stage.drain()).id, id, "asked twice it is one request");
  assert.equal(stage.asked, 1, "and counted once");
  const approved = await stage.approve({ id, digest });
  assert.deepEqual([approved.body.state, stage.asked], ["executed", 2], JSON.stringify(approved.body));
});

Deno.test("what has come to move more is not approved as it was: it is shown, and approved by the digest of that", async () => {
  await using stage = await Stage.open();
  const { id, digest } = await stage.drain();
  stage.moved = 0.8;
  const refused = await stage.approve({ id, digest });
  assert.equal(refused.status, 409);
  assert.match(
    refused.body.detail,
    /it would be 80\.0 % of what is asked for, not 50\.0 %; look at it again/,
  );
  const shown = await stage.shown(id);
  assert.deepEqual([shown.state, shown.recounted.counted.moves[0].movedDemand], ["pending", 0.8]);
  assert.equal(shown.digest, shown.recounted.digest);
  assert.notEqual(shown.digest, digest);
  assert.equal(shown.request.counted.moves[0].movedDemand, 0.5, "what was asked for stays");
  assert.equal(
    (await stage.approve({ id, digest })).status,
    409,
    "by what was seen before it is not approved",
  );
  assert.equal((await stage.api.ask(EVE, "GET", "/v1/overrides")).body.items.length, 0);
  stage.moved = 0.6;
  const approved = await stage.approve(shown);
  assert.deepEqual([approved.status, approved.body.state], [200, "executed"], JSON.stringify(approved.body));
  const { items } = (await stage.api.ask(EVE, "GET", "/v1/audit")).body;
  const actions = items.map(({ action }: { action: string }) => action).filter((one: string) =>
    /^approval/.test(one)
  );
  assert.deepEqual(actions, ["approval.request", "approval.recount", "approval.approve", "approval.execute"]);
});

Deno.test("what moves no more, or cannot be counted any more, is approved as it was", async () => {
  for (const moved of [0.2, 0.505, new Error("too many at once")]) {
    await using stage = await Stage.open();
    const asked = await stage.drain();
    stage.moved = moved;
    const { body } = await stage.approve(asked);
    assert.equal(body.state, "executed", `${moved}: ${JSON.stringify(body)}`);
  }
});

Deno.test("nothing is counted for whoever may not approve", async () => {
  await using stage = await Stage.open();
  const asked = await stage.drain();
  for (const who of [OLA, VERA]) assert.equal((await stage.approve(asked, who)).status, 403);
  assert.equal((await stage.approve({ ...asked, digest: "0".repeat(64) })).status, 409);
  assert.equal(stage.asked, 1);
});

Deno.test("what is about no pool has nothing counted", async () => {
  await using stage = await Stage.open();
  const admin: Actor = { id: "oidc:ada", way: "oidc", grants: [{ role: "admin" }], people: ["ada"] };
  const expires = new Date(START_MS + 3_600_000).toISOString();
  const token = { name: "dashboard", grants: [{ role: "viewer" }], expires };
  const { status, body } = await stage.api.ask(admin, "POST", "/v1/tokens", token);
  assert.deepEqual([status, body.request.counted, stage.asked], [202, undefined, 0]);
  assert.equal((await stage.approve(body)).body.state, "approved");
});
