/** Servers in turn, round after round. @module */

import { agreementOf } from "./agreement.ts";
import type { CityData } from "./city_database.ts";
import { type Load, measure, type Measured } from "./load.ts";
import type { Pin } from "./process.ts";
import { queryOf } from "./queries.ts";
import { type Job, type Kind, type Running, startServer } from "./server.ts";
import { nsd } from "./servers/nsd.ts";
import type { LatencyWorkload, LoadWorkload, LossWorkload } from "./workloads.ts";

/** How a run measures. */
export interface Run {
  readonly rounds: number;
  /** Of each server in each round. */
  readonly seconds: number;
  /** Servers to measure beside Meridian; all, unless given. */
  readonly peers?: readonly string[];
  readonly city: CityData;
  readonly pin: Pin;
  readonly say: (what: string) => void;
}

/** What rounds came to, by server, and who was missing. */
export interface Rounds {
  readonly measured: ReadonlyMap<string, readonly Measured[]>;
  /** Versions by server. */
  readonly versions: Readonly<Record<string, string>>;
  /** Who could not be had, and why. */
  readonly missing: Readonly<Record<string, string>>;
  /** Shares of clients whom Meridian and gdnsd send to the same node, where both answer by place. */
  readonly agreement?: number;
}

/** Of latency more rounds than of throughput, for the tail's sake. */
const LATENCY_ROUNDS_MIN = 20;

/** Queries without reply that keep any server busy. */
const WINDOW = 512;

const WARM_SECONDS = 2;

/** Measures servers under one load. */
export async function loadRounds(workload: LoadWorkload, run: Run): Promise<Rounds> {
  const { program, query, sockets, window } = workload;
  const { rounds, seconds } = run;
  await using servers = new Servers(run);
  await servers.start(workload.servers, jobOf(workload, run), workload.needsUpstream);
  const load = {
    program,
    query: queryOf(query),
    seconds,
    sockets,
    ...(window === undefined ? {} : { window }),
  };
  await servers.warmUp(load);
  const measured = await servers.inTurn(rounds, (seed) => ({ ...load, seed }));
  return { measured, ...servers.told, ...await servers.agreement(query === "pool4") };
}

/** Measures how long answers take at a rate. @param rate Of queries a second. */
export async function latencyRounds(workload: LatencyWorkload, run: Run): Promise<Map<string, Rounds>> {
  await using servers = new Servers(run);
  await servers.start(workload.servers, jobOf(workload, run), false);
  const load = {
    program: "datagrams",
    query: queryOf(workload.query),
    seconds: run.seconds,
    sockets: 16,
  } as const;
  await servers.warmUp({ ...load, window: WINDOW });
  const results = new Map<string, Rounds>();
  for (const rate of workload.rates) {
    const perSecond = rate === "half" ? await servers.halfOfSaturation(load) : rate;
    const rounds = run.rounds < 15 ? run.rounds : Math.max(LATENCY_ROUNDS_MIN, run.rounds);
    const measured = await servers.inTurn(rounds, (seed) => ({ ...load, seed, rate: perSecond }));
    results.set(`${Math.round(perSecond)}/s${rate === "half" ? ", half of saturation" : ""}`, {
      measured,
      ...servers.told,
    });
  }
  return results;
}

/** Measures what is lost at a rate. */
export async function lossRounds(workload: LossWorkload, run: Run): Promise<Rounds> {
  await using servers = new Servers(run);
  await servers.start(workload.servers, jobOf(workload, run), false);
  const load = {
    program: "datagrams",
    query: queryOf(workload.query),
    seconds: run.seconds,
    sockets: 16,
  } as const;
  await servers.warmUp({ ...load, window: WINDOW });
  const measured = await servers.inTurn(run.rounds, (seed) => ({ ...load, rate: workload.rate, seed }));
  return { measured, ...servers.told };
}

/** The job of every server of a workload. */
export function jobOf(
  { query, ...how }: { query: string; address?: Job["address"]; threads?: number; processors?: string },
  { city, pin }: Run,
): Job {
  const { address = "127.0.0.1", threads = 1, processors = "0" } = how;
  return { address, threads, processors, isGeographic: query.startsWith("pool"), city, pin };
}

/** Servers that were started together. */
class Servers implements AsyncDisposable {
  readonly #run: Run;
  readonly #running: Running[] = [];
  #upstream: Running | undefined;
  readonly told: { versions: Record<string, string>; missing: Record<string, string> } = {
    versions: {},
    missing: {},
  };

  constructor(run: Run) {
    this.#run = run;
  }

  /** Those that are not to be had are left out, and told. */
  async start(kinds: readonly Kind[], job: Job, needsUpstream: boolean): Promise<void> {
    const { peers, say } = this.#run;
    if (needsUpstream) {
      await nsd.version();
      this.#upstream = await startServer(nsd, { ...job, processors: "1" });
    }
    const ready = this.#upstream ? { ...job, upstreamPort: this.#upstream.port } : job;
    for (const kind of kinds) {
      const { name } = kind;
      if (peers && !peers.includes(name) && !name.startsWith("meridian")) continue;
      try {
        const version = await kind.version();
        if (version !== "") this.told.versions[name] = version;
        this.#running.push(await startServer(kind, ready));
      } catch (error) {
        this.told.missing[name] = (error as Error).message;
        say(`${name} is missing: ${(error as Error).message}`);
      }
    }
    for (const server of this.#running) await server.settle();
  }

  /** Code is compiled and caches are filled before anything counts. */
  async warmUp(load: Omit<Load, "seed">): Promise<void> {
    const { city, pin } = this.#run, seconds = Math.max(WARM_SECONDS, load.seconds);
    for (const server of this.#running) await measure(server, { ...load, seconds, seed: 1 }, city, pin);
  }

  /** Round after round, every server in turn, in the opposite order every other time. */
  async inTurn(rounds: number, loadOf: (seed: number) => Load): Promise<Map<string, Measured[]>> {
    const { city, pin } = this.#run;
    const results = new Map<string, Measured[]>(this.#running.map(({ name }) => [name, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const server of round % 2 === 0 ? this.#running.toReversed() : this.#running) {
        results.get(server.name)!.push(await measure(server, loadOf(1 + round), city, pin));
      }
    }
    return results;
  }

  /** Half of what Meridian answers at most. */
  async halfOfSaturation(load: Omit<Load, "seed">): Promise<number> {
    const meridian = this.#running.find(({ name }) => name === "meridian");
    if (meridian === undefined) throw new Error("Meridian could not be started");
    const { city, pin } = this.#run;
    const { answered, seconds } = await measure(meridian, { ...load, window: WINDOW, seed: 1 }, city, pin);
    return Math.max(1000, Math.round(answered / seconds / 2000) * 1000);
  }

  async agreement(isGeographic: boolean): Promise<{ agreement?: number }> {
    const [ours, theirs] = ["meridian", "gdnsd"].map((wanted) =>
      this.#running.find(({ name }) => name === wanted)
    );
    return isGeographic && ours && theirs ? { agreement: await agreementOf(ours, theirs) } : {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#running.toReversed()) await server.stop();
    await this.#upstream?.stop();
  }
}
