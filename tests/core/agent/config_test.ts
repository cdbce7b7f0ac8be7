import assert from "node:assert/strict";
import { originOf, readAgentConfig } from "../../../core/agent/config.ts";
import { Problems } from "../../../core/corefile/directive.ts";

const WHOLE = `node:
  id: fra1
  addresses: [192.0.2.1, "2001:db8::1"]
  location: { latitude: 50.11, longitude: 8.68, country: DE }
  labels: { service: entry }
servers:
  - https://fra.example.org:8443
  - https://ams.example.org:8443/
state: /var/lib/meridian-agent
join-token: join.token
ca: /etc/ca.pem
certificate: c.pem
key: k.pem
health: { listen: ":8080", path: /up, draining: header }
peers:
  - { node: ams1, address: "192.0.2.7:8080" }
peer-interval: 2m
drain: 30s
`;

function read(text: string) {
  const problems = new Problems();
  const config = readAgentConfig(text, "/etc/meridian/agent.yaml", problems);
  return { config, said: problems.errors.map(({ at, message }) => `${at.line}:${at.column} ${message}`) };
}

Deno.test("agent.yaml says it all; files are beside it", () => {
  assert.deepEqual(read(WHOLE), {
    said: [],
    config: {
      node: {
        ...{ id: "fra1", addresses: ["192.0.2.1", "2001:db8::1"], labels: { service: "entry" } },
        location: { latitude: 50.11, longitude: 8.68, country: "DE" },
      },
      servers: ["https://fra.example.org:8443", "https://ams.example.org:8443"],
      state: "/var/lib/meridian-agent",
      joinTokenFile: "/etc/meridian/join.token",
      tls: { ca: "/etc/ca.pem", certificate: "/etc/meridian/c.pem", key: "/etc/meridian/k.pem" },
      health: { listen: { host: "", port: 8080 }, path: "/up", draining: "header" },
      ...{ peers: [{ node: "ams1", address: "192.0.2.7:8080" }], peerIntervalMs: 120_000, drainMs: 30_000 },
    },
  });
});

Deno.test("the example of docs/AGENT.md is one", () => {
  const [, example] = /```yaml\n([\s\S]*?)```/.exec(Deno.readTextFileSync("docs/AGENT.md"))!;
  const { config, said } = read(example!);
  assert.deepEqual(said, []);
  assert.equal(config!.node.id, "fra1");
});

const wrong: [what: string, from: string | RegExp, to: string, message: RegExp][] = [
  [
    "an unknown key",
    "drain: 30s",
    "drian: 30s",
    /^18:1 unknown key 'drian' in the file; did you mean 'drain'\?/,
  ],
  ["no servers", /servers:\n.*\n.*\n/, "", /the file has no servers/],
  [
    "an empty list of them",
    /servers:\n.*\n.*\n/,
    "servers: []\n",
    /servers must have the URL of a server at least/,
  ],
  ["a server without TLS", "https://fra", "http://fra", /^7:5 a server must be a URL such as https/],
  [
    "a node that is none",
    "latitude: 50.11",
    "latitude: 95",
    /^2:3 latitude must be degrees from -90 to 90: got '95'/,
  ],
  ["the operator's word", "labels:", "state: down\n  labels:", /state is for the operator to say/],
  ["a key without its certificate", "certificate: c.pem\n", "", /certificate and key go together/],
  ["round trips too often", "2m", "5s", /peer-interval must be a duration of 10s or more/],
  ["a peer without a port", "192.0.2.7:8080", "192.0.2.7", /an address and a port/],
  ["no text", "drain: 30s", "drain: [", /./],
];
for (const [what, from, to, message] of wrong) {
  Deno.test(`agent.yaml is refused for ${what}, with the place`, () => {
    const text = WHOLE.replace(from, to);
    assert.notEqual(text, WHOLE);
    const { config, said } = read(text);
    assert.equal(config, undefined);
    assert.match(said.join("\n"), message);
  });
}

Deno.test("a server is an origin: with TLS, or on this machine", () => {
  assert.equal(originOf("https://a.example"), "https://a.example");
  assert.equal(originOf("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
  assert.equal(originOf("http://[::1]:8080"), "http://[::1]:8080");
  for (
    const text of [
      "http://a.example",
      "https://a/b",
      "https://u:p@a",
      "https://a?x",
      "a:1",
      "",
      "http://127.0.0.1.evil",
    ]
  ) {
    assert.equal(originOf(text), undefined, text);
  }
});
