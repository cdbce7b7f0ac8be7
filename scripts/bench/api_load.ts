/**
 * What heartbeats cost queries: ten thousand registered nodes, of which a thousand a second say over HTTP that they live, or
 * none, or they say it to a program that has nothing to do with Meridian, in turn; meanwhile queries, as fast as they are answered
 * and at a rate.
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
import { sendHeartbeats } from "./api_load/heartbeats.ts";
import { Neighbour } from "./api_load/neighbour.ts";
import { corefile, register } from "./api_load/registered.ts";
import { orderOf, QUERY_RATE, type Round, type RoundKind, type Rounds } from "./api_load/round.ts";
import { HEADINGS, rowsOf } from "./api_load/rows.ts";
import type { CityData } from "./city_database.ts";
import { POOL_NAME } from "./fleet.ts";
import { type Figures, type Load, measure } from "./load.ts";
import { nativeProgram } from "./native.ts";
import { moveThread, type Pin, threadsOf } from "./process.ts";
import { queryOf } from "./queries.ts";
import { type Running, startIn } from "./server.ts";

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
 * Where threads run. `shared`: all of the server and the neighbour on processor 0; the store's own program, the generator and the
 * heartbeats' sender on 1. `apart`: the thread that answers alone on 0, and all else on 1.
 */
const PLACES = ["shared", "apart"] as const;
type Place = typeof PLACES[number];

/** Of queries as fast as they are answered, and again of those at the rate. */
const SECONDS = 1;

/** How long heartbeats go on before anything is measured. */
const LEAD_SECONDS = 0.4;

/** Between the two: what the flood put off is done first, of queries and heartbeats. */
const BREATH_MS = 1000;

/** How long the server is left alone after heartbeats: what they set off is written within a second. */
const CALM_MS = 1200;

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
  return formatTable(HEADINGS, rows);
}

/** A store, a server over it, who is heard, and the neighbour. */
class Stage implements AsyncDisposable {
  readonly #run: ApiLoadRun;
  readonly #city: CityData;
  readonly #pin: Pin;
  readonly #program: string;
  readonly #server: Running;
  readonly #apiPort: number;
  readonly #neighbour: Neighbour;
  readonly #running: AsyncDisposableStack;
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
    neighbour: Neighbour,
    running: AsyncDisposableStack,
  ) {
    [this.#run, this.#city, this.#pin, this.#program] = [run, city, pin, program];
    [this.#server, this.#apiPort, this.#neighbour, this.#running] = [server, apiPort, neighbour, running];
  }

  static async start(
    kind: StoreKind,
    run: ApiLoadRun,
    city: CityData,
    pin: Pin,
    program: string,
  ): Promise<Stage> {
    await using running = new AsyncDisposableStack();
    const etcd = kind === "etcd" ? running.use(await EtcdCluster.start(1)) : undefined;
    for (const { pid } of etcd?.members ?? []) await moveThread(pid, "1", "--all-tasks");
    const neighbour = running.use(await Neighbour.start(pin, "0")), apiPort = freePort();
    run.say(`${kind}: nodes are registered`);
    const place = { address: "127.0.0.1", processors: "0", pin, probe: POOL_NAME };
    const server = running.use(
      await startIn(`meridian over ${kind}`, place, async (folder, port) => {
        const store = etcd
          ? openEtcdStore({ urls: etcd.urls })
          : openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
        await Deno.writeTextFile(`${folder}/nodes`, await register(store, 10 * run.rate, Date.now()));
        await store.close();
        const choice = etcd ? `etcd ${etcd.urls.join(" ")}` : `sqlite ${folder}/fleet.db`;
        await Deno.writeTextFile(`${folder}/Corefile`, corefile(choice, port, apiPort, city));
        const serve = [MAIN, "serve", "-quiet", "-conf", `${folder}/Corefile`];
        return { command: [Deno.execPath(), "run", "-A", "--no-check", ...serve] };
      }),
    );
    const stage = new Stage(run, city, pin, program, server, apiPort, neighbour, running.move());
    try {
      await stage.#warmUp();
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Rounds of all kinds in turn. */
  async measure(place: Place): Promise<Rounds> {
    await this.#move(place);
    this.#run.say(`${this.#server.name}, ${place}`);
    const rounds: Record<RoundKind, Round[]> = { idle: [], heartbeats: [], neighbour: [] };
    for (let cycle = 0; cycle < this.#run.rounds; cycle++) {
      for (const kind of orderOf(cycle)) {
        rounds[kind].push(await this.#round(cycle + 2, kind));
        if (kind !== "idle") await pause(CALM_MS);
      }
    }
    return rounds;
  }

  /** Code is compiled, every node is heard, and what is made once is made before anything counts. */
  async #warmUp(): Promise<void> {
    const health = `http://127.0.0.1:${this.#apiPort}/healthz`;
    await until("the interface to listen", async () => {
      const response = await fetch(health).catch(() => undefined);
      await response?.body?.cancel();
      return response?.ok ?? false;
    }, 60_000);
    const beats = this.#beat("heartbeats", 11);
    await this.#queries(3, 1);
    await beats;
    await this.#beat("neighbour", 3);
    await this.#server.settle();
    this.#fleet = await this.#busiest(() => this.#beat("heartbeats", 1));
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
    await this.#neighbour.move(place === "apart" ? "1" : "0");
  }

  async #round(seed: number, kind: RoundKind): Promise<Round> {
    const seconds = 2 * (SECONDS + LEAD_SECONDS) + BREATH_MS / 1000;
    const beats = kind === "idle" ? undefined : this.#beat(kind, seconds);
    if (beats) await pause(1000 * LEAD_SECONDS);
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
      neighbourShare: (after.neighbour - before.neighbour) / tookNs,
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

  /** Sends heartbeats for a while; the nodes take turns to be heard by Meridian. */
  async #beat(to: Exclude<RoundKind, "idle">, seconds: number): Promise<Figures> {
    const { rate } = this.#run, first = this.#sent % (10 * rate), isToNeighbour = to === "neighbour";
    const port = isToNeighbour ? this.#neighbour.port : this.#apiPort, nodes = `${this.#server.folder}/nodes`;
    if (!isToNeighbour) this.#sent += Math.round(seconds * rate);
    return await sendHeartbeats({ program: this.#program, port, seconds, rate, nodes, first }, this.#pin);
  }

  /**
   * Processor time so far: of the thread that answers, of the one that hears nodes, of all others of the server, ended ones too;
   * and of the neighbour's that hears.
   */
  #threads(): { worker: number; fleet: number; others: number; neighbour: number } {
    for (const [id, { cpuNs }] of threadsOf(this.#server.pid)) this.#cpuNs.set(id, cpuNs);
    const sums = { worker: 0, fleet: 0, others: 0, neighbour: this.#neighbour.cpuNs };
    for (const [id, cpuNs] of this.#cpuNs) {
      sums[id === this.#worker ? "worker" : id === this.#fleet ? "fleet" : "others"] += cpuNs;
    }
    return sums;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync();
  }
}

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

async function mayBePunctual(): Promise<boolean> {
  return (await new Deno.Command("chrt", { args: ["-f", "1", "true"], stderr: "null" }).output()).success;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
