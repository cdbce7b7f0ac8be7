import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { until } from "../../support/until.ts";
import { actorOf, ApiStage } from "./stage.ts";

const NODE = { addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };

Deno.test("who is refused as a node is recorded at once, and then once a minute with the number", async () => {
  const clock = new ManualClock(Date.now());
  await using stage = await ApiStage.open({}, undefined, { clock });
  const register = (id: unknown, address: string, joinToken = "mer_nothing") =>
    stage.ask({ address }, "POST", "/v1/registrations", { node: { id, ...NODE }, proof: { joinToken } });
  const recorded = async () =>
    (await stage.ask(actorOf("admin"), "GET", "/v1/audit?action=registration.fail")).body.items;
  assert.equal((await register("n1", "192.0.2.7")).status, 403);
  await until("the first", async () => (await recorded()).length === 1);
  const [{ actor, subject, after: first }] = await recorded();
  assert.deepEqual([actor, subject, first.count, first.hosts], ["nobody", "registrations", 1, 1]);
  assert.deepEqual(first.examples.map(({ host, subject }: any) => [host, subject]), [[
    "192.0.2.7/32",
    "node n1",
  ]]);
  assert.match(first.examples[0].fault, /^join-token-refused: /);
  assert.ok(!JSON.stringify(first).includes("mer_nothing"), "a token is shown");
  for (let i = 0; i < 50; i++) await register(`n${i}`, `192.0.2.${i % 20}`);
  // What is merely wrong is not held against anybody.
  assert.equal((await register({ $: 1 }, "192.0.2.99")).status, 422);
  assert.equal((await stage.ask({ address: "192.0.2.99" }, "POST", "/v1/registrations", "null")).status, 422);
  assert.equal((await recorded()).length, 1);
  clock.advance(60_000);
  await until("the others", async () => (await recorded()).length === 2);
  const { after } = (await recorded())[1];
  assert.deepEqual([after.count, after.hosts, after.examples.length], [50, 20, 8]);
});
