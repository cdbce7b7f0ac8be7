import assert from "node:assert/strict";
import { formatRdata } from "../../core/dns/rdata.ts";
import { rcodeToText, typeToText } from "../../core/dns/types.ts";
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
        nodes nodes.yaml
        answers 1
        unknown nearest 50 8
    }
    ttl 5 60
    managed
}
`;

const NODES = `nodes:
  - { id: n1, addresses: [192.0.2.91], location: { latitude: 50, longitude: 8, country: DE } }
`;

type Say = (name: string, type?: "A" | "TXT" | "SOA" | "MX") => Promise<string>;

/** A server of managed zones, and commands that go through its control socket. */
async function withServer(
  run: (run: (...args: string[]) => Promise<Ended>, say: Say, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder({ "nodes.yaml": NODES }, async (folder) => {
    await using server = await ServeProcess.start(folder, corefile(freePort()));
    await until("the interface", () => server.output.includes("/v1/"));
    const say: Say = async (name, type = "A") => {
      const { rcode, answer } = await askServer(server.port, name, type);
      const records = answer.map(({ type, rdata }) => `${typeToText(type)} ${formatRdata(type, rdata)}`);
      return [rcodeToText(rcode), ...records].join(" ");
    };
    await run((...args) => meridian(folder, ...args, "-control", "state/control.sock"), say, folder);
  });
}

Deno.test("zones and records by the command line are what is answered", async () => {
  await withServer(async (run, say, folder) => {
    const becomes = (name: string, wanted: string, type?: "A" | "TXT" | "SOA" | "MX") =>
      until(`${name} to be ${wanted}`, async () => await say(name, type) === wanted);
    assert.equal(await say("www.example.org"), "REFUSED");
    assert.equal(await say("entry.example.org"), "NOERROR A 192.0.2.91");
    assert.equal((await run("zone", "list")).stdout, "no zones\n");
    const add = await run(
      "zone",
      "add",
      "example.org",
      "ns1.example.org",
      "ns2.example.net",
      "-ttl-max",
      "7200",
    );
    assert.deepEqual([add.code, add.stdout, add.stderr], [0, "example.org. is there, serial 1\n", ""]);
    await becomes("www.example.org", "NXDOMAIN");
    assert.equal(await say("entry.example.org"), "NOERROR A 192.0.2.91");
    const set = await run(
      "record",
      "set",
      "example.org",
      "www",
      "A",
      "300",
      "192.0.2.1",
      "-reason",
      "launch",
    );
    assert.deepEqual([set.code, set.stdout], [0, "A at www.example.org. is there\n"]);
    await becomes("www.example.org", "NOERROR A 192.0.2.1");
    assert.equal((await run("record", "set", "example.org", "@", "MX", "300", "10 mail", "20 b.")).code, 0);
    await becomes("example.org", "NOERROR MX 10 mail. MX 20 b.", "MX");
    const list = await run("record", "list", "example.org", "name=www");
    assert.match(list.stdout, /^NAME +TTL +TYPE +DATA\nwww\.example\.org\. +300 +A +192\.0\.2\.1\n$/);
    assert.match((await run("zone", "list")).stdout, /^example\.org\. +3 +0-7200$/m);

    const exported = await run("record", "export", "example.org");
    assert.match(exported.stdout, /^www\.example\.org\. 300 IN A 192\.0\.2\.1$/m);
    await Deno.writeTextFile(
      `${folder}/zone`,
      exported.stdout.replace("192.0.2.1", "192.0.2.2") + 'txt 60 TXT "in"\n',
    );
    const imported = await run("record", "import", "example.org", "zone", "-yes");
    assert.deepEqual([imported.code, imported.stdout], [0, "example.org.: 5 RRsets, serial 4\n"]);
    await becomes("txt.example.org", 'NOERROR TXT "in"', "TXT");
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.2");

    assert.equal((await run("record", "remove", "example.org", "www.example.org.", "A", "-yes")).code, 0);
    await becomes("www.example.org", "NXDOMAIN");
    assert.equal((await run("zone", "remove", "example.org", "-yes")).stdout, "example.org is gone\n");
    await becomes("txt.example.org", "REFUSED", "TXT");
    const audit = JSON.parse((await run("audit", "list", "action=records.change", "-json")).stdout);
    assert.ok(audit.some(({ actor, reason }: any) => actor === "local:root" && reason === "launch"));
  });
});

Deno.test("what is wrong with zones and records is told, with an exit code", async () => {
  await withServer(async (run, _say, folder) => {
    await run("zone", "add", "example.org", "ns1.example.net");
    await Deno.writeTextFile(`${folder}/bad`, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.\nx 60 A here\n");
    const table: [args: string[], code: number, said: RegExp][] = [
      [["zone", "add", "example.org", "a."], 1, /zone example\.org\. is there already/],
      [["zone", "add", "example.net"], 1, /\/nameServers/],
      [["zone", "remove", "example.org"], 2, /want -yes where nobody can be asked/],
      [["zone", "add", "example.com", "a.", "-ttl-max", "1d"], 2, /-ttl-max wants seconds: got 1d/],
      [["record", "set", "example.org", "www", "A", "60"], 2, /wants ZONE NAME TYPE TTL RDATA/],
      [["record", "set", "example.org", "www", "A", "1h", "192.0.2.1"], 2, /wants a TTL in seconds: got 1h/],
      [["record", "set", "example.org", "www", "A", "60", "192.0.2"], 1, /\/rdata\/0: .*IPv4/],
      [["record", "set", "example.net", "www", "A", "60", "192.0.2.1"], 1, /there is no zone "example\.net"/],
      [["record", "remove", "example.org", "www", "A", "-yes"], 1, /there is no A at www\.example\.org\./],
      [["record", "list", "example.org", "owner=www"], 2, /wants name=NAME or type=TYPE: got owner=www/],
      [["record", "import", "example.org", "bad", "-yes"], 1, /3:8: .*IPv4/],
      [["record", "import", "example.org", "none", "-yes"], 2, /none/],
      [["record", "sett"], 2, /did you mean 'set'\?/],
    ];
    for (const [args, code, said] of table) {
      const ended = await run(...args);
      assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
      assert.match(ended.stderr, said);
    }
  });
});
