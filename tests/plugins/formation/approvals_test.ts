import assert from "node:assert/strict";
import formation from "../../../plugins/formation/fleet.ts";
import type { FormationConfig } from "../../../plugins/formation/parse.ts";
import { freePort } from "../../support/server.ts";
import { actorOf, ApiStage } from "../api/stage.ts";
import { OVERLAY } from "./stage.ts";

const POOL = "entry.example.";

const configAt = (port: number): FormationConfig => ({
  ...{ endpoints: [{ hostname: "127.0.0.1", port }], states: [], pollMs: 60_000, timeoutMs: 60_000 },
  ...{ staleMs: 300_000, bootstrapName: "bootstrap.formation.cloud", overlay: OVERLAY, regions: {} },
  ...{ replies: "native", zones: [], records: [] },
});

/** Four entry points in one pool, made and taken away through Formation's own interface by an operator. */
async function withFleet(
  approvals: "off" | "on" | "all",
  run: (
    remove: (node: string, isLocal?: boolean) => Promise<[number, unknown]>,
    stage: ApiStage,
  ) => Promise<void>,
): Promise<void> {
  await using stage = await ApiStage.open({}, undefined, { approvals });
  stage.member.takeBesides({ nodes: [], pools: [{ name: POOL, select: {} }] });
  const expires = new Date(Date.now() + 600_000).toISOString();
  const asked = { name: "form", grants: [{ role: "operator" }], expires };
  const made = await stage.ask(
    { ...actorOf("admin"), id: "local:root", way: "local" },
    "POST",
    "/v1/tokens",
    asked,
  );
  const port = freePort(), serving = await formation.serve(configAt(port), stage.services.scope);
  const ask = async (
    path: string,
    node: string,
    headers: Record<string, string>,
  ): Promise<[number, unknown]> => {
    const body = JSON.stringify({
      node_id: node,
      ip_address: `192.0.2.${node.slice(1)}`,
      region: "eu-west",
      ttl: 30,
    });
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body });
    const said = await response.json();
    await stage.caughtUp();
    return [response.status, said];
  };
  try {
    const bearer = made.body.token === undefined ? {} : { Authorization: `Bearer ${made.body.token}` };
    for (const node of ["n1", "n2", "n3", "n4"]) {
      assert.deepEqual(await ask("/bootstrap/add", node, {}), [200, "Success"]);
    }
    await run((node, isLocal = false) => ask("/bootstrap/remove", node, isLocal ? {} : bearer), stage);
  } finally {
    await serving.close();
  }
}

Deno.test("what waits for a second person in the API is refused to people who ask Formation's interface for it", async () => {
  await withFleet("on", async (remove, stage) => {
    assert.deepEqual(await remove("n1"), [200, "Success"]);
    assert.deepEqual(await remove("n2"), [200, "Success"]);
    // One after the other is the same as all at once.
    const [status, said] = await remove("n3");
    assert.equal(status, 403);
    assert.match(
      JSON.stringify(said),
      /leaves 1 of 4 nodes of pool entry\.example\..*waits for a second person/,
    );
    assert.ok(await stage.member.store.get("nodes/n3"), "it is gone");
    // The machine's own administrator waits for nobody.
    assert.deepEqual(await remove("n3", true), [200, "Success"]);
  });
});

Deno.test("with approvals off nobody is held up, and with all the machine's own administrator is", async () => {
  await withFleet("off", async (remove) => {
    for (const node of ["n1", "n2", "n3"]) assert.deepEqual(await remove(node), [200, "Success"]);
  });
  await withFleet("all", async (remove) => {
    for (const node of ["n1", "n2"]) assert.deepEqual(await remove(node, true), [200, "Success"]);
    assert.equal((await remove("n3", true))[0], 403);
  });
});
