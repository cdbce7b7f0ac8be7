/** `meridian agent` as a process, by TLS, with the permissions that docs/AGENT.md says are enough. */

import assert from "node:assert/strict";
import { makeCertificates } from "../../support/certificates.ts";
import { JOIN_TOKEN, type RegistryServer, startRegistryServer } from "../../support/registry_server.ts";
import { freePort } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** The permissions of the documentation, for files in `folder`. */
function permissionsIn(folder: string): string[] {
  const text = Deno.readTextFileSync(`${ROOT}docs/AGENT.md`);
  const [, flags] = /^ {4}deno run ((?:--allow-\S+ (?:\\\n +)?)+)/m.exec(text) ?? [];
  assert.ok(flags, "docs/AGENT.md says with which permissions");
  return flags.replaceAll("\\\n", "").trim().split(/ +/)
    .map((flag) =>
      flag.replaceAll("/etc/meridian", folder).replaceAll("/var/lib/meridian-agent", `${folder}/state`)
    );
}

/** An agent that runs. */
class AgentProcess {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  said = "";

  constructor(folder: string, ...args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", ...permissionsIn(folder), "--no-prompt", "--no-check", "main.ts"],
        ...["agent", "-config", `${folder}/agent.yaml`, ...args],
      ],
      ...{ cwd: ROOT, stdin: "null", stdout: "piped", stderr: "piped", env: { NO_COLOR: "1" } },
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const part of stream.pipeThrough(new TextDecoderStream())) this.said += part;
    };
    this.#reading = Promise.all([read(this.#child.stdout), read(this.#child.stderr)]);
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }
}

/** A fleet of one server, and what a test is given of it. */
interface Given {
  readonly folder: string;
  readonly server: RegistryServer;
  readonly health: string;
  write(more: string): void;
  /** Has answers no longer name a node that drains. */
  letGo(): void;
}

async function withFleet(run: (given: Given) => Promise<void>): Promise<void> {
  await using certificates = await makeCertificates();
  const folder = await Deno.makeTempDir({ prefix: "meridian-agent-" }), port = freePort();
  let isNamed = true;
  const server = await startRegistryServer({
    ...{ folder, server: "fra", tls: certificates.server },
    registry: { lease: { leaseMs: 30_000, beatMs: 200 }, drainedInMs: () => isNamed ? 60_000 : 0 },
  });
  const write = (more: string) =>
    Deno.writeTextFileSync(
      `${folder}/agent.yaml`,
      `node:
  id: fra1
  addresses: [192.0.2.1]
  location: { latitude: 50.11, longitude: 8.68 }
servers: ["${server.origin}"]
state: ${folder}/state
join-token: join.token
health: { listen: "127.0.0.1:${port}" }
${more}`,
    );
  try {
    await Deno.copyFile(certificates.authority, `${folder}/ca.pem`);
    await Deno.writeTextFile(`${folder}/join.token`, `${JOIN_TOKEN}\n`);
    write("ca: ca.pem\n");
    const letGo = () => void (isNamed = false);
    await run({ folder, server, health: `http://127.0.0.1:${port}/health`, write, letGo });
  } finally {
    await server.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const stateOf = (server: RegistryServer) => server.leases().get("fra1")?.state;

Deno.test("an agent runs as a process: joins by TLS, tells its health, drains when it is told to end, and leaves", async () => {
  await withFleet(async ({ folder, server, health, letGo }) => {
    const agent = new AgentProcess(folder);
    try {
      await until("it to be alive", () => stateOf(server) === "alive");
    } catch (error) {
      throw new Error(agent.said, { cause: error });
    }
    await until("it to say so", async () => {
      const well = await fetch(health);
      return well.status === 200 && (await well.json()).state === "registered";
    });
    assert.equal((await Deno.stat(`${folder}/state/node.key`)).mode! & 0o777, 0o600);
    agent.signal("SIGTERM");
    await until("it to drain", async () => {
      const response = await fetch(health);
      await response.body?.cancel();
      return response.status === 503;
    });
    letGo();
    assert.equal(await agent.ended(), 0, agent.said);
    await until("it to have left", () => stateOf(server) === "left");
    assert.doesNotMatch(agent.said, /NotCapable|\[ERROR\]/);
  });
});

Deno.test("a second signal ends an agent at once", async () => {
  await withFleet(async ({ folder, server, write }) => {
    write("ca: ca.pem\ndrain: 10m\n");
    const agent = new AgentProcess(folder, "-json");
    await until("it to be alive", () => stateOf(server) === "alive");
    agent.signal("SIGTERM");
    await until("it to drain", () => /"message":"fra1 drains/.test(agent.said));
    agent.signal("SIGTERM");
    assert.equal(await agent.ended(), 1);
    assert.notEqual(stateOf(server), "left");
  });
});

Deno.test("-once registers, is heard once, and says how that went", async () => {
  await withFleet(async ({ folder, server, write }) => {
    const once = new AgentProcess(folder, "-once", "-json");
    assert.equal(await once.ended(), 0, once.said);
    const status = JSON.parse(once.said.slice(once.said.indexOf("{\n")));
    assert.deepEqual([status.node, status.state, status.server], ["fra1", "registered", server.origin]);
    assert.ok(status.load.memory > 0);
    // By its key alone, from now on.
    await Deno.remove(`${folder}/join.token`);
    assert.equal(await new AgentProcess(folder, "-once").ended(), 0);
    // An authority that nobody has named vouches for nobody.
    write("");
    const untrusting = new AgentProcess(folder, "-once");
    assert.equal(await untrusting.ended(), 1);
    assert.match(untrusting.said, /Cannot reach https:.*certificate/);
    write("ca: ca.pem\ndrian: 1s\n");
    const wrong = new AgentProcess(folder, "-once");
    assert.equal(await wrong.ended(), 2);
    assert.match(wrong.said, /agent\.yaml:\d+:1: unknown key 'drian' in the file; did you mean 'drain'\?/);
  });
});
