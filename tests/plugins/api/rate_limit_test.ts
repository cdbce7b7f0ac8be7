import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { RateLimit } from "../../../plugins/api/rate_limit.ts";
import { actorOf, ApiStage } from "./stage.ts";

const BEAT = { load: { cpu: 0.1, memory: 0.1, network: 1, connections: 1 } };
const NODE = { addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };

Deno.test("the limit is of one address, and of one /64", () => {
  const rate = new RateLimit(new ManualClock(), { perSecond: 1, burst: 1 });
  const taken = (address: string) => rate.take(address) === 0;
  assert.deepEqual(["192.0.2.1", "192.0.2.2", "192.0.2.1"].map(taken), [true, true, false]);
  assert.deepEqual(
    ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:1:ffff::9"].map(taken),
    [true, true, false],
  );
});

Deno.test("a node is heard however much comes from its address, and itself not more often than it has to be", async () => {
  const clock = new ManualClock(Date.now()), rate = new RateLimit(clock, { perSecond: 1, burst: 3 });
  await using stage = await ApiStage.open({ rate });
  const join = {
    ...{ name: "rack", grants: [{ role: "node" }], join: { usesLeft: 1 } },
    expires: new Date(Date.now() + 600_000).toISOString(),
  };
  const { body: { token } } = await stage.ask({ actor: actorOf("admin") }, "POST", "/v1/tokens", join);
  const registered = await stage.ask(undefined, "POST", "/v1/registrations", {
    node: { id: "n1", ...NODE },
    proof: { joinToken: token },
  });
  assert.equal(registered.status, 201, JSON.stringify(registered.body));
  const beat = async (credential: string, node = "n1") =>
    (await stage.ask(undefined, "PUT", `/v1/nodes/${node}/beat`, BEAT, {
      Authorization: `Bearer ${credential}`,
    }))
      .status;
  while ((await stage.ask(undefined, "GET", "/healthz")).status !== 429);
  assert.equal(await beat(registered.body.credential), 200);
  assert.equal(await beat(`${registered.body.credential.slice(0, -4)}AAAA`), 429);
  assert.equal(await beat(registered.body.credential, "n2"), 429);
  const statuses = [];
  for (let i = 0; i < 20; i++) statuses.push(await beat(registered.body.credential));
  assert.deepEqual([statuses.at(-2), statuses.at(-1)], [200, 429]);
});
