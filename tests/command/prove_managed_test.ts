import assert from "node:assert/strict";
import { freePort } from "../support/server.ts";
import { storeWith } from "../support/stored_fleet.ts";
import { meridian, withFolder } from "./meridian.ts";

const COREFILE = `{
    state sqlite fleet.db
    server a
}
example.org:1053 {
    geo
    ttl 5 60
    anycast managed
    managed
}
`;

const node = (id: string, last: number, latitude: number, longitude: number, role: string) => ({
  ...{ id, addresses: [`127.0.0.${last}`, `2001:db8::${last}`] },
  ...{ location: { latitude, longitude }, labels: { role, site: id.slice(0, 3) } },
});

const FLEET = {
  zone: "example.org.",
  nodes: [
    node("fra1", 11, 50.11, 8.68, "entry"),
    node("iad1", 12, 38.95, -77.45, "entry"),
    node("sin1", 13, 1.35, 103.99, "entry"),
    node("gru1", 14, -23.43, -46.47, "relay"),
  ],
  pools: [
    { name: "entry.example.org.", select: { role: "entry" }, answers: 1 },
    { name: "all.example.org.", answers: 2, ring: { share: 0.3, km: 1500 } },
  ],
};

Deno.test("prove has every pool of the store that the Corefile names, with the nodes that are there for it", async () => {
  await withFolder({ Corefile: COREFILE }, async (folder) => {
    await storeWith(`${folder}/fleet.db`, FLEET);
    const { code, stdout, stderr } = await meridian(folder, "prove", "-subsets", "0", "-json");
    assert.equal(code, 0, stdout + stderr);
    const { proofs } = JSON.parse(stdout) as { proofs: Record<string, unknown>[] };
    assert.deepEqual(proofs.map(({ pool, family, nodes, failures }) => [pool, family, nodes, failures]), [
      ["all.example.org.", 4, 4, 0],
      ["all.example.org.", 6, 4, 0],
      ["entry.example.org.", 4, 3, 0],
      ["entry.example.org.", 6, 3, 0],
    ]);
    assert.ok(proofs.every(({ leavesChecked }) => leavesChecked as number > 100_000), stdout);
  });
});

Deno.test("prove has the registered nodes of a pool that the Corefile names, without those that an override takes out", async () => {
  const corefile = COREFILE.replace(
    "    anycast managed\n    managed\n",
    "    anycast here.example.org {\n        nodes registry\n    }\n",
  );
  await withFolder({ Corefile: corefile }, async (folder) => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const overrides = [{ target: { region: "far" }, state: "down", until, reason: "moved" }];
    const nodes = FLEET.nodes.map((node, i) => ({ ...node, region: i < 2 ? "near" : "far" }));
    await storeWith(`${folder}/fleet.db`, { ...FLEET, nodes, pools: [], overrides });
    const { code, stdout, stderr } = await meridian(
      folder,
      "prove",
      "here.example.org",
      "-subsets",
      "0",
      "-json",
    );
    assert.equal(code, 0, stdout + stderr);
    const { proofs } = JSON.parse(stdout) as { proofs: { nodes: number; failures: number }[] };
    assert.deepEqual(proofs.map(({ nodes, failures }) => [nodes, failures]), [[4, 0], [4, 0]]);
    await Deno.writeTextFile(`${folder}/none.json`, "{}");
    const asked = ["here.example.org", "-client", "189.0.0.0/24", "-verdicts", "none.json", "-json"];
    const told = JSON.parse((await meridian(folder, "explain", ...asked)).stdout) as { answer: string[] };
    // To Brazil the nearest is far, and so taken out.
    const addresses = told.answer.map((record) => record.split(" ").at(-1)).sort();
    assert.deepEqual(addresses, ["127.0.0.11", "127.0.0.12"]);
  });
});

Deno.test("explain -verdicts answers by pools, nodes and overrides of the store", async () => {
  await withFolder({ Corefile: COREFILE, "none.json": "{}" }, async (folder) => {
    const args = ["entry.example.org", "A", "-client", "84.128.0.0/24", "-verdicts", "none.json", "-json"];
    const answer = async () => {
      const { code, stdout, stderr } = await meridian(folder, "explain", ...args);
      assert.equal(code, 0, stderr);
      return (JSON.parse(stdout) as { answer: string[] }).answer.map((record) => record.split(" ").at(-1));
    };
    // Before any server made one there is nothing to be read.
    assert.deepEqual(await answer(), []);
    const until = new Date(Date.now() + 3_600_000).toISOString();
    await storeWith(`${folder}/fleet.db`, FLEET);
    assert.deepEqual(await answer(), ["127.0.0.11"]);
    await Deno.remove(`${folder}/fleet.db`);
    const overrides = [{ target: { labels: { site: "fra" } }, state: "drain", until, reason: "moved" }];
    await storeWith(`${folder}/fleet.db`, { ...FLEET, overrides });
    assert.deepEqual(await answer(), ["127.0.0.12"]);
  });
});

Deno.test("prove says so when what the fleet shares cannot be read", async () => {
  const nowhere = COREFILE.replace("sqlite fleet.db", `etcd http://127.0.0.1:${freePort()}`);
  await withFolder({ Corefile: nowhere }, async (folder) => {
    const { code, stderr } = await meridian(folder, "prove");
    assert.deepEqual([code, /^What the fleet shares cannot be read: /.test(stderr)], [2, true], stderr);
  });
});
