import assert from "node:assert/strict";
import { RCODE } from "../../../core/dns/types.ts";
import type { ControlScope, PluginModule } from "../../../core/plugin.ts";
import type { Interface } from "../../../core/server/listen.ts";
import { plugins } from "../../../plugins/mod.ts";
import { geography } from "../fleet/make.ts";
import { freePort, startServer } from "../../support/server.ts";
import { VirtualServer } from "../../support/virtual_server.ts";

const COREFILE = `.:1053 {
    bind 127.0.0.1
    probe
    whoami
}
`;

/** Every plugin, and one that only has a control half. */
function withProbe(start: (scope: ControlScope) => void): readonly PluginModule[] {
  const probe = { name: "probe", usage: "probe", options: {}, parse: () => ({}) };
  return [...plugins, { ...probe, start: (_, scope) => start(scope) }];
}

async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

for (const text of ['{"www.example.org.":{}}', '{"www.example.org.":{"4":"a","6":[]}}', "[1]", "null", "{"]) {
  Deno.test(`a server starts without what it cannot have kept: ${text}`, () =>
    inDirectory(async (directory) => {
      await Deno.writeTextFile(`${directory}/last_serving.json`, text);
      const virtual = await startFleet(directory);
      const warnings = virtual.logged.filter((line) => /^warn: Cannot use .*last_serving\.json/.test(line));
      assert.equal(warnings.length, 1, virtual.logged.join("\n"));
      await virtual.close();
    }));
}

Deno.test("who served last is kept in the background, and is there once the server is closed", () =>
  inDirectory(async (directory) => {
    const file = `${directory}/last_serving.json`;
    const virtual = await startFleet(directory);
    const { publisher } = virtual.server;
    const { targets } = publisher.snapshot.pools["www.example.org."]!;
    const [key] = targets["192.0.2.10"]!;
    publisher.setVerdicts({ [key!]: { state: "up", sinceMs: 0, reason: "as told", ramp: 1 } });
    publisher.flush();
    // Not on the isolate that answers: what stands there now is what was known before.
    assert.ok(!readIfThere(file).includes("n0"));
    await virtual.close();
    assert.deepEqual(JSON.parse(await Deno.readTextFile(file)), { "www.example.org.": { 4: ["n0"], 6: [] } });
  }));

function readIfThere(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function startFleet(stateDirectory: string): Promise<VirtualServer> {
  const nodes = `${stateDirectory}/nodes.yaml`;
  await Deno.writeTextFile(
    nodes,
    "nodes:\n  - { id: n0, addresses: [192.0.2.10], location: { latitude: 0, longitude: 1 } }\n",
  );
  return await VirtualServer.start({
    corefile: `{
    state ${stateDirectory}
}
example.org:1053 {
    geo
    health {
        check tcp 80
    }
    anycast www.example.org {
        nodes ${nodes}
    }
}
`,
    geography: geography([[0, 0]], { "0.0.0.0/0": 1 }),
    ...{ startMs: 1_700_000_000_000, partitions: true, random: () => 0 },
    script: () => ({ durationMs: 1, ok: false, reason: "connection refused" }),
  });
}

Deno.test("close() closes everything although something fails, and tells no plugin of snapshots any more", async () => {
  const closed: string[] = [];
  let scope!: ControlScope;
  let heard = 0;
  const server = await startServer(COREFILE, {
    modules: withProbe((given) => {
      scope = given;
      scope.onSnapshot(() => void heard++);
      scope.own({ close: () => void closed.push("first") });
      scope.own({ close: () => Promise.reject(new Error("out of order")) });
      scope.own({
        close() {
          heard = 0;
          scope.publish("last words");
          server.server.publisher.flush();
          closed.push(`last, ${heard} heard`);
        },
      });
      scope.beforeStop(() => Promise.reject(new Error("no patience")));
    }),
  });
  scope.publish("word");
  server.server.publisher.flush();
  assert.ok(heard > 0);
  await server.close();
  assert.deepEqual(closed, ["last, 0 heard", "first"]);
  const errors = server.logged.filter((line) => line.startsWith("error: "));
  assert.equal(errors.length, 2);
  assert.match(errors.join("\n"), /no patience[^]*out of order/);
  await assert.rejects(server.ask("example.org", "A", { timeoutMs: 100 }));
});

Deno.test("onServing() calls back once the server answers; what fails there is logged", async () => {
  const heard: number[] = [], listening: number[] = [];
  const server = await startServer(COREFILE, {
    modules: withProbe((scope) => {
      scope.onServing(() => fail("not in the mood"));
      scope.onServing(() => void heard.push(Date.now()));
      listening.push(heard.length);
    }),
  });
  assert.deepEqual([listening, heard.length], [[0], 1]);
  assert.match(server.logged.join("\n"), /error: Once it served: .*not in the mood/);
  assert.equal((await server.ask("example.org")).rcode, RCODE.NOERROR);
  await server.close();
});

function fail(message: string): never {
  throw new Error(message);
}

Deno.test("a start that fails does not wait as a server that stops does", async () => {
  let closed = false, served = false;
  const port = freePort();
  const taken = Deno.listen({ hostname: "127.0.0.1", port });
  try {
    await assert.rejects(
      startServer(`.:${port} {\n    bind 127.0.0.1\n    probe\n}\n`, {
        modules: withProbe((scope) => {
          scope.beforeStop(() => new Promise(() => {}));
          scope.onServing(() => void (served = true));
          scope.own({ close: () => void (closed = true) });
        }),
      }),
      /another program has it/,
    );
    assert.ok(closed && !served);
  } finally {
    taken.close();
  }
});

Deno.test("an address that an interface gets later is served by the block that is bound to it", async () => {
  const interfaces: Interface[] = [{ name: "eth7", address: "127.0.0.1" }];
  const server = await startServer(COREFILE.replace("127.0.0.1", "eth7").replace("    probe\n", ""), {
    workers: 0,
    interfaces: () => interfaces,
  });
  assert.equal((await server.ask("example.org")).rcode, RCODE.NOERROR);
  interfaces.push({ name: "eth7", address: "127.0.0.2" });
  for (const listening of server.server.listening) listening.rescan();
  assert.equal((await server.ask("example.org", "A", { address: "127.0.0.2" })).rcode, RCODE.NOERROR);
  await server.close();
});
