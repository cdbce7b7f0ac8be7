/**
 * Servers under test: each a process in the foreground on a port of loopback, on processors of its own, with a folder of its
 * own.
 *
 * @module
 */

import { askServer, freePort } from "../../tests/support/server.ts";
import type { CityData } from "./city_database.ts";
import { hostLabel, ZONE } from "./fleet.ts";
import { cpuNsOf, type Pin } from "./process.ts";

/** What a server is to do. */
export interface Job {
  readonly address: "127.0.0.1" | "::1";
  /** Threads, workers or processes that answer. */
  readonly threads: number;
  /** Whether the pool's name is answered by place. */
  readonly isGeographic: boolean;
  /** Processors to run on, as taskset(1) has them. */
  readonly processors: string;
  readonly city: CityData;
  /** Where queries are forwarded to: a server of the zone. */
  readonly upstreamPort?: number;
  readonly pin: Pin;
}

/** How a server is run once its configuration is written. */
export interface Plan {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Done once it has stopped. */
  readonly cleanUp?: () => void | Promise<void>;
}

/** A kind of server. */
export interface Kind {
  readonly name: string;
  /** What is installed, as reports tell it: `3.8.1-1`. @throws {Error} When it cannot be had. */
  version(): Promise<string>;
  /** Waits until it is all that it will be, where that is later than its first answer. */
  settle?(server: Running): Promise<void>;
  /** Writes its configuration into a folder. */
  plan(job: Job, folder: string, port: number): Promise<Plan>;
}

/** A server that answers. */
export interface Running extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  /** From when its process was started until the first good answer. */
  readonly startMs: number;
  hasEnded(): boolean;
  /** Waits until it has nothing to do any more: some go on preparing after their first answer. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const STARTING_MS_MAX = 60_000, STOPPING_MS_MAX = 10_000;

/** Where and how a process is started. */
export interface Place {
  readonly address: string;
  /** As taskset(1) has them. */
  readonly processors: string;
  readonly pin: Pin;
  /** A name that is answered with an address once all is ready; by default the first of the zone's. */
  readonly probe?: string;
}

/** Starts a server, and waits until it answers. @throws {Error} With what it said, when it does not. */
export async function startServer(kind: Kind, job: Job): Promise<Running> {
  const server = await startIn(kind.name, job, (folder, port) => kind.plan(job, folder, port));
  const settle = async () => {
    await kind.settle?.(server);
    await server.settle();
  };
  return { ...server, settle };
}

/** Starts what `prepare` plans for a new folder and a free port; the folder goes when it stops. */
export async function startIn(
  name: string,
  place: Place,
  prepare: (folder: string, port: number) => Promise<Plan>,
): Promise<Running> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-bench-" }), port = freePort();
  const remove = () => Deno.remove(folder, { recursive: true }).catch(() => {});
  // Some give up root, and read their files as somebody else.
  await Deno.chmod(folder, 0o755);
  try {
    const { cleanUp, ...plan } = await prepare(folder, port);
    return await startPlan(name, place, plan, folder, port, async () => {
      await cleanUp?.();
      await remove();
    });
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Starts a plan in a folder that is there; `cleanUp` is done once it has stopped. */
export async function startPlan(
  name: string,
  place: Place,
  { command, env = {} }: Omit<Plan, "cleanUp">,
  folder: string,
  port: number,
  cleanUp: () => Promise<void>,
): Promise<Running> {
  const [program, ...args] = place.pin(place.processors, command), { address } = place;
  const log = await Deno.open(`${folder}/log`, { write: true, create: true, truncate: true });
  const begunMs = performance.now();
  const child = new Deno.Command(program!, {
    ...{ args, env, cwd: folder, stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  const logged = child.stderr.pipeTo(log.writable).catch(() => {});
  let ended = false;
  const end = child.status.then(() => void (ended = true));
  let stopping: Promise<void> | undefined;
  const finish = async () => {
    if (!ended) child.kill("SIGTERM");
    const giveUp = setTimeout(() => ended || child.kill("SIGKILL"), STOPPING_MS_MAX);
    await end;
    clearTimeout(giveUp);
    await logged;
    await cleanUp();
  };
  const stop = () => stopping ??= finish();
  while (!await answers(address, port, place.probe)) {
    if (!ended && performance.now() - begunMs < STARTING_MS_MAX) continue;
    const said = (await Deno.readTextFile(`${folder}/log`)).trim().slice(-2000);
    await stop();
    throw new Error(`${name} does not answer: ${said || "it said nothing"}`);
  }
  return {
    ...{ name, address, port, pid: child.pid, folder, stop, hasEnded: () => ended },
    settle: () => idle(child.pid),
    startMs: performance.now() - begunMs,
    [Symbol.asyncDispose]: stop,
  };
}

/** Whether something replies with an address; the port of a server that still loads may refuse. */
async function answers(address: string, port: number, name = `${hostLabel(0)}.${ZONE}`): Promise<boolean> {
  const begunMs = performance.now();
  try {
    const reply = await askServer(port, name, "A", { address, timeoutMs: 40 });
    if (reply.rcode === 0 && reply.answer.length > 0) return true;
  } catch {
    // Asked again.
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, begunMs + 20 - performance.now())));
  return false;
}

/** What counts as work of its own, as a share of a processor, and how long to wait for its end. */
const BUSY = 0.1, SETTLING_MS_MAX = 60_000;

async function idle(pid: number): Promise<void> {
  const begunMs = performance.now();
  for (let quiet = 0, before = cpuNsOf(pid); quiet < 3 && performance.now() - begunMs < SETTLING_MS_MAX;) {
    const fromMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = cpuNsOf(pid);
    quiet = (now - before) / 1e6 / (performance.now() - fromMs) < BUSY ? quiet + 1 : 0;
    before = now;
  }
}
