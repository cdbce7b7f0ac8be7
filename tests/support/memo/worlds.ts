/**
 * Servers for small worlds by chance: in their blocks stands whatever may stand before, behind and around what is remembered.
 *
 * @module
 */

import type { ProbeJob } from "../../../plugins/health/prober.ts";
import { makeUpZone } from "../../differential/make_zone_file.ts";
import {
  Chance,
  corefileOf,
  nodesYamlOf,
  type RandomWorld,
  randomWorld,
  SLOW_MS,
  START_MS,
} from "../random_world.ts";
import { type ScriptedProbe, VirtualServer } from "../virtual_server.ts";
import { withUpstream } from "./upstream.ts";

/** A world with a server in it, or two that were always told the same. */
export interface Inhabited {
  readonly world: RandomWorld;
  readonly servers: readonly VirtualServer[];
  /** Names that are there, in presentation form; and those that many ask for. */
  readonly owners: readonly string[];
  readonly favourites: readonly string[];
  /** Whether a cache gives up what has not expired. */
  readonly evicts: boolean;
  /** Lets time pass, calling `passed` after each instant at which something was done. */
  advanceTo(atMs: number, passed?: () => void): Promise<void>;
  /** Replaces the secrets of cookies, if there are any. */
  replaceSecrets(step: number): void;
}

/** What a server of a world may have beside what the world says. */
export interface Furnishing {
  /** Lines for its block. */
  readonly more?: readonly string[];
  /** Two servers where what one says depends on what it was asked before; else one. */
  readonly twins?: boolean;
  readonly writeLine?: (line: string) => void;
}

/** The zone x.example.org. */
const BELOW = `@ 60 SOA ns1.example.org. hostmaster 1 2 3 4 60
@ 60 NS ns1.example.org.
www 60 A 192.0.2.9
*.y 60 A 192.0.2.10
`;

/** What else stands in a world's block, by chance. */
const EXTRAS = [
  ["minimal"],
  ["any"],
  ["loadbalance"],
  ["bufsize 600"],
  ["acl {", "    block net 198.51.100.0/24", "    filter type TXT net 2001:db8::/32", "    allow", "}"],
  ["nsid site1"],
  ["errors"],
];

/** The same, seldom: with most of these in it nothing of a block is remembered for names below, or options are looked at. */
const SELDOM = [
  ["header {", "    response set ra", "}"],
  ["rewrite name exact alias.example.org entry.example.org"],
  ["rewrite ttl suffix example.org 5-50"],
  ["template IN TXT {", "    match ^x[.]", '    answer "{{ .Name }} 60 IN TXT made"', "    fallthrough", "}"],
  ["hosts none.hosts {", "    192.0.2.200 h.example.org www.example.org", "    fallthrough", "}"],
  ["dns64 2001:db8:64::/96"],
  ["metadata"],
  ["local"],
];

const LOGS = [[], [], ["log"], ["log . json"], ["log . {common}"], [
  "log entry.example.org {meridian}",
  "log . {combined} {",
  "    class denial error",
  "}",
]];

/** What becomes of COOKIE options, by chance. */
const COOKIES = ["", "", "cookie {\n secret file %\n}", "cookie {\n secret file %\n require\n}"];

const LIMITS = [
  "rrl {\n rate 2\n burst 6\n}",
  "rrl {\n rate 1\n burst 10\n slip 3\n ipv4 /32 1 /24 2\n allow 127.0.0.1\n}",
  "rrl example.org {\n rate 3\n slip 0\n}",
];

const CACHES = [
  "cache",
  "cache 5",
  "cache {\n keepttl\n}",
  "cache {\n serve_stale 1h immediate\n servfail 3s\n}",
];

/** A cache with so few places that it gives up what could still be said, and is. */
const FEW_PLACES = "cache {\n success 20\n denial 5\n}";

/** Those in which what is asked for often is kept or fetched otherwise, of which a repeated reply tells the cache little. */
const CACHES_THAT_COUNT = ["cache {\n prefetch 2 10s 20%\n}", FEW_PLACES];

/** Names whose replies are cached: upstream.ts says what they are. */
const FORWARDED = ["a", "b", "c.a", "n", "n2", "e", "s"].map((label) => `${label}.fwd.example.org.`);

/** Runs a world of this seed. */
export async function inhabit(
  seed: number,
  furnishing: Furnishing,
  run: (inhabited: Inhabited) => Promise<void>,
): Promise<void> {
  const world = randomWorld(seed, { policies: seed % 2 === 0, degrees: seed % 3 === 0 });
  const folder = Deno.makeTempDirSync();
  const servers: VirtualServer[] = [];
  const replaceSecrets = (step: number) => Deno.writeTextFileSync(`${folder}/secrets`, secretsAt(step));
  try {
    const zone = makeUpZone(seed, 40);
    Deno.writeTextFileSync(`${folder}/zone`, zone.text);
    Deno.writeTextFileSync(`${folder}/below`, BELOW);
    Deno.writeTextFileSync(`${folder}/nodes.yaml`, nodesYamlOf(world));
    replaceSecrets(1);
    const corefile = corefileWith(world, folder, furnishing);
    const count = furnishing.twins && /^ *rrl /m.test(corefile) ? 2 : 1;
    while (servers.length < count) servers.push(await startServer(seed, corefile, furnishing));
    const owners = [...zone.owners, ...FORWARDED, "h.example.org.", "alias.example.org."];
    const pools = world.pools.map(({ policy }) => policy.name);
    const favourites = corefile.includes("forward") ? [...pools, ...FORWARDED.slice(0, 3)] : pools;
    const advanceTo = (atMs: number, passed?: () => void) => advanceAll(servers, atMs, passed);
    const evicts = corefile.includes(FEW_PLACES);
    await run({ world, servers, owners, favourites, evicts, advanceTo, replaceSecrets });
  } finally {
    for (const server of servers) await server.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The same server each time, which shares nothing with the one before. */
async function startServer(seed: number, corefile: string, { writeLine = () => {} }: Furnishing) {
  const world = randomWorld(seed, { policies: seed % 2 === 0, degrees: seed % 3 === 0 });
  const server = await VirtualServer.start({
    corefile,
    writeLine,
    startMs: START_MS,
    random: new Chance(seed + 1).unit,
    geography: world.geography,
    partitions: world.partitions,
    change: withUpstream,
    script: scriptOf(world, new Chance(seed + 2)),
  });
  server.server.publisher.setOverrides(world.overrides);
  await server.advanceTo(START_MS);
  return server;
}

async function advanceAll(
  servers: readonly VirtualServer[],
  atMs: number,
  passed: () => void = () => {},
): Promise<void> {
  const [first] = servers;
  // What waits for its turn alone has it before a clock goes on: for all of them that is the same moment.
  const settle = () => first!.advanceTo(first!.clock.nowMs());
  await settle();
  while (first!.clock.nextMs <= atMs) {
    const nextMs = first!.clock.nextMs;
    for (const server of servers) await server.advanceTo(nextMs);
    passed();
    await settle();
  }
  for (const server of servers) await server.advanceTo(atMs);
}

/** Secrets of 32 digits, the one before still good, as they are replaced. */
function secretsAt(step: number): string {
  return [step, step - 1].map((number) => `${String(number).padStart(32, "0")}\n`).join("");
}

function corefileWith(world: RandomWorld, folder: string, { more = [], twins }: Furnishing): string {
  const { chance } = world;
  const extras = [
    ...EXTRAS.filter(() => chance.is(0.25)),
    ...SELDOM.filter(() => chance.is(0.04)),
    ...more.length > 0 ? [] : [chance.of(...LOGS)],
  ].flat();
  const geo = chance.is(0.15) ? "geo {\n ecs off\n }" : "geo";
  const cookies = chance.of(...COOKIES).replace("%", `${folder}/secrets`);
  const limits = twins && chance.is(0.2) ? chance.of(...LIMITS) : "";
  const text = corefileOf(world, `${folder}/nodes.yaml`).replace(/^ {4}geo$/m, geo);
  const whole = text.replace(
    /\}\n$/,
    [`file ${folder}/zone`, cookies, limits, ...extras, ...more, "}", ""].join("\n"),
  );
  // What is there or not in the zone above says nothing of names in these.
  return [
    whole,
    chance.is(0.4) ? `x.example.org:1053 {\n    file ${folder}/below\n}\n` : "",
    chance.is(0.3) ? forwarding(chance, cookies, limits !== "") : "",
  ].join("");
}

function forwarding(chance: Chance, cookies: string, twins: boolean): string {
  const caches = twins ? CACHES : [...CACHES, ...CACHES_THAT_COUNT];
  const passes = chance.is(0.3) ? "{\n ecs pass\n}" : "";
  const lines = [chance.of(...caches), `forward . 192.0.2.1 ${passes}`, ...chance.of(...LOGS), cookies];
  return `fwd.example.org:1053 {\n${lines.join("\n")}\n}\n`;
}

function scriptOf({ timing, timeoutMs, moods, pools }: RandomWorld, chance: Chance) {
  const nodes = pools.flatMap(({ nodes }) => nodes);
  return ({ address, check }: ProbeJob, startMs: number): ScriptedProbe => {
    const key = `${address} ${"port" in check ? check.port : 0}`;
    const node = nodes.find(({ targets }) => targets.includes(key))!;
    const { failing = 0.5 } = moods.get(node.id)!.find(({ untilMs }) => startMs < untilMs) ?? {};
    const ok = !chance.is(failing);
    return { durationMs: ok && timing.slows && chance.is(0.3) ? SLOW_MS + 1 : Math.min(20, timeoutMs), ok };
  };
}
