/**
 * Where Meridian's processor time goes under a load of the benchmark: a flame graph, with the functions of V8's compiled
 * code, of workers too that never leave a loop, and the kernel's.
 *
 *     deno task flame [--workload geo] [--seconds 5] [--out flame.svg]
 *
 * It takes perf(1), of Debian's linux-perf, and the right to use it: root, or kernel.perf_event_paranoid of 1 or less.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { formatTable } from "../core/command/table.ts";
import { cityData } from "./bench/city_database.ts";
import { byThread, flameGraph, type Folded, foldStacks, hottest } from "./bench/flame_graph.ts";
import { measure } from "./bench/load.ts";
import { findPin } from "./bench/process.ts";
import { queryOf } from "./bench/queries.ts";
import { cpuUsOf, perSecondOf } from "./bench/verdicts.ts";
import { jobOf } from "./bench/rounds.ts";
import { type Running, startServer } from "./bench/server.ts";
import { meridian } from "./bench/servers/meridian.ts";
import { type LoadWorkload, WORKLOADS } from "./bench/workloads.ts";
import { commandPath } from "./packages.ts";

/** V8 writes where each function's code lies to /tmp/perf-PID.map, and gives interpreted functions frames of their own. */
const RUNTIME = ["--v8-flags=--perf-basic-prof,--interpreted-frames-native-stack"];

/** Samples a second: a prime, so as not to beat with anything. */
const RATE = 997;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      workload: { type: "string", default: "geo" },
      seconds: { type: "string", default: "5" },
      out: { type: "string", default: "flame.svg" },
    },
  });
  const workload = WORKLOADS.find((one): one is LoadWorkload =>
    one.kind === "load" && one.name === values.workload
  );
  if (!workload || workload.needsUpstream) throw new TypeError(`--workload cannot be ${values.workload}`);
  if (await commandPath("perf") === undefined) {
    throw new TypeError("perf is missing: apt-get install linux-perf");
  }
  const pin = await findPin() ?? ((_: unknown, command: readonly string[]) => [...command]);
  const run = { rounds: 1, seconds: 1, city: await cityData(console.error), pin, say: console.error };
  await using server = await startServer(meridian({ runtime: RUNTIME }), jobOf(workload, run));
  await server.settle();
  const load = { ...workload, query: queryOf(workload.query), seed: 1 };
  await measure(server, { ...load, seconds: 2 }, run.city, pin);
  const seconds = Number(values.seconds), sampled = sample(server, seconds);
  const measured = await measure(server, { ...load, seconds }, run.city, pin);
  const folded = await sampled;
  const title = `${workload.name}: ${cpuUsOf(measured).toFixed(2)} µs of processor time an answer, ${
    Math.round(perSecondOf(measured))
  } answers a second, sampled`;
  await Deno.writeTextFile(values.out, flameGraph(folded, title));
  const rows = (shares: [string, number][]) =>
    shares.map(([name, share]) => [`${(100 * share).toFixed(1)} %`, name]);
  console.log(`${title}

${formatTable(["", "thread"], rows(byThread(folded)))}

${formatTable(["itself", "function"], rows(hottest(folded, 25)))}

${values.out}`);
}

/** Samples a process with all its threads, and folds what came. */
async function sample({ pid, folder }: Running, seconds: number): Promise<Folded> {
  const data = `${folder}/perf.data`;
  const what = ["-q", "-e", "cpu-clock", "-F", String(RATE), "-g", "-p", String(pid), "-o", data];
  await perf(["record", ...what, "--", "sleep", String(seconds)]);
  const folded = foldStacks(await perf(["script", "-i", data, "-F", "comm,tid,ip,sym,dso"]));
  await Deno.remove(`/tmp/perf-${pid}.map`).catch(() => {});
  if (folded.size === 0) throw new Error("perf took no samples");
  return folded;
}

async function perf(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("perf", { args }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`perf ${args[0]}: ${new TextDecoder().decode(stderr).trim()}`);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(error instanceof TypeError ? error.message : error);
    Deno.exit(1);
  }
}
