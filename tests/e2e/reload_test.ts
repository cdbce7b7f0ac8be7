import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { RCODE, rcodeToText } from "../../core/dns/types.ts";
import { formatRecord } from "../../core/explain.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const FILES = {
  "nodes.yaml": nodes("192.0.2.1"),
  "networks.yaml": networks(50, 8),
  zone: zone(1, "www A 192.0.2.10"),
};

/** A server whose files can be edited, and whose clock is turned by hand. */
interface Editable {
  readonly server: TestServer;
  /** Edits a file as editors do, and lets the time pass in which it is looked at again. */
  edit(name: keyof typeof FILES, text: string): void;
  /** What is answered now: RCODE and the data of each record. */
  ask(name: string, subnet?: string): Promise<string>;
  /** The line that was logged at `level` and has `part` in it. */
  logged(level: string, part: string): Promise<string>;
}

async function withServer(body: (editable: Editable) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(FILES)) Deno.writeTextFileSync(`${folder}/${name}`, text);
  const clock = new ManualClock(Date.now());
  const server = await startServer(
    `example.org:1053 {
    bind 127.0.0.1
    geo {
        networks ${folder}/networks.yaml
    }
    anycast entry.example.org {
        nodes ${folder}/nodes.yaml
        answers 1
    }
    file ${folder}/zone {
        reload 10s
    }
}
`,
    { clock },
  );
  try {
    await body({
      server,
      edit(name, text) {
        Deno.writeTextFileSync(`${folder}/${name}.new`, text);
        Deno.renameSync(`${folder}/${name}.new`, `${folder}/${name}`);
        clock.advance(10_000);
      },
      async ask(name, subnet) {
        const reply = await server.ask(name, "A", subnet === undefined ? {} : { subnet });
        const data = reply.answer.map((record) => formatRecord(record).split(" ").at(-1));
        return [rcodeToText(reply.rcode), ...data].join(" ");
      },
      logged: (level, part) =>
        until(
          `${level}: …${part}… in the log: ${server.logged.join("\n")}`,
          () => server.logged.find((line) => line.startsWith(`${level}: `) && line.includes(part)),
        ),
    });
  } finally {
    await server.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function nodes(address: string): string {
  return `nodes:
  - { id: fra1, addresses: [${address}], location: { latitude: 50, longitude: 8 } }
  - { id: nrt1, addresses: [192.0.2.2], location: { latitude: 35, longitude: 139 } }
`;
}

function networks(latitude: number, longitude: number): string {
  return `networks:\n  - { prefix: 198.51.100.0/24, latitude: ${latitude}, longitude: ${longitude} }\n`;
}

function zone(serial: number, ...lines: string[]): string {
  return [
    "$TTL 60",
    `@ SOA ns1 hostmaster ${serial} 2h 30m 2w 5m`,
    "@ NS ns1",
    "ns1 A 192.0.2.53",
    ...lines,
    "",
  ]
    .join("\n");
}

/** Whether `ask` has come to give `answer`. */
function becomes(ask: () => Promise<string>, answer: string): Promise<true> {
  return until(answer, async () => await ask() === answer);
}

Deno.test("a node list that was edited is taken, and answers change", async () => {
  await withServer(async ({ edit, ask, logged, server }) => {
    const entry = () => ask("entry.example.org", "198.51.100.0/24");
    assert.equal(await entry(), "NOERROR 192.0.2.1");
    edit("nodes.yaml", nodes("192.0.2.99"));
    await becomes(entry, "NOERROR 192.0.2.99");
    assert.match(await logged("info", "nodes.yaml"), /took .*nodes\.yaml, 2 nodes/);
    assert.equal(server.server.metrics.snapshot()['meridian_node_list_reloads_total{outcome="taken"}'], 1);
  });
});

Deno.test("a node list that was broken is told with its position, the nodes stay, and a mended one is taken", async () => {
  await withServer(async ({ edit, ask, logged }) => {
    const entry = () => ask("entry.example.org", "198.51.100.0/24");
    edit("nodes.yaml", nodes("192.0.2.999"));
    assert.match(await logged("error", "nodes.yaml"), /nodes\.yaml:2:29: .*'192\.0\.2\.999'/);
    assert.equal(await entry(), "NOERROR 192.0.2.1");
    edit("nodes.yaml", nodes("192.0.2.99"));
    await becomes(entry, "NOERROR 192.0.2.99");
  });
});

Deno.test("a zone file with a new serial is taken, and answers change", async () => {
  await withServer(async ({ edit, ask, logged }) => {
    assert.equal(await ask("www.example.org"), "NOERROR 192.0.2.10");
    assert.equal(await ask("new.example.org"), "NXDOMAIN");
    edit("zone", zone(2, "www A 192.0.2.20", "new A 192.0.2.30"));
    await becomes(() => ask("www.example.org"), "NOERROR 192.0.2.20");
    assert.equal(await ask("new.example.org"), "NOERROR 192.0.2.30");
    assert.match(await logged("info", "/zone, serial 2"), /took .*\/zone, serial 2, after serial 1/);
    assert.equal(await ask("entry.example.org", "198.51.100.0/24"), "NOERROR 192.0.2.1");
  });
});

Deno.test("a zone file without a new serial is not taken, and the log says what to do", async () => {
  await withServer(async ({ edit, ask, logged }) => {
    edit("zone", zone(1, "www A 192.0.2.20"));
    assert.match(
      await logged("warn", "/zone"),
      /its serial has not.*raise the serial, or set reload_by_mtime/,
    );
    assert.equal(await ask("www.example.org"), "NOERROR 192.0.2.10");
  });
});

Deno.test("a zone file that was broken is told with its position, and the zone stays", async () => {
  await withServer(async ({ edit, ask, logged }) => {
    edit("zone", zone(2, "www A 192.0.2.20", "www A nonsense"));
    assert.match(await logged("error", "/zone"), /serving serial 1 .*\/zone:6:7: .*nonsense/);
    assert.equal(await ask("www.example.org"), "NOERROR 192.0.2.10");
    edit("zone", zone(2, "www A 192.0.2.20"));
    await becomes(() => ask("www.example.org"), "NOERROR 192.0.2.20");
  });
});

Deno.test("networks that were edited are taken, and clients are elsewhere", async () => {
  await withServer(async ({ edit, ask, logged }) => {
    const entry = () => ask("entry.example.org", "198.51.100.0/24");
    assert.equal(await entry(), "NOERROR 192.0.2.1");
    edit("networks.yaml", networks(35, 135));
    await becomes(entry, "NOERROR 192.0.2.2");
    assert.match(await logged("info", "geo: took"), /networks\.yaml: \d+ IPv4 and \d+ IPv6 networks/);
  });
});

Deno.test("networks that were broken are told with their position, and clients stay where they are", async () => {
  await withServer(async ({ edit, ask, logged, server }) => {
    const entry = () => ask("entry.example.org", "198.51.100.0/24");
    edit("networks.yaml", networks(350, 135));
    assert.match(await logged("error", "networks.yaml"), /networks\.yaml:2:42: latitude must be .*'350'/);
    assert.equal(await entry(), "NOERROR 192.0.2.1");
    const [geography] = Object.values(server.server.publisher.snapshot.geographies);
    assert.ok(geography!.sources.some(({ refused }) => refused?.includes("latitude")));
    edit("networks.yaml", networks(35, 135));
    await becomes(entry, "NOERROR 192.0.2.2");
  });
});

Deno.test("every query is answered while files change, from the old or the new and never a mixture", async () => {
  await withServer(async ({ edit, server }) => {
    const replies: string[] = [];
    let asking = true;
    const askAll = async () => {
      while (asking) {
        const reply = await server.ask("www.example.org", "A");
        assert.equal(reply.rcode, RCODE.NOERROR);
        replies.push(reply.answer.map((record) => formatRecord(record).split(" ").at(-1)!).sort().join());
      }
    };
    const askers = Array.from({ length: 8 }, askAll);
    await until("replies", () => replies.length > 8);
    const versions = Array.from({ length: 20 }, (_, i) => [`192.0.2.${100 + i}`, `198.51.100.${100 + i}`]);
    for (const [i, version] of versions.entries()) {
      edit("zone", zone(i + 2, ...version.map((address) => `www A ${address}`)));
      await until(`version ${i}`, () => replies.includes(version.toSorted().join()));
    }
    asking = false;
    await Promise.all(askers);
    const whole = ["192.0.2.10", ...versions.map((version) => version.toSorted().join())];
    assert.deepEqual(replies.filter((reply) => !whole.includes(reply)), []);
    assert.equal(new Set(replies).size, whole.length, "versions that were seen");
  });
});
