/**
 * The benchmark: what Meridian costs and how fast it is, alone or beside other servers. docs/BENCH.md says what it
 * measures and what not.
 *
 *     deno task bench [--quick] [--peers nsd,knot,gdnsd]
 *     deno task bench --abuse [--peers knot]
 *
 * @module
 */

import { parseArgs } from "node:util";
import { formatAbuse, measureAbuse } from "./bench/abuse.ts";
import { Generator } from "./bench/generator_process.ts";
import { thisCommit, thisMachine } from "./bench/machine.ts";
import { measure, type Parameters, undisturbed } from "./bench/measure.ts";
import { findPin, type Pin } from "./bench/process.ts";
import type { LoadName } from "./bench/queries.ts";
import { formatResults, type Measurement, type Result, resultsOf } from "./bench/report.ts";
import { summarize } from "./bench/statistics.ts";
import { type PeerName, PEERS, startEcho, startMeridian, startPeer, type Target } from "./bench/targets.ts";

/** What a run is. */
export interface Run extends Parameters {
  readonly rounds: number;
  readonly peers: readonly PeerName[];
  /** How often to take a measurement again that others disturbed. */
  readonly retakes: number;
}

const USAGE = `deno task bench [OPTION]...

    --quick             2 rounds of 0.5 s: a glance
    --peers NAMES       measure beside these, of nsd,knot,gdnsd; what is missing is installed from Debian
    --rounds COUNT      5
    --seconds SECONDS   of each load in each round, per kind of loop: 1.5
    --window COUNT      queries without reply in the closed loop: 128
    --rate RATE         queries a second in the open loop: 1000
    --retakes COUNT     measure again, so many times at most, what others on this machine disturbed: 0
    --out FILE          where a line of JSON is appended: bench.jsonl
    --abuse             instead of all that: what floods with forged sources draw; --peers knot, --seconds 5, --rate 5000`;

/** Reads the command line. @throws {TypeError} Saying what is wrong with it. */
export function readOptions(args: string[]): Run & { readonly out: string; readonly help: boolean } {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      peers: { type: "string", default: "" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      window: { type: "string", default: "128" },
      rate: { type: "string", default: "1000" },
      retakes: { type: "string", default: "0" },
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
    retakes: readNumber("retakes", values.retakes, 0),
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

/** Starts every target, and measures them in turn, round after round. */
async function measureAll(run: Run, pin: Pin, targets: Started): Promise<Result[]> {
  for (const peer of run.peers) await targets.add(startPeer(peer, pin));
  await targets.add(startMeridian(pin));
  await targets.add(startEcho(pin));
  await using generator = new Generator(pin);
  const turns = inTurn(targets.all), measurements: Measurement[] = [];
  // Code is compiled and caches are filled before anything counts.
  for (const { target, load } of turns) await measure(target, load, generator, run, 1);
  say("warmed up");
  for (let round = 1; round <= run.rounds; round++) {
    for (const { target, load } of turns) {
      measurements.push(
        await undisturbed(run.retakes, () => measure(target, load, generator, run, 1 + round)),
      );
    }
    say(`round ${round} of ${run.rounds}`);
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

/** `--abuse`: another benchmark altogether, with few options of its own. */
async function abuse(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      abuse: { type: "boolean" },
      peers: { type: "string", default: "" },
      seconds: { type: "string", default: "5" },
      rate: { type: "string", default: "5000" },
    },
  });
  if (!["", "knot"].includes(values.peers)) {
    throw new TypeError(`--peers with --abuse must be knot: got ${values.peers}`);
  }
  const seconds = readNumber("seconds", values.seconds, 1), rate = readNumber("rate", values.rate, 1);
  const pin = await findPin() ?? ((_: number, command: readonly string[]) => [...command]);
  const machine = thisMachine();
  console.log(`
${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, Deno ${machine.deno}, commit ${await thisCommit()}
${seconds} s of ${rate} forged queries a second

${formatAbuse(await measureAbuse({ seconds, rate, withKnot: values.peers === "knot" }, pin))}
`);
}

async function main(args: string[]): Promise<void> {
  if (args.includes("--abuse")) return await abuse(args);
  const { out, help, ...run } = readOptions(args);
  if (help) return console.log(USAGE);
  const pin = await findPin();
  const machine = thisMachine(), commit = await thisCommit();
  const date = new Date().toISOString();
  await using targets = new Started();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      await targets[Symbol.asyncDispose]();
      Deno.exit(130);
    });
  }
  const results = await measureAll(run, pin ?? ((_, command) => [...command]), targets);
  console.log(`
${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, Deno ${machine.deno}, commit ${commit}
${pin ? "server on processor 0, generator on 1" : "not pinned: taskset cannot be used here"}; load average ${
    machine.loadAverage[0]
  } before
Everybody else on this machine used ${othersOf(results).toFixed(2)} processors meanwhile
${run.rounds} rounds; closed loop: window ${run.window}; open loop: ${run.rate} queries/s; medians

${formatResults(results)}
`);
  for (const { target, load, wrongShare } of results) {
    if (wrongShare > 0) {
      console.log(`${target}, ${load}: ${(wrongShare * 100).toFixed(2)} % of replies were wrong`);
    }
  }
  const brief = (_: string, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value;
  const line = { date, commit, machine, isPinned: pin !== undefined, parameters: run, results };
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
