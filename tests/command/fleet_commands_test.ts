import assert from "node:assert/strict";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { type Ended, meridian, ServeProcess, withFolder } from "./meridian.ts";

const corefile = (api: number) =>
  `{
    state state
    state sqlite fleet.db
    server fra
    workers 1
}
example.org:1053 {
    api localhost:${api}
    geo
    anycast entry.example.org {
        nodes registry
        answers 1
        unknown nearest 50 8
    }
    anycast managed
    managed
}
`;

const NODES = `nodes:
  - { id: n1, addresses: [192.0.2.1], location: { latitude: 50, longitude: 8, country: DE } }
  - { id: n2, addresses: [192.0.2.2], location: { latitude: 1, longitude: 2 } }
`;

type Run = (...args: string[]) => Promise<Ended>;

/** A server with an interface, and commands that go through its control socket. */
async function withServer(
  run: (run: Run, server: ServeProcess, api: number, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    const api = freePort();
    await using server = await ServeProcess.start(folder, corefile(api));
    await until("the interface", () => server.output.includes(`/v1/`));
    await run((...args) => meridian(folder, ...args, "-control", "state/control.sock"), server, api, folder);
  });
}

async function said(port: number, name = "entry.example.org"): Promise<string> {
  const { answer } = await askServer(port, name, "A");
  return answer.map(({ rdata }) => rdata.join(".")).join(" ");
}

Deno.test("pools by the command line are what is answered; what a change moves is told first", async () => {
  await withServer(async (run, { port }) => {
    await run("node", "add", "nodes.yaml");
    const name = "relay.example.org";
    const unasked = await run("pool", "add", name, "members=n1,n2", "answers=1");
    assert.match(unasked.stderr, /^relay\.example\.org\. +2 +0 +2$/m);
    assert.match(unasked.stderr, /Make pool relay\.example\.org\.: want -yes where nobody can be asked/);
    const nearest = ["unknown.policy=nearest", "unknown.latitude=1", "unknown.longitude=2"];
    const made = await run("pool", "add", name, "members=n1,n2", "answers=1", ...nearest, "-yes");
    assert.deepEqual([made.code, made.stdout], [0, "relay.example.org. is there\n"]);
    await until("n2", async () => await said(port, name) === "192.0.2.2");
    const { stdout: list } = await run("pool", "list");
    assert.match(list, /^entry\.example\.org\. +every node +all +1 +linear +last-known-good +corefile$/m);
    assert.match(list, /^relay\.example\.org\. +n1 n2 +all +1 +linear +last-known-good +api$/m);
    assert.deepEqual(JSON.parse((await run("pool", "show", name)).stdout).members, ["n1", "n2"]);
    const looked = await run("pool", "set", name, "members=n1", "-preview", "-json");
    assert.deepEqual(JSON.parse(looked.stdout).pools, [
      { pool: "relay.example.org.", members: 1, before: 2, after: 1 },
    ]);
    assert.equal((await run("pool", "set", name, "members=n1", "-yes")).code, 0);
    await until("n1", async () => await said(port, name) === "192.0.2.1");
    const same = await run("pool", "set", name, "members=n1");
    assert.deepEqual([same.code, same.stderr], [0, "nothing would change\n"]);
    const kept = await run("pool", "remove", name, "-yes");
    assert.match(kept.stderr, /nobody would serve relay\.example\.org\./);
    const gone = await run("pool", "remove", name, "-yes", "-acknowledge", "relay.example.org.");
    assert.deepEqual([gone.code, gone.stdout], [0, "relay.example.org. is gone\n"]);
    await until("nobody", async () => await said(port, name) === "");
    const wrong = [
      [["pool", "set", "entry.example.org", "answers=2"], 1, /is from the Corefile: change it there/],
      [["pool", "add", name, "answer=2"], 1, /\/answer: unknown key 'answer'; did you mean 'answers'/],
      [["pool", "add", "relay.example.net"], 1, /wanted a name in example\.org\., where managed pools/],
      [["pool", "shwo", name], 2, /did you mean 'show'/],
    ] as const;
    for (const [args, code, message] of wrong) {
      const ended = await run(...args);
      assert.deepEqual([ended.code, message.test(ended.stderr)], [code, true], ended.stderr);
    }
  });
});

Deno.test("nodes and overrides by the command line are what is answered, and who did it is recorded", async () => {
  await withServer(async (run, { port }) => {
    const add = await run("node", "add", "nodes.yaml", "-reason", "first rack");
    assert.deepEqual([add.code, add.stdout], [0, "n1 is there\nn2 is there\n"]);
    await until("n1", async () => await said(port) === "192.0.2.1");
    assert.match((await run("node", "list")).stdout, /^n1 +192\.0\.2\.1 +50 8 DE .* api$/m);
    const unasked = await run("override", "add", "drain", "node=n1", "-for", "10m", "-reason", "kernel");
    assert.match(unasked.stderr, /^entry\.example\.org\. +2 +2 +1$/m);
    assert.match(unasked.stderr, /want -yes where nobody can be asked/);
    const drain = await run(
      "override",
      "add",
      "drain",
      "node=n1",
      "-for",
      "10m",
      "-reason",
      "kernel",
      "-yes",
    );
    const id = /^(\w+): drain node=n1 until/.exec(drain.stdout)![1]!;
    await until("n2", async () => await said(port) === "192.0.2.2");
    assert.match(
      (await run("override", "list")).stdout,
      new RegExp(`^${id} +node=n1 +drain +in \\d.* kernel$`, "m"),
    );
    assert.equal((await run("override", "end", id)).code, 0);
    await until("n1 again", async () => await said(port) === "192.0.2.1");
    const audit = await run("audit", "list", "subject=nodes/n1", "-json");
    const [record] = JSON.parse(audit.stdout);
    assert.deepEqual([record.action, record.actor, record.reason], [
      "node.create",
      "local:root",
      "first rack",
    ]);
    assert.match((await run("audit", "verify")).stdout, /^\d+ records, all of them as they were written\n$/);
  });
});

Deno.test("what is wrong is told with its field, the nearest word, and an exit code", async () => {
  await withServer(async (run) => {
    await run("node", "add", "nodes.yaml");
    const table: [args: string[], code: number, said: RegExp][] = [
      [["node", "set", "n1", "wieght=3"], 1, /\/wieght: unknown key 'wieght'; did you mean 'weight'\?/],
      [["node", "show", "n9"], 1, /there is no node "n9"/],
      [["node", "lst"], 2, /node wants list, .*; did you mean 'list'\?/],
      [["node", "remove", "n1"], 2, /want -yes where nobody can be asked/],
      [
        ["override", "add", "dran", "node=n1", "-for", "1h"],
        2,
        /wants up, drain, down or weight=N: got dran/,
      ],
      [["override", "add", "drain", "node=n1"], 2, /wants an end: -for DURATION/],
      [["override", "add", "drain", "node=n7", "-for", "1h", "-reason", "x"], 1, /n7/],
      [["token", "create"], 2, /wants -name/],
      [["audit", "list", "who=ada"], 2, /audit list wants actor, action, subject, server/],
    ];
    for (const [args, code, what] of table) {
      const ended = await run(...args);
      assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
      assert.match(ended.stderr, what);
    }
  });
});

Deno.test("a token that was made on the machine lets somebody in from elsewhere, until it is taken back", async () => {
  await withServer(async (run, _server, api, folder) => {
    const made = await run("token", "create", "-name", "ada", "-role", "viewer", "-person", "ada");
    await Deno.writeTextFile(`${folder}/token`, made.stdout);
    const from = (...args: string[]) =>
      meridian(folder, ...args, "-api", `http://localhost:${api}`, "-token-file", "token");
    assert.equal((await from("node", "list")).stdout, "no nodes\n");
    const refused = await from("node", "add", "nodes.yaml");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^Not allowed: token:ada.* may not create nodes/);
    const [{ id }] = JSON.parse((await from("token", "list", "-json")).stdout);
    assert.equal((await run("token", "revoke", id)).code, 0);
    const ended = await from("node", "list");
    assert.match(ended.stderr, /revoked/);
    const clear = await meridian(
      folder,
      "node",
      "list",
      "-api",
      "http://192.0.2.1:1",
      "-token-file",
      "token",
    );
    assert.match(clear.stderr, /would send the token in clear/);
  });
});
