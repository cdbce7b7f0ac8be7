import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { NodeList } from "../../../plugins/formation/node_lists.ts";
import { Poller } from "../../../plugins/formation/poller.ts";
import { FormationStage, nodeJson, OVERLAY } from "./stage.ts";

/** A poller of what answers by path, and what became of its looks. */
function make(answers: Record<string, () => Response>, url = "http://localhost:3004") {
  const asked: string[] = [], lists: NodeList[] = [], away: boolean[] = [], log: string[] = [];
  const tell = (message: string) => void log.push(message);
  const poller = new Poller({
    ...{ url, everyMs: 10_000, overlay: OVERLAY, clock: new ManualClock() },
    log: { debug: tell, info: tell, warn: tell, error: tell },
    fetch: (input) => {
      const { pathname } = new URL(String(input));
      asked.push(pathname);
      return Promise.resolve(answers[pathname]?.() ?? new Response("", { status: 404 }));
    },
    take: (list) => (lists.push(list), Promise.resolve()),
    setAway: (isAway) => void away.push(isAway),
  });
  return { poller, asked, lists, away, log };
}

const json = (value: unknown) => () => Response.json(value);

Deno.test("a poller finds the list where this form-state has it, and stays there", async () => {
  const { poller, asked, lists, away } = make({ "/node/list": json({ nodes: [] }) });
  await poller.look();
  await poller.look();
  assert.deepEqual(asked, ["/v1/node/list", "/node/list", "/node/list"]);
  assert.deepEqual([lists.length, away], [2, [false, false]]);
});

Deno.test("a poller asks only where it is told to, if it is", async () => {
  const { poller, asked } = make({ "/my/list": json([]) }, "http://localhost:3004/my/list");
  await poller.look();
  assert.deepEqual(asked, ["/my/list"]);
});

Deno.test("a poller says once what is wrong, that the source is away, and that it is back", async () => {
  let body: () => Response = () => new Response("<html>");
  const { poller, away, log, asked } = make({ "/v1/node/list": () => body() });
  await poller.look();
  await poller.look();
  assert.deepEqual(away, [true, true]);
  assert.equal(log.length, 1);
  assert.match(
    log[0]!,
    /cannot be read, its nodes stay as they are: \/v1\/node\/list: .*JSON.*\/node\/list: HTTP 404/,
  );
  body = json({ Success: { List: [nodeJson(), 7] } });
  await poller.look();
  assert.deepEqual(away.at(-1), false);
  assert.match(log[1]!, /must be an object: got 7/);
  assert.match(log[2]!, /can be read again/);
  assert.equal(asked.at(-1), "/v1/node/list");
  poller.close();
});

Deno.test("a list makes nodes of those that live, holds them while they do, and writes nothing twice", async () => {
  await using stage = await FormationStage.open();
  const id = nodeJson().node_id, asking = { actor: "formation:state" };
  const node = (more: object) => ({
    ...{ id, addresses: ["192.0.2.10"], overlay: ["10.42.0.10"], region: "eu-central", labels: {} },
    ...more,
  });
  const take = (...nodes: any[]) => stage.service.takeList({ nodes }, "list", asking);
  const old = stage.clock.nowMs() - 3_600_000;
  await take(node({ heartbeatMs: stage.clock.nowMs() }), node({ id: "gone", heartbeatMs: old }));
  await stage.pass(2);
  assert.deepEqual([stage.lease(id), stage.service.nodes.get("gone")], ["up", undefined]);
  assert.deepEqual(stage.service.nodes.get(id)!.overlay, ["10.42.0.10"]);
  const { revision } = (await stage.member.store.get(`nodes/${id}`))!;
  for (let i = 0; i < 5; i++) {
    await take(node({ heartbeatMs: stage.clock.nowMs() }));
    await stage.pass(10);
  }
  assert.equal((await stage.member.store.get(`nodes/${id}`))!.revision, revision);
  assert.equal(stage.lease(id), "up");
  // What it says of itself has changed, and its heartbeats stop.
  await take(node({ addresses: ["192.0.2.77"], heartbeatMs: stage.clock.nowMs() - 50_000 }));
  assert.deepEqual(JSON.parse((await stage.member.store.get(`nodes/${id}`))!.value).addresses, [
    "192.0.2.77",
  ]);
  await stage.pass(75);
  assert.equal(stage.lease(id), "down");
});

Deno.test("a node of which nobody can tell where it stands is left out, and that is said once", async () => {
  await using stage = await FormationStage.open({
    listed: { known: { latitude: 1, longitude: 2, country: "", subdivision: "" } },
  });
  const node = (id: string, region: string) => ({
    ...{ id, addresses: ["192.0.2.10"], overlay: [], region, labels: {}, isUp: true },
  });
  const asking = { actor: "formation:state" };
  for (let i = 0; i < 2; i++) {
    await stage.service.takeList({ nodes: [node("lost", "mars"), node("known", "mars")] }, "list", asking);
  }
  assert.equal(stage.log.filter((line) => /node lost: nobody can tell where it stands/.test(line)).length, 1);
  await stage.pass(1);
  assert.equal(stage.service.nodes.get("lost"), undefined);
  assert.deepEqual(stage.service.nodes.get("known")!.location, { latitude: 1, longitude: 2 });
});
