/**
 * A server with pools of every kind in many states, at one instant, and random questions to it.
 *
 * @module
 */

import { ManualClock } from "../../../core/clock.ts";
import { formatPrefix, type Prefix, prefixOf } from "../../../core/net/address.ts";
import type { State, Verdict, VerdictDeadline } from "../../../core/fleet/verdict.ts";
import { isCurrent } from "../../../core/fleet/partition.ts";
import { type Records, writeMmdb } from "../../support/mmdb_writer.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

/** Uniform in [0, 1). */
export type Random = () => number;

/** The world, stopped at an instant. */
export interface World {
  readonly server: TestServer;
  /** Gives every target another state, every timetable other instants, and waits until scopes are minimal again. */
  shuffle(random: Random): Promise<void>;
  close(): Promise<void>;
}

/** One question. */
export interface Triple {
  readonly name: string;
  readonly type: number;
  readonly client: Prefix | undefined;
}

const ZONE = `$TTL 300
@          SOA ns1 hostmaster 1 7200 3600 1209600 120
@          NS ns1
@          MX 10 near
ns1        A 192.0.2.53
www        A 192.0.2.1
www        A 192.0.2.2
www        AAAA 2001:db8::1
deep.ent   TXT "an empty non-terminal lies above"
*.static   CNAME www
*.wild     MX 10 ring
api        CNAME near
far-api    CNAME api
out        CNAME www.example.org.
tree       DNAME www
lab        NS ns.lab
lab        NS ns.elsewhere.example.
ns.lab     A 192.0.2.54
`;

/** Pools by owner, with what their block says. */
const POOLS: Readonly<Record<string, string>> = {
  near: "answers 2",
  one: "answers 1",
  ring: "answers 3\n ring 50% 1500km",
  biased: "answers 2\n bias region 0.6 country 0.3 max 4000km\n strategy quadratic",
  reach: "answers 3\n max-distance 2500km\n all-down fail-open",
  half: "answers 2\n threshold 0.6\n all-down pool near.anycast.example",
  dark: "answers 2\n select role=dark",
  spill: "answers 2\n select role=dark\n all-down pool ring.anycast.example",
  silent: "answers 2\n select role=dark\n all-down nodata",
  broken: "answers 2\n select role=dark\n all-down servfail",
  lost: "answers 2\n unknown nearest 35.68 139.69",
  told: "answers 2\n unknown nodes n03 n07 n11",
  "*.star": "answers 2\n check web",
};

const TYPES = [1, 1, 1, 1, 1, 28, 28, 28, 16, 15, 2, 6, 5, 43, 65, 255, 65280];

/** Starts the world, its files in `folder`. */
async function makeWorld(folder: string, random: Random): Promise<World> {
  await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml(random));
  await Deno.writeTextFile(`${folder}/zone`, ZONE);
  await Deno.writeFile(`${folder}/city.mmdb`, writeMmdb(networks(random)));
  const clock = new ManualClock(Date.now());
  const server = await startServer(corefile(folder), { clock });
  // Once everything served: a pool that is all-down has something to remember.
  publishHealth(server, random, () => "up");
  return {
    server,
    close: () => server.close(),
    async shuffle(random) {
      publishHealth(
        server,
        random,
        (role) => role === "dark" ? "down" : pick(random, ["up", "up", "up", "degraded", "down", "unknown"]),
      );
      // Of many pools only those that are asked for get partitions, at the next look.
      for (const name of Object.keys(POOLS)) await server.ask(`${name.replace("*", "a")}.anycast.example`);
      clock.advance(1000);
      const missing = () => Object.keys(POOLS).filter((name) => !hasPartitions(server, name));
      await until("partitions", () => missing().length === 0).catch((cause) => {
        throw new Error(`No partitions of ${missing()}: ${server.logged.join("\n")}`, { cause });
      });
    },
  };
}

/** Runs `body` in a world of its own. */
export async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const world = await makeWorld(folder, seeded(1));
  try {
    await body(world);
  } finally {
    await world.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A random question; `undefined` is a client without ECS. */
export function randomTriple(random: Random): Triple {
  const name = pick(random, NAMES);
  return {
    name: random() < 0.2 ? mixedCase(name, random) : name,
    type: pick(random, TYPES),
    client: random() < 0.1 ? undefined : randomPrefix(random),
  };
}

/** A question as it shows in a message about it. */
export function formatTriple({ name, type, client }: Triple): string {
  return `${name} TYPE${type} for ${client ? formatPrefix(client) : "nobody"}`;
}

/** Numbers that look random and come again (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let x = Math.imul(state ^ state >>> 15, state | 1);
    x ^= x + Math.imul(x ^ x >>> 7, x | 61);
    return ((x ^ x >>> 14) >>> 0) / 2 ** 32;
  };
}

const NAMES = [
  // Pools are what this is about, so most questions are for them.
  ...Array.from({ length: 3 }, () => Object.keys(POOLS)).flat().map((pool) => pool.replace("*", "any")),
  ...["", "ns1", "www", "ent", "deep.ent", "absent", "any.static", "any.wild", "star", "absent.near"],
  ...["api", "far-api", "out", "x.tree", "lab", "ns.lab", "deep.in.lab"],
].map((label) => `${label}${label && "."}anycast.example`).concat(["flat.plain.example", "www.example.org"]);

function corefile(folder: string): string {
  const pools = Object.entries(POOLS).map(([name, options]) =>
    `anycast ${name}.anycast.example {\n nodes ${folder}/nodes.yaml\n ${options}\n}`
  );
  return `
anycast.example:1053 {
    bind 127.0.0.1
    geo ${folder}/city.mmdb {
        networks networks.yaml
    }
    health {
        check exec /bin/true
        check web exec /bin/true web
    }
    ${pools.join("\n    ")}
    ttl 5 60
    file ${folder}/zone
}
plain.example:1053 {
    bind 127.0.0.1
    anycast flat.plain.example {
        nodes ${folder}/nodes.yaml
    }
}
`;
}

/** Thirty nodes wherever on Earth; every fifth is dark, some have one family only, some a calendar. */
function nodesYaml(random: Random): string {
  // Data workers go by the machine's clock: there nothing may begin before the test is over.
  const soonMs = Deno.env.has("MERIDIAN_WORKERS") ? 3e6 : 40_000;
  const soon = new Date(Date.now() + soonMs).toISOString(), later = new Date(Date.now() + 4e6).toISOString();
  const nodes = Array.from({ length: 30 }, (_, i) => {
    const id = `n${String(i).padStart(2, "0")}`;
    const addresses = [
      ...i % 8 === 3 ? [] : [`192.0.2.${i + 10}`],
      ...i % 4 === 1 ? [] : [`"2001:db8::${i + 10}"`],
    ];
    const latitude = (random() * 130 - 55).toFixed(2), longitude = (random() * 360 - 180).toFixed(2);
    const country = pick(random, ["DE", "US", "JP", "BR", "FR", "IN"]);
    const calendar = i % 9 === 4 ? `, maintenance: [{ from: ${soon}, until: ${later}, reason: disks }]` : "";
    const state = i % 13 === 6 ? ", state: drain" : "";
    return `  - { id: ${id}, addresses: [${addresses.join(", ")}], weight: ${1 + i % 3}, ` +
      `location: { latitude: ${latitude}, longitude: ${longitude}, country: ${country} }, ` +
      `labels: { role: ${i % 5 === 0 ? "dark" : "light"} }${state}${calendar} }`;
  });
  return `nodes:\n${nodes.join("\n")}\n`;
}

/** Networks of many lengths with places; most of the space has none. */
function networks(random: Random): Records {
  const prefixes = new Map<string, number>();
  while (prefixes.size < 300) {
    const prefix = randomPrefix(random);
    prefixes.set(formatPrefix(prefix), prefix.length);
  }
  const byLength = [...prefixes].sort(([, a], [, b]) => a - b).map(([prefix]) => prefix);
  return Object.fromEntries(byLength.map((prefix) => [prefix, place(random)]));
}

function place(random: Random): Records {
  const iso_code = pick(random, ["DE", "US", "JP", "BR", "FR", "IN"]);
  return {
    country: { iso_code },
    location: { latitude: random() * 130 - 55, longitude: random() * 360 - 180 },
    subdivisions: [{ iso_code: pick(random, ["A", "B", "C"]) }],
  };
}

/** States by the role of a node; everything else at random. */
function publishHealth({ server }: TestServer, random: Random, stateOf: (role?: string) => State): void {
  const { publisher } = server, nowMs = server.nowMs();
  const verdicts: Record<string, Verdict> = {}, deadlines: Record<string, VerdictDeadline> = {};
  for (const { nodes, targets } of Object.values(publisher.snapshot.pools)) {
    for (const { labels, ipv4, ipv6 } of nodes) {
      for (const key of [ipv4, ipv6].flatMap((address) => targets[address ?? ""] ?? [])) {
        const state = stateOf(labels.role);
        const soonMs = nowMs + random() * 90_000;
        verdicts[key] = {
          state,
          sinceMs: nowMs - 1000,
          reason: "told",
          ramp: random() < 0.2 ? pick(random, [0.1, 0.5, 0.9]) : 1,
        };
        deadlines[key] = {
          downMs: state === "down" ? Infinity : soonMs,
          upMs: state === "down" ? soonMs : Infinity,
          changeMs: nowMs + random() * 30_000,
          rampMs: nowMs + random() * 120_000,
          steady: random() < 0.97,
        };
      }
    }
  }
  publisher.setVerdicts(verdicts);
  publisher.setDeadlines(deadlines);
  publisher.flush();
}

/** Whether the partitions of a pool belong to its state as it is now. */
function hasPartitions({ server }: TestServer, owner: string): boolean {
  const { snapshot } = server.publisher;
  const geographyEpoch = snapshot.geographies["1"]!.epoch;
  return ([4, 6] as const).every((family) => {
    const partition = snapshot.partitions[`${owner}.anycast.example.`]?.[family];
    return partition !== undefined && isCurrent(partition, snapshot, geographyEpoch, server.nowMs());
  });
}

/** In few enough blocks that questions and the database meet. */
function randomPrefix(random: Random): Prefix {
  const octets = Uint8Array.from({ length: random() < 0.6 ? 4 : 16 }, () => Math.floor(random() * 256));
  octets.set(pick(random, octets.length === 4 ? [[31], [80], [133], [200]] : [[0x20, 1, 2], [0x2a, 0, 1]]));
  const lengths = octets.length === 4 ? [8, 12, 14, 16, 20, 24, 24, 32] : [20, 27, 29, 32, 48, 56, 64, 128];
  return prefixOf({ family: octets.length === 4 ? 4 : 6, octets }, pick(random, lengths));
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

function mixedCase(name: string, random: Random): string {
  return name.replace(/[a-z]/g, (letter) => random() < 0.5 ? letter.toUpperCase() : letter);
}
