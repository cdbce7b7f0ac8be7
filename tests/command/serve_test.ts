import assert from "node:assert/strict";
import { formatRecord } from "../../core/explain.ts";
import { RCODE } from "../../core/dns/types.ts";
import { FakeUpstream, replyTo } from "../plugins/forward/fake_upstream.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess, withFolder } from "./meridian.ts";

const WHOAMI = ".:1053 {\n    bind 127.0.0.1\n    whoami\n}\n";

/** Two nodes that are checked in a way that needs no network, one of them drained. */
const FLEET = {
  "nodes.yaml": `nodes:
  - { id: fra1, addresses: [192.0.2.1], location: { latitude: 50.11, longitude: 8.68, country: DE } }
  - { id: nrt1, addresses: [192.0.2.2], location: { latitude: 35.68, longitude: 139.69, country: JP } }
  - { id: syd1, addresses: [192.0.2.3], location: { latitude: -33.87, longitude: 151.21, country: AU }, state: drain }
`,
  "networks.yaml": "networks:\n  - { prefix: 198.51.100.0/24, latitude: 35, longitude: 135, country: JP }\n",
};

const FLEET_COREFILE = `anycast.example:1053 {
    bind 127.0.0.1
    log
    geo {
        networks networks.yaml
    }
    health {
        check alive exec /usr/bin/test {address} != 192.0.2.1
        interval 1s
        fall 2
        confirm off
    }
    anycast entry.anycast.example {
        nodes nodes.yaml
        answers 1
    }
    ttl 5 60
}
`;

Deno.test("meridian serve greets as CoreDNS does, zone by zone", async () => {
  await withFolder({}, async (folder) => {
    await using process = await ServeProcess.start(folder, WHOAMI);
    const [zone, name, system] = process.output.split("\n");
    assert.equal(zone, `.:${process.port} on 127.0.0.1`);
    assert.match(name!, /^Meridian-\d+\.\d+\.\d+, Corefile$/);
    assert.match(system!, /^\w+\/\w+, deno \d/);
  });
});

Deno.test("meridian serve ends at SIGTERM whatever a plugin of one's own left open", async () => {
  const plugin = `export default () => ({
    api: 1, name: "hang", usage: "hang", options: {}, parse: () => ({}),
    start() { setInterval(() => {}, 1000); },
    answerer: () => undefined,
  });`;
  await withFolder({ "hang.js": plugin }, async (folder) => {
    const corefile = "{\n    plugin hang.js\n}\n" + WHOAMI.replace("whoami", "hang\n    whoami");
    await using process = await ServeProcess.start(folder, corefile);
    process.kill("SIGTERM");
    assert.equal(await process.end(), 0);
  });
});

Deno.test("meridian serve writes its pid once it answers, and takes the file away", async () => {
  await withFolder({}, async (folder) => {
    await using process = await ServeProcess.start(folder, WHOAMI, "-pidfile", "meridian.pid");
    assert.equal(Deno.readTextFileSync(`${folder}/meridian.pid`), `${process.pid}\n`);
    assert.equal((await askServer(process.port, "www.example.org", "A")).rcode, RCODE.NOERROR);
    process.kill("SIGTERM");
    assert.equal(await process.end(), 0);
    assert.throws(() => Deno.statSync(`${folder}/meridian.pid`), Deno.errors.NotFound);
  });
});

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  const how = ["serve", ...flags].join(" ");
  Deno.test(`SIGTERM lets ${how} answer and log a query under way, take no new one, and end with 0`, async () => {
    const gate = Promise.withResolvers<void>();
    await using upstream = new FakeUpstream(async ({ query, send }) => {
      await gate.promise;
      await send(replyTo(query, ["@ 60 A 192.0.2.1"]));
    });
    const to = `127.0.0.1:${upstream.upstream.port}`;
    const corefile = `.:1053 {\n bind 127.0.0.1\n log\n forward . ${to} {\n read_timeout 60s\n }\n}\n`;
    await withFolder({}, async (folder) => {
      await using process = await ServeProcess.start(folder, corefile, ...flags);
      const underWay = askServer(process.port, "www.example.org", "A", { timeoutMs: 60_000 });
      await upstream.until(1);
      process.kill("SIGTERM");
      await until("TCP to be closed", () => refuses(process.port));
      gate.resolve();
      assert.deepEqual((await underWay).answer.map(formatRecord), ["www.example.org. 60 IN A 192.0.2.1"]);
      assert.equal(await process.end(), 0);
      assert.equal(upstream.asked.length, 1);
      await process.says(/"A IN www\.example\.org\. udp .* NOERROR /);
    });
  });
}

Deno.test("one SIGINT ends the server as SIGTERM does", async () => {
  await withFolder({}, async (folder) => {
    await using process = await ServeProcess.start(folder, WHOAMI);
    process.kill("SIGINT");
    assert.equal(await process.end(), 0);
  });
});

Deno.test("meridian serve ends with 1 and shows every problem when the Corefile is wrong", async () => {
  await withFolder({ Corefile: ".:1053 {\n whoam\n ttl 9 1\n}\n" }, async (folder) => {
    const { code, stderr } = await meridian(folder, "serve");
    assert.match(stderr, /^Corefile:2:2: Unknown directive 'whoam'/);
    assert.match(stderr, /^2 errors$/m);
    assert.equal(code, 1);
  });
});

Deno.test("meridian serve ends with 2 and says who is in the way when it cannot start", async () => {
  await withFolder({}, async (folder) => {
    await using process = await ServeProcess.start(folder, WHOAMI);
    const inTheWay = async (corefile: string, ...args: string[]) => {
      Deno.writeTextFileSync(`${folder}/other`, corefile);
      const { code, stdout, stderr } = await meridian(folder, "serve", "-conf", "other", ...args);
      assert.equal(code, 2, stderr);
      return stdout;
    };
    const port = `${process.port}`;
    assert.match(
      await inTheWay(WHOAMI.replace("1053", port)),
      new RegExp(`Cannot start: Cannot listen on 127\\.0\\.0\\.1 port ${port} .*another program has it`),
    );
    const free = WHOAMI.replace("127.0.0.1", "127.0.0.2").replace("1053", port);
    assert.match(
      await inTheWay(free),
      /Cannot start: Cannot open the control socket .*a server that is running has it/,
    );
    assert.match(
      await inTheWay(`{\n state off\n}\n${free}`, "-pidfile", "no/folder"),
      /Cannot start: .*no\/folder/,
    );
  });
});

Deno.test("meridian status and explain say what the running server knows", async () => {
  await withFolder(FLEET, async (folder) => {
    await using process = await ServeProcess.start(folder, FLEET_COREFILE);
    await until(
      "fra1 to be found down",
      () => process.output.includes("192.0.2.1") && isDown(folder),
    );

    const { stdout: text } = await meridian(folder, "status");
    assert.match(text, new RegExp(`^listening on 127\\.0\\.0\\.1 ${process.port}$`, "m"));
    assert.match(
      text,
      /^entry\.anycast\.example\. +fra1 +192\.0\.2\.1 +up +exec .* down +[\d.]+ s +in \d.* s +\S/m,
    );
    assert.match(text, /^entry\.anycast\.example\. +syd1 +192\.0\.2\.3 +drain /m);
    assert.match(text, /country/);
    const status = JSON.parse((await meridian(folder, "status", "-json")).stdout);
    assert.equal(status.nodes.length, 3);

    const args = ["explain", "entry.anycast.example", "A", "-client", "80.128.0.0/24"];
    const { stdout: why } = await meridian(folder, ...args);
    assert.match(why, /^entry\.anycast\.example\. A asked by 80\.128\.0\.0\/24: NOERROR, scope \/\d+$/m);
    assert.match(why, /^ {4}entry\.anycast\.example\. \d+ IN A 192\.0\.2\.2$/m);
    assert.match(why, /^ +1 +fra1 +192\.0\.2\.1 +0 +down +exec .* down for .* no, down: /m);
    assert.match(why, /^ +2 +nrt1 +192\.0\.2\.2 +9\d\d\d +\w+ .* #1$/m);
    assert.match(why, /^ +3 +syd1 .* no, out: state drain$/m);
    assert.match(why, /^could change at the earliest in /m);
    assert.doesNotMatch(process.output, /"A IN entry/);
    const explanation = JSON.parse((await meridian(folder, ...args, "-json")).stdout);
    const reply = await askServer(process.port, "entry.anycast.example", "A", { subnet: "80.128.0.0/24" });
    await until("a line about the query", () => process.output.includes('"A IN entry.anycast.example. udp '));
    assert.deepEqual(
      explanation.answer.map((record: string) => record.split(" ").at(-1)),
      reply.answer.map((record) => formatRecord(record).split(" ").at(-1)),
    );
  });
});

Deno.test("meridian explain -verdicts asks no server", async () => {
  const files = {
    ...FLEET,
    Corefile: FLEET_COREFILE,
    "verdicts.json": '{"nrt1": "down", "192.0.2.1": "degraded"}',
  };
  await withFolder(files, async (folder) => {
    const args = [
      "explain",
      "entry.anycast.example",
      "-client",
      "198.51.100.7",
      "-verdicts",
      "verdicts.json",
    ];
    const { code, stdout, stderr } = await meridian(folder, ...args);
    assert.equal(code, 0);
    assert.match(stderr, /no plugin has data for anycast\.example\./);
    assert.equal(JSON.parse((await meridian(folder, ...args, "-json")).stdout).rcode, "NOERROR");
    assert.match(stdout, /^ {4}entry\.anycast\.example\. \d+ IN A 192\.0\.2\.1$/m);
    assert.match(stdout, /^ +1 +nrt1 .* no, down: as told$/m);
    assert.match(stdout, /^ +3 +fra1 .* degraded .* #1$/m);
    Deno.writeTextFileSync(`${folder}/verdicts.json`, '{"nrt1": "dead"}');
    const wrong = await meridian(folder, ...args);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /verdicts\.json: nrt1 must be one of up, degraded, down, unknown: got "dead"/);
  });
});

async function isDown(folder: string): Promise<boolean> {
  const { stdout } = await meridian(folder, "status", "-json");
  const { nodes } = JSON.parse(stdout) as { nodes: { node: string; checks: { state: string }[] }[] };
  return nodes.some(({ node, checks }) => node === "fra1" && checks[0]?.state === "down");
}

async function refuses(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return false;
  } catch {
    return true;
  }
}

Deno.test("meridian serve -log-format json writes nothing but objects, from the greeting on", async () => {
  await withFolder({}, async (folder) => {
    const text =
      `{\n state off\n}\n.:1053 {\n bind 127.0.0.1\n debug\n log\n whoami\n}\n.:1054 {\n log . json\n whoami\n}\n`;
    const corefile = text.replaceAll("1054", String(freePort()));
    await using process = await ServeProcess.start(folder, corefile, "-log-format", "json");
    await askServer(process.port, "www.example.org", "A");
    await process.says(/A IN www\.example\.org\. .*\n/);
    const lines = process.output.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.every(({ time, level, message }) => time && level && typeof message === "string"));
    assert.match(lines[0].message, /^\.:\d+/);
    const [query, ...others] = lines.filter(({ message }) => message.includes("A IN www.example.org."));
    assert.match(query.message, /^127\.0\.0\.1:\d+ - \d+ "A IN www\.example\.org\. udp /);
    assert.deepEqual(others, []);
    const { code, stderr } = await meridian(folder, "serve", "-log-format", "xml");
    assert.equal(code, 2);
    assert.match(stderr, /-log-format must be text or json: got xml/);
  });
});
