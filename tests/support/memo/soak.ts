/**
 * Runs small worlds by chance, and holds every reply of a memo against the chain's, octet for octet.
 *
 * @module
 */

import { parseName } from "../../../core/dns/name.ts";
import {
  Chance,
  corefileOf,
  nodesYamlOf,
  type RandomWorld,
  randomWorld,
  SLOW_MS,
  START_MS,
} from "../random_world.ts";
import { freePort } from "../server.ts";
import { type ScriptedProbe, VirtualServer } from "../virtual_server.ts";
import type { ProbeJob } from "../../../plugins/health/prober.ts";
import { makeUpZone } from "../../differential/make_zone_file.ts";
import { type Compared, MemoRig } from "./rig.ts";
import { RandomQueries } from "./queries.ts";

/** What came of a world. */
export interface MemoReport {
  queries: number;
  hits: number;
  readonly mismatches: string[];
}

/** The zone x.example.org. */
const BELOW = `@ 60 SOA ns1.example.org. hostmaster 1 2 3 4 60
@ 60 NS ns1.example.org.
www 60 A 192.0.2.9
*.y 60 A 192.0.2.10
`;

/** How many differences are told; one is too many. */
const TOLD_MAX = 5;

/** Asks `count` queries of a world that lives on meanwhile. */
export async function compareInWorld(seed: number, count: number, report: MemoReport): Promise<void> {
  await inWorld(seed, [], async (virtual, world, names, folder) => {
    await askAll(virtual, world, names, count, report, seed, folder);
  });
}

/** What metrics count of queries that are asked while nothing changes, of the memo and then of the chain alone. */
export async function countedInWorld(seed: number, count: number) {
  const counted: Record<string, number>[] = [], lines: string[][] = [[]];
  let hits = 0;
  await inWorld(
    seed,
    [`prometheus 127.0.0.1:${freePort()}`, "log"],
    (virtual, world, names) => {
      const rig = new MemoRig(virtual.server, () => virtual.clock.nowMs());
      const queries = queriesIn(world, names);
      const asked = Array.from({ length: count }, () => queries.next());
      for (const ask of [rig.ask, rig.askChain]) {
        const before = virtual.server.metrics.snapshot();
        for (const { octets, source, server } of asked) ask.call(rig, octets, source, server);
        rig.memo.harvest();
        counted.push(growth(before, virtual.server.metrics.snapshot()));
        lines.push([]);
      }
      hits = rig.memo.hits;
      return Promise.resolve();
    },
    (line) => lines.at(-1)!.push(line.replace(/ [\d.e-]+s(?= |$)/, "")),
  );
  const of = (i: number) => ({ ...counted[i], lines: lines[i]!.sort() });
  return { byMemo: of(0), byChain: of(1), hits };
}

/** By how much numbers grew, times aside; and how exactly places are known, which all within a scope count under alike. */
function growth(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  const entries = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([name, by]) => by !== 0 && !/seconds|pool_locations/.test(name)));
}

type InWorld = (
  virtual: VirtualServer,
  world: RandomWorld,
  names: readonly string[],
  folder: string,
) => Promise<void>;

async function inWorld(
  seed: number,
  more: readonly string[],
  run: InWorld,
  writeLine: (line: string) => void = () => {},
): Promise<void> {
  const world = randomWorld(seed, { policies: seed % 2 === 0, degrees: seed % 3 === 0 });
  const folder = Deno.makeTempDirSync();
  try {
    const zone = makeUpZone(seed, 40);
    Deno.writeTextFileSync(`${folder}/zone`, zone.text);
    Deno.writeTextFileSync(`${folder}/below`, BELOW);
    Deno.writeTextFileSync(`${folder}/secrets`, secretsAt(1));
    Deno.writeTextFileSync(`${folder}/nodes.yaml`, nodesYamlOf(world));
    const virtual = await VirtualServer.start({
      corefile: corefileWith(world, folder, more),
      writeLine,
      startMs: START_MS,
      random: new Chance(seed + 1).unit,
      geography: world.geography,
      partitions: world.partitions,
      script: scriptOf(world),
    });
    virtual.server.publisher.setOverrides(world.overrides);
    await virtual.advanceTo(START_MS);
    await run(virtual, world, zone.owners, folder);
    await virtual.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What else stands in a world's block, by chance. */
const EXTRAS = [
  ["minimal"],
  ["any"],
  ["loadbalance"],
  ["bufsize 600"],
  ["acl {", "    block net 198.51.100.0/24", "    filter type TXT net 2001:db8::/32", "    allow", "}"],
  ["nsid site1"],
];

/** What becomes of COOKIE options, by chance. */
const COOKIES = ["", "", "cookie {\n secret file %\n}", "cookie {\n secret file %\n require\n}"];

/** Secrets of 32 digits, the one before still good, as they are replaced. */
function secretsAt(step: number): string {
  return [step, step - 1].map((number) => `${String(number).padStart(32, "0")}\n`).join("");
}

function corefileWith(world: RandomWorld, folder: string, more: readonly string[]): string {
  const { chance } = world;
  const extras = EXTRAS.filter(() => chance.is(0.25)).flat();
  const geo = chance.is(0.15) ? "geo {\n ecs off\n }" : "geo";
  const cookies = chance.of(...COOKIES).replace("%", `${folder}/secrets`);
  const text = corefileOf(world, `${folder}/nodes.yaml`).replace(/^ {4}geo$/m, geo);
  const whole = text.replace(
    /\}\n$/,
    [`file ${folder}/zone`, cookies, ...extras, ...more, "}", ""].join("\n"),
  );
  // What is there or not in the zone above says nothing of names in this one.
  return chance.is(0.4) ? `${whole}x.example.org:1053 {\n    file ${folder}/below\n}\n` : whole;
}

async function askAll(
  virtual: VirtualServer,
  world: RandomWorld,
  owners: readonly string[],
  count: number,
  report: MemoReport,
  seed: number,
  folder: string,
): Promise<void> {
  const { chance } = world, rig = new MemoRig(virtual.server, () => virtual.clock.nowMs(), 1 << 17);
  const queries = queriesIn(world, owners);
  const ask = (times: number) => {
    for (let i = 0; i < times; i++) {
      const query = queries.next(), compared = rig.compare(query.octets, query.source, query.server);
      note(compared, report, `seed ${seed}, query ${report.queries}`);
      queries.hear(query, compared.byChain);
    }
  };
  const steps = Math.ceil(count / 60);
  for (let step = 0; step < steps; step++) {
    ask(40);
    if (chance.is(0.2)) Deno.writeTextFileSync(`${folder}/secrets`, secretsAt(step));
    await virtual.advanceTo(
      virtual.clock.nowMs() + chance.whole(1, chance.of(400, 4000, 20_000)),
      () => ask(1),
    );
  }
}

function queriesIn({ chance, pools }: RandomWorld, owners: readonly string[]): RandomQueries {
  const favourites = pools.map(({ policy }) => policy.name);
  const read = (names: readonly string[]) => names.map((name) => parseName(name));
  return new RandomQueries(chance, read([...owners, ...favourites]), read(favourites), hostsOf(chance));
}

function note({ query, byMemo, byChain, wasHit }: Compared, report: MemoReport, where: string): void {
  report.queries++;
  if (wasHit) report.hits++;
  const [memo, chain] = [hexOf(byMemo), hexOf(byChain)];
  if (memo === chain || report.mismatches.length >= TOLD_MAX) return;
  report.mismatches.push(
    `${where}${wasHit ? ", repeated" : ""}\n${hexOf(query)}\n${memo} by the memo\n${chain} by the chain`,
  );
}

function hexOf(octets: Uint8Array | undefined): string {
  return octets ? Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("") : "nothing";
}

function hostsOf(chance: Chance): string[] {
  const v4 = Array.from(
    { length: 24 },
    () => `${chance.whole(1, 223)}.${chance.whole(0, 255)}.${chance.whole(0, 3)}.9`,
  );
  const v6 = Array.from({ length: 8 }, () => `2001:db8:${chance.whole(0, 9)}::${chance.whole(1, 9)}`);
  return ["198.51.100.7", "10.1.2.3", "127.0.0.1", "::1", "::ffff:192.0.2.1", ...v4, ...v6];
}

function scriptOf({ chance, timing, timeoutMs, moods, pools }: RandomWorld) {
  const nodes = pools.flatMap(({ nodes }) => nodes);
  return ({ address, check }: ProbeJob, startMs: number): ScriptedProbe => {
    const key = `${address} ${"port" in check ? check.port : 0}`;
    const node = nodes.find(({ targets }) => targets.includes(key))!;
    const { failing = 0.5 } = moods.get(node.id)!.find(({ untilMs }) => startMs < untilMs) ?? {};
    const ok = !chance.is(failing);
    return { durationMs: ok && timing.slows && chance.is(0.3) ? SLOW_MS + 1 : Math.min(20, timeoutMs), ok };
  };
}
