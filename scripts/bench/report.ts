/**
 * What a run of the benchmark came to: as a table for people, and as a line of JSON to keep.
 *
 * @module
 */

import { formatTable } from "../../core/command/table.ts";
import type { LoadName } from "./queries.ts";
import { summarize, type Summary } from "./statistics.ts";

/** One target under one load in one round. */
export interface Measurement {
  readonly target: string;
  readonly load: LoadName;
  /** Closed loop. */
  readonly answersPerSecond: number;
  readonly cpuUsPerAnswer: number;
  /** How much of one processor was used, by the target and by the generator. */
  readonly targetCpu: number;
  readonly generatorCpu: number;
  /** The same of everybody else, and of the kernel where it worked for no process. */
  readonly othersCpu: number;
  /** Open loop. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Queries without reply, both loops. */
  readonly sent: number;
  readonly lost: number;
  readonly wrong: number;
  readonly residentMiB: number;
}

/** Rounds of one target under one load, taken together. */
export interface Result {
  readonly target: string;
  readonly load: LoadName;
  readonly rounds: number;
  readonly answersPerSecond: Summary;
  readonly cpuUsPerAnswer: Summary;
  readonly p50Us: Summary;
  readonly p99Us: Summary;
  /** Shares of all queries sent. */
  readonly lostShare: number;
  readonly wrongShare: number;
  readonly residentMiB: Summary;
  readonly targetCpu: Summary;
  readonly generatorCpu: Summary;
  readonly othersCpu: Summary;
  readonly limit: Limit;
}

/** What kept the throughput from being higher. `neither`: both waited, for each other or for a processor that others used. */
export type Limit = "server" | "generator" | "both" | "neither";

/** From this share of a processor on, a process is what limits the throughput. */
const BUSY = 0.9;

/** Which side was busy. When both were, the server might do more, though not much. */
export function limitOf(targetCpu: number, generatorCpu: number): Limit {
  if (targetCpu >= BUSY) return generatorCpu >= BUSY ? "both" : "server";
  return generatorCpu >= BUSY ? "generator" : "neither";
}

/** Takes the rounds together; in the order in which targets and loads first came. */
export function resultsOf(measurements: readonly Measurement[]): Result[] {
  const groups = Map.groupBy(measurements, ({ target, load }) => `${load} ${target}`);
  return [...groups.values()].map(resultOf);
}

function resultOf(rounds: readonly Measurement[]): Result {
  const over = (read: (one: Measurement) => number) => summarize(rounds.map(read));
  const sum = (read: (one: Measurement) => number) => rounds.reduce((total, one) => total + read(one), 0);
  return {
    target: rounds[0]!.target,
    load: rounds[0]!.load,
    rounds: rounds.length,
    answersPerSecond: over((one) => one.answersPerSecond),
    cpuUsPerAnswer: over((one) => one.cpuUsPerAnswer),
    p50Us: over((one) => one.p50Us),
    p99Us: over((one) => one.p99Us),
    lostShare: sum((one) => one.lost) / sum((one) => one.sent),
    wrongShare: sum((one) => one.wrong) / sum((one) => one.sent),
    residentMiB: over((one) => one.residentMiB),
    targetCpu: over((one) => one.targetCpu),
    generatorCpu: over((one) => one.generatorCpu),
    othersCpu: over((one) => one.othersCpu),
    limit: limitOf(over((one) => one.targetCpu).median, over((one) => one.generatorCpu).median),
  };
}

/** One row a target and load: medians, with the least and the most; ratios are Meridian's to the target's. */
export function formatResults(results: readonly Result[]): string {
  const headings = [
    ...["load", "target", "answers/s", "min–max", "Meridian is", "CPU µs", "min–max", "Meridian is", "limit"],
    ...["p50 µs", "p99 µs", "lost", "RSS MiB"],
  ];
  return formatTable(headings, results.map((result) => rowOf(result, meridianUnder(result.load, results))));
}

function rowOf(result: Result, meridian: Result | undefined): string[] {
  const ratio = (read: (result: Result) => Summary) =>
    meridian && meridian !== result ? `${(read(meridian).median / read(result).median).toFixed(2)}×` : "";
  return [
    result.load,
    result.target,
    ...summaryCells(result.answersPerSecond, 0),
    ratio(({ answersPerSecond }) => answersPerSecond),
    ...summaryCells(result.cpuUsPerAnswer, 1),
    ratio(({ cpuUsPerAnswer }) => cpuUsPerAnswer),
    result.limit,
    number(result.p50Us.median, 0),
    number(result.p99Us.median, 0),
    `${(result.lostShare * 100).toFixed(2)} %`,
    number(result.residentMiB.median, 0),
  ];
}

function meridianUnder(load: LoadName, results: readonly Result[]): Result | undefined {
  return results.find((result) => result.load === load && result.target === "meridian");
}

function summaryCells({ median, min, max }: Summary, digits: number): [string, string] {
  return [number(median, digits), `${number(min, digits)}–${number(max, digits)}`];
}

function number(value: number, digits: number): string {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
