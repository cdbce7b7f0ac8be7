/**
 * The benchmark: what Meridian costs and how fast it is, beside other servers under the same load in the same run, and
 * whether it reaches what is asked of it. docs/PERFORMANCE.md has its figures, docs/BENCH.md says how it measures.
 *
 *     deno task bench [--all | --workload geo,static] [--peers gdnsd,knot] [--quick]
 *     deno task bench --micro
 *     deno task bench --abuse [--peers knot]
 *     deno task bench --api-load [--store sqlite,etcd]
 *
 * @module
 */

import { parseArgs } from "node:util";
import { formatAbuse, measureAbuse } from "./bench/abuse.ts";
import { measureApiLoad, STORE_KINDS, type StoreKind } from "./bench/api_load.ts";
import { cityData, NO_CITY_DATA } from "./bench/city_database.ts";
import { appendRun, lastRun, Unfinished } from "./bench/history.ts";
import { thisCommit, thisMachine } from "./bench/machine.ts";
import { findPin, type Pin } from "./bench/process.ts";
import { formatRows, markdownRows, tally } from "./bench/report.ts";
import { idleFigures, memoryFigures, startFigures } from "./bench/resources.ts";
import { latencyRounds, loadRounds, lossRounds, type Run } from "./bench/rounds.ts";
import { latencyRows, loadRows, lossRows, resourceRows, type Row } from "./bench/verdicts.ts";
import { needsCity, type Workload, WORKLOADS } from "./bench/workloads.ts";

const NAMES = WORKLOADS.map(({ name }) => name);

const USAGE = `deno task bench [OPTION]...

    --all               every workload beside every server, 15 rounds: about 15 minutes
    --workload NAMES    some of ${NAMES.join(",")}; geo and static by default
    --peers NAMES       measure beside these only; what is missing is installed from Debian and npm
    --rounds COUNT      of each server: 15
    --seconds SECONDS   of each server in each round: 0.5
    --quick             3 rounds of 0.3 s: a glance, not a figure to quote
    --resume            go on where a run with the same options and commit broke off
    --out FILE          where a line of JSON is appended: scripts/bench/history.jsonl
    --table             instead: the last run of that file, in Markdown
    --micro             instead: what parsing, lookup, choosing and encoding cost within the process
    --abuse             instead: what floods with forged sources draw; --peers knot, --seconds 5, --rate 5000
    --api-load          instead: what heartbeats cost queries, and what they cost sent to another program;
                        --store sqlite,etcd, --rounds 8, --rate 1000
    --help              this`;

/** What a command line asks for. */
export interface Options {
  readonly workloads: readonly Workload[];
  readonly peers?: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly resumes: boolean;
  readonly out: string;
  readonly showsTable: boolean;
  readonly help: boolean;
}

/** Reads the command line. @throws {TypeError} Saying what is wrong with it. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      all: { type: "boolean", default: false },
      workload: { type: "string", default: "geo,static" },
      peers: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      resume: { type: "boolean", default: false },
      out: { type: "string", default: new URL("./bench/history.jsonl", import.meta.url).pathname },
      table: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const names = values.all ? NAMES : values.workload.split(",");
  return {
    workloads: names.map(workloadOf),
    ...(values.peers === undefined ? {} : { peers: values.peers.split(",").map(readPeer) }),
    rounds: readNumber("rounds", values.rounds ?? (values.quick ? "3" : "15"), 1),
    seconds: readNumber("seconds", values.seconds ?? (values.quick ? "0.3" : "0.5"), 0.05),
    resumes: values.resume,
    out: values.out,
    showsTable: values.table,
    help: values.help,
  };
}

function workloadOf(text: string): Workload {
  const workload = WORKLOADS.find(({ name }) => name === text);
  if (!workload) throw new TypeError(`--workload must name some of ${NAMES.join(", ")}: got ${text}`);
  return workload;
}

function readPeer(text: string): string {
  const known = new Set(
    WORKLOADS.flatMap((workload) => "servers" in workload ? workload.servers : []).map(({ name }) => name)
      .filter((name) => !name.startsWith("meridian")),
  );
  if (known.has(text)) return text;
  throw new TypeError(`--peers must name some of ${[...known].join(", ")}: got ${text}`);
}

function readNumber(option: string, text: string, min: number): number {
  const number = Number(text);
  if (text !== "" && number >= min && number < Infinity) return number;
  throw new TypeError(`--${option} must be a number, at least ${min}: got ${text}`);
}

interface Outcome {
  readonly rows: Row[];
  readonly versions: Record<string, string>;
}

async function measureWorkload(workload: Workload, run: Run): Promise<Outcome> {
  switch (workload.kind) {
    case "load": {
      const rounds = await loadRounds(workload, run);
      return { rows: loadRows(workload, rounds), versions: { ...rounds.versions } };
    }
    case "latency": {
      const byRate = await latencyRounds(workload, run);
      const rows = [...byRate].flatMap(([rate, rounds]) => latencyRows(workload, rate, rounds));
      return { rows, versions: {} };
    }
    case "loss":
      return { rows: lossRows(workload.name, await lossRounds(workload, run)), versions: {} };
    case "resource": {
      const figuresOf = { idle: idleFigures, memory: memoryFigures, start: startFigures }[workload.name];
      return { rows: resourceRows(workload.name, await figuresOf(run)), versions: {} };
    }
  }
}

/** A workload that cannot be measured at all has failed. */
function failedRow({ name }: Workload, error: unknown): Row {
  const note = (error as Error).message.split("\n", 1)[0]!;
  return { workload: name, server: "meridian", figures: {}, outcome: "missing", note };
}

async function bench({ workloads, resumes, out, ...options }: Options): Promise<void> {
  const found = await findPin(), pin: Pin = found ?? ((_, command) => [...command]);
  const machine = thisMachine(), commit = await thisCommit(), date = new Date().toISOString();
  const key = [commit, options.rounds, options.seconds, ...(options.peers ?? [])].join("-");
  const unfinished = await Unfinished.open(key, resumes);
  const wantsCity = workloads.some((workload) => needsCity(workload, options.peers));
  const city = wantsCity ? await cityData(say) : NO_CITY_DATA;
  const run: Run = { ...options, pin, say, city };
  const versions: Record<string, string> = {}, rows: Row[] = [];
  console.log(
    `${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, Deno ${machine.deno}
commit ${commit}; ${found ? "servers on processor 0, generators on 1" : "not pinned: no taskset"}
${options.rounds} rounds of ${options.seconds} s, servers in turn; load average before: ${
      machine.loadAverage[0]
    }
`,
  );
  for (const workload of workloads) {
    let outcome = unfinished.get(workload.name);
    if (outcome === undefined) {
      say(`${workload.name}: ${workload.what}`);
      try {
        outcome = await measureWorkload(workload, run);
        await unfinished.put(workload.name, outcome.rows, outcome.versions);
      } catch (error) {
        outcome = { rows: [failedRow(workload, error)], versions: {} };
      }
    }
    Object.assign(versions, outcome.versions);
    rows.push(...outcome.rows);
    console.log(`${formatRows(outcome.rows)}\n`);
  }
  console.log(`${tally(rows)}; ${Object.entries(versions).map((pair) => pair.join(" ")).join(", ")}`);
  const { rounds, seconds } = options;
  await appendRun(out, {
    date,
    commit,
    machine,
    isPinned: found !== undefined,
    rounds,
    seconds,
    versions,
    rows,
  });
  await unfinished.remove();
}

async function showTable(path: string): Promise<void> {
  const { date, commit, machine, rounds, seconds, versions, rows } = await lastRun(path);
  console.log(
    `${date.slice(0, 10)}, commit ${commit}; ${machine.processor}, ${machine.processors} processors, Linux
${machine.kernel}, Deno ${machine.deno}; ${Object.entries(versions).map((pair) => pair.join(" ")).join(", ")}.
${rounds} rounds of ${seconds} s. ${tally(rows)}.

${markdownRows(rows)}`,
  );
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
  const pin = await findPin() ?? ((_: unknown, command: readonly string[]) => [...command]);
  const machine = thisMachine();
  console.log(`
${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, Deno ${machine.deno}, commit ${await thisCommit()}
${seconds} s of ${rate} forged queries a second

${formatAbuse(await measureAbuse({ seconds, rate, withKnot: values.peers === "knot" }, pin))}
`);
}

/** `--api-load`: the same server with its interface idle, and at work. */
async function apiLoad(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      "api-load": { type: "boolean" },
      store: { type: "string", default: STORE_KINDS.join(",") },
      rounds: { type: "string", default: "8" },
      rate: { type: "string", default: "1000" },
    },
  });
  const stores = values.store.split(",").map((name): StoreKind => {
    const kind = STORE_KINDS.find((kind) => kind === name);
    if (kind) return kind;
    throw new TypeError(`--store must name some of ${STORE_KINDS.join(", ")}: got ${name}`);
  });
  const rounds = readNumber("rounds", values.rounds, 1), rate = readNumber("rate", values.rate, 1);
  const pin = await findPin();
  if (!pin) throw new TypeError("--api-load wants two processors and taskset");
  const machine = thisMachine();
  console.log(`
${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, Deno ${machine.deno}, commit ${await thisCommit()}
${10 * rate} nodes, ${rate} heartbeats a second; ${rounds} rounds of each kind; load average before: ${
    machine.loadAverage[0]
  }

${await measureApiLoad({ stores, rounds, rate, say }, await cityData(say), pin)}
`);
}

/** `--micro`: programs of their own, so that each starts with fresh code. */
async function micro(): Promise<void> {
  const pin = await findPin() ?? ((_: unknown, command: readonly string[]) => [...command]);
  for (const script of ["parts", "in_process"]) {
    const path = new URL(`./bench/${script}.ts`, import.meta.url).pathname;
    const run = [Deno.execPath(), "run", "-A", "--no-check", "--v8-flags=--expose-gc", path];
    const [program, ...args] = pin(0, run);
    const { success } = await new Deno.Command(program!, { args, stdout: "inherit" }).output();
    if (!success) throw new Error(`${path} failed`);
  }
}

async function main(args: string[]): Promise<void> {
  if (args.includes("--micro")) return await micro();
  if (args.includes("--api-load")) return await apiLoad(args);
  if (args.includes("--abuse")) return await abuse(args);
  const options = readOptions(args);
  if (options.help) return console.log(USAGE);
  if (options.showsTable) return await showTable(options.out);
  await bench(options);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error);
    Deno.exit(1);
  }
}
