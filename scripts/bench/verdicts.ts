/** What rounds say of Meridian beside another server, and whether a floor holds. @module */

import type { Measured } from "./load.ts";
import type { ResourceFigure } from "./resources.ts";
import type { Rounds } from "./rounds.ts";
import { binsPercentile, medianOf, type Ratio, ratioOf } from "./statistics.ts";
import type { Floor, LatencyWorkload, LoadWorkload } from "./workloads.ts";

/** Whether what is wanted was reached; `missing` = it could not be measured, which is not reached either. */
export type Outcome = "pass" | "FAIL" | "missing";

/** A line of the report. */
export interface Row {
  readonly workload: string;
  readonly server: string;
  /** What stands here in units of its own, by name: `cpuUs`, `perSecond`, `p50Us` … */
  readonly figures: Readonly<Record<string, number>>;
  /** Meridian's to this server's, so that more is better for Meridian; or less, where `isMost`. */
  readonly ratio?: Ratio;
  readonly floor?: number;
  readonly outcome?: Outcome;
  readonly note?: string;
}

/** A floor holds when the lower end of the interval reaches so much of it. */
const TOLERANCE = 0.95;

/** Whether a ratio reaches a floor. */
export function reaches({ low }: Ratio, floor: number): Outcome {
  return low >= TOLERANCE * floor ? "pass" : "FAIL";
}

/** Whether a ratio stays below a bound. */
export function staysBelow({ high }: Ratio, most: number): Outcome {
  return high <= most / TOLERANCE ? "pass" : "FAIL";
}

/** Processor time of an answer, microseconds. */
export function cpuUsOf({ cpuNs, answered }: Measured): number {
  return cpuNs / answered / 1000;
}

/** Answers a second. */
export function perSecondOf({ answered, seconds }: Measured): number {
  return answered / seconds;
}

/** Rows of servers in turn under one load: a row of a server, and as many more as there are floors of it. */
export function loadRows(workload: LoadWorkload, { measured, missing, agreement }: Rounds): Row[] {
  const { name, floors, judges } = workload;
  const rows = [...measured].map(([server, rounds]): Row => {
    const floor = floors.find(({ ours, theirs }) =>
      theirs === server || (ours === server && ours !== "meridian")
    );
    const [ours, theirs] = floor && floor.ours !== "meridian" ? [server, floor.theirs] : ["meridian", server];
    const row = { workload: name, server, figures: figuresOf(rounds), ...noteOf(rounds, server, agreement) };
    const a = measured.get(ours), b = measured.get(theirs);
    if (a === undefined || b === undefined || a === b) return row;
    const ratio = judges === "cpu" ? costRatio(a, b) : rateRatio(a, b);
    const isJudged = floor && (floor.ours === ours && floor.theirs === theirs);
    return {
      ...row,
      ratio,
      ...(isJudged ? { floor: floor.floor, outcome: reaches(ratio, floor.floor) } : {}),
    };
  });
  return [...rows, ...missingRows(name, missing, floors)];
}

/** How many times less processor time an answer takes. */
function costRatio(ours: readonly Measured[], theirs: readonly Measured[]): Ratio {
  return ratioOf(theirs.map(cpuUsOf), ours.map(cpuUsOf), medianOf);
}

function rateRatio(ours: readonly Measured[], theirs: readonly Measured[]): Ratio {
  return ratioOf(ours.map(perSecondOf), theirs.map(perSecondOf), medianOf);
}

function figuresOf(rounds: readonly Measured[]): Record<string, number> {
  return { cpuUs: medianOf(rounds.map(cpuUsOf)), perSecond: medianOf(rounds.map(perSecondOf)) };
}

/** What makes a row's figures doubtful, or says what they are of. */
function noteOf(rounds: readonly Measured[], server: string, agreement?: number): { note?: string } {
  const wrong = sumOf(rounds, ({ wrong }) => wrong), answered = sumOf(rounds, ({ answered }) => answered);
  const notes = [
    ...(wrong > 0 ? [`${(100 * wrong / answered).toFixed(2)} % of replies wrong`] : []),
    ...(server === "gdnsd" && agreement !== undefined
      ? [`same node for ${(100 * agreement).toFixed(1)} %`]
      : []),
  ];
  return notes.length > 0 ? { note: notes.join("; ") } : {};
}

/** A floor beside a server that is not there is not reached. */
function missingRows(workload: string, missing: Rounds["missing"], floors: readonly Floor[]): Row[] {
  return Object.entries(missing).map(([server, note]) => {
    const floor = floors.find(({ ours, theirs }) => ours === server || theirs === server)?.floor;
    const judged = floor === undefined ? {} : { floor, outcome: "missing" as const };
    return { workload, server, figures: {}, note: firstLine(note), ...judged };
  });
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!.slice(0, 120);
}

/** Rows of latency at one rate: the median and the tail, each beside the echo. */
export function latencyRows(workload: LatencyWorkload, rate: string, { measured, missing }: Rounds): Row[] {
  const name = `${workload.name} ${rate}`, ours = measured.get("meridian"), echo = measured.get("echo");
  const rows = [...measured].map(([server, rounds]): Row => {
    const figures = Object.fromEntries(
      [["p50Us", 0.5], ["p99Us", 0.99], ["p999Us", 0.999]].map(([name, share]) => [
        name,
        binsPercentile(rounds.map(({ bins }) => bins), share as number) / 1000,
      ]),
    );
    return { workload: name, server, figures: { ...figures, cpuUs: figuresOf(rounds).cpuUs! } };
  });
  const absent = missingRows(name, missing, []).map((row) => ({ ...row, outcome: "missing" as const }));
  if (!ours || !echo) return [...rows, ...absent];
  const judged = ([["p50", 0.5, workload.p50], ["p99", 0.99, workload.p99]] as const).map(
    ([what, share, floor]): Row => {
      const ratio = ratioOf(ours, echo, (rounds) => binsPercentile(rounds.map(({ bins }) => bins), share));
      const server = `${what}, of the echo's at most`;
      return { workload: name, server, figures: {}, ratio, floor, outcome: staysBelow(ratio, floor) };
    },
  );
  return [...rows, ...absent, ...judged];
}

/** Rows of what was lost. Meridian must lose nothing. */
export function lossRows(workload: string, { measured, missing }: Rounds): Row[] {
  const rows = [...measured].map(([server, rounds]): Row => {
    const sent = sumOf(rounds, ({ sent }) => sent), lost = sent - sumOf(rounds, ({ answered }) => answered);
    const figures = { sent, lost, cpuUs: figuresOf(rounds).cpuUs! };
    const outcome = server === "meridian"
      ? { floor: 0, outcome: lost === 0 ? "pass" as const : "FAIL" as const }
      : {};
    return { workload, server, figures, ...outcome };
  });
  return [...rows, ...missingRows(workload, missing, [])];
}

/** Rows of what Meridian takes by itself. */
export function resourceRows(workload: string, figures: readonly ResourceFigure[]): Row[] {
  return figures.map(({ what, value, unit, most }) => ({
    workload,
    server: what,
    figures: { [unit]: value },
    floor: most,
    outcome: value <= most ? "pass" : "FAIL",
  }));
}

function sumOf<T>(rounds: readonly T[], read: (round: T) => number): number {
  return rounds.reduce((sum, round) => sum + read(round), 0);
}
