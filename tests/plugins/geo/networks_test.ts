import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { formatPrefix, Problems } from "../../../core/plugin.ts";
import { readNetworks } from "../../../plugins/geo/networks.ts";

function read(text: string) {
  const problems = new Problems();
  const networks = readNetworks(text, "networks.yaml", problems);
  return { networks, errors: problems.errors.map(({ at, message }) => `${formatPosition(at)}: ${message}`) };
}

Deno.test("readNetworks() reads prefixes and places", () => {
  const { networks, errors } = read(`networks:
  - { prefix: 198.51.100.0/24, latitude: 48.86, longitude: 2.35, country: FR, subdivision: IDF }
  - prefix: "2001:db8::/32"
    latitude: -90
    longitude: 180
`);
  assert.deepEqual(errors, []);
  assert.deepEqual(networks.map(({ prefix, place }) => [formatPrefix(prefix), place]), [
    ["198.51.100.0/24", { latitude: 48.86, longitude: 2.35, country: "FR", subdivision: "IDF" }],
    ["2001:db8::/32", { latitude: -90, longitude: 180, country: "", subdivision: "" }],
  ]);
});

Deno.test("readNetworks() places a network without coordinates where its country's addresses are", () => {
  const { networks: [network] } = read("networks: [{ prefix: 192.0.2.0/24, country: RU }]");
  assert.ok(Math.abs(network!.place.longitude - 37.6) < 2);
});

for (
  const [what, text, ...expected] of [
    [
      "an unknown key",
      "networks:\n  - { prefix: 192.0.2.0/24, lattitude: 1, longitude: 2 }",
      /^networks.yaml:2:29: unknown key 'lattitude'.*did you mean 'latitude'\?/,
      /^networks.yaml:2:5: a network has no latitude/,
    ],
    [
      "bits past the length",
      "networks:\n  - { prefix: 192.0.2.1/24, country: DE }",
      /^networks.yaml:2:15: prefix must/,
    ],
    ["no prefix", "networks:\n  - { country: DE }", /^networks.yaml:2:5: a network has no prefix/],
    ["no place", "networks: [{ prefix: 192.0.2.0/24 }]", /^networks.yaml:1:12: a network wants latitude/],
    [
      "a latitude off the earth",
      "networks: [{ prefix: 192.0.2.0/24, latitude: 91, longitude: 0 }]",
      /^networks.yaml:1:46: latitude must be degrees from -90 to 90: got '91'/,
    ],
    [
      "a country in words",
      "networks: [{ prefix: 192.0.2.0/24, country: Germany }]",
      /^networks.yaml:1:45: country must be an ISO 3166-1 code/,
    ],
    [
      "a country that is none",
      "networks: [{ prefix: 192.0.2.0/24, country: EU }]",
      /^networks.yaml:1:45: country must be a country whose place is known: got 'EU'/,
    ],
    [
      "a prefix twice",
      "networks:\n  - { prefix: 192.0.2.0/24, country: DE }\n  - { prefix: 192.0.2.0/24, country: FR }",
      /^networks.yaml:3:5: network 192.0.2.0\/24 stands twice/,
    ],
    ["another root", "nodes: []", /^networks.yaml:1:1: unknown key 'nodes'/, /has no networks/],
    ["what is not YAML", "networks: [", /^networks.yaml:1:12: /],
  ] as [string, string, ...RegExp[]][]
) {
  Deno.test(`readNetworks() points at ${what}`, () => {
    const { errors } = read(text);
    assert.equal(errors.length, expected.length, errors.join("\n"));
    for (const [i, pattern] of expected.entries()) assert.match(errors[i]!, pattern);
  });
}

Deno.test("the networks.yaml of this repository is right", () => {
  const { networks, errors } = read(Deno.readTextFileSync("networks.yaml"));
  assert.deepEqual(errors, []);
  assert.equal(formatPrefix(networks[0]!.prefix), "198.51.100.0/24");
});
