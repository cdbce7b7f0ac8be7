import assert from "node:assert/strict";
import { rcodeToText } from "../../../core/dns/types.ts";
import { formatRecord } from "../../../core/explain.ts";
import { importGeoDns } from "../../../core/import/geodns.ts";
import { ImportError } from "../../../core/import/imported.ts";
import { startServer } from "../../support/server.ts";
import { filesIn, sourceOf, told, withImported } from "./import_fixture.ts";

const FOLDER = "tests/core/import/geodns";

function importExample() {
  return importGeoDns(`${FOLDER}/example.com.json`, sourceOf(filesIn(FOLDER)));
}

/** The zone file and the Corefile of a zone of these labels. */
function importLabels(data: unknown, more: Record<string, unknown> = {}) {
  const json = JSON.stringify({ ...more, data: { "": { ns: ["ns.example.net"] }, ...data as object } });
  const imported = importGeoDns("example.org.json", sourceOf({ "example.org.json": json }));
  const files = Object.fromEntries(imported.files.map(({ path, text }) => [path, text]));
  const zone = files["zones/example.org.zone"]!;
  return {
    zone: zone.trim().split("\n").slice(4),
    corefile: files.Corefile!,
    nodes: files["nodes.yaml"] ?? "",
    imported,
  };
}

Deno.test("what importGeoDns() makes has no problems, and answers as geodns does where that can be told", async () => {
  await withImported(importExample(), async (folder) => {
    const corefile = Deno.readTextFileSync(`${folder}/Corefile`);
    const test = await startServer(corefile, { file: `${folder}/Corefile` });
    try {
      const europe = "80.128.0.0/24", japan = "133.11.0.0/24", america = "8.8.8.0/24";
      const table: [
        name: string,
        type: Parameters<typeof test.ask>[1],
        subnet: string | undefined,
        answer: RegExp,
      ][] = [
        ["www.example.com", "A", europe, /^NOERROR www\.example\.com\. 600 IN A 192\.0\.2\.2[01]$/],
        ["www.example.com", "A", japan, /^NOERROR www\.example\.com\. 600 IN A 192\.0\.2\.30$/],
        ["www.example.com", "A", america, /^NOERROR www\.example\.com\. 600 IN A 192\.0\.2\.1[01]$/],
        ["www-alias.example.com", "A", japan, /^NOERROR www-alias\.example\.com\. 600 IN A 192\.0\.2\.30$/],
        ["www.example.com", "A", undefined, /^NOERROR www\.example\.com\. 600 IN A 192\.0\.2\.1[01]$/],
        ["foo.example.com", "A", america, /^NOERROR( foo\.example\.com\. 600 IN A 192\.0\.2\.[234]){2}$/],
        ["foo.example.com", "TXT", undefined, /^NOERROR foo\.example\.com\. 600 IN TXT "this is foo"$/],
        ["near.example.com", "A", america, /^NOERROR near\.example\.com\. 600 IN A 8\.8\.8\.53$/],
        ["near.example.com", "A", japan, /^NOERROR near\.example\.com\. 600 IN A 133\.11\.0\.52$/],
        [
          "checked.example.com",
          "A",
          europe,
          /^NOERROR( checked\.example\.com\. 600 IN A 127\.0\.0\.7[123]){2}$/,
        ],
        ["two.example.com", "A", undefined, /^NOERROR( two\.example\.com\. 601 IN A 192\.0\.2\.[56]){2}$/],
        [
          "0-alias.example.com",
          "AAAA",
          undefined,
          /^NOERROR 0-alias\.example\.com\. 601 IN AAAA 2001:db8::5$/,
        ],
        [
          "away.example.com",
          "A",
          undefined,
          /^NOERROR away\.example\.com\. 1800 IN CNAME geo\.example\.net\.$/,
        ],
        ["example.com", "NS", undefined, /^NOERROR( example\.com\. 86400 IN NS ns[12]\.example\.net\.){2}$/],
        [
          "_sip._tcp.example.com",
          "SRV",
          undefined,
          /^NOERROR .* 600 IN SRV 10 100 5060 sipserver\.example\.com\.$/,
        ],
        ["two.one.example.com", "A", undefined, /^NOERROR$/],
        ["none.example.com", "A", undefined, /^NXDOMAIN$/],
      ];
      for (const [name, type, subnet, expected] of table) {
        const { rcode, answer } = await test.ask(name, type, subnet === undefined ? {} : { subnet });
        const text = [rcodeToText(rcode), ...answer.map(formatRecord)].join(" ");
        assert.match(text, expected, `${name} ${type} ${subnet}: ${text}`);
      }
    } finally {
      await test.close();
    }
  });
});

Deno.test("importGeoDns() says what it leaves out and what differs", () => {
  const lines = told(importExample()).map((line) => line.replace(`${FOLDER}/example.com.json:`, ""));
  assert.deepEqual(lines.map((line) => line.replace(/: .*/, "").replace(/^\d+:\d+ /, "")).sort(), [
    "differs @",
    "differs weights of two",
    "differs www by europe, jp",
    "left out @",
    "left out alias lost-alias",
    "left out europe",
    "left out many",
    "left out strange",
    "left out www.[192.0.2.0]",
    "left out www.as15169",
  ]);
  assert.ok(lines.every((line) => /^\d+:5 /.test(line)), lines.join("\n"));
});

Deno.test("importGeoDns() keeps in the zone file what is the same for everybody", () => {
  const table: [labels: unknown, zone: string[]][] = [
    [{ a: { a: [["192.0.2.1", 10]] } }, ["a 120 A 192.0.2.1"]],
    [{ a: { a: [{ ip: "192.0.2.1", weight: 2 }, { a: "192.0.2.2" }], ttl: 5 } }, [
      "a 5 A 192.0.2.1",
      "a 5 A 192.0.2.2",
    ]],
    [{ A: { aaaa: ["2001:db8::1"] } }, ["a 120 AAAA 2001:db8::1"]],
    [{ a: { mx: { mx: "m.example.net", preference: 5 } } }, ["a 120 MX 5 m.example.net."]],
    [{ a: { txt: 'say "x" \\' } }, ['a 120 TXT "say \\"x\\" \\\\"']],
    [{ a: { txt: "x".repeat(300) } }, [`a 120 TXT "${"x".repeat(255)}" "${"x".repeat(45)}"`]],
    [{ a: { ptr: [{ ptr: "x.example.net" }] } }, ["a 120 PTR x.example.net."]],
    [{ a: { ns: ["n.example.net"] } }, ["a 86400 NS n.example.net."]],
    [{ a: { a: null } }, []],
    [{ "a.no": { a: [["192.0.2.1"]] } }, ["a.no 120 A 192.0.2.1"]],
  ];
  for (const [labels, zone] of table) {
    assert.deepEqual(importLabels(labels).zone, zone, JSON.stringify(labels));
  }
});

Deno.test("importGeoDns() makes a pool where an answer has not room for all, or where clients are told apart", () => {
  const three = { a: [["192.0.2.1", 10], ["192.0.2.2", 20], ["192.0.2.3", 30]] };
  const weighted = importLabels({ a: three });
  assert.match(weighted.corefile, /anycast a\.example\.org\. \{\n.*\n.*\n +answers 2\n +ring 0% 1km\n/);
  assert.match(weighted.nodes, /192\.0\.2\.3"\]\n.*\n +weight: 30\n/);
  assert.deepEqual(importLabels({ a: { ...three, max_hosts: 3 } }).zone.length, 3);
  assert.match(importLabels({ a: three }, { max_hosts: 40, closest: true }).corefile, /^(?!.*anycast)/s);
  assert.match(importLabels({ a: { ...three, closest: true } }).corefile, /nodes below\n +answers 2\n/);
  const byCountry = importLabels({ a: { a: [["192.0.2.1"]] }, "a.de": { a: [["192.0.2.2"]] } });
  assert.match(byCountry.corefile, /bias country 1 max 20000km/);
  assert.match(byCountry.nodes, /country: "DE"/);
  const untargeted = importLabels({ a: { a: [["192.0.2.1"]] }, "a.de": { a: [["192.0.2.2"]] } }, {
    targeting: "@",
  });
  assert.deepEqual(untargeted.zone, ["a 120 A 192.0.2.1", "a.de 120 A 192.0.2.2"]);
});

Deno.test("importGeoDns() lets what is for some clients be asked for by its own name too", () => {
  const { zone, corefile, imported } = importLabels({
    www: { a: [["192.0.2.1"]] },
    "www.europe": { a: [["192.0.2.2"]] },
    "www.jp": { a: [["192.0.2.3", 1], ["192.0.2.4", 1], ["192.0.2.5", 1]] },
    "www.it": { alias: "www.europe" },
  });
  assert.deepEqual(zone, ["www.europe 120 A 192.0.2.2", "www.it 120 A 192.0.2.2"]);
  assert.match(corefile, /anycast www\.jp\.example\.org\. \{/);
  assert.ok(told(imported).some((line) => line.includes("left out www.it: alias for it")));
});

Deno.test("importGeoDns() reads a folder of zones, and says what it cannot read", () => {
  const zone = '{"data":{"":{"ns":["a"]}}}';
  const source = sourceOf({
    "z/a.example.json": zone,
    "z/b.example.json": zone,
    "z/geodns.conf": "",
    "z/c": "x",
  });
  const { files } = importGeoDns("z/", { ...source, list: () => source.list("z") });
  assert.deepEqual(files.map(({ path }) => path), [
    "Corefile",
    "zones/a.example.zone",
    "zones/b.example.zone",
  ]);
  assert.throws(() => importGeoDns("none.json", source), ImportError);
  for (const text of ["{", "[]", "3"]) {
    assert.throws(() => importGeoDns("x.json", sourceOf({ "x.json": text })), /it is no JSON/);
  }
});
