import assert from "node:assert/strict";
import { formatName } from "../../../core/plugin.ts";
import { readAnycast } from "./scopes.ts";

/** The errors of one directive with these options. */
function wrong(options: string, names = "www.example.org"): string[] {
  return [...readAnycast(`anycast ${names} {\n${options}\n}`).errors];
}

Deno.test("parse() reads what the design shows", () => {
  const { config, errors, owned, declared } = readAnycast(`
anycast Entry.example.org www.example.org. {
    nodes nodes.yaml
    select role=entry
    check web tcp
    answers 3
    strategy quadratic
    bias region 0.8 country 0.3
    bias max 500km
    max-distance 5000km
    ring 5% 50km
    threshold 0.5
    unknown nearest 50.1 -8.7
    all-down fail-open
}`);
  assert.deepEqual(errors, []);
  const [pool] = config.pools;
  assert.deepEqual(pool!.policy, {
    name: "entry.example.org.",
    select: { role: "entry" },
    answers: 3,
    strategy: "quadratic",
    bias: { region: 0.8, country: 0.3, maxKm: 500 },
    maxDistanceKm: 5000,
    ring: { share: 0.05, km: 50 },
    threshold: 0.5,
    unknown: { policy: "nearest", latitude: 50.1, longitude: -8.7 },
    allDown: { policy: "fail-open" },
  });
  assert.deepEqual(pool!.checks, ["web", "tcp"]);
  assert.deepEqual(owned.map(({ name, types, pool }) => [formatName(name), types, pool]), [
    ["entry.example.org.", [1, 28], "entry.example.org."],
    ["www.example.org.", [1, 28], "entry.example.org."],
  ]);
  assert.deepEqual(declared, [pool!.policy]);
  assert.deepEqual(structuredClone(config), config);
});

Deno.test("parse() has nearest for its default", () => {
  const { config } = readAnycast("anycast www.example.org {\nnodes nodes.yaml\n}");
  assert.deepEqual(config.pools[0]!.policy, {
    name: "www.example.org.",
    select: {},
    answers: 2,
    strategy: "linear",
    bias: { region: 0, country: 0, maxKm: 1000 },
    maxDistanceKm: Infinity,
    threshold: 0,
    unknown: { policy: "all" },
    allDown: { policy: "last-known-good" },
  });
});

Deno.test("parse() takes half the region's bias for the country's", () => {
  const { config } = readAnycast("anycast www.example.org {\nnodes nodes.yaml\nbias region 0.8\n}");
  assert.deepEqual(config.pools[0]!.policy.bias, { region: 0.8, country: 0.4, maxKm: 1000 });
});

Deno.test("parse() takes Formation's defaults for a compat strategy, and what is said in their place", () => {
  const policyFor = (options: string) =>
    readAnycast(`anycast www.example.org {\nnodes nodes.yaml\n${options}\n}`).config.pools[0]!.policy;
  const { strategy, compat, bias, answers } = policyFor("strategy stepped compat");
  assert.deepEqual([strategy, compat, answers], ["stepped", true, 3]);
  assert.deepEqual(bias, { region: 0.8, country: 0.4, maxKm: 1000 });
  const said = policyFor("strategy linear compat\nbias region 0.5 country 0.1\nanswers 1");
  assert.deepEqual([said.bias.region, said.bias.country, said.answers], [0.5, 0.1, 1]);
  assert.equal(policyFor("strategy linear").compat, undefined);
});

Deno.test("parse() says where and what is wrong", () => {
  const table: [options: string, message: RegExp][] = [
    ["answers 2", /^Corefile:2:1 anycast: has no nodes: want `nodes FILE`/],
    [
      "nodes registry",
      /^Corefile:3:7 anycast: nodes registry wants a store, .*state sqlite FILE/,
    ],
    [
      "nodes missing.yaml",
      /^Corefile:3:7 anycast: cannot read the node list .*missing\.yaml': there is no such file/,
    ],
    ["nodes nodes.yaml\nanswers 17", /^Corefile:4:9 answers: N must be from 1 to 16: got '17'/],
    ["nodes nodes.yaml\nstrategy lineal", /did you mean 'linear'/],
    ["nodes nodes.yaml\nbias region 2", /R must be from 0 to 1: got '2'/],
    ["nodes nodes.yaml\nbias regio 1", /did you mean 'region'/],
    ["nodes nodes.yaml\nselect role", /KEY=VALUE must be a label such as role=entry: got 'role'/],
    ["nodes nodes.yaml\nselect role=exit", /^Corefile:4:1 anycast: none of the 10 nodes is selected/],
    [
      "nodes nodes.yaml\nunknown nodes fra1 syd2",
      /^Corefile:4:20 .*no node of this pool is called 'syd2'; did you mean 'syd1'/,
    ],
    ["nodes nodes.yaml\nunknown nearest 91 0", /LATITUDE must be from -90 to 90/],
    [
      "nodes nodes.yaml\nall-down nodata\nmax-distance 5km",
      /^Corefile:4:1 anycast: all-down nodata cannot go with max-distance/,
    ],
    ["nodes nodes.yaml\nall-down pool", /all-down wants NAME/],
    ["nodes nodes.yaml\nring 5%", /ring wants DISTANCE/],
    ["nodes nodes.yaml\nthreshhold 0.5", /unknown property 'threshhold'; did you mean 'threshold'/],
    ["nodes below\nall-down pool b.example.org", /all-down cannot go with nodes below/],
    ["nodes below\ncheck web", /check cannot go with nodes below/],
  ];
  for (const [options, message] of table) {
    const errors = wrong(options);
    assert.equal(errors.length, 1, `${options}: ${errors.join("\n")}`);
    assert.match(errors[0]!, message);
  }
});

Deno.test("parse() refuses names outside the block, names that stand twice, and none", () => {
  const nodes = "nodes nodes.yaml";
  assert.match(
    wrong(nodes, "www.example.com")[0]!,
    /^Corefile:2:9 .*does not lie in this server block: want a name in example\.org\./,
  );
  assert.match(wrong(nodes, "www.example.org WWW.example.org.")[0]!, /^Corefile:2:25 .*stands twice/);
  assert.match(wrong(nodes, "")[0]!, /anycast wants NAME/);
  assert.match(wrong(nodes, "a..example.org")[0]!, /NAME must be a domain name: .*empty label/);
});

Deno.test("parse() shows what is wrong in a node list at its own place, once", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/bad.yaml`, "nodes:\n  - { id: a, addresses: [192.0.2.1] }\n");
    const { errors, config } = readAnycast(
      "anycast a.example.org {\nnodes bad.yaml\n}\nanycast b.example.org {\nnodes bad.yaml\n}",
      folder,
    );
    assert.deepEqual(errors, [`${folder}/bad.yaml:2:5 a node has no location`]);
    assert.equal(config.pools.length, 2);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("parse() of nodes below owns no name and declares no pool", () => {
  const { config, errors, owned, declared } = readAnycast(
    "anycast www.example.org {\nnodes below nodes.yaml\n}",
  );
  assert.deepEqual([errors, owned, declared], [[], [], []]);
  assert.match((config.pools[0]!.nodes as { path: string }).path, /nodes\.yaml$/);
});
