import assert from "node:assert/strict";
import type { Actor, Grant, Role } from "../../../core/access/actor.ts";
import { digestOf } from "../../../core/state/canonical.ts";
import { type Clock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { LOCAL } from "../../../plugins/api/services.ts";
import { actorOf, ApiStage, type Reply } from "./stage.ts";

const DAY_MS = 86_400_000;
const POOL = "entry.example.";
const soon = () => new Date(Date.now() + 3_600_000).toISOString();

/** A person who logs in. */
function person(name: string, role: Role, more: Partial<Grant> = {}): Actor {
  return { id: `oidc:${name}`, way: "oidc", grants: [{ role, ...more }], people: [name] };
}

const ADA = person("ada", "admin"), OLA = person("ola", "operator"), EVE = person("eve", "approver");
const THROUGH_SOCKET = { actor: LOCAL };

/** Four nodes in one pool, and approvals on. */
async function withFleet(
  run: (stage: ApiStage) => Promise<void>,
  approvals: "on" | "all" = "on",
  clock: Clock = SYSTEM_CLOCK,
): Promise<void> {
  await using stage = await ApiStage.open({}, undefined, { approvals, clock });
  stage.member.takeBesides({ nodes: [], pools: [{ name: POOL, select: { role: "entry" } }] });
  for (const id of ["n1", "n2", "n3", "n4"]) await addNode(stage, id);
  await run(stage);
}

async function addNode(stage: ApiStage, id: string): Promise<void> {
  const node = {
    addresses: ["192.0.2.1"],
    location: { latitude: 50, longitude: 8 },
    labels: { role: "entry" },
  };
  assert.equal((await stage.ask(ADA, "POST", "/v1/nodes", { id, ...node })).status, 201);
}

const drain = (node: string) => ({ target: { node }, state: "drain", until: soon(), reason: "kernel" });
const drainPool = (state = "drain") => ({ target: { pool: POOL }, state, until: soon(), reason: "kernel" });
const ACKNOWLEDGED = `/v1/overrides?acknowledge=${POOL}`;

async function itemsOf(stage: ApiStage, path: string): Promise<any[]> {
  return (await stage.ask(ADA, "GET", path)).body.items;
}

async function approve(stage: ApiStage, as: Actor, { body: { id, digest } }: Reply): Promise<Reply> {
  return await stage.ask(as, "POST", `/v1/approvals/${id}/approve`, { digest, comment: "seen" });
}

Deno.test("what takes most of a pool out waits, and is carried out as it was asked for when a second person agrees", async () => {
  await withFleet(async (stage) => {
    const asked = await stage.ask(OLA, "POST", ACKNOWLEDGED, drainPool());
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    assert.equal(asked.headers.get("location"), `/v1/approvals/${asked.body.id}`);
    assert.equal(asked.body.state, "pending");
    assert.match(asked.body.request.critical[0].what, /leaves 0 of 4 nodes of pool entry\.example\./);
    assert.equal(asked.body.digest, digestOf(asked.body.request), "the digest is of what is shown");
    assert.deepEqual(await itemsOf(stage, "/v1/overrides"), []);
    const approved = await approve(stage, EVE, asked);
    assert.deepEqual([approved.status, approved.body.state, approved.body.outcome.status], [
      200,
      "executed",
      201,
    ]);
    const [{ drained, ...override }] = await itemsOf(stage, "/v1/overrides");
    assert.deepEqual([approved.body.outcome.value, drained.state], [override, "spreading"]);
    assert.deepEqual([override.actor, override.reason], [OLA.id, "kernel"]);
    assert.deepEqual(
      (await itemsOf(stage, "/v1/audit")).slice(-4).map(({ action, actor }) => [action, actor]),
      [
        ["approval.request", OLA.id],
        ["approval.approve", EVE.id],
        ["approval.execute", OLA.id],
        ["override.create", OLA.id],
      ],
    );
    assert.equal((await approve(stage, EVE, asked)).status, 409, "once");
  });
});

Deno.test("nobody approves their own request, by another way in neither; nor without the role or the digest", async () => {
  await withFleet(async (stage) => {
    const asked = await stage.ask(ADA, "POST", ACKNOWLEDGED, drainPool());
    const again: Actor = { ...ADA, id: "certificate:ada", way: "certificate", people: ["Ada "] };
    const { body: { token } } = await stage.ask(THROUGH_SOCKET, "POST", "/v1/tokens", {
      ...{ name: "ada's", grants: [{ role: "admin" }], person: "ada", expires: soon() },
    });
    const { id, digest } = asked.body, path = `/v1/approvals/${id}/approve`;
    for (const who of [ADA, again]) {
      const refused = await approve(stage, who, asked);
      assert.equal(refused.status, 403);
      assert.match(refused.body.detail, /somebody else has to approve/);
    }
    const byToken = await stage.ask(undefined, "POST", path, { digest }, {
      Authorization: `Bearer ${token}`,
    });
    assert.deepEqual([byToken.status, /somebody else/.test(byToken.body.detail)], [403, true]);
    assert.equal((await approve(stage, OLA, asked)).status, 403);
    const elsewhere = person("eli", "approver", { pools: ["us-*"] });
    assert.equal((await approve(stage, elsewhere, asked)).status, 403);
    assert.equal((await stage.ask(EVE, "POST", path, { digest: "0".repeat(64) })).status, 409);
    assert.equal((await stage.ask(EVE, "POST", path, {})).status, 422);
    assert.equal((await stage.ask(ADA, "POST", `/v1/approvals/${id}/execute`)).status, 409);
    assert.deepEqual(await itemsOf(stage, "/v1/overrides"), []);
    const [view] = await itemsOf(stage, "/v1/approvals");
    assert.equal(view.state, "pending");
  });
});

Deno.test("one node after the other is most of a pool too: drained, put down, relabelled, deleted, weighed next to nothing, and planned for later", async () => {
  const ways: ((stage: ApiStage, node: string) => Promise<Reply>)[] = [
    (stage, node) => stage.ask(OLA, "POST", "/v1/overrides", drain(node)),
    (stage, node) => stage.ask(OLA, "PATCH", `/v1/nodes/${node}`, { state: "down" }),
    (stage, node) => stage.ask(OLA, "PATCH", `/v1/nodes/${node}`, { labels: { role: "none" } }),
    (stage, node) => stage.ask(OLA, "DELETE", `/v1/nodes/${node}`),
    (stage, node) => stage.ask(OLA, "PATCH", `/v1/nodes/${node}`, { weight: 0.001 }),
    // The later ones first, so that none begins among those there are.
    (stage, node) => {
      const from = new Date(Date.now() + 3_600_000 - Number(node.slice(1)) * 60_000).toISOString();
      const until = new Date(Date.now() + 7_200_000).toISOString();
      return stage.ask(OLA, "POST", "/v1/overrides", { ...drain(node), from, until });
    },
  ];
  for (const [i, way] of ways.entries()) {
    await withFleet(async (stage) => {
      const statuses = [];
      for (const node of ["n1", "n2", "n3"]) statuses.push((await way(stage, node)).status);
      assert.deepEqual(
        statuses.map((status) => status === 202),
        [false, false, true],
        `way ${i}: ${statuses}`,
      );
    });
  }
});

Deno.test("changes that come at once are counted one after the other", async () => {
  await withFleet(async (stage) => {
    const replies = await Promise.all(
      ["n1", "n2", "n3", "n4"].map((node) => stage.ask(OLA, "POST", "/v1/overrides", drain(node))),
    );
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 201, 202, 202]);
  });
});

Deno.test("deleting a pool waits, and is refused when the pool has been changed since", async () => {
  await withFleet(async (stage) => {
    const taker = { block: "1", zones: ["example."], checks: [], nodes: [], registered: true };
    stage.member.takeBesides({ nodes: [], pools: [], takers: [taker] });
    const name = "relay.example.", select = { role: "relay" };
    await stage.services.pools.create({ name, select, answers: 2 }, { actor: ADA.id });
    const asked = await stage.ask(ADA, "DELETE", `/v1/pools/${name}?reason=unused`);
    assert.deepEqual([asked.status, asked.body.request.reason], [202, "unused"]);
    const twice = await stage.ask(ADA, "DELETE", `/v1/pools/${name}?reason=unused`);
    assert.deepEqual([twice.status, twice.body.id], [202, asked.body.id], "asked twice it is one request");
    await stage.services.pools.patch(name, { answers: 3 }, { actor: ADA.id });
    const approved = await approve(stage, EVE, asked);
    assert.deepEqual([approved.body.state, approved.body.outcome.status], ["approved", 409]);
    assert.match(approved.body.outcome.value.detail, /pools\/relay\.example\. has been changed since/);
    assert.equal((await stage.ask(ADA, "POST", `/v1/approvals/${asked.body.id}/execute`)).status, 409);
    assert.equal((await stage.ask(ADA, "GET", `/v1/pools/${name}`)).body.answers, 3);
    const anew = await approve(stage, EVE, await stage.ask(ADA, "DELETE", `/v1/pools/${name}`));
    assert.deepEqual([anew.body.state, anew.body.outcome], ["executed", { status: 204 }]);
    assert.equal((await stage.ask(ADA, "GET", `/v1/pools/${name}`)).status, 404);
  });
});

Deno.test("what was approved is not carried out where it has come to take out more", async () => {
  await withFleet(async (stage) => {
    const region = { target: { labels: { role: "entry" } }, state: "drain", until: soon(), reason: "power" };
    for (const id of ["m1", "m2", "m3"]) await addNode(stage, id);
    for (const id of ["n1", "n2", "n3"]) {
      const made = await stage.ask(OLA, "POST", "/v1/overrides", { ...drain(id), state: "up" });
      assert.equal(made.status, 201);
    }
    const asked = await stage.ask(OLA, "POST", "/v1/overrides", region);
    assert.equal(asked.status, 202);
    for (const { id, target } of await itemsOf(stage, "/v1/overrides")) {
      if (target.node !== "n3") await stage.ask(OLA, "DELETE", `/v1/overrides/${id}`);
    }
    const approved = await approve(stage, EVE, asked);
    assert.equal(approved.body.state, "approved");
    assert.match(approved.body.outcome.value.detail, /it does more than what was approved; ask anew/);
    assert.equal((await itemsOf(stage, "/v1/overrides")).length, 1);
  });
});

Deno.test("a token that was approved is shown once, to whoever asked for it, and is nowhere else", async () => {
  await withFleet(async (stage) => {
    const request = { name: "dashboard", grants: [{ role: "viewer" }], expires: soon() };
    const asked = await stage.ask(ADA, "POST", "/v1/tokens", request),
      path = `/v1/approvals/${asked.body.id}`;
    assert.equal(asked.status, 202);
    assert.equal((await stage.ask(ADA, "POST", `${path}/execute`)).status, 409, "not yet");
    assert.equal((await approve(stage, EVE, asked)).body.state, "approved");
    assert.deepEqual(await itemsOf(stage, "/v1/tokens"), []);
    assert.equal((await stage.ask(EVE, "POST", `${path}/execute`)).status, 403, "she did not ask for it");
    assert.equal((await stage.ask(person("bob", "admin"), "POST", `${path}/execute`)).status, 403);
    const demoted: Actor = { ...ADA, grants: [{ role: "viewer" }] };
    assert.equal((await stage.ask(demoted, "POST", `${path}/execute`)).status, 409, "she may not any more");
    const done = await stage.ask(ADA, "POST", `${path}/execute`);
    assert.deepEqual([done.status, done.headers.get("cache-control")], [200, "no-store"]);
    const { token } = done.body.result, fields = { Authorization: `Bearer ${token}` };
    assert.equal((await stage.ask(undefined, "GET", "/v1/nodes", undefined, fields)).status, 200);
    assert.equal((await stage.ask(ADA, "POST", `${path}/execute`)).status, 409, "once");
    assert.equal(JSON.stringify(await stage.member.store.list("")).includes(token.slice(-20)), false);
    assert.equal(JSON.stringify(await stage.ask(ADA, "GET", path)).includes(token.slice(-20)), false);
  });
});

Deno.test("a version of the configuration is proposed by one, applied by two, and not where another came between", async () => {
  const validate = () => Promise.resolve({ errors: [], warnings: [] });
  await using stage = await ApiStage.open({}, validate, { approvals: "on" });
  const version = (text: string) => ({ corefile: `example.org {\n    whoami # ${text}\n}\n` });
  for (const text of ["one", "two"]) {
    assert.equal((await stage.ask(ADA, "POST", "/v1/configuration/versions", version(text))).status, 201);
  }
  const apply = (version: number) => stage.ask(ADA, "POST", "/v1/configuration/apply", { version });
  const [first, second] = [await apply(1), await apply(2)];
  assert.deepEqual([first.status, second.status], [202, 202]);
  assert.equal(first.body.request.change.operation, "configuration.apply");
  assert.equal((await stage.ask(ADA, "GET", "/v1/configuration")).body.current, undefined);
  assert.equal((await approve(stage, EVE, first)).body.state, "executed");
  assert.equal((await approve(stage, EVE, second)).body.outcome.status, 409);
  const { body: { current } } = await stage.ask(ADA, "GET", "/v1/configuration");
  assert.deepEqual([current.number, current.actor], [1, ADA.id]);
  assert.equal((await approve(stage, EVE, await apply(2))).body.state, "executed");
  const back = await stage.ask(ADA, "POST", "/v1/configuration/rollback");
  assert.deepEqual([back.status, (await approve(stage, EVE, back)).body.state], [202, "executed"]);
  assert.equal((await stage.ask(ADA, "GET", "/v1/configuration")).body.current.number, 1);
});

Deno.test("a request by a token that was taken back meanwhile is not carried out", async () => {
  await withFleet(async (stage) => {
    const { body: { token, id } } = await stage.ask(THROUGH_SOCKET, "POST", "/v1/tokens", {
      ...{ name: "ola's", grants: [{ role: "operator" }], person: "ola", expires: soon() },
    });
    const fields = { Authorization: `Bearer ${token}` };
    const asked = await stage.ask(undefined, "POST", ACKNOWLEDGED, drainPool(), fields);
    assert.equal(asked.status, 202);
    assert.equal((await stage.ask(ADA, "DELETE", `/v1/tokens/${id}`)).status, 200, "that does not wait");
    const approved = await approve(stage, EVE, asked);
    assert.deepEqual([approved.body.state, approved.body.outcome.status], ["approved", 403]);
    assert.match(approved.body.outcome.value.detail, /revoked/);
    assert.deepEqual(await itemsOf(stage, "/v1/overrides"), []);
  });
});

Deno.test("a request is rejected with a reason, taken back by whoever asked, and ends after a day", async () => {
  let later = 0;
  const clock: Clock = { ...SYSTEM_CLOCK, nowMs: () => SYSTEM_CLOCK.nowMs() + later };
  await withFleet(
    async (stage) => {
      const ask = (state: string) => stage.ask(OLA, "POST", ACKNOWLEDGED, drainPool(state));
      const [first, second, third] = [await ask("drain"), await ask("down"), await ask("drain")];
      const path = ({ body }: Reply) => `/v1/approvals/${body.id}`;
      assert.equal((await stage.ask(EVE, "POST", `${path(first)}/reject`, {})).status, 422);
      assert.equal((await stage.ask(OLA, "POST", `${path(first)}/reject`, { reason: "no" })).status, 403);
      const rejected = await stage.ask(EVE, "POST", `${path(first)}/reject`, { reason: "not today" });
      assert.deepEqual([rejected.body.state, rejected.body.decided.comment], ["rejected", "not today"]);
      assert.equal((await stage.ask(ADA, "DELETE", path(second))).status, 403);
      assert.equal((await stage.ask(OLA, "DELETE", path(second))).body.state, "withdrawn");
      for (const ended of [first, second]) assert.equal((await approve(stage, EVE, ended)).status, 409);
      later = DAY_MS;
      assert.equal((await approve(stage, EVE, third)).status, 409);
      const states = (await itemsOf(stage, "/v1/approvals")).map(({ state }) => state);
      assert.deepEqual(states.sort(), ["expired", "rejected", "withdrawn"]);
    },
    "on",
    clock,
  );
});

Deno.test("the machine's own administrator waits for nobody, unless all are to, and is a second person", async () => {
  const down = (stage: ApiStage) => stage.ask(THROUGH_SOCKET, "POST", ACKNOWLEDGED, drainPool());
  await withFleet(async (stage) => {
    assert.equal((await down(stage)).status, 201);
  });
  await withFleet(async (stage) => {
    const asked = await down(stage);
    assert.equal(asked.status, 202);
    const { id, digest } = asked.body;
    assert.equal(
      (await stage.ask(THROUGH_SOCKET, "POST", `/v1/approvals/${id}/approve`, { digest })).status,
      403,
    );
    assert.equal((await approve(stage, ADA, asked)).body.state, "executed");
    const other = await stage.ask(OLA, "POST", "/v1/overrides", {
      ...drainPool("down"),
      until: new Date(Date.now() + 60_000),
    });
    assert.equal(other.status, 201, "all are out already");
  }, "all");
});

Deno.test("approvals are listed newest first, in pages, by state and by who asked; and are told as events", async () => {
  await withFleet(async (stage) => {
    const request = new Request("http://localhost/v1/events");
    const events = (await stage.app.fetch(request, { actor: ADA })).body!.pipeThrough(new TextDecoderStream())
      .getReader();
    await events.read();
    for (const name of ["a", "b", "c"]) {
      await stage.ask(ADA, "POST", "/v1/tokens", { name, grants: [{ role: "viewer" }], expires: soon() });
    }
    assert.match((await events.read()).value!, /^id: fra\/\d+\nevent: approval\.request\n/);
    await events.cancel();
    const first = (await stage.ask(actorOf("viewer"), "GET", "/v1/approvals?limit=2")).body;
    const second = (await stage.ask(ADA, "GET", `/v1/approvals?limit=2&cursor=${first.next}`)).body;
    const all = [...first.items, ...second.items].map(({ id }: any) => id);
    assert.deepEqual([first.items.length, second.items.length, new Set(all).size], [2, 1, 3]);
    const times = [...first.items, ...second.items].map(({ request }: any) => request.requestedMs);
    assert.deepEqual(times, times.toSorted((a, b) => b - a));
    await stage.ask(EVE, "POST", `/v1/approvals/${all[0]}/reject`, { reason: "no" });
    assert.deepEqual((await itemsOf(stage, "/v1/approvals?state=rejected")).map(({ id }) => id), [all[0]]);
    assert.deepEqual(await itemsOf(stage, `/v1/approvals?requestedBy=${OLA.id}`), []);
    assert.equal((await stage.ask(ADA, "GET", "/v1/approvals?stat=x")).status, 400);
    assert.equal((await stage.ask(ADA, "GET", "/v1/approvals/none")).status, 404);
  });
});

Deno.test("one asks for so much at once and no more", async () => {
  await withFleet(async (stage) => {
    const statuses: number[] = [];
    for (let i = 0; i < 51; i++) {
      const request = { name: `t${i}`, grants: [{ role: "viewer" }], expires: soon() };
      statuses.push((await stage.ask(ADA, "POST", "/v1/tokens", request)).status);
    }
    assert.deepEqual([new Set(statuses.slice(0, 50)), statuses[50]], [new Set([202]), 409]);
  });
});

Deno.test("with approvals off nothing waits", async () => {
  await using stage = await ApiStage.open();
  const request = { name: "x", grants: [{ role: "viewer" }], expires: soon() };
  assert.equal((await stage.ask(ADA, "POST", "/v1/tokens", request)).status, 201);
});
