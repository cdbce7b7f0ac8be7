import assert from "node:assert/strict";
import { TYPE } from "../../core/dns/types.ts";
import { EtcdCluster } from "../support/etcd.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";

const corefile = (id: string, store: string, checked: number) =>
  `{
    ${store}
    server ${id}
    vantages any
    workers 1
}
example.org:1053 {
    api localhost:${freePort()}
    health {
        check tcp ${checked}
        interval 1s
        timeout 900ms
        fall 1
        rise 1
        hold-down off
        ramp off
        slow-flap off
    }
    anycast managed
    managed
}
`;

const NODES = `nodes:
  - { id: n1, addresses: [127.0.0.41], location: { latitude: 50, longitude: 8 } }
  - { id: n2, addresses: [127.0.0.42], location: { latitude: 1, longitude: 2 } }
`;

/** Something that checks find up. */
function listenAt(hostname: string, port: number): Deno.Listener {
  const listener = Deno.listen({ hostname, port });
  void (async () => {
    for await (const connection of listener) connection.close();
  })().catch(() => {});
  return listener;
}

Deno.test("a pool that is made by the command line is every server's: changed, probed, kept without the store, and taken away", async () => {
  await using cluster = await EtcdCluster.start(1);
  const store = `state etcd ${cluster.urls.join(" ")}`, checked = freePort();
  const servers = new Map<string, ServeProcess>(), folders = new Map<string, string>();
  const start = async (id: string) => {
    servers.set(id, await ServeProcess.start(folders.get(id)!, corefile(id, store, checked)));
  };
  const first = listenAt("127.0.0.41", checked), second = listenAt("127.0.0.42", checked);
  let isFirstUp = true;
  try {
    for (const id of ["a", "b"]) {
      folders.set(id, await Deno.makeTempDir({ prefix: `meridian-${id}-` }));
      await start(id);
    }
    await servers.get("a")!.says(/\/v1\//);
    await Deno.writeTextFile(`${folders.get("a")}/nodes.yaml`, NODES);
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await meridian(folders.get("a")!, ...args);
      assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    const saysOf = async (id: string, name: string) => {
      const { answer, rcode } = await askServer(servers.get(id)!.port, name, "A");
      const addresses = answer.filter(({ type }) => type === TYPE.A).map(({ rdata }) => rdata.join("."));
      return [rcode, ...addresses].join(" ");
    };
    const allSay = (wanted: string, name = "entry.example.org") =>
      until(
        `all to say ${wanted} of ${name}`,
        async () => await saysOf("a", name) === wanted && await saysOf("b", name) === wanted,
      );
    await run("node", "add", "nodes.yaml");
    await run("zone", "add", "example.org", "ns.example.net");
    await run("record", "set", "example.org", "alias", "CNAME", "60", "entry.example.org.");
    await allSay("3");
    await run(
      "pool",
      "add",
      "entry.example.org",
      "answers=1",
      "unknown.policy=nodes",
      "unknown.nodes=n1",
      "-yes",
    );
    await allSay("0 127.0.0.41");
    await allSay("0 127.0.0.41", "alias.example.org");
    await run("pool", "set", "entry.example.org", "unknown=", "answers=2", "-yes");
    await until("both nodes", async () => (await saysOf("b", "entry.example.org")).split(" ").length === 3);
    first.close();
    isFirstUp = false;
    await allSay("0 127.0.0.42");
    await until("equal digests", async () => {
      const { fleet: { servers } } = JSON.parse(await run("status", "--json"));
      const digests = new Set(Object.values<{ digest: string }>(servers).map(({ digest }) => digest));
      return Object.keys(servers).length === 2 && digests.size === 1 && !digests.has("");
    });
    for (const member of cluster.members) await member.kill();
    servers.get("b")!.kill("SIGTERM");
    assert.equal(await servers.get("b")!.end(), 0);
    await start("b");
    await allSay("0 127.0.0.42");
    for (const member of cluster.members) member.start();
    await cluster.leader();
    await until(
      "the store to be followed",
      async () => JSON.parse(await run("status", "--json")).fleet.fault === undefined,
    );
    assert.match(
      await run("pool", "list"),
      /^entry\.example\.org\. +every node +all +2 +linear +last-known-good +api$/m,
    );
    const kept = await meridian(folders.get("a")!, "pool", "remove", "entry.example.org", "-yes");
    assert.deepEqual([kept.code, /nobody would serve entry\.example\.org\./.test(kept.stderr)], [1, true]);
    await run("pool", "remove", "entry.example.org", "-yes", "-acknowledge", "entry.example.org.");
    await allSay("3");
  } finally {
    if (isFirstUp) first.close();
    second.close();
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
    for (const folder of folders.values()) await Deno.remove(folder, { recursive: true });
  }
});
