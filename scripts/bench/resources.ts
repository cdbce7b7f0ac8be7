/** What Meridian takes by itself: processor time while idle, memory, time to start. @module */

import { measure } from "./load.ts";
import { cpuSecondsOf, residentMiBOf } from "./process.ts";
import { queryOf } from "./queries.ts";
import { jobOf, type Run } from "./rounds.ts";
import { startServer } from "./server.ts";
import { again, knowsWorkers, meridian } from "./servers/meridian.ts";
import { medianOf } from "./statistics.ts";

/** One figure, and the most that it may be. */
export interface ResourceFigure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly most: number;
}

const GEOGRAPHIC = { query: "pool4" };

/** When nothing is left of a start. */
const AFTER_START_MS = 45_000;

/** Share of a processor without any query. */
export async function idleFigures(run: Run): Promise<ResourceFigure[]> {
  await using server = await startServer(meridian(), jobOf(GEOGRAPHIC, run));
  await server.settle();
  // What a start has made is written down, and let go of, some seconds after it; the runtime gives memory back after 30.
  await pause(AFTER_START_MS);
  // Threads may end meanwhile, and what they took must not be missing: so by ticks of 10 ms, of which 0.5 % has 15 here.
  const seconds = Math.max(30, run.seconds * 10),
    before = cpuSecondsOf(server.pid),
    begunMs = performance.now();
  await pause(seconds * 1000);
  const share = (cpuSecondsOf(server.pid) - before) * 1000 / (performance.now() - begunMs);
  return [{ what: "idle", value: share * 100, unit: "% of a processor", most: 0.5 }];
}

/** Resident memory with one worker, and what each further one adds: under load, and when that has been over for a while. */
export async function memoryFigures(run: Run): Promise<ResourceFigure[]> {
  const one = await residentWith(1, run);
  const figure = (what: string, value: number, most: number) => ({ what, value, unit: "MB", most });
  const figures = [
    figure("one worker", one.loaded, 150),
    figure("one worker, 15 s later", one.rested, 150),
  ];
  if (!await knowsWorkers()) return figures;
  const three = await residentWith(3, run);
  return [
    ...figures,
    figure("each further worker", (three.loaded - one.loaded) / 2, 15),
    figure("each further worker, 15 s later", (three.rested - one.rested) / 2, 15),
  ];
}

/** Once a start is over, whose garbage goes and whose partition worker ends: right after load, and later; in MB. */
async function residentWith(threads: number, run: Run): Promise<{ loaded: number; rested: number }> {
  await using server = await startServer(meridian(), jobOf({ ...GEOGRAPHIC, threads }, run));
  await server.settle();
  const load = { program: "datagrams", query: queryOf("pool4"), sockets: 64, window: 512, seed: 1 } as const;
  for (const seed of [1, 2]) {
    const seconds = Math.max(2, 4 * run.seconds);
    await measure(server, { ...load, seed, seconds }, run.city, run.pin);
    if (seed === 1) await pause(STARTED_MS);
  }
  const loaded = residentMiBOf(server.pid) * 1.048576;
  await pause(RESTED_MS);
  return { loaded, rested: residentMiBOf(server.pid) * 1.048576 };
}

/** For so long what only a start takes may stay. */
const STARTED_MS = 20_000;

/** For longer than free memory is left lying: see core/server/after_start.ts. */
const RESTED_MS = 15_000;

/** Until the first answer: when everything has to be built, and when an earlier run has left what can be kept. */
export async function startFigures(run: Run): Promise<ResourceFigure[]> {
  const job = jobOf(GEOGRAPHIC, run), built: number[] = [], kept: number[] = [];
  for (let i = 0; i < Math.min(5, run.rounds); i++) {
    const server = await startServer(meridian({ globals: ["state state", "control off"] }), job);
    built.push(server.startMs);
    // What is kept is written after the first answer.
    await server.settle();
    const copy = await Deno.makeTempDir({ prefix: "meridian-bench-" });
    await new Deno.Command("cp", { args: ["-a", `${server.folder}/.`, copy] }).output();
    await server.stop();
    const remove = () => Deno.remove(copy, { recursive: true });
    await using second = await again(job, copy, server.port, remove);
    kept.push(second.startMs);
  }
  return [
    { what: "start, everything kept", value: medianOf(kept) / 1000, unit: "s", most: 0.5 },
    { what: "start, everything built", value: medianOf(built) / 1000, unit: "s", most: 2.5 },
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
