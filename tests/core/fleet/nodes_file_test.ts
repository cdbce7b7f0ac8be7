import assert from "node:assert/strict";
import { formatPosition, Problems } from "../../../core/corefile/directive.ts";
import { readNodes } from "../../../core/fleet/nodes_file.ts";

function read(text: string) {
  const problems = new Problems();
  const nodes = readNodes(text, "nodes.yaml", problems);
  return { nodes, errors: problems.errors.map(({ at, message }) => `${formatPosition(at)} ${message}`) };
}

/** What is wrong with one node, given what stands in it beside what it needs. */
function wrong(lines: string): string[] {
  return read(
    `nodes:\n  - id: a\n    addresses: [192.0.2.1]\n    location: { latitude: 1, longitude: 2 }\n${lines}`,
  )
    .errors;
}

Deno.test("readNodes() reads every key, and defaults for those that are not there", () => {
  const { nodes, errors } = read(`
nodes:
  - id: fra1
    addresses: [192.0.2.11, "2001:DB8:0::1"]
    location: { latitude: 50.11, longitude: 8.68, country: DE, subdivision: HE }
    region: eu-central
    capacity: 1000
    weight: 0.5
    labels: { role: entry }
    overlay: [10.64.0.11]
    state: drain
    maintenance: [{ from: 2026-12-01T02:00:00Z, until: 2026-12-01 03:00:00, reason: kernel }]
  - { id: ams1, addresses: [192.0.2.12], location: { latitude: -52, longitude: 4.9 } }
`);
  assert.deepEqual(errors, []);
  assert.deepEqual(nodes, [{
    id: "ams1",
    ipv4: "192.0.2.12",
    place: { latitude: -52, longitude: 4.9, country: "", subdivision: "" },
    region: "",
    capacity: 0,
    weight: 1,
    labels: {},
    overlay: [],
    state: "up",
    maintenance: [],
  }, {
    id: "fra1",
    ipv4: "192.0.2.11",
    ipv6: "2001:db8::1",
    place: { latitude: 50.11, longitude: 8.68, country: "DE", subdivision: "HE" },
    region: "eu-central",
    capacity: 1000,
    weight: 0.5,
    labels: { role: "entry" },
    overlay: ["10.64.0.11"],
    state: "drain",
    maintenance: [{
      fromMs: Date.UTC(2026, 11, 1, 2),
      untilMs: Date.UTC(2026, 11, 1, 3),
      reason: "kernel",
    }],
  }]);
});

Deno.test("readNodes() reads the example", () => {
  const { nodes, errors } = read(Deno.readTextFileSync(new URL("../../../nodes.yaml", import.meta.url)));
  assert.deepEqual(errors, []);
  assert.equal(nodes.length, 10);
  assert.deepEqual(nodes.find(({ id }) => id === "fra1")!.ipv4, "127.0.0.11");
  assert.ok(nodes.every(({ ipv6, labels }) => ipv6 === "::1" && labels.role === "entry"));
});

Deno.test("readNodes() says all that is wrong at once, each at its place, and leaves those nodes out", () => {
  const { nodes, errors } = read(`nodes:
  - id: 7
    adresses: [192.0.2.1]
    location: { latitude: 91, longitude: x, country: de }
  - id: b
    addresses: []
    location:
  - { id: c, addresses: [192.0.2.3], location: { latitude: 0, longitude: 0 } }
  - foo
node: []
`);
  assert.deepEqual(nodes.map(({ id }) => id), ["c"]);
  assert.deepEqual(errors, [
    "nodes.yaml:10:1 unknown key 'node' in the file; did you mean 'nodes'?",
    "nodes.yaml:3:5 unknown key 'adresses' in a node; did you mean 'addresses'?",
    "nodes.yaml:2:5 a node has no addresses",
    "nodes.yaml:2:9 id must be letters, digits, '.', '_' and '-': got '7'; put it in quotes if it is text",
    "nodes.yaml:4:27 latitude must be degrees from -90 to 90: got '91'",
    "nodes.yaml:4:42 longitude must be degrees from -180 to 180: got 'x'",
    "nodes.yaml:4:54 country must be an ISO 3166-1 code of two capital letters, such as DE: got 'de'",
    "nodes.yaml:6:16 addresses must have an address, or one of each family",
    "nodes.yaml:7:14 location must be a mapping, `key: value`: got nothing",
    "nodes.yaml:9:5 a node must be a mapping, `key: value`: got 'foo'",
  ]);
});

Deno.test("readNodes() refuses wrong values with what was wanted", () => {
  const table: [string, RegExp][] = [
    ["    weight: 0", /^nodes\.yaml:5:13 weight must be a number above 0: got '0'$/],
    ["    weight: .inf", /weight must be a number above 0/],
    ["    capacity: -1", /capacity must be a number, at least 0: got '-1'/],
    ["    capacity: lots", /capacity must be a number, at least 0: got 'lots'/],
    [
      "    state: drian",
      /^nodes\.yaml:5:12 state must be up, drain, down: got 'drian'; did you mean 'drain'\?$/,
    ],
    ["    labels: [entry]", /labels must be a mapping, `key: value`: got a list/],
    ["    labels: { tier: 1 }", /tier must be text: got '1'; put it in quotes if it is text/],
    ["    overlay: [fish]", /overlay must be an IP address such as 192\.0\.2\.1: got 'fish'/],
    ["    region: [a]", /region must be text: got a list/],
    ["    maintenance: [{ from: 2026-12-01 }]", /a window has no until/],
    [
      "    maintenance: [{ from: 2026-13-01, until: 2026-12-01 }]",
      /from must be an instant such as .*'2026-13-01'/,
    ],
    [
      "    maintenance: [{ from: 2026-12-02, until: 2026-12-02 }]",
      /until must be later than from: got '2026-12-02'/,
    ],
    [
      "    maintenance: [{ from: 2026-12-02, untl: 2026-12-03 }]",
      /unknown key 'untl' in a window; did you mean 'until'/,
    ],
    ["    id: b", /Map keys must be unique/],
  ];
  for (const [lines, message] of table) assert.match(wrong(lines).join("\n"), message, lines);
});

Deno.test("readNodes() wants one address of a family, and ids that differ", () => {
  const one = (id: string, addresses: string) =>
    `  - { id: ${id}, addresses: [${addresses}], location: { latitude: 0, longitude: 0 } }\n`;
  assert.deepEqual(read(`nodes:\n${one("a", "192.0.2.1, 192.0.2.2")}`).errors, [
    "nodes.yaml:2:37 a node has one address of a family: 192.0.2.2 stands beside 192.0.2.1",
  ]);
  const twice = read(`nodes:\n${one("a", "192.0.2.1")}${one("a", "192.0.2.1")}`);
  assert.deepEqual(twice.errors, ["nodes.yaml:3:5 node a stands twice"]);
  assert.equal(twice.nodes.length, 1);
});

Deno.test("readNodes() follows anchors, and reports what is no YAML", () => {
  const { nodes, errors } = read(`nodes:
  - { id: a, addresses: [192.0.2.1], location: &here { latitude: 1, longitude: 2 } }
  - { id: b, addresses: [192.0.2.2], location: *here }
`);
  assert.deepEqual([nodes.length, errors], [2, []]);
  assert.match(read("nodes: [").errors[0]!, /^nodes\.yaml:1:9 /);
  assert.deepEqual(read("").errors, ["nodes.yaml:1:1 the file must be a mapping, `key: value`: got nothing"]);
});

Deno.test("readNodes() refuses addresses that no client can reach", () => {
  for (
    const address of [
      "0.0.0.0",
      "224.0.0.5",
      "255.255.255.255",
      "169.254.169.254",
      "::",
      "ff02::1",
      "fe80::1",
    ]
  ) {
    const { nodes, errors } = read(
      `nodes:\n  - { id: a, addresses: ["${address}"], location: { latitude: 1, longitude: 2 } }\n`,
    );
    assert.equal(errors.length, 1, `${address}: ${errors}`);
    assert.match(errors[0]!, /^nodes\.yaml:2:\d+ .*clients can reach: /);
    assert.deepEqual(nodes, []);
  }
});
