import assert from "node:assert/strict";
import { ensurePackages } from "../../scripts/packages.ts";
import { startServer, type TestServer } from "../support/server.ts";

await ensurePackages(["bind9-dnsutils", "knot-dnsutils", "ldnsutils"]);

const COREFILE = `anycast.example:1053 {
    bind 127.0.0.1
    geo
    nsid tools
    anycast entry.anycast.example {
        nodes nodes.yaml
        answers 2
        unknown nearest 50.11 8.68
    }
    file zones/anycast.example.zone
}
`;

/** What is asked, and what a tool must have understood: a status, and where it is NOERROR with data, a piece of it. */
const QUESTIONS: readonly [name: string, type: string, status: string, data?: string][] = [
  ["anycast.example", "SOA", "NOERROR", "hostmaster.anycast.example."],
  ["anycast.example", "NS", "NOERROR", "ns2.anycast.example."],
  ["anycast.example", "MX", "NOERROR", "10 mail.anycast.example."],
  ["anycast.example", "TXT", "NOERROR", '"v=spf1 mx -all"'],
  ["anycast.example", "CAA", "NOERROR", "ca.example"],
  ["wWw.anycast.example", "A", "NOERROR", "127.0.0.12"],
  ["www.anycast.example", "HTTPS", "NOERROR"],
  ["entry.anycast.example", "A", "NOERROR", "127.0.0.11"],
  ["entry.anycast.example", "AAAA", "NOERROR", "::1"],
  ["entry.anycast.example", "TXT", "NOERROR"],
  ["api.anycast.example", "A", "NOERROR", "entry.anycast.example."],
  ["a.b.static.anycast.example", "A", "NOERROR", "www.anycast.example."],
  ["static.anycast.example", "A", "NOERROR"],
  ["none.anycast.example", "A", "NXDOMAIN"],
  ["host.lab.anycast.example", "A", "NOERROR", "ns.lab.anycast.example."],
  ["elsewhere.example", "A", "REFUSED"],
];

/** How each tool is asked, in several ways; all print header, sections and options as dig does. */
const TOOLS: readonly { name: string; ways: readonly string[][]; command: (port: number) => string[] }[] = [
  {
    name: "dig",
    command: (port) => ["dig", "@127.0.0.1", "-p", `${port}`, "+tries=1", "+norecurse"],
    ways: [
      [],
      ["+tcp"],
      ["+noedns"],
      ["+nsid", "+dnssec", "+expire", "+keepalive", "+padding=128"],
      ["+subnet=80.128.0.0/24"],
      ["+subnet=0/0", "+bufsize=512"],
      ["+cookie", "+nobadcookie", "+ednsopt=65001:00ff"],
    ],
  },
  {
    name: "kdig",
    command: (port) => ["kdig", "@127.0.0.1", "-p", `${port}`, "+retry=0", "+norec"],
    ways: [[], ["+tcp", "+keepopen"], ["+nsid", "+dnssec"], ["+subnet=80.128.0.0/24"], ["+bufsize=512"]],
  },
  {
    name: "drill",
    command: (port) => ["drill", "-p", `${port}`, "-o", "rd", "@127.0.0.1"],
    ways: [[], ["-t"], ["-D"], ["-b", "512"]],
  },
];

/** What a tool says when something is not as it should be. */
const COMPLAINT =
  /warning|malformed|bad packet|mismatch|extra octets|extra data|trailing|unexpected|reserved|fail|\berror\b|invalid|truncat|connection refused|timed out/i;

async function run(command: readonly string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, { args: command.slice(1) }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** Drill has no MX and so on before its name, and no type it does not know. */
function wordsOf(tool: string, name: string, type: string): string[] {
  return tool === "drill" ? [name, type === "HTTPS" ? "TYPE65" : type] : [name, type];
}

async function withServer(use: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await startServer(COREFILE);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

for (const { name: tool, ways, command } of TOOLS) {
  Deno.test(`${tool} has no complaint, whatever it asks and however`, async () => {
    await withServer(async ({ port }) => {
      for (const way of ways) {
        for (const [name, type, status, data] of QUESTIONS) {
          const line = [...command(port), ...way, ...wordsOf(tool, name, type)];
          const { code, text } = await run(line);
          const where = `${line.join(" ")}\n${text}`;
          assert.equal(code, 0, where);
          const understood = /(?:status|rcode): (\w+)/.exec(text)?.[1];
          assert.equal(understood, status, where);
          if (data !== undefined) assert.ok(text.includes(data), where);
          const said = text.split("\n").filter((said) => COMPLAINT.test(said) && !isUsual(said));
          assert.deepEqual(said, [], where);
        }
      }
    });
  });
}

/** Lines of every output that only look like complaints. */
function isUsual(line: string): boolean {
  return /^;; (?:->>HEADER<<-|flags:|WHEN|MSG|Query time|SERVER|Received|From)/.test(line);
}

Deno.test("delv takes every answer, as unsigned", async () => {
  await withServer(async ({ port }) => {
    for (const way of [[], ["+tcp"], ["+dnssec"]]) {
      const line = ["delv", "@127.0.0.1", "-p", `${port}`, "-i", ...way, "entry.anycast.example", "A"];
      const { code, text } = await run(line);
      assert.equal(code, 0, text);
      assert.match(text, /^; authoritative$/m, text);
      assert.match(text, /entry\.anycast\.example\.\s+\d+\s+IN\s+A\s+127\.0\.0\.11/, text);
    }
    const none = await run(["delv", "@127.0.0.1", "-p", `${port}`, "-i", "none.anycast.example", "A"]);
    assert.match(none.text, /ncache nxdomain/, none.text);
  });
});
