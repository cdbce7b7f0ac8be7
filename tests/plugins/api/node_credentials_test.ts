import assert from "node:assert/strict";
import { nodeVerifier } from "../../../plugins/api/node_credentials.ts";
import { document, makeServer } from "../../core/registry/make.ts";
import { ApiStage } from "./stage.ts";

const FORGED = `${btoa('{"node":"fra1"}').replaceAll("=", "")}.${"A".repeat(43)}`;

Deno.test("only a credential that the fleet has handed out is genuine, also when it is of no use any more", async () => {
  const { registry, clock } = makeServer(), verifier = nodeVerifier(() => registry);
  const { credential } = await registry.register({ node: document(), proof: { joinToken: "join" } });
  assert.ok("actor" in await verifier.verify(credential));
  clock.advance(3_600_000);
  const [old, forged] = [await verifier.verify(credential), await verifier.verify(FORGED)];
  assert.ok("fault" in old && old.isGenuine === true && /expired/.test(old.fault));
  assert.ok("fault" in forged && forged.isGenuine === undefined);
});

Deno.test("who shows forged credentials of nodes has to wait as others do", async () => {
  await using stage = await ApiStage.open();
  const statuses = new Set<number>();
  for (let i = 0; i < 100; i++) {
    const headers = { authorization: `Bearer ${FORGED}` };
    statuses.add((await stage.ask({ address: "192.0.2.9" }, "GET", "/v1/peers", undefined, headers)).status);
  }
  assert.deepEqual([...statuses], [401, 429]);
});
