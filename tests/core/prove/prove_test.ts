import assert from "node:assert/strict";
import { prove } from "../../../core/prove/prove.ts";
import { healthStates } from "../../../core/prove/states.ts";
import type { AllDown } from "../../../core/fleet/pool.ts";
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
