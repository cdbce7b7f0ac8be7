/**
 * The benchmark: what Meridian costs and how fast it is, alone or beside other servers. docs/BENCH.md says what it
 * measures and what not.
 *
 *     deno task bench [--quick] [--peers nsd,knot,gdnsd]
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Generator } from "./bench/generator_process.ts";
import { thisCommit, thisMachine } from "./bench/machine.ts";
import { busySeconds, cpuSecondsOf, findPin, type Pin, residentMiBOf } from "./bench/process.ts";
import type { LoadName } from "./bench/queries.ts";
import { formatResults, type Measurement, type Result, resultsOf } from "./bench/report.ts";
import { summarize } from "./bench/statistics.ts";
import { type PeerName, PEERS, startEcho, startMeridian, startPeer, type Target } from "./bench/targets.ts";

/** How to measure. */
export interface Parameters {
  readonly rounds: number;
  /** Of each load in each round, once in the closed loop and once in the open one. */
  readonly seconds: number;
  /** Closed loop: queries without reply. */
  readonly window: number;
  /** Open loop: queries a second. */
  readonly rate: number;
  /** Source ports. */
  readonly sockets: number;
  readonly peers: readonly PeerName[];
}

const USAGE = `deno task bench [OPTION]...

    --quick           2 rounds of 0.5 s: a glance
    --peers NAMES     measure beside these, of nsd,knot,gdnsd; what is missing is installed from Debian
    --rounds COUNT    5
    --seconds SECONDS of each load in each round, per kind of loop: 1.5
    --window COUNT    queries without reply in the closed loop: 128
    --rate RATE       queries a second in the open loop: 1000
    --out FILE        where a line of JSON is appended: bench.jsonl`;

/** Reads the command line. @throws {TypeError} Saying what is wrong with it. */
export function readOptions(args: string[]): Parameters & { readonly out: string; readonly help: boolean } {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      peers: { type: "string", default: "" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      window: { type: "string", default: "128" },
      rate: { type: "string", default: "1000" },
      out: { type: "string", default: new URL("../bench.jsonl", import.meta.url).pathname },
      help: { type: "boolean", default: false },
    },
  });
  return {
    rounds: readNumber("rounds", values.rounds ?? (values.quick ? "2" : "5"), 1),
    seconds: readNumber("seconds", values.seconds ?? (values.quick ? "0.5" : "1.5"), 0.1),
    window: readNumber("window", values.window, 8),
    rate: readNumber("rate", values.rate, 1),
    sockets: 8,
    peers: values.peers.split(",").filter((name) => name !== "").map(readPeer),
    out: values.out,
    help: values.help,
  };
}

function readNumber(option: string, text: string, min: number): number {
  const number = Number(text);
  if (text !== "" && number >= min && number < Infinity) return number;
  throw new TypeError(`--${option} must be a number, at least ${min}: got ${text}`);
}

function readPeer(text: string): PeerName {
  const peer = PEERS.find((name) => name === text);
  if (!peer) throw new TypeError(`--peers must name some of ${PEERS.join(", ")}: got ${text}`);
  return peer;
}

/** Starts every target, measures them in turn, round after round, and stops them. */
async function measureAll(parameters: Parameters, pin: Pin): Promise<Result[]> {
  await using targets = new Started();
  for (const peer of parameters.peers) await targets.add(startPeer(peer, pin));
  await targets.add(startMeridian(pin));
  await targets.add(startEcho(pin));
  await using generator = new Generator(pin);
  const measurements: Measurement[] = [];
  for (let round = 0; round <= parameters.rounds; round++) {
    for (const { target, load } of inTurn(targets.all)) {
      const measurement = await measure(target, load, generator, parameters, round);
      // The first round is for code to be compiled and caches to be filled.
      if (round > 0) measurements.push(measurement);
    }
    say(round === 0 ? "warmed up" : `round ${round} of ${parameters.rounds}`);
  }
  return resultsOf(measurements);
}

/** By load, then by target: what is compared is measured close together. */
function inTurn(targets: readonly Target[]): { target: Target; load: LoadName }[] {
  const loads = new Set(targets.flatMap(({ loads }) => loads));
  return [...loads].flatMap((load) =>
    targets.filter((target) => target.loads.includes(load)).map((target) => ({ target, load }))
  );
}

type Three = [number, number, number];

async function measure(
  target: Target,
  load: LoadName,
  generator: Generator,
  { seconds, window, rate, sockets }: Parameters,
  round: number,
): Promise<Measurement> {
  const job = { port: target.port, load, expected: target.expected(load), seed: 1 + round, sockets, seconds };
  const clocks = () => [cpuSecondsOf(target.pid), cpuSecondsOf(generator.pid), busySeconds()] as const;
  const before = clocks(), beganMs = performance.now();
  const pushed = await generator.push({ ...job, window });
  const after = clocks(), elapsed = (performance.now() - beganMs) / 1000;
  const [targetSeconds, generatorSeconds, allSeconds] = after.map((now, i) => now - before[i]!) as Three;
  const paced = await generator.pace({ ...job, rate, seed: 1000 + round });
  if (pushed.answered === 0 || paced.answered === 0) {
    throw new Error(`${target.name} does not answer to ${load}`);
  }
  return {
    target: target.name,
    load,
    answersPerSecond: pushed.answered / pushed.seconds,
    cpuUsPerAnswer: targetSeconds / pushed.answered * 1e6,
    targetCpu: targetSeconds / pushed.seconds,
    generatorCpu: generatorSeconds / pushed.seconds,
    othersCpu: Math.max(0, allSeconds - targetSeconds - generatorSeconds) / elapsed,
    p50Us: paced.p50Us,
    p99Us: paced.p99Us,
    sent: pushed.sent + paced.sent,
    lost: pushed.sent - pushed.answered + paced.sent - paced.answered,
    wrong: pushed.wrong + paced.wrong,
    residentMiB: residentMiBOf(target.pid),
  };
}

/** What was started and must be stopped, the last first. */
class Started implements AsyncDisposable {
  readonly all: Target[] = [];

  async add(starting: Promise<Target>): Promise<void> {
    const target = await starting;
    this.all.push(target);
    say(`${target.name} answers on 127.0.0.1:${target.port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const target of this.all.toReversed()) await target.stop();
  }
}

function say(what: string): void {
  console.error(`${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${what}`);
}

async function main(args: string[]): Promise<void> {
  const { out, help, ...parameters } = readOptions(args);
  if (help) return console.log(USAGE);
  const pin = await findPin();
  const machine = thisMachine(), commit = await thisCommit();
  const date = new Date().toISOString();
  const results = await measureAll(parameters, pin ?? ((_, command) => [...command]));
  console.log(`
${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, Deno ${machine.deno}, commit ${commit}
${pin ? "server on processor 0, generator on 1" : "not pinned: taskset cannot be used here"}; load average ${
    machine.loadAverage[0]
  } before
Everybody else on this machine used ${othersOf(results).toFixed(2)} processors meanwhile
${parameters.rounds} rounds; closed loop: window ${parameters.window}; open loop: ${parameters.rate} queries/s; medians

${formatResults(results)}
`);
  for (const { target, load, wrongShare } of results) {
    if (wrongShare > 0) {
      console.log(`${target}, ${load}: ${(wrongShare * 100).toFixed(2)} % of replies were wrong`);
    }
  }
  const brief = (_: string, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value;
  const line = { date, commit, machine, isPinned: pin !== undefined, parameters, results };
  await Deno.writeTextFile(out, `${JSON.stringify(line, brief)}\n`, { append: true });
}

/** What others took of the processors, the median of medians. */
function othersOf(results: readonly Result[]): number {
  return summarize(results.map(({ othersCpu }) => othersCpu.median)).median;
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error);
    Deno.exit(1);
  }
}
