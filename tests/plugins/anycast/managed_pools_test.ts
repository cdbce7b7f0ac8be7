import assert from "node:assert/strict";
import { formatRdata } from "../../../core/dns/rdata.ts";
import { rcodeToText } from "../../../core/dns/types.ts";
import { snapshotDigest } from "../../../core/fleet/digest.ts";
import type { Node } from "../../../core/fleet/node.ts";
import type { ManagedPool } from "../../../core/fleet/pool_terms.ts";
import { poolSchema } from "../../../core/management/pools.ts";
import { formatMetrics } from "../../../core/server/exposition.ts";
import anycast from "../../../plugins/anycast/mod.ts";
import { readAnycast } from "./scopes.ts";
import { CITIES, node } from "../../core/fleet/make.ts";
import { freePort, startServer, type TestServer } from "../../support/server.ts";
import { type ToldLink, toldLink } from "../../support/told_link.ts";

const GLOBALS = "{\n    state off\n    state sqlite nowhere/fleet.db\n}\n";
const EU = node("eu", CITIES.london, { ipv4: "192.0.2.1", labels: { role: "entry" } });
const US = node("us", CITIES.newYork, { ipv4: "192.0.2.2", labels: { role: "entry" } });
const POOL = "entry.example.org.";

const pools = (...all: ManagedPool[]) => Object.fromEntries(all.map((pool) => [pool.name, pool]));
const nodes = (...all: Node[]) => Object.fromEntries(all.map((node) => [node.id, node]));

interface Stage {
  readonly server: TestServer;
  readonly link: ToldLink;
  /** `NOERROR 192.0.2.1 192.0.2.2`: what comes back, addresses in order. */
  say(name?: string, type?: "A" | "AAAA" | "SOA"): Promise<string>;
}

async function serving(
  block: string,
  news: Parameters<typeof toldLink>[0],
  run: (stage: Stage) => Promise<void>,
): Promise<void> {
  const link = toldLink(news);
  const server = await startServer(`${GLOBALS}example.org:1053 {\n${block}\n}\n`, {
    fleet: link,
    workers: 1,
  });
  try {
    await run({
      ...{ server, link },
      async say(name = POOL, type = "A") {
        const { rcode, answer } = await server.ask(name, type);
        return [
          rcodeToText(rcode),
          ...answer.flatMap(({ type, rdata }) => formatRdata(type, rdata)).sort(),
        ].join(" ");
      },
    });
  } finally {
    await server.close();
  }
}

const BOTH = "anycast managed\nmanaged";

Deno.test("a managed pool is answered as it comes, changes and goes", async () => {
  await serving(BOTH, { nodes: nodes(EU, US) }, async ({ link, say, server }) => {
    assert.equal(await say(), "REFUSED", "there is no zone either");
    link.tell({ pools: pools({ name: POOL, answers: 2 }) });
    assert.equal(await say(), "NOERROR 192.0.2.1 192.0.2.2");
    assert.equal(await say(POOL, "AAAA"), "NOERROR");
    link.tell({ pools: pools({ name: POOL, members: ["us"] }) });
    assert.equal(await say(), "NOERROR 192.0.2.2");
    link.tell({ nodes: { us: null } });
    assert.equal(await say(), "NOERROR");
    link.tell({ pools: pools({ name: POOL, select: { role: "entry" } }) });
    assert.equal(await say(), "NOERROR 192.0.2.1");
    link.tell({ pools: { [POOL]: null } });
    assert.equal(await say(), "REFUSED");
    assert.deepEqual(server.server.publisher.snapshot.pools, {});
    link.tell({ pools: pools({ name: POOL }) });
    assert.equal(await say(), "NOERROR 192.0.2.1");
    assert.deepEqual(server.logged.filter((line) => line.startsWith("error")), []);
  });
});

Deno.test("no snapshot ever has a name without its pool, or a pool's state older than one of its name before", async () => {
  await serving(BOTH, { nodes: nodes(EU, US) }, async ({ link, say, server: { server, logged } }) => {
    const epochs: number[] = [];
    let latest = 0, isBack = false;
    server.publisher.onSnapshot(({ pools, slots }) => {
      const { zones } = slots["1/managed"] as { zones: ReadonlyMap<string, unknown> };
      assert.equal(zones.size > 0, POOL in pools);
      const epoch = pools[POOL]?.epoch;
      if (epoch === undefined) return void (isBack = true);
      assert.ok(isBack ? epoch > latest : epoch >= latest, `${epoch} after ${latest}`);
      [latest, isBack] = [epoch, false];
      epochs.push(epoch);
    });
    for (let i = 0; i < 3; i++) {
      link.tell({ pools: pools({ name: POOL, answers: 1 + i }) });
      assert.match(await say(), /^NOERROR 192/);
      link.tell({ pools: { [POOL]: null } });
      assert.equal(await say(), "REFUSED");
    }
    assert.ok(epochs.length >= 3);
    // What a listener finds wrong is logged.
    assert.deepEqual(logged.filter((line) => line.startsWith("error")), []);
  });
});

Deno.test("what the Corefile names is the Corefile's, in whichever block it stands", async () => {
  const block =
    `anycast ${POOL} old.example.org {\nnodes nodes.yaml\nselect role=entry\nanswers 1\n}\n${BOTH}`;
  const told = pools({ name: POOL, answers: 2 }, { name: "old.example.org." }, { name: "new.example.org." });
  await serving(block, { nodes: nodes(EU, US), pools: told }, async ({ say, server, link }) => {
    // Whoever comes last: the Corefile's nodes were given after the store's.
    link.tell({ pools: pools({ name: POOL, answers: 3 }) });
    for (const name of [POOL, "old.example.org."]) {
      assert.match(await say(name), /^NOERROR 127\./);
      const said = `error: anycast: managed pool ${name}: the Corefile has a pool of this name`;
      assert.equal(server.logged.filter((line) => line.startsWith(said)).length, 1);
    }
    assert.equal(await say("new.example.org"), "NOERROR 192.0.2.1 192.0.2.2");
    assert.deepEqual(link.besides!.pools.map(({ name, owners }) => [name, owners]), [
      [POOL, [POOL, "old.example.org."]],
    ]);
    assert.deepEqual(link.besides!.takers!.map(({ zones, registered }) => [zones, registered]), [
      [["example.org."], true],
    ]);
  });
});

Deno.test("pools that lead one another in a circle, or nowhere, are answered all the same", async () => {
  const to = (pool: string) => ({ allDown: { policy: "pool" as const, pool } });
  const told = pools({ name: POOL, ...to("b.example.org.") }, { name: "b.example.org.", ...to(POOL) });
  await serving(BOTH, { nodes: nodes(EU), pools: told }, async ({ link, say, server }) => {
    assert.equal(await say(), "NOERROR 192.0.2.1");
    link.tell({ pools: { "b.example.org.": null } });
    assert.equal(await say(), "NOERROR 192.0.2.1");
    const said = server.logged.filter((line) => line.startsWith(`error: anycast: managed pool ${POOL}`));
    assert.match(said.join("\n"), /leads in a circle.*\n.*there is no such pool/);
  });
});

Deno.test("of a pool whose zone is another plugin's the log says that it is not answered, once", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/example.org.zone`;
  await Deno.writeTextFile(file, "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n");
  try {
    await serving(`${BOTH}\nfile ${file}`, { nodes: nodes(EU, US) }, async ({ link, say, server }) => {
      link.tell({ pools: pools({ name: POOL }) });
      assert.equal(await say(), "NXDOMAIN");
      link.tell({ pools: pools({ name: POOL, answers: 1 }, { name: "b.example.org." }) });
      await say();
      const said = server.logged.filter((line) => /^error: managed: pool .* is not answered/.test(line));
      assert.equal(said.length, 2);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("nodes are those of the file that is named, those that registered, or both", async () => {
  const told = { nodes: nodes(EU), pools: pools({ name: POOL, answers: 16 }) };
  const count = async (option: string) => {
    let found = 0;
    await serving(`anycast managed {\nnodes ${option}\n}\nmanaged`, told, async ({ say }) => {
      found = (await say()).split(" ").length - 1;
    });
    return found;
  };
  assert.deepEqual([await count("registry"), await count("nodes.yaml"), await count("nodes.yaml registry")], [
    ...[1, 10, 11],
  ]);
});

Deno.test("overrides and drains hold for a managed pool as for another", async () => {
  const drained = {
    ...{ nodeId: "eu", state: "drain" as const, reason: "kernel", actor: "ada", fromMs: 0, pool: POOL },
    untilMs: Date.now() + 3_600_000,
  };
  const told = { nodes: nodes(EU, US), pools: pools({ name: POOL }, { name: "b.example.org." }) };
  await serving(BOTH, told, async ({ link, say }) => {
    link.tell({ overrides: [drained] });
    assert.equal(await say(), "NOERROR 192.0.2.2");
    assert.equal(await say("b.example.org"), "NOERROR 192.0.2.1 192.0.2.2");
  });
});

Deno.test("checks of the block decide, those that a pool names where it does, and nobody asks for what is gone", async () => {
  const health = "health {\ncheck tcp 1\ncheck web http 2 /\ninterval 1h\ntimeout 100ms\n}\n";
  const targetsOf = ({ server }: TestServer) =>
    Object.values(server.publisher.snapshot.pools[POOL]?.targets ?? {}).flat();
  await serving(health + BOTH, { nodes: nodes(EU) }, async ({ link, say, server }) => {
    link.tell({ pools: pools({ name: POOL }) });
    await say();
    assert.equal(targetsOf(server).length, 2);
    link.tell({ pools: pools({ name: POOL, checks: ["web"] }) });
    await say();
    assert.equal(targetsOf(server).length, 1);
    link.tell({ pools: { [POOL]: null } });
    await say();
    assert.deepEqual(targetsOf(server), []);
    link.tell({ pools: pools({ name: POOL, checks: ["web"] }) });
    await say();
    assert.equal(targetsOf(server).length, 1, "it is asked for anew");
  });
});

Deno.test("the digest tells managed pools apart, and metrics show no pool that is gone", async () => {
  await serving(
    `${BOTH}\nprometheus localhost:${freePort()}`,
    { nodes: nodes(EU, US) },
    async ({ link, server, say }) => {
      const digest = () => snapshotDigest(server.server.publisher.snapshot, 0);
      const metrics = () => formatMetrics(server.server.metrics.read());
      const digests = [digest()];
      for (const pool of [{ name: POOL }, { name: POOL, answers: 1 }, null]) {
        link.tell({ pools: { [POOL]: pool } });
        await say();
        digests.push(digest());
        assert.equal(/meridian_pool_serving_nodes\{.*entry/.test(metrics()), pool !== null);
      }
      assert.equal(new Set(digests).size, 3);
      assert.equal(digests[3], digests[0]);
    },
  );
});

Deno.test("`anycast managed` says where what is wrong in it stands", () => {
  const errorsOf = (text: string) => readAnycast(text, undefined, true).errors.join("\n");
  assert.equal(errorsOf("anycast managed {\nnodes nodes.yaml registry\n}"), "");
  assert.match(errorsOf("anycast managed {\nanswers 2\n}"), /:3:1 .*answers cannot go with managed/);
  assert.match(errorsOf("anycast managed example.org"), /:2:17 .*want no name beside it/);
  assert.match(errorsOf("anycast managed\nanycast managed"), /:3:1 .*stands twice/);
  assert.match(errorsOf("anycast managed {\nnodes below\n}"), /:3:1 .*nodes below cannot go with managed/);
  assert.match(errorsOf("anycast managed {\nnodes nowhere.yaml\n}"), /cannot read the node list/);
  assert.match(readAnycast("anycast managed").errors.join("\n"), /:2:1 .*managed wants a store/);
});

Deno.test("managed pools are one block's, which has `managed` too", async () => {
  const refusal = async (corefile: string) => {
    try {
      await (await startServer(GLOBALS + corefile, { fleet: toldLink({}) })).close();
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const block = (zone: string, lines = BOTH) => `${zone}:1053 {\n${lines}\n}\n`;
  assert.equal(await refusal(block("example.org") + block("example.net")), "");
  assert.equal(await refusal(block("example.org") + block("a.example.org", "whoami")), "");
  assert.match(
    await refusal(block("example.org") + block("a.example.org")),
    /answered by the block at Corefile:6:1 already/,
  );
  assert.match(await refusal(block("example.org", "anycast managed")), /Corefile:6:1.*wants `managed`/s);
});

Deno.test("whatever a Corefile may say of a pool, a managed one may say too", () => {
  const words = Object.keys(anycast.options).filter((word) => word !== "nodes").map((word) =>
    ({ check: "checks", "max-distance": "maxDistanceKm", "all-down": "allDown" })[word] ?? word
  );
  const fields = Object.keys(poolSchema.shape);
  assert.deepEqual(words.filter((word) => !fields.includes(word)), []);
});
