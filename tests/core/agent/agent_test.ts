import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { Agent, type AgentOptions } from "../../../core/agent/agent.ts";
import { Client } from "../../../core/agent/client.ts";
import { nodeKey } from "../../../core/agent/key_file.ts";
import { ServerList } from "../../../core/agent/servers.ts";
import { type Clock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import type { NodeDocument } from "../../../core/registry/protocol.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { JOIN_TOKEN, type RegistryServer, startRegistryServer } from "../../support/registry_server.ts";
import { until } from "../../support/until.ts";

const NODE: NodeDocument = {
  ...{ id: "fra1", addresses: ["192.0.2.1"], region: "eu-central", labels: { service: "entry" } },
  location: { latitude: 50.11, longitude: 8.68, country: "DE" },
};

/** A lease of a second and a half, so that one can wait for its end. */
const QUICK = { lease: { leaseMs: 1500, beatMs: 200 } };

/** One that nobody waits for, and that a machine which does something else for a while does not end. */
const PATIENT = { lease: { ...QUICK.lease, leaseMs: 8000 } };

/** By which an agent tries again before a lease of seconds is over, however often it has tried in vain. */
const HASTY: Clock = {
  ...SYSTEM_CLOCK,
  after: (delayMs, then) => SYSTEM_CLOCK.after(Math.min(delayMs, 500), then),
};

/** What an agent says while a test runs. */
interface TestAgent {
  readonly agent: Agent;
  readonly said: string[];
  readonly kept: string[][];
}

function makeAgent(servers: readonly string[], options: Partial<AgentOptions> = {}): TestAgent {
  const said: string[] = [], kept: string[][] = [];
  const say = (level: string) => (message: string) => void said.push(`${level} ${message}`);
  const agent = new Agent({
    ...{ node: NODE, clock: SYSTEM_CLOCK, random: Math.random, drainMs: 3000 },
    key: nodeKey(generateKeyPairSync("ed25519").privateKey),
    client: new Client(fetch, SYSTEM_CLOCK),
    servers: new ServerList(servers, []),
    log: { debug() {}, info: say("info"), warn: say("warn"), error: say("error") },
    joinToken: () => Promise.resolve(JOIN_TOKEN),
    load: () => ({ cpu: 0.5, memory: 0.25, network: 1000, connections: 3 }),
    keep: (told) => void kept.push([...told]),
    ...options,
  });
  return { agent, said, kept };
}

/** Servers that share a store, closed in the end. */
async function withServers(
  ids: readonly string[],
  run: (servers: RegistryServer[], start: (at: number) => Promise<void>) => Promise<void>,
  registry: Parameters<typeof startRegistryServer>[0]["registry"] = QUICK,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-agent-" }), servers: RegistryServer[] = [];
  const closed = new Set<RegistryServer>();
  const start = async (at: number) => {
    const { port = 0 } = servers[at] ?? {};
    const server = await startRegistryServer({
      ...{ folder, server: ids[at]!, port, registry: registry! },
      servers: () => servers.map(({ origin }) => origin),
    });
    servers[at] = { ...server, kill: () => (closed.add(server), server.kill()) };
    all.push(server);
  };
  const all: RegistryServer[] = [];
  try {
    for (let at = 0; at < ids.length; at++) await start(at);
    await run(servers, start);
  } finally {
    for (const server of all) if (!closed.has(server)) await server.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const stateOf = (server: RegistryServer, node = "fra1") => server.leases().get(node)?.state;

Deno.test("an agent registers, is heard, and is alive for every server", async () => {
  await withServers(["a", "b"], async (servers) => {
    const { agent, kept } = makeAgent([servers[0]!.origin]);
    agent.start();
    await until("both to see it", () => servers.every((server) => stateOf(server) === "alive"));
    await until("the other server to be known", () => kept.length > 0);
    assert.deepEqual(kept, [[servers[1]!.origin]]);
    assert.equal(agent.status.state, "registered");
    const { value } = servers[1]!.replica.get(KEYS.node("fra1"))!;
    assert.equal(JSON.parse(value).region, "eu-central");
    await agent.stop();
    // Nobody hears it: its lease ends, and that is told by who heard it last.
    await until("its lease to end", () => servers.every((server) => stateOf(server) === "gone"));
    assert.match(
      servers[1]!.leases().get("fra1")!.verdict.reason,
      /^lease ended at .*: last heard at .* by a$/,
    );
  });
});

Deno.test("an agent without a token is refused by word, and keeps trying", async () => {
  await withServers(["a"], async ([server]) => {
    const { agent, said } = makeAgent([server!.origin], { joinToken: () => Promise.resolve(undefined) });
    assert.equal(await agent.once(), false);
    assert.equal(agent.status.state, "refused");
    assert.match(
      said.join("\n"),
      /error http:.* refuses fra1: node fra1 is not known: a join token is wanted/,
    );
    const wrong = makeAgent([server!.origin], { joinToken: () => Promise.resolve("nonsense") });
    assert.equal(await wrong.agent.once(), false);
    assert.match(wrong.agent.status.problem!, /the join token lets no such node in/);
  });
});

Deno.test("a server that is killed costs no lease: the agent finds the other, and stays with it", async () => {
  await withServers(["a", "b"], async (servers, start) => {
    const { agent } = makeAgent(servers.map(({ origin }) => origin));
    agent.start();
    await until("it to be alive", () => stateOf(servers[1]!) === "alive");
    const states = new Set<string | undefined>();
    const looking = setInterval(() => states.add(stateOf(servers[1]!)), 20);
    await servers[0]!.kill();
    await until("the other to hear it", () => servers[1]!.leases().get("fra1")?.heardBy.server === "b");
    assert.equal(agent.status.server, servers[1]!.origin);
    await start(0);
    const before = servers[0]!.requests.length;
    await until("more heartbeats", () => servers[1]!.requests.length > 12);
    clearInterval(looking);
    assert.equal(servers[0]!.requests.length, before, "it stays where it is");
    assert.deepEqual([...states], ["alive"]);
    await agent.stop();
  }, PATIENT);
});

Deno.test("the only server may restart: nobody is down for it", async () => {
  await withServers(["a"], async (servers, start) => {
    const { agent, said } = makeAgent([servers[0]!.origin], { clock: HASTY });
    agent.start();
    await until("it to be alive", () => stateOf(servers[0]!) === "alive");
    // Longer than a lease: that is the server's absence, and not the node's.
    await servers[0]!.kill();
    await until("it to be noticed", () => agent.status.state === "unreachable");
    await new Promise((resolve) => setTimeout(resolve, 4500));
    await start(0);
    const states = new Set<string | undefined>();
    const looking = setInterval(() => states.add(stateOf(servers[0]!)), 5);
    await until("it to be heard again", () => agent.status.state === "registered");
    await until("some more", () => servers[0]!.requests.length > 5);
    clearInterval(looking);
    assert.ok(!states.has("gone"), `${[...states]}`);
    assert.match(said.join("\n"), /warn Cannot reach http/);
    await agent.stop();
  }, { lease: { ...QUICK.lease, leaseMs: 4000 } });
});

Deno.test("a server with another secret wants another registration, and gets it", async () => {
  await withServers(["a"], async (servers, start) => {
    const { agent } = makeAgent([servers[0]!.origin], { joinToken: joinOnce() });
    agent.start();
    await until("it to be alive", () => stateOf(servers[0]!) === "alive");
    const first = servers[0]!;
    await first.kill();
    await start(0);
    await until(
      "it to register again, by its key alone",
      () => servers[0]!.requests.includes("POST /v1/registrations"),
    );
    await until("it to be heard", () => agent.status.state === "registered");
    await agent.stop();
  }, {
    ...QUICK,
    // Each process of it has one of its own.
    get secret() {
      return crypto.getRandomValues(new Uint8Array(32));
    },
  });
});

/** A token that is given once: what registers later does it by key. */
function joinOnce(): () => Promise<string | undefined> {
  let token: string | undefined = JOIN_TOKEN;
  return () => {
    const given = token;
    token = undefined;
    return Promise.resolve(given);
  };
}

Deno.test("an agent that drains says so, waits until nobody is sent to it, and leaves", async () => {
  const restMs = 1500, states: (string | undefined)[] = [];
  // Not before it has been seen to drain, however long nobody could look.
  const drained = (_: string, sinceMs: number) =>
    states.includes("draining") ? Math.max(0, sinceMs + restMs - Date.now()) : restMs;
  await withServers(["a"], async ([server]) => {
    const { agent } = makeAgent([server!.origin], { drainMs: 20_000 });
    agent.start();
    await until("it to be alive", () => stateOf(server!) === "alive");
    const looking = setInterval(() => {
      const state = stateOf(server!);
      if (states.at(-1) !== state) states.push(state);
    }, 5);
    assert.equal(await agent.drain(), true);
    await until("that to be known", () => states.at(-1) === "left");
    clearInterval(looking);
    assert.deepEqual(states.filter((state) => state !== undefined), ["alive", "draining", "left"]);
    assert.equal(agent.status.state, "left");
    assert.equal(server!.requests.at(-1), "DELETE /v1/nodes/fra1/registration");
  }, { ...PATIENT, drainedInMs: drained });
});

Deno.test("an agent that nobody tells when it is drained leaves when its time is up", async () => {
  await withServers(["a"], async ([server]) => {
    const { agent } = makeAgent([server!.origin], { drainMs: 300 });
    agent.start();
    await until("it to be heard", () => agent.status.state === "registered");
    assert.equal(await agent.drain(), true);
  });
});

Deno.test("an agent of a fleet that is away drains and ends, and says that nobody knows", async () => {
  await withServers(["a"], async ([server]) => {
    const { agent } = makeAgent([server!.origin], { drainMs: 100 });
    agent.start();
    await until("it to be heard", () => agent.status.state === "registered");
    await agent.stop();
  });
  const { agent } = makeAgent(["http://127.0.0.1:1"], { drainMs: 100 });
  agent.start();
  await until("it to be unreachable", () => agent.status.state === "unreachable");
  assert.equal(await agent.drain(), false);
});
