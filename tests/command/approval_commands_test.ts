import assert from "node:assert/strict";
import { freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { type Ended, meridian, ServeProcess, withFolder } from "./meridian.ts";

const NODES = `nodes:
  - { id: n1, addresses: [192.0.2.1], location: { latitude: 50, longitude: 8 } }
  - { id: n2, addresses: [192.0.2.2], location: { latitude: 1, longitude: 2 } }
`;

const corefile = (api: number) =>
  `{
    state state
    state sqlite fleet.db
    server fra
    workers 1
}
example.org:1053 {
    api localhost:${api} {
        approvals on
    }
    geo
    anycast entry.example.org {
        nodes registry
        answers 1
        unknown nearest 50 8
    }
}
`;

Deno.test("what waits is told with its approval, and is approved, carried out, rejected and withdrawn by the command line", async () => {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    const api = freePort();
    await using server = await ServeProcess.start(folder, corefile(api));
    await until("the interface", () => server.output.includes(`/v1/`));
    const here = (...args: string[]) => meridian(folder, ...args, "-control", "state/control.sock");
    const ada = (...args: string[]): Promise<Ended> =>
      meridian(folder, ...args, "-api", `http://localhost:${api}`, "-token-file", "token");
    const made = await here("token", "create", "-name", "ada", "-role", "admin", "-person", "ada");
    assert.equal(made.code, 0, "the machine's own administrator does not wait");
    await Deno.writeTextFile(`${folder}/token`, made.stdout);
    assert.equal((await ada("node", "add", "nodes.yaml")).code, 0);

    const asked = await ada("token", "create", "-name", "ci", "-role", "viewer", "-reason", "dashboards");
    assert.deepEqual([asked.code, asked.stdout], [1, ""]);
    assert.match(
      asked.stderr,
      /^It is not done yet: it gives somebody rights, and waits for a second person\./,
    );
    const id = /approval approve (\w+)/.exec(asked.stderr)![1]!;
    assert.match(
      (await ada("approval", "list", "pending")).stdout,
      new RegExp(`^${id} +token\\.create .* dashboards$`, "m"),
    );
    assert.match((await ada("approval", "approve", id, "-yes")).stderr, /somebody else has to approve/);
    assert.match((await here("approval", "approve", id)).stderr, /want -yes where nobody can be asked/);
    const other = await here("approval", "approve", id, "-yes", "-digest", "0".repeat(64));
    assert.deepEqual([other.code, /, not 0000/.test(other.stderr)], [1, true]);
    const approved = await here("approval", "approve", id, "-yes", "-reason", "seen");
    assert.match(
      approved.stdout,
      new RegExp(`approved: token:ada/\\w+ carries it out by .*approval execute ${id}`),
    );
    assert.equal((await here("approval", "execute", id)).code, 1);
    const done = await ada("approval", "execute", id);
    assert.match(done.stdout, /^mer_[a-z2-7]{16}_[a-z2-7]{59}\n$/);
    assert.match((await ada("approval", "show", id)).stdout, /^decided +local:root: seen$/m);

    const drain = [
      "override",
      "add",
      "drain",
      "pool=entry.example.org.",
      "-for",
      "10m",
      "-reason",
      "kernel",
      "-yes",
    ];
    const waits = await ada(...drain, "-acknowledge", "entry.example.org.", "-json");
    assert.equal(waits.code, 1, waits.stderr);
    const second = JSON.parse(waits.stdout.slice(waits.stdout.indexOf("{"))).id;
    assert.equal((await here("approval", "reject", second)).code, 2);
    assert.equal((await here("approval", "reject", second, "-reason", "not today")).code, 0);
    assert.match((await ada("approval", "show", second)).stdout, /^decided +local:root: not today$/m);
    const third = await ada(...drain, "-acknowledge", "entry.example.org.");
    const thirdId = /approval approve (\w+)/.exec(third.stderr)![1]!;
    const shown = (await here("approval", "show", thirdId)).stdout;
    assert.match(shown, /^What it would do, as of .*:\nPOOL .*\nentry\.example\.org\. +2 +2 +0, nobody$/m);
    assert.match(shown, /^entry\.example\.org\. would be left with nobody, and that is meant\.$/m);
    assert.match(shown, /^entry\.example\.org\. +A +[\d.]+ % .*\nNetworks count by/m);
    assert.match(
      (await here("approval", "list", "pending")).stdout,
      new RegExp(`^${thirdId} .* empties +`, "m"),
    );
    assert.equal((await ada("approval", "withdraw", thirdId)).stdout, `${thirdId} is withdrawn\n`);
    assert.equal((await ada("override", "list")).stdout, "no overrides\n");
  });
});

Deno.test("who approves a version of the configuration names it, and is shown in what it differs from the one that is run", async () => {
  await withFolder({}, async (folder) => {
    const api = freePort(), own = corefile(api).replace("workers 1", "workers 1\n    configuration on");
    await using server = await ServeProcess.start(folder, own);
    await server.says(/\/v1\//);
    const here = (...args: string[]) => meridian(folder, ...args, "-yes", "-control", "state/control.sock");
    const ada = (...args: string[]) =>
      meridian(folder, ...args, "-yes", "-api", `http://localhost:${api}`, "-token-file", "token");
    const made = await meridian(
      ...[folder, "token", "create", "-name", "ada", "-role", "admin", "-person", "ada"] as const,
      ...["-control", "state/control.sock"],
    );
    await Deno.writeTextFile(`${folder}/token`, made.stdout);
    const [, block] = own.split("}\nexample.org"),
      text = `example.org${block}`.replaceAll("1053", `${server.port}`);
    for (const answers of [1, 2]) {
      await Deno.writeTextFile(`${folder}/site`, text.replace("answers 1", `answers ${answers}`));
      const { code, stderr } = await meridian(
        ...[
          folder,
          "config",
          "propose",
          "site",
          "-api",
          `http://localhost:${api}`,
          "-token-file",
          "token",
        ] as const,
      );
      assert.equal(code, 0, stderr);
    }
    const runs = (version: number) =>
      until(`version ${version} to be run`, async () => {
        return new RegExp(`^fra +${version} `, "m").test((await here("config", "status")).stdout);
      });
    assert.equal((await here("config", "apply", "1")).code, 0);
    await runs(1);
    assert.match((await here("config", "approve", "2")).stderr, /^Nobody has asked to have version 2 run/);
    assert.match((await ada("config", "apply", "2")).stderr, /waits for a second person/);
    assert.match((await here("config", "approve", "1")).stderr, /^Nobody has asked to have version 1 run/);
    assert.match((await ada("config", "approve", "2")).stderr, /somebody else has to approve/);
    const approved = await here("config", "approve", "2");
    assert.match(approved.stdout, /^\w+ is approved and carried out$/m, approved.stderr);
    assert.match(
      approved.stderr,
      /^From version 1, which is current:\n[^]*^- +answers 1$[^]*^\+ +answers 2$/m,
    );
    await runs(2);
    assert.equal((await ada("config", "rollback")).code, 1);
    const back = await here("config", "approve", "rollback");
    assert.match(back.stdout, /^\w+ is approved and carried out$/m, back.stderr);
    await runs(1);
  });
});
