import assert from "node:assert/strict";
import type { BootstrapResult } from "../../core/bootstrap/bootstrap.ts";
import { nodeAt, zoneServer } from "../core/bootstrap/servers.ts";
import { makeCertificates } from "../support/certificates.ts";
import { freePort, startServer, type TestServer } from "../support/server.ts";
import { meridian, ROOT, withFolder } from "./meridian.ts";

const GUIDE = `${ROOT}docs/BOOTSTRAP.md`;

/** The first block of the guide that is fenced so. */
function fenced(language: string): string {
  return new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "m").exec(Deno.readTextFileSync(GUIDE))![1]!;
}

/** The guide's server, it and its nodes on ports of their own. */
async function withGuide(body: (server: TestServer, nodePort: number) => Promise<void>): Promise<void> {
  const nodePort = freePort(), ported = (text: string) => text.replaceAll("8443", String(nodePort));
  await withFolder({ "nodes.yaml": Deno.readTextFileSync(`${ROOT}nodes.yaml`) }, async (folder) => {
    await Deno.mkdir(`${folder}/zones`);
    await Deno.writeTextFile(`${folder}/zones/bootstrap.example.zone`, ported(fenced("zone")));
    const server = await startServer(ported(fenced("corefile")), { file: `${folder}/Corefile` });
    try {
      await body(server, nodePort);
    } finally {
      await server.close();
    }
  });
}

const resolverOf = ({ port }: Pick<TestServer, "port">) => ["-resolver", `127.0.0.1:${port}`];

Deno.test("the guide's zone is the one of the repository", () => {
  const file = Deno.readTextFileSync(`${ROOT}zones/bootstrap.example.zone`);
  assert.ok(file.endsWith(fenced("zone")), "docs/BOOTSTRAP.md and zones/bootstrap.example.zone differ");
});

Deno.test("the guide's commands print what it says, while its nodes listen", async () => {
  const said = fenced("console").split("\n").filter((line) => /^[\d.]+:\d+$/.test(line)).sort();
  assert.ok(fenced("console").includes("$ meridian bootstrap bootstrap.example -resolver 127.0.0.1:1053\n"));
  await withGuide(async (server, port) => {
    using _a = nodeAt("127.0.0.11", port), _b = nodeAt("127.0.0.12", port), _c = nodeAt("127.0.0.13", port);
    await withFolder({}, async (folder) => {
      const { code, stdout, stderr } = await meridian(
        folder,
        "bootstrap",
        "bootstrap.example",
        ...resolverOf(server),
      );
      assert.equal(stderr, "");
      assert.deepEqual(
        stdout.trim().split("\n").sort(),
        said.map((line) => line.replace("8443", String(port))),
      );
      assert.equal(code, 0);
    });
  });
});

Deno.test("meridian bootstrap falls back from the pool to what is fixed, to its memory, to its own list", async () => {
  await withFolder({ list: "# two of ours\n127.0.0.39:9 # gone\n\n127.0.0.38\n" }, async (folder) => {
    const silent = { port: 9 } as TestServer;
    const find = async (server: TestServer, ...args: string[]) => {
      const { stdout, code } = await meridian(
        folder,
        "bootstrap",
        "bootstrap.example",
        ...resolverOf(server),
        "-json",
        ...args,
        "-timeout",
        // Of nobody who does not answer half of it is expected.
        server === silent ? "6s" : "30s",
        "-cache",
        "kept.json",
      );
      const result = JSON.parse(stdout) as BootstrapResult;
      return {
        origin: result.origin,
        code,
        found: result.entryPoints.map(({ address, from }) => `${address} ${from}`),
      };
    };
    await withGuide(async (server, port) => {
      // Nobody of the pool listens, and one of the fixed addresses does.
      using _ = nodeAt("127.0.0.42", port);
      assert.deepEqual(await find(server), { origin: "SRV", code: 0, found: ["127.0.0.42 SRV"] });
      assert.deepEqual(await find(silent), { origin: "cache", code: 0, found: ["127.0.0.42 cache"] });
    });
    using own = nodeAt("127.0.0.38");
    const list = ["-fallback", "list", "-port", String(own.port)];
    assert.deepEqual(await find(silent, ...list), {
      origin: "fallback",
      code: 0,
      found: ["127.0.0.38 fallback"],
    });
    assert.deepEqual(await find(silent), { origin: undefined, code: 1, found: [] });
  });
});

Deno.test("meridian bootstrap -why shows everyone with a reason, and every question", async () => {
  await withGuide(async (server, port) => {
    using _ = nodeAt("127.0.0.11", port);
    await withFolder({}, async (folder) => {
      const { stdout } = await meridian(
        folder,
        "bootstrap",
        "bootstrap.example",
        ...resolverOf(server),
        "-why",
        "-fallback",
        "127.0.0.39",
      );
      assert.match(
        stdout,
        /^ADDRESS +PORT +FAMILY +FROM +RTT +WHY\n127\.0\.0\.11 +\d+ +IPv4 +SRV 10 entry\.bootstrap\.example +[\d.]+ ms +chosen +connected, 1 of 1\n/,
      );
      assert.match(stdout, /^127\.0\.0\.39 +51820 +IPv4 +fallback +- +not tried +SRV records were enough$/m);
      assert.match(
        stdout,
        /^SRV _formation\._tcp\.bootstrap\.example\. +127\.0\.0\.1:\d+ +[\d.]+ ms +NOERROR, 2 records by UDP$/m,
      );
    });
  });
});

Deno.test("meridian bootstrap -probe https wants the certificate of the target's name", async () => {
  await using certificates = await makeCertificates();
  const { authority, server: { certificate, key } } = certificates;
  const asked: string[] = [];
  const node = Deno.serve({
    ...{ hostname: "127.0.0.31", port: 0, onListen() {}, onError: () => new Response() },
    ...{ cert: Deno.readTextFileSync(certificate), key: Deno.readTextFileSync(key) },
  }, ({ url, headers }) => {
    asked.push(`${headers.get("host")}${new URL(url).pathname}`);
    return new Response("ok");
  });
  const { port } = node.addr;
  try {
    await using server = await zoneServer(
      `_formation._tcp.boot IN SRV 1 0 ${port} dns\n_formation._tcp.other IN SRV 1 0 ${port} another\n` +
        "dns IN A 127.0.0.31\nanother IN A 127.0.0.31",
      "example.org",
    );
    await withFolder({}, async (folder) => {
      const find = (name: string, ...args: string[]) =>
        meridian(
          folder,
          "bootstrap",
          name,
          ...resolverOf(server),
          "-probe",
          "https",
          "-timeout",
          "30s",
          ...args,
        );
      const right = await find("boot.example.org", "-ca", authority);
      assert.deepEqual([right.stdout, right.code], [`127.0.0.31:${port}\n`, 0]);
      assert.deepEqual(asked, [`dns.example.org:${port}/health`]);
      const anotherName = await find("other.example.org", "-ca", authority);
      assert.deepEqual([anotherName.stdout, anotherName.code], ["", 1]);
      const anotherAuthority = await find("boot.example.org");
      assert.deepEqual([anotherAuthority.stdout, anotherAuthority.code], ["", 1]);
      assert.equal(asked.length, 1);
    });
  } finally {
    await node.shutdown();
  }
});

const misunderstood: [args: string[], says: string][] = [
  [[], "bootstrap needs a NAME: wanted bootstrap NAME"],
  [["a..example"], "empty label"],
  [["a.example", "b.example"], "does not know what to do with b.example"],
  [
    ["a.example", "-resolver", "ns1.example"],
    "-resolver must be an IP address, ADDRESS:PORT or [ADDRESS]:PORT: got ns1.example",
  ],
  [["a.example", "-probe", "http"], "-probe must be tcp, https, none: got http; did you mean https?"],
  [["a.example", "-count", "0"], "-count must be a whole number from 1 to 100: got 0"],
  [["a.example", "-port", "x"], "-port must be a whole number from 1 to 65535: got x"],
  [["a.example", "-timeout", "soon"], "-timeout must be a duration such as 500ms, 10s or 1m30s: got soon"],
  [["a.example", "-service", "formation"], 'A service is written as _formation._tcp: got "formation"'],
  [
    ["a.example", "-fallback", "nowhere"],
    "Cannot read -fallback nowhere: it is no IP address, and there is no such file",
  ],
  [
    ["a.example", "-fallback", "list"],
    "list:2: wanted an IP address, with a port or without: got ns1.example",
  ],
  [
    ["a.example", "-path", "health", "-probe", "https"],
    "-path must begin with / and have no blanks: got health",
  ],
];

for (const [args, says] of misunderstood) {
  Deno.test(`meridian bootstrap ${args.join(" ")} says why it cannot`, async () => {
    await withFolder({ list: "192.0.2.1\nns1.example\n" }, async (folder) => {
      const { code, stdout, stderr } = await meridian(folder, "bootstrap", ...args);
      assert.ok(stderr.includes(says), stderr);
      assert.doesNotMatch(stderr, /\n\s+at |Uncaught/);
      assert.deepEqual([stdout, code], ["", 2]);
    });
  });
}
