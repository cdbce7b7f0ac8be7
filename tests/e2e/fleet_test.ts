import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../core/clock.ts";
import { KEYS } from "../../core/state/keys.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";
import { Listeners } from "../../scripts/listeners.ts";
import { EtcdCluster } from "../support/etcd.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";

const NODES = ["127.0.0.61", "127.0.0.62", "127.0.0.63"];

const nodesYaml = `nodes:
${
  NODES.map((address, i) =>
    `  - { id: n${i + 1}, addresses: [${address}], location: { latitude: ${50 + i}, longitude: 8 } }`
  ).join("\n")
}
`;

/** Three near each other, so that a pool's order is n1, n2, n3 for whoever is at 50 8. */
const corefile = (id: string, store: string, port: number) =>
  `{
    ${store}
    server ${id} {
        region eu
    }
    workers 1
}
example.org:1053 {
    geo
    chaos
    health {
        check tcp ${port}
        interval 1s
        timeout 500ms
        fall 2
        rise 2
        hold-down off
        ramp off
    }
    anycast entry.example.org {
        nodes nodes.yaml registry
        answers 1
        unknown nearest 50 8
    }
    ttl 1 30
}
`;

/** Some servers over one store, and the nodes that they probe. */
class Fleet implements AsyncDisposable {
  readonly servers = new Map<string, ServeProcess>();
  readonly #folders: string[] = [];

  constructor(readonly listeners: Listeners, readonly store: string) {}

  async start(id: string): Promise<ServeProcess> {
    const folder = await Deno.makeTempDir({ prefix: `meridian-${id}-` });
    this.#folders.push(folder);
    await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml);
    return await this.startIn(folder, id);
  }

  async startIn(folder: string, id: string): Promise<ServeProcess> {
    const server = await ServeProcess.start(folder, corefile(id, this.store, this.listeners.port));
    this.servers.set(id, server);
    return server;
  }

  folderOf(id: string): string {
    return this.#folders.find((folder) => folder.includes(`meridian-${id}-`))!;
  }

  /** What each server answers, in the order in which they started. */
  async answers(): Promise<string[]> {
    return await Promise.all(
      Array.from(
        this.servers.values(),
        async ({ port }) =>
          (await askServer(port, "entry.example.org", "A")).answer.map(({ rdata }) => rdata.join(".")).join(
            " ",
          ),
      ),
    );
  }

  /** Waits until every server says this. */
  async say(address: string): Promise<void> {
    await until(
      `all servers to say ${address}`,
      async () => (await this.answers()).every((one) => one === address),
    );
  }

  /** What a server knows of its fleet. */
  async known(id: string) {
    const { stdout, stderr } = await meridian(this.folderOf(id), "status", "--json");
    assert.equal(stderr, "");
    return JSON.parse(stdout).fleet;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers.values()) await server[Symbol.asyncDispose]();
    this.listeners.close();
    for (const folder of this.#folders) await Deno.remove(folder, { recursive: true });
  }
}

async function withFleet(store: string, run: (fleet: Fleet) => Promise<void>): Promise<void> {
  await using fleet = new Fleet(Listeners.open(NODES, freePort()), store);
  for (const id of ["a", "b", "c"]) await fleet.start(id);
  await fleet.say(NODES[0]!);
  await run(fleet);
}

Deno.test("three servers over one etcd agree, with it and without it", async () => {
  await using cluster = await EtcdCluster.start(3, [
    "--heartbeat-interval",
    "50",
    "--election-timeout",
    "500",
  ]);
  await withFleet(`state etcd ${cluster.urls.join(" ")}`, async (fleet) => {
    await until("all to know each other by one digest", async () => {
      const { servers } = await fleet.known("a");
      const digests = new Set(Object.values<{ digest: string }>(servers).map(({ digest }) => digest));
      return Object.keys(servers).join() === "a,b,c" && digests.size === 1 && !digests.has("");
    });
    fleet.listeners.close(NODES[0]);
    await fleet.say(NODES[1]!);
    await (await cluster.leader()).kill();
    fleet.listeners.open(NODES[0]!);
    await fleet.say(NODES[0]!);
    for (const member of cluster.members) await member.kill();
    await until("the store to be missed", async () => (await fleet.known("a")).fault !== undefined);
    assert.deepEqual(await fleet.answers(), [NODES[0], NODES[0], NODES[0]]);
    // One that starts into such a night serves by what it kept.
    const before = fleet.servers.get("c")!;
    before.kill("SIGTERM");
    assert.equal(await before.end(), 0);
    await fleet.startIn(fleet.folderOf("c"), "c");
    await fleet.say(NODES[0]!);
    assert.deepEqual(Object.keys((await fleet.known("c")).servers), ["a", "b", "c"]);
    for (const member of cluster.members) member.start();
    await cluster.leader();
    fleet.listeners.close(NODES[0]);
    await fleet.say(NODES[1]!);
  });
});

Deno.test("a server that leaves has no word any more; one that lies moves nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withFleet(`state sqlite ${folder}/fleet.db`, async (fleet) => {
      const store = openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
      try {
        const target = await until("a report", async () => {
          const { entries } = await store.list("reports/a/");
          return entries.flatMap(({ value }) => Object.keys(JSON.parse(value))).find((key) =>
            key.includes(NODES[0]!)
          );
        });
        const lie = { state: "down", sinceMs: Date.now(), reason: "a lie", ramp: 1 };
        await store.transact([
          {
            put: KEYS.server("liar"),
            value: JSON.stringify({ region: "eu", nowMs: Date.now() }),
            lease: await store.lease(60),
          },
          { put: KEYS.reports("liar", 0), value: JSON.stringify({ [target!]: lie }) },
        ]);
        await until("the liar to be heard", async () => "liar" in (await fleet.known("a")).servers);
        assert.deepEqual(await fleet.answers(), [NODES[0], NODES[0], NODES[0]]);
        fleet.listeners.close(NODES[0]);
        await fleet.say(NODES[1]!);
      } finally {
        await store.close();
      }
      const c = fleet.servers.get("c")!;
      c.kill("SIGTERM");
      assert.equal(await c.end(), 0);
      fleet.servers.delete("c");
      await until("c to be missed", async () => !("c" in (await fleet.known("a")).servers));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("nodes and overrides that are written into the store are every server's", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withFleet(`state sqlite ${folder}/fleet.db`, async (fleet) => {
      const store = openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
      try {
        const node = { id: "r1", addresses: ["127.0.0.64"], location: { latitude: 50, longitude: 8.001 } };
        fleet.listeners.open("127.0.0.64");
        fleet.listeners.close(NODES[0]);
        await fleet.say("127.0.0.62");
        await store.transact([{ put: KEYS.node("r1"), value: JSON.stringify({ ...node, origin: "api" }) }]);
        await fleet.say("127.0.0.64");
        const override = {
          ...{ id: "o1", target: { node: "r1" }, state: "drain", reason: "a test", actor: "token:ada" },
          ...{ from: new Date().toISOString(), until: new Date(Date.now() + 600_000).toISOString() },
          created: new Date().toISOString(),
        };
        await store.transact([{ put: KEYS.override("o1"), value: JSON.stringify(override) }]);
        await fleet.say("127.0.0.62");
        await store.transact([{ remove: KEYS.override("o1") }]);
        await fleet.say("127.0.0.64");
        await store.transact([{ remove: KEYS.node("r1") }]);
        await fleet.say("127.0.0.62");
      } finally {
        await store.close();
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
