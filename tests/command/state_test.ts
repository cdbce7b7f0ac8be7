import assert from "node:assert/strict";
import { freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess, withFolder } from "./meridian.ts";

const corefile = (api: number) =>
  `{
    state state
    state sqlite fleet.db
    server fra
    workers 1
}
example.org:1053 {
    api localhost:${api}
    whoami
}
`;

const NODES = "nodes:\n  - { id: n1, addresses: [192.0.2.1], location: { latitude: 50, longitude: 8 } }\n";

Deno.test("a fleet is backed up beside its server, and put back where no server lives", async () => {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    const api = freePort(), run = (...args: string[]) => meridian(folder, ...args);
    const there = ["-control", "state/control.sock"];
    {
      await using server = await ServeProcess.start(folder, corefile(api));
      await until("the interface", () => server.output.includes("/v1/"));
      assert.equal((await run("node", "add", "nodes.yaml", ...there)).code, 0);
      const exported = await run("state", "export", "backup.jsonl");
      assert.deepEqual([exported.code, exported.stdout], [0, ""], exported.stderr);
      assert.match(exported.stderr, /^\d+ entries of sqlite .*fleet\.db, sha256 [0-9a-f]{64}\n$/);
      assert.equal((await Deno.stat(`${folder}/backup.jsonl`)).mode! & 0o777, 0o600);
      const piped = await run("state", "export", "-");
      assert.match(piped.stdout, /"format":"meridian-state".*\n.*"nodes\/n1"/s);
      const refused = await run("state", "import", "backup.jsonl", "-replace", "-yes");
      assert.deepEqual([refused.code, /fra lives by/.test(refused.stderr)], [1, true], refused.stderr);
      assert.equal((await run("node", "remove", "n1", "-yes", ...there)).code, 0);
      server.kill("SIGTERM");
      await server.end();
    }
    const held = await run("state", "import", "backup.jsonl");
    assert.deepEqual(
      [held.code, /holds \d+ keys already: -replace/.test(held.stderr)],
      [1, true],
      held.stderr,
    );
    const imported = await run(
      "state",
      "import",
      "backup.jsonl",
      "-replace",
      "-yes",
      "-reason",
      "n1 was needed",
    );
    assert.equal(imported.code, 0, imported.stderr);
    await using server = await ServeProcess.start(folder, corefile(api));
    await until("the interface", () => server.output.includes("/v1/"));
    await until("the node", async () => /^n1 /m.test((await run("node", "list", ...there)).stdout));
    const verified = await run("audit", "verify", ...there);
    assert.deepEqual(
      [verified.code, /all of them as they were written/.test(verified.stdout)],
      [0, true],
      verified.stdout,
    );
    assert.match((await run("audit", "list", ...there)).stdout, /state\.import +state +n1 was needed/);
  });
});

Deno.test("state says what it lacks: a store, a file, a backup that is whole", async () => {
  const files = { Corefile: "example.org:1053 {\n    whoami\n}\n", "half.jsonl": "{}\n" };
  await withFolder(files, async (folder) => {
    const run = async (...args: string[]) => await meridian(folder, "state", ...args);
    assert.match((await run("export", "x")).stderr, /Corefile names no store: want `state sqlite FILE`/);
    assert.match((await run()).stderr, /state wants export, import, check: got nothing/);
    assert.match((await run("import")).stderr, /wanted a FILE, or - for a pipe/);
    const half = await run("check", "half.jsonl");
    assert.deepEqual([half.code, half.stderr], [
      1,
      "half.jsonl: line 1: this is no state that Meridian exported: got format undefined\n",
    ]);
    const none = `{\n    state sqlite none.db\n}\n${files.Corefile}`;
    await Deno.writeTextFile(`${folder}/Corefile`, none);
    assert.equal((await run("export", "x")).code, 2);
    assert.equal(await Deno.stat(`${folder}/none.db`).catch(() => undefined), undefined);
  });
});
