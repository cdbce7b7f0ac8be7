import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../core/clock.ts";
import type { PreviewJson } from "../../core/management/preview_schema.ts";
import { KEYS } from "../../core/state/keys.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";
import { askServer, freePort } from "../support/server.ts";
import { Chance } from "../support/random_world.ts";
import { until } from "../support/until.ts";

/** Around the world. */
const NODES = [["fra", 50, 8], ["nyc", 41, -74], ["sin", 1, 104], ["sao", -23, -46], ["syd", -34, 151], [
  "jnb",
  -26,
  28,
]] as const;

const nodesYaml = `nodes:
${
  NODES.map(([id, latitude, longitude], i) =>
    `  - { id: ${id}, addresses: [192.0.2.${
      i + 1
    }], location: { latitude: ${latitude}, longitude: ${longitude} }, capacity: 3000 }`
  ).join("\n")
}
`;

const corefile = (id: string, store: string) =>
  `{
    state state
    state sqlite ${store}
    server ${id}
    workers 1
}
example.org:1053 {
    api localhost:${freePort()}
    geo
    anycast one.example.org {
        nodes registry
        answers 1
        unknown nearest 50 8
    }
    anycast two.example.org {
        nodes registry
        answers 2
        unknown nearest 50 8
    }
    anycast ring.example.org {
        nodes registry
        answers 1
        ring 60% 3000km
        unknown nearest 50 8
    }
    ttl 1 3
}
`;

/** Single addresses anywhere, with what each asks for: 300 of them. */
function clients(): Map<string, number> {
  const chance = new Chance(7), some = new Map<string, number>();
  while (some.size < 300) {
    const octet = (most: number) => Math.floor(chance.unit() * most);
    some.set(`${1 + octet(223)}.${octet(256)}.${octet(256)}.${octet(256)}/32`, 1 + octet(100));
  }
  return some;
}

/** Which node each client is sent to, by a pool's name. */
async function asked(port: number, name: string, networks: Iterable<string>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const network of networks) {
    const { answer } = await askServer(port, name, "A", { subnet: network });
    const nodes = answer.map(({ rdata }) => NODES[rdata[3]! - 1]![0]);
    found.set(network, nodes.sort().join(" "));
  }
  return found;
}

/** What two rounds of answers come to, as a preview has it. */
function moved(
  demand: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
) {
  let total = 0, moving = 0;
  const loads = { before: new Map<string, number>(), after: new Map<string, number>() };
  for (const [network, asks] of demand) {
    total += asks;
    if (before.get(network) !== after.get(network)) moving += asks;
    for (const side of ["before", "after"] as const) {
      const nodes = (side === "before" ? before : after).get(network)!.split(" ");
      for (const node of nodes) loads[side].set(node, (loads[side].get(node) ?? 0) + asks / nodes.length);
    }
  }
  return { share: moving / total, loads };
}

/**
 * Stops a server for as long as that takes: it is not taken for gone when its lease has ended, and nothing of the store is in
 * its hands.
 */
async function silence(server: ServeProcess, id: string, file: string): Promise<void> {
  await until("the server to be stopped outside of a transaction", async () => {
    const store = openSqliteStore(file, SYSTEM_CLOCK);
    server.kill("SIGSTOP");
    let isWritten = false;
    try {
      const entry = await store.get(KEYS.server(id)), lease = await store.lease(3600);
      if (entry) await store.transact([{ put: entry.key, value: entry.value, lease }]);
      return isWritten = entry !== undefined;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      return false;
    } finally {
      if (!isWritten) server.kill("SIGCONT");
      await store.close();
    }
  });
}

Deno.test("what a preview says would move is what then moves, client by client; and a drain says when it is done", async () => {
  const folder = await Deno.makeTempDir(), other = await Deno.makeTempDir(), demand = clients();
  const lines = Array.from(demand, ([network, asks]) => `${network} ${asks}`);
  await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml);
  await Deno.writeTextFile(`${folder}/demand.txt`, `# network, queries\n${lines.join("\n")}\n`);
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await meridian(folder, ...args, "-control", "state/control.sock");
    assert.equal(code, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  try {
    await using one = await ServeProcess.start(folder, corefile("fra", `${folder}/fleet.db`));
    await using two = await ServeProcess.start(other, corefile("waw", `${folder}/fleet.db`));
    await until("the interface", () => one.output.includes("/v1/"));
    await run("node", "add", "nodes.yaml");
    await run("demand", "import", "demand.txt", "-logs");
    const answersOf = (name: string) => asked(one.port, `${name}.example.org`, demand.keys());
    // They come one after the other.
    await until("all nodes", async () => new Set((await answersOf("one")).values()).size === NODES.length);
    const pools = ["one", "two", "ring"], before = new Map<string, Map<string, string>>();
    for (const name of pools) before.set(name, await answersOf(name));

    const drain = ["override", "add", "drain", "node=fra", "-for", "10m", "-reason", "kernel"];
    // A server counts for some seconds, and no longer: on a machine that is busy just then not every network.
    const preview = await until("what would move to be known", async () => {
      const told: PreviewJson = JSON.parse(await run(...drain, "-preview", "-json"));
      return told.moves?.every(({ counted }) => counted.networks === 1 && counted.demand === 1) && told;
    });
    assert.deepEqual(preview.weighedBy, { by: "demand", number: 1, source: "logs" });
    assert.deepEqual(preview.emptied, []);
    const text = await until("it to be told as text", async () => {
      const told = await run(...drain, "-preview");
      return !told.includes("What would move is not known") && told;
    });
    assert.match(text, /^POOL +TYPE +NETWORKS +QUERIES +UNANSWERED +KM MEAN +KM MAX$/m);

    await silence(two, "waw", `${folder}/fleet.db`);
    const id = /^(\w+): /.exec(await run(...drain, "-yes"))![1]!;
    const drained = async () => JSON.parse(await run("override", "show", id, "-json")).drained;
    await until("fra to be left out", async () => {
      const { answer } = await askServer(one.port, "one.example.org", "A");
      return answer.length === 1 && answer[0]!.rdata[3] !== 1;
    });
    for (const name of pools) {
      const moves = preview.moves!.find(({ pool }) => pool === `${name}.example.org.`)!;
      const real = moved(demand, before.get(name)!, await answersOf(name));
      assert.ok(real.share > 0.05, `${name}: ${real.share}`);
      assert.deepEqual(moves.counted, { networks: 1, demand: 1 }, name);
      assert.ok(
        Math.abs(moves.movedDemand - real.share) < 1e-9,
        `${name}: ${moves.movedDemand} ${real.share}`,
      );
      for (const { node, before, after } of moves.nodes) {
        assert.ok(Math.abs(before - (real.loads.before.get(node) ?? 0)) < 1e-6, `${name} ${node}`);
        assert.ok(Math.abs(after - (real.loads.after.get(node) ?? 0)) < 1e-6, `${name} ${node}`);
      }
      const above = [...real.loads.after].filter(([, load]) => load > 3000).map(([node]) => node);
      assert.deepEqual(moves.overloads.map(({ node }) => node).sort(), above.sort(), name);
    }
    const sampled = preview.moves!.filter(({ isSampled }) => isSampled).map(({ pool }) => pool);
    assert.deepEqual(sampled, ["ring.example.org."], "of networks, where each draws");
    assert.ok(
      preview.moves!.some(({ overloads }) => overloads.length > 0),
      "somebody would be above capacity",
    );

    // One that cannot say so may still send clients there.
    await until("waw to be the one that is waited for", async () => {
      const { state, waitingFor } = await drained();
      assert.equal(state, "spreading");
      return waitingFor.join() === "waw";
    });
    assert.match(await run("override", "list"), /waits for waw/);
    two.kill("SIGCONT");
    const told = await until("both to answer by it", async () => {
      const now = await drained();
      return now.state !== "spreading" && now;
    });
    const { answer } = await askServer(two.port, "one.example.org", "A");
    assert.notEqual(answer[0]!.rdata[3], 1);
    await until("the last answer to have expired", async () => (await drained()).state === "drained");
    assert.ok(Date.parse(told.drainedAt) <= Date.now(), told.drainedAt);
    assert.match(await run("override", "show", id), /drained +at \d{4}-/);
  } finally {
    for (const one of [folder, other]) await Deno.remove(one, { recursive: true });
  }
});
