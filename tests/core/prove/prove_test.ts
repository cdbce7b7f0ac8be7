import assert from "node:assert/strict";
import { prove } from "../../../core/prove/prove.ts";
import { oracleFor } from "../../../core/prove/request.ts";
import { healthStates } from "../../../core/prove/states.ts";
import type { AllDown, PoolPolicy } from "../../../core/fleet/pool.ts";
import { CITIES, geography, node, NOW_MS, override, POOL, pool, snapshot } from "../fleet/make.ts";

const PLACES = [CITIES.frankfurt, CITIES.seattle, CITIES.singapore];
const LEAVES = { "0.0.0.0/2": 1, "64.0.0.0/2": 2, "128.0.0.0/1": 3 };

const open = { fromMs: NOW_MS - 1, untilMs: NOW_MS + 1, reason: "new disks" };
const ended = { fromMs: NOW_MS - 9, untilMs: NOW_MS, reason: "done" };

const NODES = [
  node("a", CITIES.paris, { state: "drain" }),
  node("b", CITIES.london, { maintenance: [open] }),
  node("c", CITIES.newYork, { maintenance: [ended] }),
  node("d", CITIES.perth),
  node("e", CITIES.losAngeles),
  node("f", CITIES.sydney, { state: "down" }),
  node("g", CITIES.vancouver),
];

const OVERRIDES = [override("f", "up"), override("g", "drain"), override("d", "down", { untilMs: NOW_MS })];

for (const name of ["last-known-good", "fail-open", "nodata"] as const) {
  Deno.test(`prove() finds nothing wrong with a fleet of which some are out, all-down ${name}`, () => {
    const allDown: AllDown = { policy: name };
    const states = healthStates(NODES.map(({ id }) => id), 5, 1);
    const proof = prove({
      snapshot: snapshot([pool(NODES, { answers: 2, allDown })], { overrides: OVERRIDES }),
      geography: geography(PLACES, LEAVES),
      ...{ pool: POOL, family: 4, states, nowMs: NOW_MS },
    });
    assert.deepEqual(proof.counterExamples, []);
    assert.ok(proof.leavesChecked > 0);
  });
}

Deno.test("prove() finds nothing wrong with a fleet that is out as a whole", () => {
  const nodes = NODES.map((node) => ({ ...node, state: "drain" as const }));
  const proof = prove({
    snapshot: snapshot([pool(nodes, { allDown: { policy: "last-known-good" } })]),
    geography: geography(PLACES, LEAVES),
    ...{ pool: POOL, family: 4, states: healthStates(["a"], 0, 1), nowMs: NOW_MS },
  });
  assert.deepEqual(proof.counterExamples, []);
});

Deno.test("prove() finds nothing wrong with rings, weights and a bias, whoever is down or degraded", () => {
  const leaves = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`${i * 4}.0.0.0/6`, 1 + i % 3]));
  const world = geography(PLACES, { ...leaves, "10.0.0.0/8": "private", "2001:db8::/32": 2 });
  const nodes = Object.values(CITIES).map((city, i) => node(`n${i}`, city, { weight: 1 + i % 3 }));
  const ids = nodes.map(({ id }) => id);
  const states = [
    ...healthStates(ids, 3, 1),
    { name: "some degraded", down: ids.slice(0, 2), degraded: ids.slice(2, 6) },
  ];
  for (const bias of [{ region: 0, country: 0, maxKm: 1000 }, { region: 0.6, country: 0.3, maxKm: 3000 }]) {
    for (const [answers, maxDistanceKm] of [[1, Infinity], [2, 9000], [3, 500]] as const) {
      const policy: Partial<PoolPolicy> = { answers, bias, maxDistanceKm, ring: { share: 1, km: 2000 } };
      const proof = prove({
        snapshot: snapshot([pool(nodes, policy)]),
        geography: world,
        ...{ pool: POOL, family: 4, states, nowMs: NOW_MS },
      });
      assert.deepEqual(proof.counterExamples, []);
      assert.equal(proof.leavesChecked, states.length * (world.v4.count + world.v6.count));
    }
  }
});

Deno.test("prove() finds nothing wrong with a compat pool, whoever is down", () => {
  const leaves = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`${i * 4}.0.0.0/6`, 1 + i % 4]));
  const world = geography([...PLACES, CITIES.perth], leaves);
  const nodes = Object.values(CITIES).map((city, i) => node(`n${i}`, city));
  const states = healthStates(nodes.map(({ id }) => id), 2, 1);
  const asked = { geography: world, pool: POOL, family: 4, states, nowMs: NOW_MS } as const;
  for (const strategy of ["linear", "quadratic", "logarithmic", "stepped"] as const) {
    for (const more of [{}, { maxDistanceKm: 3000 }, { ring: { share: 0.5, km: 500 } }]) {
      const bias = { region: 0.8, country: 0.4, maxKm: 1000 };
      const compat = { compat: true, answers: 3, strategy, bias, ...more };
      const proof = prove({ snapshot: snapshot([pool(nodes, compat)]), ...asked });
      assert.deepEqual(proof.counterExamples, [], strategy);
      assert.ok(proof.leavesChecked > 0);
    }
  }
});

Deno.test("prove() finds nothing wrong with overrides of weights, and with those of one pool", () => {
  const leaves = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`${i * 4}.0.0.0/6`, 1 + i % 3]));
  const world = geography(PLACES, leaves);
  const nodes = Object.values(CITIES).map((city, i) => node(`n${i}`, city, { weight: 1 + i % 3 }));
  const overrides = [
    override("n0", "weight", { weight: 40 }),
    override("n1", "weight", { weight: 40 }),
    override("n1", "weight", { weight: 0.1, pool: POOL }),
    override("n2", "weight", { weight: 40, pool: "other." }),
    override("n3", "down", { pool: "other." }),
    override("n4", "down"),
    override("n4", "up", { pool: POOL }),
    override("n5", "drain", { pool: POOL }),
    override("n5", "up"),
  ];
  const ring = { share: 1, km: 20_000 };
  const proof = prove({
    snapshot: snapshot([pool(nodes, { answers: 1, ring })], { overrides }),
    geography: world,
    ...{ pool: POOL, family: 4, states: healthStates([], 0, 1), nowMs: NOW_MS },
  });
  assert.deepEqual(proof.counterExamples, []);
  assert.ok(proof.leavesChecked > 0);
});

Deno.test("prove() finds nothing wrong with nodes that have prices, whatever else a pool goes by", () => {
  const leaves = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`${i * 4}.0.0.0/6`, 1 + i % 3]));
  const nodes = Object.values(CITIES).map((city, i) => node(`n${i}`, city, { weight: 1 + i % 3 }));
  const states = healthStates(nodes.map(({ id }) => id), 3, 1);
  const prices = Object.fromEntries(nodes.map(({ id }, i) => [id, [400_000, 6_500_000, 1][i % 3]!]));
  const policies: Partial<PoolPolicy>[] = [
    {},
    { answers: 3, maxDistanceKm: 4000 },
    { answers: 2, bias: { region: 0.6, country: 0.3, maxKm: 3000 } },
    { answers: 2, ring: { share: 1, km: 2000 } },
    { answers: 2, compat: true, bias: { region: 0.8, country: 0.4, maxKm: 1000 } },
  ];
  const none = nodes.map(() => false);
  const state = { down: none, out: none, degraded: none, lastServing: none };
  const answersOf = (prices: Readonly<Record<string, number>>) =>
    policies.map((policy) => {
      const degradation = { regions: ["eu"], prices, mayEndMs: Infinity };
      const asked = {
        snapshot: snapshot([pool(nodes, policy, { degradation })]),
        geography: geography(PLACES, leaves),
        ...{ pool: POOL, family: 4 as const, states, nowMs: NOW_MS },
      };
      assert.deepEqual(prove(asked).counterExamples, [], JSON.stringify(policy));
      return [1, 2, 3].map((place) =>
        oracleFor(asked).answer(place, new Uint8Array([4, 8, 1, 0, 0, 0]), state)
      );
    });
  const [priced, plain] = [answersOf(prices), answersOf({})];
  policies.forEach((policy, i) => {
    // What is compatible knows no prices.
    if (policy.compat) assert.deepEqual(priced[i], plain[i]);
    else assert.notDeepEqual(priced[i], plain[i], JSON.stringify(policy));
  });
});

Deno.test("prove() finds a scope that was said and is not the partition's", () => {
  const world = geography(PLACES, LEAVES);
  const said = (scopePrefixLength: number | undefined) =>
    prove({
      snapshot: snapshot([pool([NODES[2]!, NODES[4]!])]),
      geography: world,
      ...{ pool: POOL, family: 4, states: [], nowMs: NOW_MS },
      said: [{ family: 4, leaf: 0, scopePrefixLength }],
    }).counterExamples.map(({ what, network, found, wanted }) => `${what} ${network} ${found} ${wanted}`);
  assert.deepEqual(said(2), []);
  assert.deepEqual(said(3), ["scope not sound 0.0.0.0/2 /3 /2"]);
  assert.deepEqual(said(undefined), ["scope not sound 0.0.0.0/2 /none /2"]);
});

Deno.test("healthStates() has one in which nothing is up", () => {
  const down = healthStates(["a", "b"], 1, 1).map(({ down }) => down.join(" "));
  assert.deepEqual(down.filter((down) => down === "a b"), ["a b"]);
  assert.deepEqual(healthStates(["a"], 3, 1).map(({ name }) => name), ["all up", "all down"]);
});

Deno.test("`meridian prove` agrees with a server whose fleet has a drained node", async () => {
  const root = new URL("../../../", import.meta.url).pathname;
  const directory = await Deno.makeTempDir();
  try {
    const read = (file: string) => Deno.readTextFile(`${root}${file}`);
    await Deno.mkdir(`${directory}/zones`);
    for (const file of ["Corefile.example", "networks.yaml", "zones/anycast.example.zone"]) {
      await Deno.writeTextFile(`${directory}/${file}`, await read(file));
    }
    const nodes = await read("nodes.yaml");
    const drained = nodes.replace(/^( +)weight: 1$/m, "$&\n$1state: drain");
    assert.notEqual(drained, nodes);
    await Deno.writeTextFile(`${directory}/nodes.yaml`, drained);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        `${root}main.ts`,
        "prove",
        "-conf",
        `${directory}/Corefile.example`,
        "-subsets",
        "2",
      ],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(Uint8Array.from([...stdout, ...stderr])));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("prove() finds nothing wrong where regions see something else, whatever the policy", () => {
  const leaves = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`${i * 4}.0.0.0/6`, 1 + i % 4]));
  const world = geography([...PLACES, CITIES.perth], {
    ...leaves,
    "10.0.0.0/8": "private",
    "2001:db8::/32": 2,
  });
  const regions = ["us", "us", "us", "us", "", "", "asia", "eu", "eu", "eu"];
  const nodes = Object.values(CITIES).map((city, i) =>
    node(`n${i}`, city, { region: regions[i]!, weight: 1 + i % 2 })
  );
  const inRegions = Map.groupBy(nodes.filter(({ region }) => region !== ""), ({ region }) => region);
  const own = new Map(Array.from(inRegions, ([region, nodes]) => [region, nodes.map(({ id }) => id)]));
  const states = healthStates(nodes.map(({ id }) => id), 2, 1, own);
  assert.deepEqual(states.slice(-6).map(({ name }) => name), [
    ...["us sees its own down", "asia sees its own down", "eu sees its own down", "us sees all down"],
    ...["us sees all up, nobody else any", "each region sees others down"],
  ]);
  const degraded = { region: "us", down: ["n1"], degraded: ["n0", "n2"] };
  states.push({ name: "us sees some degraded", down: ["n9"], degraded: ["n8"], regions: [degraded] });
  const policies: Partial<PoolPolicy>[] = [
    ...[{}, { answers: 3 }, { threshold: 0.5 }, { allDown: { policy: "nodata" } as const }],
    ...[{ maxDistanceKm: 4000 }, { ring: { share: 1, km: 3000 } }, {
      unknown: { policy: "nodes", nodes: ["n8"] } as const,
    }],
    ...[{ bias: { region: 0.6, country: 0.3, maxKm: 5000 } }],
  ];
  for (const policy of policies) {
    const proof = prove({
      snapshot: snapshot([pool(nodes, policy)]),
      geography: world,
      ...{ pool: POOL, family: 4, states, nowMs: NOW_MS },
    });
    assert.deepEqual(proof.counterExamples, [], JSON.stringify(policy));
  }
});
