import assert from "node:assert/strict";
import type { State } from "../../core/fleet/verdict.ts";
import { geography } from "../core/fleet/make.ts";
import { Chance, START_MS } from "../support/random_world.ts";
import { type ScriptedProbe, VirtualServer } from "../support/virtual_server.ts";

const DAY_MS = 86_400_000;
const POOL = "entry.anycast.example";

/** Twelve networks, one near each of the example's nodes, one far from all, one nowhere. */
const CLIENTS: readonly [network: string, latitude: number, longitude: number][] = [
  ["192.0.0.0/24", 50, 8],
  ["192.0.1.0/24", 51, 0],
  ["192.0.4.0/24", 39, -77],
  ["192.0.5.0/24", 38, -122],
  ["192.0.6.0/24", -23, -46],
  ["192.0.7.0/24", -26, 28],
  ["192.0.8.0/24", 19, 72],
  ["192.0.9.0/24", 1, 103],
  ["192.0.10.0/24", 35, 139],
  ["192.0.11.0/24", -34, 151],
  ["192.0.12.0/24", 0, -30],
];
const WORLD = geography(
  CLIENTS.map(([, latitude, longitude]) => [latitude, longitude]),
  Object.fromEntries(CLIENTS.map(([network], i) => [network, i + 1])),
);

const COREFILE = `{
    state off
}
anycast.example:1053 {
    log . json
    geo
    health {
        check tcp 8443
        check web tcp 8444
        interval 30s
        fall 3
        rise 3
        ramp off
    }
    anycast ${POOL} {
        nodes nodes.yaml
        answers 2
        threshold 40%
        unknown nearest 50.11 8.68
    }
    ttl 5 60
}
`;

/** One line of either log, with when it was written. */
interface Line {
  readonly atMs: number;
  readonly text: string;
}

/** Each target is well for hours, and now and then in trouble for minutes; once all of them are. */
function troubles(chance: Chance): (key: string, atMs: number) => boolean {
  const spells = new Map<string, { fromMs: number; untilMs: number }[]>();
  const make = () =>
    Array.from({ length: 12 }, () => {
      const fromMs = START_MS + chance.unit() * DAY_MS;
      return { fromMs, untilMs: fromMs + (0.2 + chance.unit() * 40) * 60_000 };
    });
  const outage = { fromMs: START_MS + DAY_MS / 2, untilMs: START_MS + DAY_MS / 2 + 600_000 };
  return (key, atMs) => {
    if (!spells.has(key)) spells.set(key, [...make(), outage]);
    return spells.get(key)!.some(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs);
  };
}

/** A day of probes and questions; what was logged of it. */
async function live(seed: number): Promise<Line[]> {
  const chance = new Chance(seed), isInTrouble = troubles(chance);
  const lines: Line[] = [];
  let nowMs = () => START_MS;
  const note = (text: string) => void lines.push({ atMs: nowMs(), text });
  const server = await VirtualServer.start({
    ...{ corefile: COREFILE, startMs: START_MS, geography: WORLD, partitions: true, random: chance.unit },
    heard: (_, message) => note(message),
    writeLine: note,
    script: ({ address, check }, atMs): ScriptedProbe => ({
      durationMs: 3,
      ok: !isInTrouble(`${address} ${check.kind === "tcp" && check.port}`, atMs),
    }),
  });
  nowMs = () => server.clock.nowMs();
  for (let atMs = START_MS + 61_000; atMs < START_MS + DAY_MS; atMs += 5000 + chance.unit() * 60_000) {
    await server.advanceTo(atMs);
    const [network] = CLIENTS[Math.floor(chance.unit() * CLIENTS.length)]!;
    server.ask(POOL, chance.unit() < 0.5 ? "A" : "AAAA", network);
  }
  await server.close();
  return lines;
}

/** A server that probes nothing and knows of the fleet only what it reads; what it would have logged of each query. */
async function replay(lines: readonly Line[]): Promise<{ flips: number; replies: string[] }> {
  const replies: string[] = [];
  const server = await VirtualServer.start({
    ...{ corefile: COREFILE, startMs: START_MS, geography: WORLD, partitions: true, random: () => 0.5 },
    writeLine: (line) => void replies.push(line),
    script: () => ({ durationMs: 10 * DAY_MS }),
  });
  let flips = 0;
  for (const { atMs, text } of lines) {
    await server.advanceTo(atMs);
    const flip = FLIP.exec(text);
    if (flip) {
      flips++;
      const [, target, state, reason] = flip as unknown as [string, string, State, string];
      const verdict = { state, sinceMs: atMs, reason, ramp: 1 };
      const keys = targetsOf(server, target);
      server.server.publisher.setVerdicts(Object.fromEntries(keys.map((key) => [key, verdict])));
      await server.advanceTo(atMs);
    } else if (text.startsWith("{")) {
      const { name, type, ecs } = JSON.parse(text);
      server.ask(name.replace(/\.$/, ""), type, ecs);
    }
  }
  await server.close();
  return { flips, replies };
}

/** The keys of the targets that the log calls by address and check. */
function targetsOf({ server }: VirtualServer, called: string): string[] {
  const { targets } = server.publisher.snapshot.pools[`${POOL}.`]!;
  const keys = Object.values(targets).flat().filter((key) => key === called || key.startsWith(`${called} `));
  assert.ok(keys.length > 0, called);
  return keys;
}

const FLIP = /^health: (.+?) is (up|down|degraded)(?:, for at least \S+ s)?, was \w+: (.*)$/;

/** What a line of the query log says of the answer; its ID, how long it took and for how long it holds are of the day alone. */
function answerOf(line: string): unknown {
  const { id: _id, durationMs: _duration, ttlSeconds: _ttl, ...rest } = JSON.parse(line);
  return rest;
}

Deno.test("a day's log, read line by line, gives the answers of that day", async () => {
  const lines = await live(7);
  const { flips, replies } = await replay(lines);
  const said = lines.map(({ text }) => text).filter((text) => text.startsWith("{"));
  assert.ok(flips > 200, `${flips} flips`);
  assert.ok(said.length > 1000, `${said.length} answers`);
  assert.ok(new Set(said.map((line) => JSON.stringify(JSON.parse(line).selections))).size > 100);
  assert.deepEqual(replies.map(answerOf), said.map(answerOf));
});
