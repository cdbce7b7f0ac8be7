/** Meridian, as it is served: from a Corefile, by `main.ts serve`. @module */

import { nodesYaml, POOL_NAME, SITES, ZONE, zoneFile } from "../fleet.ts";
import { freePort } from "../../../tests/support/server.ts";
import { Listeners } from "../../listeners.ts";
import { type Job, type Kind, type Plan, type Running, startPlan } from "../server.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;

/** What a Meridian under test does beside what its job says. */
export interface Variant {
  /** What it is called in reports. */
  readonly name?: string;
  /** A line of the server block: a query log. */
  readonly log?: string;
  /** Global options beside the number of workers. */
  readonly globals?: readonly string[];
  readonly forwards?: boolean;
  /** Flags for the runtime. */
  readonly runtime?: readonly string[];
}

/** Meridian in one of its variants. */
export function meridian(variant: Variant = {}): Kind {
  return {
    name: variant.name ?? "meridian",
    version: () => Promise.resolve(""),
    settle: partitionsMade,
    plan: (job, folder, port) => plan(variant, job, folder, port),
  };
}

const SETTLING_MS_MAX = 120_000;

/** Until networks with equal answers have been worked out, every network of the data is one of its own. */
async function partitionsMade({ folder }: Running): Promise<void> {
  const corefile = await Deno.readTextFile(`${folder}/Corefile`);
  const port = /prometheus localhost:(\d+)/.exec(corefile)?.[1];
  if (!corefile.includes("anycast ")) return;
  for (const fromMs = performance.now(); performance.now() - fromMs < SETTLING_MS_MAX;) {
    const metrics = await (await fetch(`http://localhost:${port}/metrics`)).text();
    const states = [...metrics.matchAll(/^meridian_partition_current\{.*\} (\d)$/gm)].map(([, state]) =>
      state
    );
    if (states.length > 0 && states.every((state) => state === "1")) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("Meridian has not worked out which networks get equal answers");
}

async function plan(variant: Variant, job: Job, folder: string, port: number): Promise<Plan> {
  const listeners = job.isGeographic ? Listeners.open(SITES.map(({ address }) => address), 8443) : undefined;
  await Deno.writeTextFile(`${folder}/zone`, zoneFile());
  await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml());
  await Deno.writeTextFile(`${folder}/Corefile`, await corefile(variant, job, port, listeners?.port));
  const command = commandOf(folder, variant.runtime);
  return { command: variant.log ? intoFile(command, folder) : command, cleanUp: () => listeners?.close() };
}

/** Starts again what has been stopped but not removed: in the same folder. */
export function again(job: Job, folder: string, port: number, remove: () => Promise<void>): Promise<Running> {
  return startPlan("meridian", job, { command: commandOf(folder) }, folder, port, remove);
}

/** A command whose standard output is a file: a log that goes nowhere would cost less. */
function intoFile(command: readonly string[], folder: string): string[] {
  return ["sh", "-c", `exec "$@" > "${folder}/lines"`, "sh", ...command];
}

function commandOf(folder: string, runtime: readonly string[] = []): string[] {
  return [
    ...[Deno.execPath(), "run", "-A", "--no-check", ...runtime, MAIN],
    ...["serve", "-quiet", "-conf", `${folder}/Corefile`],
  ];
}

async function corefile(
  { log = "", globals = ["state off", "control off"], forwards = false }: Variant,
  { address, threads, isGeographic, city, upstreamPort }: Job,
  port: number,
  checkPort: number | undefined,
): Promise<string> {
  const workers = await knowsWorkers() ? [`workers ${threads}`] : [];
  const source = forwards ? `cache\n    forward . 127.0.0.1:${upstreamPort}` : "file zone";
  return `{
    ${[...globals, ...workers].join("\n    ")}
}
${forwards ? "." : ZONE}:${port} {
    bind ${address}
    prometheus localhost:${freePort()}
    ${log}
    ${isGeographic ? geography(city.database, checkPort!) : ""}
    ${source}
}
`;
}

function geography(database: string, checkPort: number): string {
  return `geo ${database}
    health {
        check tcp ${checkPort}
        interval 10s
        timeout 3s
        rise 1
    }
    anycast ${POOL_NAME} {
        nodes nodes.yaml
        answers 1
        unknown nodes fra
    }
    ttl 5 60`;
}

let workersKnown: Promise<boolean> | undefined;

/** Whether this commit has data workers: the benchmark also measures what was before. */
export function knowsWorkers(): Promise<boolean> {
  return workersKnown ??= accepts(
    "{\n    state off\n    control off\n    workers 1\n}\n. {\n    whoami\n}\n",
  );
}

/** Whether a Corefile without files is sound. */
export async function accepts(corefile: string): Promise<boolean> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, corefile);
    const args = ["run", "-A", "--no-check", MAIN, "check", path];
    return (await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).output())
      .success;
  } finally {
    await Deno.remove(path);
  }
}
