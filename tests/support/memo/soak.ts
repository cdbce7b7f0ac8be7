/**
 * Runs small worlds by chance, and holds every reply of a memo against the chain's, octet for octet: over UDP, and over streams.
 *
 * @module
 */

import { parseName } from "../../../core/dns/name.ts";
import type { Chance } from "../random_world.ts";
import { freePort } from "../server.ts";
import { RandomQueries } from "./queries.ts";
import { type Compared, MemoRig } from "./rig.ts";
import { inhabit, type Inhabited } from "./worlds.ts";

/** What came of a world. */
export interface MemoReport {
  queries: number;
  hits: number;
  /** Of both, over streams. */
  streamed: number;
  streamHits: number;
  readonly mismatches: string[];
}

/** Nothing so far. */
export const emptyReport = (): MemoReport => ({
  ...{ queries: 0, hits: 0, streamed: 0, streamHits: 0 },
  mismatches: [],
});

/** How many differences are told; one is too many. */
const TOLD_MAX = 5;

/** How much comes over streams. */
const STREAMED = 0.25;

/** Asks `count` queries of a world that lives on meanwhile. */
export async function compareInWorld(seed: number, count: number, report: MemoReport): Promise<void> {
  await inhabit(seed, { twins: true }, (inhabited) => askAll(inhabited, count, report, seed));
}

/** What metrics count of queries that are asked while nothing changes, of the memo and then of the chain alone. */
export async function countedInWorld(seed: number, count: number) {
  const counted: Record<string, number>[] = [], lines: string[][] = [[]];
  let hits = 0;
  await inhabit(seed, {
    more: [`prometheus 127.0.0.1:${freePort()}`, "log"],
    writeLine: (line) => lines.at(-1)!.push(withoutDuration(line)),
  }, (inhabited) => {
    const { servers: [virtual] } = inhabited;
    const rig = new MemoRig(virtual!.server, () => virtual!.clock.nowMs());
    const queries = queriesIn(inhabited);
    const asked = Array.from({ length: count }, () => queries.next());
    for (const ask of [rig.ask, rig.askChain]) {
      const before = virtual!.server.metrics.snapshot();
      for (const { octets, source, server } of asked) ask.call(rig, octets, source, server);
      rig.memo.harvest();
      counted.push(growth(before, virtual!.server.metrics.snapshot()));
      lines.push([]);
    }
    hits = rig.memo.hits;
    return Promise.resolve();
  });
  const of = (i: number) => ({ ...counted[i], lines: lines[i]!.sort() });
  return { byMemo: of(0), byChain: of(1), hits };
}

/** A line of either form: how long something took is never twice the same. */
function withoutDuration(line: string): string {
  return line.replace(/ [\d.e-]+s(?= |$)/, "").replace(/"durationMs":[\d.e+-]+/, '"durationMs":0');
}

/** By how much numbers grew, times aside; and how exactly places are known, which all within a scope count under alike. */
function growth(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  const entries = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([name, by]) => by !== 0 && !/seconds|pool_locations/.test(name)));
}

async function askAll(inhabited: Inhabited, count: number, report: MemoReport, seed: number): Promise<void> {
  const { world, servers: [virtual, twin = virtual], evicts, advanceTo, replaceSecrets } = inhabited;
  const { chance } = world, { clock } = virtual!;
  const rig = new MemoRig(virtual!.server, () => clock.nowMs(), 1 << 17, twin!.server);
  const queries = queriesIn(inhabited);
  const ask = (times: number) => {
    for (let i = 0; i < times; i++) {
      const query = queries.next(), { octets, source, server } = query;
      const compared = chance.is(STREAMED)
        ? rig.compareStream(octets, source, server, chance.of(10_000, 10_000, 7000))
        : rig.compare(octets, source, server);
      // A reply is repeated for as long as its TTLs allow, though the cache had to make room for others.
      const isOutlived = evicts && compared.wasHit && compared.mustAsk;
      note(compared, isOutlived, report, `seed ${seed}, query ${report.queries}`);
      queries.hear(query, compared.byChain);
    }
  };
  const steps = Math.ceil(count / 60);
  for (let step = 0; step < steps; step++) {
    ask(40);
    if (chance.is(0.2)) replaceSecrets(step);
    await advanceTo(clock.nowMs() + chance.whole(1, chance.of(400, 4000, 20_000)), () => ask(1));
  }
}

function queriesIn({ world: { chance }, owners, favourites }: Inhabited): RandomQueries {
  const read = (names: readonly string[]) => names.map((name) => parseName(name));
  return new RandomQueries(chance, read([...owners, ...favourites]), read(favourites), hostsOf(chance));
}

function note(
  { query, transport, byMemo, byChain, wasHit }: Compared,
  isOutlived: boolean,
  report: MemoReport,
  where: string,
): void {
  report.queries++;
  if (wasHit) report.hits++;
  if (transport === "tcp") report.streamed++;
  if (transport === "tcp" && wasHit) report.streamHits++;
  const [memo, chain] = [hexOf(byMemo), hexOf(byChain)];
  if (memo === chain || isOutlived || report.mismatches.length >= TOLD_MAX) return;
  report.mismatches.push(
    `${where} by ${transport}${wasHit ? ", repeated" : ""}\n${
      hexOf(query)
    }\n${memo} by the memo\n${chain} by the chain`,
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
