/**
 * That `prove` can fail: mistakes, each put into a copy of the code, and each must be found.
 *
 * @module
 */

import assert from "node:assert/strict";
import { storeWith } from "../../support/stored_fleet.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

interface Mistake {
  readonly what: string;
  /** What shows it; by default the example. */
  readonly corefile?: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly says: RegExp;
}

const MISTAKES: readonly Mistake[] = [
  {
    what: "a wrong hemisphere",
    file: "core/fleet/distance.ts",
    from: "z: Math.sin(latitude * DEGREE)",
    to: "z: Math.sin(Math.abs(latitude) * DEGREE)",
    says: /^objective: /m,
  },
  {
    what: "a scope one bit off",
    file: "plugins/anycast/fill.ts",
    from: "scopePrefixLength: prefixLength, consulted, scopeFrom",
    to: "scopePrefixLength: Math.max(0, prefixLength - 1), consulted, scopeFrom",
    says: /^scope not sound: /m,
  },
  {
    what: "IPv6 clients taken for their neighbours",
    file: "core/fleet/locate.ts",
    from: "const entry = findNetwork(table, address.octets);",
    to: "const entry = findNetwork(table, address.octets) + (address.family === 6 ? 1 : 0);",
    says: /^(objective|scope not sound): .* for [0-9a-f]*:/m,
  },
  {
    what: "a ring that draws by another hash",
    corefile: "Corefile.ring",
    file: "core/fleet/view.ts",
    from: 'pickHash: nodeHash("pick"',
    to: 'pickHash: nodeHash("ramp"',
    says: /^objective: /m,
  },
  {
    what: "a ring that draws by another hash among nodes in one spot",
    corefile: "Corefile.one_spot",
    file: "core/fleet/view.ts",
    from: 'pickHash: nodeHash("pick"',
    to: 'pickHash: nodeHash("ramp"',
    says: /^objective: /m,
  },
  {
    what: "a partition whose leaves draw by another hash than clients",
    corefile: "Corefile.ring",
    file: "core/fleet/partition_outcomes.ts",
    from: "const leaf = leafHashAt(at);",
    to: "const leaf = leafHashAt(at) ^ 1;",
    says: /^objective: /m,
  },
  {
    what: "a region answered by everyone's verdicts",
    file: "core/fleet/select.ts",
    from: "const planned = planBy(views, own, client);",
    to: "const planned = planBy(views, view, client);",
    says: /^objective: .* sees its own down/m,
  },
  {
    what: "a partition that goes by who is near, whatever regions say",
    file: "core/fleet/plain_basis.ts",
    from: "!allDown && !regional &&",
    to: "!allDown &&",
    says: /^objective: .* sees? /m,
  },
  {
    what: "a pool of the store answered by another one's nodes",
    corefile: "Corefile.managed",
    file: "plugins/managed/keep.ts",
    from: "types: [TYPE.A, TYPE.AAAA], pool }",
    to: 'types: [TYPE.A, TYPE.AAAA], pool: pool.replace("entry", "relay") }',
    says: /^objective: entry\..*, all up, as answered: found /m,
  },
  {
    what: "a scope one bit off in a pool of the store",
    corefile: "Corefile.managed",
    file: "plugins/anycast/fill.ts",
    from: "scopePrefixLength: prefixLength, consulted, scopeFrom",
    to: "scopePrefixLength: Math.max(0, prefixLength - 1), consulted, scopeFrom",
    says: /^scope not sound: entry\./m,
  },
];

Deno.test("prove", async (t) => {
  const copy = await Deno.makeTempDir({ prefix: "meridian-prove-" });
  try {
    await copyTree(copy);
    for (const corefile of ["Corefile.example", "Corefile.ring", "Corefile.one_spot", "Corefile.managed"]) {
      await t.step(`finds nothing wrong with the code as it stands, by ${corefile}`, async () => {
        const { code, text } = await prove(copy, corefile);
        assert.equal(code, 0, text);
        assert.match(text, /^proved: /m);
      });
    }
    for (const { what, corefile = "Corefile.example", file, from, to, says } of MISTAKES) {
      await t.step(`finds ${what}`, async () => {
        const path = `${copy}/${file}`;
        const sound = await Deno.readTextFile(path);
        const mistaken = sound.replace(from, to);
        assert.notEqual(mistaken, sound, `nothing to mistake in ${file}`);
        await Deno.writeTextFile(path, mistaken);
        const { code, text } = await prove(copy, corefile);
        await Deno.writeTextFile(path, sound);
        assert.equal(code, 1, text);
        assert.match(text, says);
      });
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});

async function prove(folder: string, corefile: string): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "main.ts", "prove", "-conf", corefile, "-subsets", "1"],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function copyTree(to: string): Promise<void> {
  const parts = [
    "core",
    "plugins",
    "zones",
    "main.ts",
    "deno.json",
    "deno.lock",
    "Corefile.example",
    "nodes.yaml",
    "networks.yaml",
  ];
  for (const part of parts) await copyPath(`${ROOT}${part}`, `${to}/${part}`);
  const example = await Deno.readTextFile(`${to}/Corefile.example`);
  const withRing = example.replace(/^( +)answers 2$/m, "$&\n$1ring 50% 1500km");
  assert.notEqual(withRing, example);
  await Deno.writeTextFile(`${to}/Corefile.ring`, withRing);
  const inOneSpot = withRing.replace("nodes nodes.yaml", "nodes one_spot.yaml").replace(
    "answers 2",
    "answers 1",
  );
  assert.notEqual(inOneSpot, withRing);
  await Deno.writeTextFile(`${to}/Corefile.one_spot`, inOneSpot);
  await Deno.writeTextFile(`${to}/one_spot.yaml`, oneSpot(2));
  await Deno.writeTextFile(`${to}/Corefile.managed`, MANAGED);
  await storeWith(`${to}/fleet.db`, {
    zone: "anycast.example.",
    nodes: PLACES.map(([id, latitude, longitude, role], i) => ({
      ...{ id, addresses: [`127.0.0.${21 + i}`], location: { latitude, longitude }, labels: { role } },
    })),
    pools: ["entry", "relay"].map((role) => ({
      name: `${role}.anycast.example.`,
      select: { role },
      answers: 1,
    })),
  });
}

/** Pools that lie in the store, and nodes that were added there. */
const MANAGED = `{
    state sqlite fleet.db
    server a
}
anycast.example:1053 {
    geo
    anycast managed
    managed
}
`;

const PLACES = [
  ["fra1", 50.11, 8.68, "entry"],
  ["iad1", 38.95, -77.45, "entry"],
  ["sin1", 1.35, 103.99, "entry"],
  ["lhr1", 51.47, -0.45, "relay"],
  ["syd1", -33.95, 151.18, "relay"],
] as const;

/** A list of so many nodes at the same place. */
function oneSpot(count: number): string {
  const nodes = Array.from({ length: count }, (_, i) =>
    `  - id: n${i}
    addresses: [127.0.0.${11 + i}, "2001:db8::${i}"]
    location: { latitude: 50.11, longitude: 8.68, country: DE, subdivision: HE }
    labels: { role: entry }
`);
  return `nodes:\n${nodes.join("")}`;
}

async function copyPath(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copyPath(`${from}/${name}`, `${to}/${name}`);
}
