/**
 * TTLs of a whole server over hundreds of small worlds by chance, under a clock that is turned by hand, held against
 * the model of docs/decisions/0001-answers.md, which tries every outcome of the probes to come; and against what then
 * happened.
 *
 * A world that fails is named by its seed: `TTL_SEED=123 deno test -A tests/e2e/ttl_test.ts` runs that one alone.
 */

import assert from "node:assert/strict";
import { decodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import type { Message } from "../../core/dns/message.ts";
import { OPTION, RCODE, TYPE } from "../../core/dns/types.ts";
import type { ProbeJob } from "../../plugins/health/prober.ts";
import { type Client, type Fleet, modelDeadline, modelTtl } from "../model/deadlines.ts";
import { answerText, earliestChange } from "../model/earliest_change.ts";
import { leastGapMs, type ModelOutcome, newTarget, probed } from "../model/health.ts";
import { type ProbeRecord, Replay } from "../model/replay.ts";
import { modelScope } from "../model/selection.ts";
import {
  Chance,
  corefileOf,
  nodesYamlOf,
  type RandomWorld,
  randomWorld,
  SLOW_MS,
  START_MS,
  type Traits,
} from "../support/random_world.ts";
import { type ScriptedProbe, VirtualServer } from "../support/virtual_server.ts";

const NAME = "entry.example.org";
const POOL = `${NAME}.`;

/** An answer as a client got it. */
interface Given {
  readonly atMs: number;
  readonly client: number;
  readonly text: string;
  /** Of what it says, or of what it says is not there; undefined in a SERVFAIL. */
  readonly ttl: number | undefined;
  readonly scope: number;
  /** Whether it is to be held against the model, and not only against what then happened. */
  readonly isSample: boolean;
}

/** What was looked at, so that a test that looked at nothing does not pass. */
interface Tally {
  answers: number;
  changes: number;
  ttls: number;
  exact: number;
  derived: number;
  announced: number;
  enumerated: number;
}

/** Runs a world's server to its end. */
async function runServer(world: RandomWorld, seed: number) {
  const nodes = Deno.makeTempFileSync({ suffix: ".yaml" });
  Deno.writeTextFileSync(nodes, nodesYamlOf(world));
  const { script, records } = scriptOf(world);
  const { chance } = world, { unit: random } = new Chance(seed + 1);
  const virtual = await VirtualServer.start({
    ...{ corefile: corefileOf(world, nodes), startMs: START_MS, random, script },
    ...{ geography: world.geography, partitions: world.partitions },
  });
  virtual.server.publisher.setOverrides(world.overrides);
  await virtual.advanceTo(START_MS);
  const clients = [0, 1, 2].map(() => chance.whole(0, world.leaves.length - 1));
  const given: Given[] = [];
  const ask = (isSample: boolean) => {
    for (const client of new Set(clients)) {
      const reply = virtual.ask(NAME, "A", subnetIn(world.leaves[client]!));
      given.push({ atMs: virtual.clock.nowMs(), client, isSample, ...understood(reply, world) });
    }
  };
  ask(true);
  let { epoch } = virtual.server.publisher.snapshot;
  const passed = () => {
    const isNew = epoch !== virtual.server.publisher.snapshot.epoch;
    epoch = virtual.server.publisher.snapshot.epoch;
    if (isNew || chance.is(0.03)) ask(chance.is(0.25));
  };
  const instants = Array.from({ length: 12 }, () => START_MS + chance.whole(0, world.runMs));
  for (const instant of instants.sort((a, b) => a - b)) {
    await virtual.advanceTo(instant, passed);
    ask(true);
  }
  // So that the model knows of the next probe of each target.
  await virtual.advanceTo(START_MS + world.runMs + world.timing.intervalMs + world.timeoutMs + 1000);
  await virtual.close();
  Deno.removeSync(nodes);
  return { given, records };
}

function scriptOf(world: RandomWorld) {
  const { chance, timing, timeoutMs, moods } = world;
  const records = new Map<string, ProbeRecord[]>();
  const nodes = world.pools.flatMap(({ nodes }) => nodes);
  const script = ({ address, check }: ProbeJob, startMs: number): ScriptedProbe => {
    const key = `${address} ${"port" in check ? check.port : 0}`;
    const node = nodes.find(({ targets }) => targets.includes(key))!;
    const { failing } = moods.get(node.id)!.find(({ untilMs }) => startMs < untilMs)!;
    const isSlow = timing.slows && chance.is(0.3);
    const outcome: ModelOutcome = chance.is(0.01)
      ? "local"
      : chance.is(failing)
      ? "failed"
      : isSlow
      ? "slow"
      : "ok";
    const durationMs = {
      local: 0,
      failed: chance.is(0.5) ? chance.whole(0, 20) : timeoutMs,
      slow: chance.whole(SLOW_MS + 1, timeoutMs),
      ok: chance.whole(0, timing.slows || chance.is(0.9) ? SLOW_MS : timeoutMs),
    }[outcome];
    const record = { startMs, endMs: startMs + durationMs, outcome };
    records.set(key, [...records.get(key) ?? [], record]);
    return { durationMs, ok: outcome === "ok" || outcome === "slow", local: outcome === "local" };
  };
  return { script, records };
}

/** A network of a client in a leaf. */
function subnetIn({ leaf }: Client): string {
  return leaf.family === 6 ? "2001:db8::/48" : `${leaf.octets[0]! + 1}.1.2.0/24`;
}

function understood({ rcode, answer, authority, edns }: Message, { pools }: RandomWorld) {
  const idOf = (rdata: Uint8Array) =>
    pools.flatMap(({ nodes }) => nodes).find(({ targets }) => targets[0]!.startsWith(`${rdata.join(".")} `))!
      .id;
  const subnet = decodeClientSubnet(findOption(edns!.options, OPTION.CLIENT_SUBNET)!.data)!;
  const ids = answer.map(({ rdata }) => idOf(rdata)).sort().join(" ");
  const soa = authority.find(({ type }) => type === TYPE.SOA);
  return {
    text: rcode === RCODE.SERVFAIL ? "servfail" : ids === "" ? "nodata" : ids,
    ttl: (answer[0] ?? soa)?.ttl,
    scope: subnet.scopePrefixLength,
  };
}

/** Holds each sample against the model. */
function checkSamples(world: RandomWorld, given: readonly Given[], replay: Replay, tally: Tally): void {
  for (const [atMs, samples] of Map.groupBy(given.filter(({ isSample }) => isSample), ({ atMs }) => atMs)) {
    replay.advanceTo(atMs);
    const fleets = { now: replay.fleet(), stale: replay.fleet(true) };
    for (const one of samples) checkSample(world, one, fleets, tally);
  }
}

function checkSample(
  { bounds, ...world }: RandomWorld,
  one: Given,
  { now, stale }: { now: Fleet; stale: Fleet },
  tally: Tally,
): void {
  const { atMs, ttl } = one;
  const client = world.leaves[one.client]!;
  const span = { nowMs: atMs, untilMs: atMs + (bounds.max + 2) * 1000 };
  const told = `${client.text} at ${atMs - START_MS} ms`;
  assert.equal(one.text, answerText(now, POOL, client, atMs), `the answer to ${told}`);
  const { scope, block } = blockOf(world, one, (leaf) => answerText(now, POOL, leaf, atMs));
  assert.equal(one.scope, scope, `the scope of the answer to ${told}`);
  tally.answers++;
  if (ttl === undefined) return;
  const deadline = modelDeadline(now, POOL, block, span);
  const most = modelTtl(deadline, bounds, atMs);
  const least = modelTtl(modelDeadline(stale, POOL, block, span), bounds, atMs);
  const rule = `the rule has ${least} to ${most} (${JSON.stringify(deadline)} from ${atMs})`;
  assert.ok(ttl <= most + 1, `a TTL of ${ttl} is too long for ${told}: ${rule}`);
  assert.ok(ttl >= least - 1, `a TTL of ${ttl} is needlessly short for ${told}: ${rule}`);
  tally.ttls++;
  if (least === most) tally.exact++;
  if (most < bounds.max && most > bounds.min) tally.derived++;
  if (tally.ttls % ENUMERATE_EVERY > 0) return;
  const changeMs = earliestChange(now, POOL, client, span);
  assert.ok(
    deadline.earliestMs <= changeMs,
    `the answer to ${told} could change at ${changeMs - START_MS} ms: ${rule}`,
  );
  if (bounds.strict) checkExpiry(one, changeMs, bounds.min, "could change");
  if (changeMs < Infinity) tally.enumerated++;
}

/** To try every combination of what could happen is slow. */
const ENUMERATE_EVERY = 12;

/** The scope by the page, and the leaves below it. */
function blockOf(
  world: Pick<RandomWorld, "leaves" | "partitions">,
  { client, text }: Given,
  answerOf: (client: Client) => string,
) {
  const own = world.leaves[client]!;
  if (!world.partitions && (text === "nodata" || text === "servfail")) return { scope: 0, block: [own] };
  const leaves = world.leaves.map((leaf) => ({ ...leaf, answer: answerOf(leaf) }));
  if (leaves.every(({ answer }) => answer === text)) return { scope: 0, block: leaves };
  const family = leaves.filter(({ leaf }) => leaf.family === own.leaf.family);
  const scope = modelScope(family, family.findIndex(({ leaf }) => leaf === own.leaf));
  const bits = (octets: number[]) => octets.map((octet) => octet.toString(2).padStart(8, "0")).join("");
  const prefix = bits(own.leaf.octets).slice(0, scope);
  return { scope, block: family.filter(({ leaf }) => bits(leaf.octets).startsWith(prefix)) };
}

/**
 * Holds every answer against what then happened. A change is announced to an answer when all that happened since it was
 * given, up to that change, was scheduled or had shown a sign by then.
 */
function checkPromise(
  { bounds, leaves, pools }: RandomWorld,
  given: readonly Given[],
  replay: Replay,
  tally: Tally,
): void {
  const spills = pools[0]!.policy.allDown.policy === "pool";
  const causes = replay.causes.filter(({ pool }) => spills || pool === POOL);
  for (const answers of Map.groupBy(given, ({ client }) => client).values()) {
    let since: Given[] = [];
    for (const one of answers) {
      if (since.length > 0 && since[0]!.text !== one.text) {
        const told = `${leaves[one.client]!.text} at ${one.atMs - START_MS} ms`;
        assert.ok(
          causes.some(({ atMs }) => atMs === one.atMs),
          `the answer to ${told} changed for no reason`,
        );
        for (const earlier of since) {
          const happened = causes.filter(({ atMs }) => earlier.atMs < atMs && atMs <= one.atMs);
          const isAnnounced = bounds.strict || happened.every(({ signMs }) => signMs <= earlier.atMs);
          checkExpiry(earlier, one.atMs, isAnnounced ? bounds.min : bounds.max, "changed");
          if (isAnnounced) tally.announced++;
        }
        tally.changes++;
        since = [];
      }
      since.push(one);
    }
  }
}

function checkExpiry({ atMs, ttl }: Given, changeMs: number, graceSeconds: number, what: string): void {
  if (ttl === undefined || atMs + ttl * 1000 <= changeMs + graceSeconds * 1000) return;
  assert.fail(
    `an answer of ${atMs - START_MS} ms with TTL ${ttl} outlives by more than ${graceSeconds} s ` +
      `that it ${what} at ${changeMs - START_MS} ms`,
  );
}

/** Probes come as plugins/health/README.md says: never late, at most 10 % early, a second apart to confirm. */
function checkTimetable({ timing }: RandomWorld, records: ReadonlyMap<string, readonly ProbeRecord[]>): void {
  for (const [key, probes] of records) {
    let target = newTarget();
    let due = { fromMs: START_MS, untilMs: START_MS + timing.intervalMs };
    for (const { startMs, endMs, outcome } of probes) {
      assert.ok(
        due.fromMs <= startMs && startMs < due.untilMs + 1,
        `${key} is probed ${startMs - due.fromMs} ms late`,
      );
      target = probed(target, outcome, endMs, timing);
      const leastMs = leastGapMs(target, timing);
      const mostMs = leastMs < 0.9 * timing.intervalMs ? leastMs : timing.intervalMs;
      due = { fromMs: Math.max(startMs + leastMs, endMs), untilMs: Math.max(startMs + mostMs, endMs) };
    }
  }
}

async function checkWorld(seed: number, traits: Traits, tally: Tally): Promise<void> {
  const world = randomWorld(seed, traits);
  try {
    const { given, records } = await runServer(world, seed);
    checkTimetable(world, records);
    const replay = new Replay(planOf(world), records);
    checkSamples(world, given, replay, tally);
    replay.advanceTo(START_MS + world.runMs);
    checkPromise(world, given, replay, tally);
  } catch (error) {
    throw new Error(`world ${seed}: ${(error as Error).message}\n${corefileOf(world, "nodes.yaml")}`, {
      cause: error,
    });
  }
}

function planOf({ pools, timing, failing }: RandomWorld) {
  const named = pools.map(({ policy, nodes }) => [policy.name, { policy, nodes }] as const);
  return { startMs: START_MS, pools: Object.fromEntries(named), timing, failing };
}

async function checkWorlds(firstSeed: number, count: number, traits: Traits): Promise<Tally> {
  const tally = { answers: 0, changes: 0, ttls: 0, exact: 0, derived: 0, announced: 0, enumerated: 0 };
  const only = Deno.env.get("TTL_SEED");
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    if (only === undefined || seed === Number(only)) await checkWorld(seed, traits, tally);
  }
  if (Deno.env.get("TTL_TALLY")) console.log(tally);
  return tally;
}

Deno.test("TTLs are the rule's, and no answer outlives its change by more than it allows", async () => {
  const tally = await checkWorlds(1, 180, { policies: false, degrees: false });
  if (!Deno.env.get("TTL_SEED")) {
    assert.ok(tally.changes > 1000 && tally.derived > 1000, JSON.stringify(tally));
  }
});

Deno.test("TTLs are the rule's with rings, biases, ramps and degraded nodes as well", async () => {
  const tally = await checkWorlds(10_001, 100, { policies: true, degrees: true });
  if (!Deno.env.get("TTL_SEED")) assert.ok(tally.changes > 500 && tally.derived > 500, JSON.stringify(tally));
});
