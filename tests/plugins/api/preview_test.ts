import assert from "node:assert/strict";
import type { Actor } from "../../../core/access/actor.ts";
import { ManualClock } from "../../../core/clock.ts";
import type { MovesAsked } from "../../../core/management/moves_job.ts";
import { previewSchema } from "../../../core/management/preview_schema.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { LOCAL } from "../../../plugins/api/services.ts";
import { until } from "../../support/until.ts";
import { actorOf, ApiStage } from "./stage.ts";

const POOL = "entry.example.", OTHER = "other.example.";
const ADMIN = actorOf("admin"), OPERATOR = actorOf("operator"), VIEWER = actorOf("viewer");
const START_MS = Date.UTC(2026, 11, 1);
const at = (seconds: number) => new Date(START_MS + seconds * 1000).toISOString();
const drain = (target: object, more: object = {}) => {
  return { target, state: "drain", until: at(3600), reason: "kernel", ...more };
};

const MOVES = [{
  ...{ pool: POOL, types: ["A"], movedNetworks: 0.25, movedDemand: 0.5, lostDemand: 0 },
  ...{ addedKmMean: 10, addedKmMovedMean: 20, addedKmMax: 300, nodes: [], isSampled: false },
  overloads: [{ node: "n2", demand: 12, capacity: 10, isAlready: false }],
  counted: { networks: 1, demand: 1 },
}];

/** Three nodes in two pools, a clock that stands still, and what was asked of the server. */
class Stage implements AsyncDisposable {
  readonly asked: MovesAsked[] = [];
  moves: () => unknown = () => MOVES;
  stage!: ApiStage;
  readonly clock = new ManualClock(START_MS);

  static async open(approvals: "off" | "on" = "off"): Promise<Stage> {
    const self = new Stage();
    self.stage = await ApiStage.open({}, (what, params) => {
      if (what !== "moves") return Promise.resolve({ nodes: [] });
      self.asked.push(params as MovesAsked);
      return Promise.resolve().then(self.moves);
    }, { approvals, clock: self.clock });
    self.stage.member.takeBesides({
      nodes: [],
      pools: [{ name: POOL, select: { role: "entry" } }, { name: OTHER, select: { role: "other" } }],
    });
    for (const [id, role] of [["n1", "entry"], ["n2", "entry"], ["n3", "other"]]) {
      const node = { id, addresses: ["192.0.2.1"], location: { latitude: 50, longitude: 8 } };
      const made = await self.ask("POST", "/v1/nodes", { ...node, labels: { role } });
      assert.equal(made.status, 201, JSON.stringify(made.body));
    }
    return self;
  }

  ask(method: string, path: string, body?: unknown, as: Actor = ADMIN) {
    return this.stage.ask(as, method, path, body);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stage[Symbol.asyncDispose]();
  }
}

Deno.test("a preview asks the server with all that would decide, and tells what would move, by its schema", async () => {
  await using stage = await Stage.open();
  const { status, body } = await stage.ask("POST", "/v1/overrides?preview", drain({ node: "n1" }));
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(previewSchema.strict().parse(body), body);
  assert.deepEqual(body.pools, [{ pool: POOL, members: 2, before: 2, after: 1 }]);
  assert.deepEqual([body.moves, body.weighedBy, body.emptied], [MOVES, { by: "addresses" }, []]);
  assert.deepEqual(body.approval, { isWanted: false, critical: [] });
  const [{ overrides: { before, after }, ...rest }] = stage.asked as [MovesAsked];
  assert.deepEqual(rest, { atMs: START_MS, pools: {} });
  assert.deepEqual([before, after.map(({ nodeId, state }) => [nodeId, state])], [[], [["n1", "drain"]]]);
  assert.deepEqual((await stage.ask("GET", "/v1/overrides")).body.items, [], "nothing was changed");
  assert.equal((await stage.ask("POST", "/v1/overrides?preview", drain({ node: "n1" }), VIEWER)).status, 403);
});

Deno.test("a preview of a node's change tells which pools it would come to and go from", async () => {
  await using stage = await Stage.open();
  await stage.ask("PATCH", "/v1/nodes/n1?preview", { labels: { role: "other" } });
  const [{ pools }] = stage.asked as [MovesAsked];
  assert.deepEqual(Object.keys(pools).sort(), [POOL, OTHER]);
  assert.equal(pools[POOL]!.nodes!["n1"], null);
  assert.deepEqual(pools[OTHER]!.nodes!["n1"]!.labels, { role: "other" });
  await stage.ask("DELETE", "/v1/nodes/n3?preview");
  assert.deepEqual(stage.asked[1]!.pools, { [OTHER]: { nodes: { n3: null } } });
  assert.equal((await stage.ask("GET", "/v1/nodes")).body.items.length, 3);
});

Deno.test("a preview of a managed pool's change tells the policy and the nodes that it would have", async () => {
  await using stage = await Stage.open();
  const { member: { besides } } = stage.stage, name = "new.example.";
  stage.stage.member.takeBesides({
    ...besides,
    takers: [{ ...{ block: "1", zones: ["example."], checks: [], nodes: [], registered: true } }],
  });
  const made = await stage.ask("POST", "/v1/pools", { name, select: { role: "entry" }, answers: 1 });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  await stage.ask("PATCH", `/v1/pools/${name}?preview`, { answers: 3, members: ["n1"] });
  const { policy, nodes } = stage.asked[0]!.pools[name]!;
  assert.deepEqual([policy!.answers, policy!.select, nodes], [3, { role: "entry" }, { n2: null }]);
  await stage.ask("DELETE", `/v1/pools/${name}?preview`);
  assert.deepEqual(stage.asked[1]!.pools, { [name]: null });
});

Deno.test("what begins later is previewed for when it begins", async () => {
  await using stage = await Stage.open();
  const { body } = await stage.ask("POST", "/v1/overrides?preview", drain({ node: "n1" }, { from: at(600) }));
  assert.deepEqual([body.at, stage.asked[0]!.atMs], [at(600), START_MS + 600_000]);
});

Deno.test("a preview says which pools would be empty; that is refused, unless each of them is acknowledged", async () => {
  await using stage = await Stage.open();
  const body = drain({ labels: { role: "other" } });
  assert.deepEqual((await stage.ask("POST", "/v1/overrides?preview", body)).body.emptied, [OTHER]);
  const refused = await stage.ask("POST", "/v1/overrides", body);
  assert.deepEqual([refused.status, refused.body.pools], [409, [OTHER]]);
  assert.equal((await stage.ask("POST", `/v1/overrides?acknowledge=${POOL}`, body)).status, 409);
  assert.equal((await stage.ask("POST", `/v1/overrides?acknowledge=${OTHER}`, body)).status, 201);
});

Deno.test("a preview says whether a second person would be asked, and why; not to who is asked by nobody", async () => {
  await using stage = await Stage.open("on");
  const body = drain({ labels: { role: "other" } }), path = `/v1/overrides?preview`;
  const told = async (as: Actor) => (await stage.ask("POST", path, body, as)).body.approval;
  const why = `leaves 0 of 1 nodes of pool ${OTHER} in answers`;
  assert.deepEqual(await told(OPERATOR), { isWanted: true, critical: [why] });
  assert.deepEqual(await told(LOCAL), { isWanted: false, critical: [] });
  const half = await stage.ask("POST", path, drain({ node: "n1" }), OPERATOR);
  assert.deepEqual(half.body.approval, { isWanted: false, critical: [] });
  assert.deepEqual((await stage.ask("GET", "/v1/approvals")).body.items, [], "a preview asks nobody");
});

Deno.test("where the server cannot tell what would move, the rest of a preview is told all the same", async () => {
  await using stage = await Stage.open();
  stage.moves = () => {
    throw new Error("too many at once");
  };
  const { status, body } = await stage.ask("POST", "/v1/overrides?preview", drain({ node: "n1" }));
  assert.deepEqual([status, body.moves, body.movesUnknown, body.pools.length], [
    200,
    undefined,
    "too many at once",
    1,
  ]);
});

Deno.test("networks are weighed by the version of demand that is current, while there is one", async () => {
  await using stage = await Stage.open();
  const weighed = async () => {
    await stage.ask("POST", "/v1/overrides?preview", drain({ node: "n1" }), OPERATOR);
    return Array.from(stage.asked.at(-1)!.demand?.demand ?? []);
  };
  const put = (source: string, networks: object) => stage.ask("POST", "/v1/demand", { source, networks });
  assert.deepEqual(await weighed(), []);
  const made = await put("logs", { "198.51.100.0/24": 5, "2001:db8::/48": 2 });
  assert.deepEqual([made.status, made.body.number, made.body.isCurrent, made.body.rows], [
    201,
    1,
    true,
    undefined,
  ]);
  assert.deepEqual(await weighed(), [5, 2]);
  await put("given", { "198.51.100.0/24": 7 });
  assert.deepEqual(await weighed(), [7]);
  const { body: listed } = await stage.ask("GET", "/v1/demand", undefined, VIEWER);
  assert.deepEqual(
    listed.items.map(({ number, isCurrent, source }: Record<string, unknown>) => [number, isCurrent, source]),
    [[2, true, "given"], [1, false, "logs"]],
  );
  assert.equal((await stage.ask("PUT", "/v1/demand/current", { number: 1 })).body.isCurrent, true);
  assert.deepEqual(await weighed(), [5, 2]);
  const { body: { weighedBy } } = await stage.ask("POST", "/v1/overrides?preview", drain({ node: "n1" }));
  assert.deepEqual(weighedBy, { by: "demand", number: 1, source: "logs" });
  assert.deepEqual((await stage.ask("GET", "/v1/demand/versions/2/networks")).body, {
    source: "given",
    networks: { "198.51.100.0/24": 7 },
  });
  assert.equal((await stage.ask("DELETE", "/v1/demand/versions/1")).status, 409, "it is the current one");
  assert.equal((await stage.ask("DELETE", "/v1/demand/versions/2")).status, 204);
  assert.equal((await stage.ask("GET", "/v1/demand/versions/2")).status, 404);
  assert.equal((await stage.ask("DELETE", "/v1/demand/current")).status, 204);
  assert.deepEqual(await weighed(), []);
  const actions = (await stage.ask("GET", "/v1/audit")).body.items.map(({ action }: { action: string }) =>
    action
  ).filter((action: string) => action.startsWith("demand"));
  assert.deepEqual(actions, ["demand.put", "demand.put", "demand.use", "demand.delete", "demand.clear"]);
});

Deno.test("what is no network is told with its place, and many networks may come at once", async () => {
  await using stage = await Stage.open();
  const wrong = await stage.ask("POST", "/v1/demand", { source: "log", networks: { "198.51.100.1/24": 1 } });
  assert.equal(wrong.status, 422);
  const networks = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [
    `10.${i >> 8}.${i & 255}.0/24`,
    i,
  ]));
  const many = await stage.ask("POST", "/v1/demand", { source: "given", networks });
  assert.deepEqual([many.status, many.body.networks], [201, 60_000]);
});

Deno.test("a drain is told with how far it is: who is waited for, when it is done, and where it takes nobody out", async () => {
  await using stage = await Stage.open();
  const { member } = stage.stage, { store } = member;
  await store.transact([{
    put: KEYS.server("fra"),
    value: JSON.stringify({ region: "eu", nowMs: START_MS }),
  }]);
  const { body: { id } } = await stage.ask("POST", "/v1/overrides", drain({ node: "n1" }));
  const path = `/v1/overrides/${id}`, drained = async () => (await stage.ask("GET", path)).body.drained;
  assert.deepEqual(await drained(), { state: "spreading", waitingFor: ["fra"] });
  const { revision } = (await store.get(KEYS.override(id)))!;
  member.tellAnswering({
    revision,
    draining: {},
    ttls: { [POOL]: { min: 5, max: 60 }, [OTHER]: { min: 5, max: 600 } },
  });
  await until("that to be told", async () => (await drained()).state !== "spreading");
  assert.deepEqual(await drained(), { state: "expiring", drainedAt: at(60) });
  stage.clock.advanceTo(START_MS + 60_000);
  assert.deepEqual(await drained(), { state: "drained", drainedAt: at(60) });
  assert.equal((await stage.ask("GET", "/v1/overrides")).body.items[0].drained.state, "drained");

  const waw = { instance: "x", atMs: START_MS, drains: {} };
  await store.transact([{ put: KEYS.drains("waw"), value: JSON.stringify(waw) }]);
  await store.transact([{ put: KEYS.drains("old"), value: JSON.stringify({ ...waw, leftMs: START_MS }) }]);
  await stage.stage.caughtUp();
  assert.deepEqual((await drained()).unheard, ["waw"]);

  // What was read may be sent back: how far it is, is nobody's to say.
  const { body: read } = await stage.ask("GET", path);
  const put = await stage.ask("PUT", path, { ...read, reason: "longer" });
  assert.deepEqual([put.status, put.body.reason, put.body.drained], [200, "longer", undefined]);
  assert.equal(JSON.parse((await store.get(KEYS.override(id)))!.value).drained, undefined);

  const all = await stage.ask("POST", `/v1/overrides?acknowledge=${OTHER}`, drain({ pool: OTHER }));
  assert.deepEqual((await stage.ask("GET", `/v1/overrides/${all.body.id}`)).body.drained.emptyPools, [OTHER]);
  await stage.ask("POST", "/v1/overrides", { ...drain({ node: "n3" }), state: "up" });
  const region = await stage.ask("POST", "/v1/overrides", drain({ labels: { role: "other" } }));
  assert.equal(region.status, 201, JSON.stringify(region.body));
  const { exceptNodes } = (await stage.ask("GET", `/v1/overrides/${region.body.id}`)).body.drained;
  assert.deepEqual(exceptNodes, ["n3"]);
  const up = await stage.ask("POST", "/v1/overrides", { ...drain({ node: "n2" }), state: "up" });
  assert.equal((await stage.ask("GET", `/v1/overrides/${up.body.id}`)).body.drained, undefined);
});
