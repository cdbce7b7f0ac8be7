import assert from "node:assert/strict";
import { askServer, freePort } from "../support/server.ts";
import { EtcdCluster } from "../support/etcd.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";

const corefile = (id: string, store: string) =>
  `{
    ${store}
    server ${id}
    workers 1
}
example.org:1053 {
    api localhost:${freePort()}
    managed
}
`;

Deno.test("servers of one store answer from the same zones, with it and without it, over a restart", async () => {
  await using cluster = await EtcdCluster.start(1);
  const store = `state etcd ${cluster.urls.join(" ")}`, servers = new Map<string, ServeProcess>();
  const folders = new Map<string, string>();
  const start = async (id: string) => {
    servers.set(id, await ServeProcess.start(folders.get(id)!, corefile(id, store)));
  };
  try {
    for (const id of ["a", "b"]) {
      folders.set(id, await Deno.makeTempDir({ prefix: `meridian-${id}-` }));
      await start(id);
    }
    await until("the interface", () => servers.get("a")!.output.includes("/v1/"));
    const run = async (...args: string[]) => {
      const { code, stderr } = await meridian(folders.get("a")!, ...args);
      assert.equal(code, 0, stderr);
    };
    const saysOf = async (id: string) => {
      const { answer } = await askServer(servers.get(id)!.port, "www.example.org", "A");
      return answer.map(({ rdata }) => rdata.join(".")).join(" ");
    };
    const allSay = (wanted: string) =>
      until(`all to say ${wanted}`, async () => await saysOf("a") === wanted && await saysOf("b") === wanted);
    await run("zone", "add", "example.org", "ns.example.net");
    await run("record", "set", "example.org", "www", "A", "60", "192.0.2.1");
    await allSay("192.0.2.1");
    for (const member of cluster.members) await member.kill();
    servers.get("b")!.kill("SIGTERM");
    assert.equal(await servers.get("b")!.end(), 0);
    await start("b");
    assert.equal(await saysOf("b"), "192.0.2.1");
    for (const member of cluster.members) member.start();
    await cluster.leader();
    await until("the store to be followed", async () => {
      const { stdout } = await meridian(folders.get("a")!, "status", "--json");
      return JSON.parse(stdout).fleet.fault === undefined;
    });
    await run("record", "set", "example.org", "www", "A", "60", "192.0.2.2");
    await allSay("192.0.2.2");
  } finally {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
    for (const folder of folders.values()) await Deno.remove(folder, { recursive: true });
  }
});
