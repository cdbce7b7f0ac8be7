/**
 * What heartbeats cost queries: ten thousand registered nodes, of which a thousand a second say over HTTP that they live, or
 * none, in turn; meanwhile queries, as fast as they are answered and at a rate.
 *
 *     deno task bench --api-load [--store sqlite,etcd] [--rounds 8] [--rate 1000]
 *
 * @module
 */

import { formatTable } from "../../core/command/table.ts";
import { SYSTEM_CLOCK } from "../../core/clock.ts";
import { openEtcdStore } from "../../core/state/etcd_store.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";
import { EtcdCluster } from "../../tests/support/etcd.ts";
import { freePort } from "../../tests/support/server.ts";
import { until } from "../../tests/support/until.ts";
import { corefile, register } from "./api_load/registered.ts";
import type { CityData } from "./city_database.ts";
import { POOL_NAME } from "./fleet.ts";
import { type Figures, type Load, measure } from "./load.ts";
import { nativeProgram } from "./native.ts";
import { type Pin, threadsOf } from "./process.ts";
import { queryOf } from "./queries.ts";
import { type Running, startIn } from "./server.ts";
import { type Bins, binsPercentile, medianOf, type Ratio, ratioOf } from "./statistics.ts";

/** What a run is. */
export interface ApiLoadRun {
  readonly stores: readonly StoreKind[];
  /** Of each kind in each place. */
  readonly rounds: number;
  /** Heartbeats a second; each node has its turn in ten. */
  readonly rate: number;
  readonly say: (what: string) => void;
}

/** Where the fleet's state is. */
export const STORE_KINDS = ["sqlite", "etcd"] as const;
export type StoreKind = typeof STORE_KINDS[number];

/**
 * Where threads run. `shared`: all of the server on processor 0; the store's own program, the generator and the heartbeats'
 * sender on 1. `apart`: the thread that answers alone on 0, and all else on 1.
 */
const PLACES = ["shared", "apart"] as const;
type Place = typeof PLACES[number];

/** What one round came to. */
interface Round {
  /** Processor time of the thread that answers, of a query; of all threads but the one that hears nodes. Microseconds. */
  readonly workerUs: number;
  readonly allUs: number;
  readonly perSecond: number;
  /** Latencies at {@linkcode QUERY_RATE}. */
  readonly bins: Bins;
  readonly serverBins: Bins;
  readonly lost: number;
  /** Share of a processor that the thread takes that hears nodes. */
  readonly fleetShare: number;
  readonly beats?: Figures;
}

/** Queries a second while latency is measured. */
const QUERY_RATE = 10_000;

/** Of queries as fast as they are answered, and again of those at the rate. */
const SECONDS = 1;

/** How long heartbeats go on before anything is measured. */
const LEAD_SECONDS = 0.4;

/** Between the two: what the flood put off is done first, of queries and heartbeats. */
const BREATH_MS = 1000;

/** How long the server is left alone after heartbeats: what they set off is written within a second. */
const CALM_MS = 1200;

/** Of the heartbeats' sender; a server takes 512 of one address. */
const CONNECTIONS = 128;

/** What the figures of rounds with heartbeats may be at most, of those without. */
const MOST = 1.05;

/** Measures, and says what came of it. */
export async function measureApiLoad(run: ApiLoadRun, city: CityData, pin: Pin): Promise<string> {
  const program = await nativeProgram("beats");
  if (!program) throw new Error("heartbeats want a C compiler, gcc");
  if (!await mayBePunctual()) throw new Error("queries that are sent when they are due want CAP_SYS_NICE");
  const rows: string[][] = [];
  for (const kind of run.stores) {
    await using stage = await Stage.start(kind, run, city, pin, program);
    for (const place of PLACES) rows.push(...rowsOf(`${kind}, ${place}`, await stage.measure(place)));
  }
  return formatTable(
    ["store, place", "figure", "idle", "with heartbeats", "ratio", "90 % of draws", ""],
    rows,
  );
}

/** A store, a server over it, and who is heard. */
class Stage implements AsyncDisposable {
  readonly #run: ApiLoadRun;
  readonly #city: CityData;
  readonly #pin: Pin;
  readonly #program: string;
  readonly #server: Running;
  readonly #apiPort: number;
  readonly #etcd: EtcdCluster | undefined;
  #sent = 0;
  /** Threads by their ids: the one that hears nodes, and the one that answers queries. */
  #fleet = 0;
  #worker = 0;
  /** Of each thread, when it was last there. */
  readonly #cpuNs = new Map<number, number>();

  private constructor(
    run: ApiLoadRun,
    city: CityData,
    pin: Pin,
    program: string,
    server: Running,
    apiPort: number,
    etcd: EtcdCluster | undefined,
  ) {
    [this.#run, this.#city, this.#pin, this.#program] = [run, city, pin, program];
    [this.#server, this.#apiPort, this.#etcd] = [server, apiPort, etcd];
  }

  static async start(
    kind: StoreKind,
    run: ApiLoadRun,
    city: CityData,
    pin: Pin,
    program: string,
  ): Promise<Stage> {
    const etcd = kind === "etcd" ? await EtcdCluster.start(1) : undefined, apiPort = freePort();
    try {
      for (const { pid } of etcd?.members ?? []) await moveThread(pid, "1", "--all-tasks");
      run.say(`${kind}: nodes are registered`);
      const place = { address: "127.0.0.1", processors: "0", pin, probe: POOL_NAME };
      const server = await startIn(`meridian over ${kind}`, place, async (folder, port) => {
        const store = etcd
          ? openEtcdStore({ urls: etcd.urls })
          : openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
        await Deno.writeTextFile(`${folder}/nodes`, await register(store, 10 * run.rate, Date.now()));
        await store.close();
        const choice = etcd ? `etcd ${etcd.urls.join(" ")}` : `sqlite ${folder}/fleet.db`;
        await Deno.writeTextFile(`${folder}/Corefile`, corefile(choice, port, apiPort, city));
        const serve = [MAIN, "serve", "-quiet", "-conf", `${folder}/Corefile`];
        return { command: [Deno.execPath(), "run", "-A", "--no-check", ...serve] };
      });
      const stage = new Stage(run, city, pin, program, server, apiPort, etcd);
      await stage.#warmUp();
      return stage;
    } catch (error) {
      await etcd?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Rounds with heartbeats and without, in turn, in the opposite order every other time. */
  async measure(place: Place): Promise<Rounds> {
    await this.#move(place);
    this.#run.say(`${this.#server.name}, ${place}`);
    const idle: Round[] = [], loaded: Round[] = [];
    for (let round = 0; round < this.#run.rounds; round++) {
      for (const isLoaded of round % 2 === 0 ? [false, true] : [true, false]) {
        (isLoaded ? loaded : idle).push(await this.#round(round + 2, isLoaded));
        if (isLoaded) await pause(CALM_MS);
      }
    }
    return { idle, loaded };
  }

  /** Code is compiled, every node is heard, and what is made once is made before anything counts. */
  async #warmUp(): Promise<void> {
    const health = `http://127.0.0.1:${this.#apiPort}/healthz`;
    await until("the interface to listen", async () => {
      const response = await fetch(health).catch(() => undefined);
      await response?.body?.cancel();
      return response?.ok ?? false;
    }, 60_000);
    const beats = this.#beat(11);
    await this.#queries(3, 1);
    await beats;
    await this.#server.settle();
    this.#fleet = await this.#busiest(() => this.#beat(1));
    this.#worker = await this.#busiest(() => this.#queries(1, 1));
    await pause(CALM_MS);
  }

  /** The isolate's thread that works most meanwhile. */
  async #busiest(during: () => Promise<unknown>): Promise<number> {
    const before = threadsOf(this.#server.pid);
    await during();
    const busy = [...threadsOf(this.#server.pid)].filter(([, { name }]) => name.startsWith("worker-"))
      .map(([id, { cpuNs }]) => [id, cpuNs - (before.get(id)?.cpuNs ?? 0)] as const);
    return busy.toSorted((a, b) => b[1] - a[1])[0]![0];
  }

  async #move(place: Place): Promise<void> {
    for (const id of threadsOf(this.#server.pid).keys()) {
      const processor = place === "apart" && id !== this.#worker ? "1" : "0";
      await moveThread(id, processor);
    }
  }

  async #round(seed: number, isLoaded: boolean): Promise<Round> {
    const beats = isLoaded ? this.#beat(2 * (SECONDS + LEAD_SECONDS) + BREATH_MS / 1000) : undefined;
    if (isLoaded) await pause(1000 * LEAD_SECONDS);
    const before = this.#threads(), fromMs = performance.now();
    const fast = await this.#queries(SECONDS, seed), between = this.#threads();
    await pause(BREATH_MS);
    const paced = await this.#queries(SECONDS, seed, QUERY_RATE), after = this.#threads();
    const tookNs = 1e6 * (performance.now() - fromMs), heard = await beats;
    const workerNs = between.worker - before.worker, othersNs = between.others - before.others;
    return {
      workerUs: workerNs / fast.answered / 1000,
      allUs: (workerNs + othersNs) / fast.answered / 1000,
      perSecond: fast.answered / fast.seconds,
      bins: paced.bins,
      serverBins: paced.serverBins ?? [],
      lost: paced.sent - paced.answered,
      fleetShare: (after.fleet - before.fleet) / tookNs,
      ...heard && { beats: heard },
    };
  }

  #queries(seconds: number, seed: number, rate?: number): Promise<Figures> {
    const load: Load = {
      ...{ program: "datagrams", query: queryOf("pool4"), seconds, sockets: 16, seed },
      ...rate === undefined ? { window: 512 } : { rate, stamps: true, isPunctual: true },
    };
    return measure(this.#server, load, this.#city, this.#pin);
  }

  /** Sends heartbeats for a while; the nodes take turns. */
  async #beat(seconds: number): Promise<Figures> {
    const { rate } = this.#run, first = this.#sent % (10 * rate);
    this.#sent += Math.round(seconds * rate);
    const [command, ...args] = this.#pin(1, [
      ...[this.#program, "-p", `${this.#apiPort}`, "-l", `${seconds}`, "-R", `${rate}`],
      ...["-s", `${CONNECTIONS}`, "-f", `${this.#server.folder}/nodes`, "-b", `${first}`],
    ]);
    const { success, stdout } = await new Deno.Command(command!, { args, stderr: "inherit" }).output();
    if (!success) throw new Error("heartbeats could not be sent");
    return JSON.parse(new TextDecoder().decode(stdout));
  }

  /** Processor time so far: of the thread that answers, of the one that hears nodes, of all others, ended ones too. */
  #threads(): { worker: number; fleet: number; others: number } {
    for (const [id, { cpuNs }] of threadsOf(this.#server.pid)) this.#cpuNs.set(id, cpuNs);
    const sums = { worker: 0, fleet: 0, others: 0 };
    for (const [id, cpuNs] of this.#cpuNs) {
      sums[id === this.#worker ? "worker" : id === this.#fleet ? "fleet" : "others"] += cpuNs;
    }
    return sums;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
    await this.#etcd?.[Symbol.asyncDispose]();
  }
}

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

async function mayBePunctual(): Promise<boolean> {
  return (await new Deno.Command("chrt", { args: ["-f", "1", "true"], stderr: "null" }).output()).success;
}

/** @throws {Error} When it cannot be moved. One that has ended need not be. */
async function moveThread(id: number, processor: string, ...options: string[]): Promise<void> {
  const args = [...options, "-p", "-c", processor, `${id}`];
  const { success } = await new Deno.Command("taskset", { args, stdout: "null" }).output();
  if (success || !await Deno.stat(`/proc/${id}`).catch(() => undefined)) return;
  throw new Error(`thread ${id} cannot be moved to processor ${processor}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Pairs of rounds. */
interface Rounds {
  readonly idle: readonly Round[];
  readonly loaded: readonly Round[];
}

type FigureOf = (rounds: readonly Round[]) => number;

const of = (read: (round: Round) => number): FigureOf => (rounds) => medianOf(rounds.map(read));

/** A percentile of each round, and of these the median: one round that somebody else disturbed decides nothing. */
const latencyUs = (share: number) => of(({ bins }) => binsPercentile([bins], share) / 1000);
const serverUs = (share: number) => of(({ serverBins }) => binsPercentile([serverBins], share) / 1000);

const FIGURES: readonly { readonly name: string; readonly figureOf: FigureOf; readonly isJudged: boolean }[] =
  [
    { name: "CPU µs of the worker, a query", figureOf: of(({ workerUs }) => workerUs), isJudged: true },
    { name: "CPU µs without the fleet isolate", figureOf: of(({ allUs }) => allUs), isJudged: true },
    { name: "answers a second", figureOf: of(({ perSecond }) => perSecond), isJudged: false },
    { name: `p50 at ${QUERY_RATE}/s, µs`, figureOf: latencyUs(0.5), isJudged: false },
    { name: `p99 at ${QUERY_RATE}/s, µs`, figureOf: latencyUs(0.99), isJudged: true },
    { name: "p50 of the server alone, µs", figureOf: serverUs(0.5), isJudged: false },
    { name: "p99 of the server alone, µs", figureOf: serverUs(0.99), isJudged: true },
  ];

function rowsOf(title: string, { idle, loaded }: Rounds): string[][] {
  const rows = FIGURES.map(({ name, figureOf, isJudged }) => {
    const ratio = ratioOf(loaded, idle, figureOf);
    return [
      ...[title, name, shown(figureOf(idle)), shown(figureOf(loaded))],
      ...[ratio.ratio.toFixed(3), `${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)}`],
      isJudged ? verdictOf(ratio) : "",
    ];
  });
  const beats = loaded.map(({ beats }) => beats!);
  const sum = (read: (figures: Figures) => number) => beats.reduce((sum, figures) => sum + read(figures), 0);
  const lost = (rounds: readonly Round[]) => rounds.reduce((sum, { lost }) => sum + lost, 0);
  const heardMs = binsPercentile(beats.map(({ bins }) => bins), 0.99) / 1e6;
  return [
    ...rows,
    [title, "queries lost", `${lost(idle)}`, `${lost(loaded)}`, "", "", ""],
    [
      title,
      "fleet isolate, of a processor",
      ...[idle, loaded].map((rounds) => shown(of(({ fleetShare }) => fleetShare)(rounds))),
      "",
      "",
      "",
    ],
    [
      ...[title, "heartbeats answered, p99 ms", ""],
      `${sum(({ answered }) => answered) - sum(({ wrong }) => wrong)} of ${sum(({ sent }) => sent)}, ${
        shown(heardMs)
      }`,
      ...["", "", ""],
    ],
  ];
}

function verdictOf({ ratio }: Ratio): string {
  return ratio <= MOST ? "pass" : "FAIL";
}

function shown(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
}
