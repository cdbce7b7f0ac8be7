import assert from "node:assert/strict";
import { meridian, ROOT, ServeProcess, withFolder } from "../command/meridian.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

const corefile = (id: string, api: number) =>
  `{
    state state-${id}
    state sqlite fleet.db
    server ${id} {
        url http://localhost:${api}
    }
    workers 1
}
example.org:1053 {
    api localhost:${api}
    geo
    anycast entry.example.org {
        nodes nodes.yaml registry
        answers 1
        unknown nearest 50 8
    }
}
`;

/** Further away than the node that registers. */
const NODES = `nodes:
  - { id: far, addresses: [192.0.2.2], location: { latitude: 1, longitude: 2 } }
`;

const agentYaml = (apis: readonly number[], drain = "1s") =>
  `node:
  id: near
  addresses: [192.0.2.1]
  location: { latitude: 50, longitude: 8 }
servers: [${apis.map((api) => `"http://localhost:${api}"`).join(", ")}]
state: agent-state
join-token: join.token
drain: ${drain}
`;

function startAgent(folder: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}main.ts`, "agent"],
    ...{ cwd: folder, stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
}

Deno.test("a node registers by its agent, is answered by every server, changes servers, and leaves", async () => {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    const apis = [freePort(), freePort()];
    await using a = await ServeProcess.start(folder, corefile("a", apis[0]!));
    await using b = await ServeProcess.start(folder, corefile("b", apis[1]!));
    const say = (address: string, ...servers: ServeProcess[]) =>
      until(`${address} of all`, async () => {
        const answers = await Promise.all(
          servers.map(({ port }) => askServer(port, "entry.example.org", "A")),
        );
        return answers.every(({ answer }) =>
          answer.map(({ rdata }) => rdata.join(".")).join(" ") === address
        );
      });
    await say("192.0.2.2", a, b);
    await until("interfaces", () => a.output.includes("/v1/") && b.output.includes("/v1/"));
    const run = (...args: string[]) => meridian(folder, ...args, "-control", "state-b/control.sock");
    const made = await run("token", "create", "-name", "rack 1", "-joins", "1");
    assert.equal(made.code, 0, made.stderr);
    await Deno.writeTextFile(`${folder}/join.token`, made.stdout);
    await Deno.writeTextFile(`${folder}/agent.yaml`, agentYaml(apis));
    const agent = startAgent(folder);
    try {
      await say("192.0.2.1", a, b);
      assert.match((await run("node", "list")).stdout, /^near .* registry$/m);
      // The server that it speaks to goes; the other one hears it from then on.
      a.kill("SIGTERM");
      await a.end();
      await until("b to hear it", async () => {
        const { body } = await heard(folder, "b");
        return body.includes('"near"');
      });
      await say("192.0.2.1", b);
      agent.kill("SIGTERM");
      assert.equal((await agent.status).code, 0);
      await say("192.0.2.2", b);
      const { stdout } = await run("audit", "list", "subject=nodes/near");
      assert.match(stdout, /node:near +node\.register/);
      assert.match(stdout, /node:near +node\.leave/);
    } finally {
      try {
        agent.kill("SIGKILL");
      } catch { /* it has ended */ }
      await agent.status;
    }
  });
});

Deno.test("a node that ends waits until the last answer that named it has expired, and no longer", async () => {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    const apis = [freePort(), freePort()],
      short = (text: string) => text.replace(/\}\n$/, "    ttl 1 3\n}\n");
    await using a = await ServeProcess.start(folder, short(corefile("a", apis[0]!)));
    await using b = await ServeProcess.start(folder, short(corefile("b", apis[1]!)));
    const named = async ({ port }: ServeProcess) =>
      (await askServer(port, "entry.example.org", "A")).answer[0]?.rdata.join(".") === "192.0.2.1";
    await until("interfaces", () => a.output.includes("/v1/") && b.output.includes("/v1/"));
    const made = await meridian(
      ...[folder, "token", "create", "-name", "rack 1", "-joins", "1", "-control", "state-b/control.sock"],
    );
    await Deno.writeTextFile(`${folder}/join.token`, made.stdout);
    // It would wait for ten minutes, were it not told.
    await Deno.writeTextFile(`${folder}/agent.yaml`, agentYaml(apis, "10m"));
    const agent = startAgent(folder);
    try {
      await until("both to name it", async () => await named(a) && await named(b));
      let code: number | undefined, lastNamedMs = 0;
      void agent.status.then((status) => code = status.code);
      agent.kill("SIGTERM");
      await until("the agent to end", async () => {
        // What is said is said after this, however long it takes to be heard.
        const beforeMs = performance.now();
        if (await named(a) || await named(b)) lastNamedMs = beforeMs;
        return code !== undefined;
      });
      assert.equal(code, 0);
      assert.ok(performance.now() - lastNamedMs >= 3000, "as long as its answers were kept");
    } finally {
      try {
        agent.kill("SIGKILL");
      } catch { /* it has ended */ }
      await agent.status;
    }
  });
});

Deno.test("a lease is what the configuration says, changed while a node is there, and over when that is over", async () => {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    const api = freePort(), usual = corefile("a", api);
    await using server = await ServeProcess.start(folder, usual);
    const named = async () =>
      (await askServer(server.port, "entry.example.org", "A")).answer[0]?.rdata.join(".") === "192.0.2.1";
    const run = (...args: string[]) => meridian(folder, ...args, "-control", "state-a/control.sock");
    await until("the interface", () => server.output.includes("/v1/"));
    const made = await run("token", "create", "-name", "rack 1", "-joins", "1");
    assert.equal(made.code, 0, made.stderr);
    await Deno.writeTextFile(`${folder}/join.token`, made.stdout);
    await Deno.writeTextFile(`${folder}/agent.yaml`, agentYaml([api]));
    const agent = startAgent(folder);
    try {
      await until("the node to be named", named);
      await until("the node to be noted", async () => (await heard(folder, "a")).body.includes('"near"'));
      assert.doesNotMatch((await heard(folder, "a")).body, /lease/, "as everywhere");
      const short = usual.replace("    workers", "    lease 10s 1s\n    workers");
      await Deno.writeTextFile(`${folder}/Corefile`, short.replace("1053", `${server.port}`));
      assert.equal((await run("reload")).code, 0);
      const last = async () => {
        const bodies = (await heard(folder, "a")).body.split("\n").filter((body) => body.includes('"near"'));
        const { heard: { near }, leaseMs, leases } = JSON.parse(bodies[0]!);
        return { near: near as number, leaseMs: leases?.near ?? leaseMs as number | undefined };
      };
      // It is told with its next heartbeat, ten seconds after the one before. What it had stands to its end: thirty.
      await until("another lease", async () => {
        assert.ok(await named(), "all the while");
        return (await last()).leaseMs! < 30_000;
      });
      const before = await last();
      await until("a heartbeat that comes sooner", async () => {
        const { near } = await last();
        return near > before.near && near < before.near + 3000;
      });
      agent.kill("SIGKILL");
      await agent.status;
      const { near, leaseMs = NaN } = await last();
      assert.ok(leaseMs >= 10_000 && leaseMs < 30_000, `${leaseMs} ms`);
      await until("the node to be gone", async () => !await named());
      assert.ok(Date.now() - near >= leaseMs, "no sooner than its lease");
    } finally {
      try {
        agent.kill("SIGKILL");
      } catch { /* it has ended */ }
      await agent.status;
    }
  });
});

/** What a server has noted of nodes, as the store has it. */
async function heard(folder: string, server: string): Promise<{ body: string }> {
  const { openSqliteStore } = await import("../../core/state/sqlite_store.ts");
  const { SYSTEM_CLOCK } = await import("../../core/clock.ts");
  const store = openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
  try {
    const { entries } = await store.list(`alive/${server}/`);
    return { body: entries.map(({ value }) => value).join("\n") };
  } finally {
    await store.close();
  }
}
