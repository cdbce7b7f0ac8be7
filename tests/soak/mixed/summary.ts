/**
 * What the samples of a mixed load come to.
 *
 * @module
 */

import { binsPercentile, medianOf } from "../../../scripts/bench/statistics.ts";
import type { Sample } from "./server.ts";
import type { SteadyFigures, Window } from "./world.ts";

/** Latencies in microseconds. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** A part of the time: medians of the samples and of the windows that fall into it. */
export interface Part extends Latencies {
  readonly untilSeconds: number;
  readonly residentMiB: number;
  readonly anonymousMiB: number;
  readonly descriptors: number;
  readonly threads: number;
  /** Processors that the server took. */
  readonly processors: number;
  readonly sent: number;
  readonly lost: number;
  readonly wrong: number;
}

/** The latencies of some kinds taken together. */
export function latenciesOf(figures: readonly SteadyFigures[]): Latencies {
  const bins = figures.map(({ bins }) => bins);
  const at = (share: number) => binsPercentile(bins, share) / 1000;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

/** The time cut into `count` equal parts. */
export function partsOf(samples: readonly Sample[], windows: readonly Window[], count: number): Part[] {
  const from = samples[0]!.atSeconds, length = (samples.at(-1)!.atSeconds - from) / count;
  return Array.from({ length: count }, (_, i) => {
    const isIn = ({ atSeconds }: { readonly atSeconds: number }) =>
      Math.min(count - 1, Math.floor((atSeconds - from) / length)) === i;
    return partOf(samples.filter(isIn), windows.filter(isIn));
  });
}

function partOf(samples: readonly Sample[], windows: readonly Window[]): Part {
  const [first, last] = [samples[0]!, samples.at(-1)!];
  const latencies = windows.map(({ kinds }) => latenciesOf(Object.values(kinds)));
  const figures = windows.flatMap(({ kinds }) => Object.values(kinds));
  const middle = <T>(of: readonly T[], what: (one: T) => number) =>
    of.length > 0 ? medianOf(of.map(what)) : NaN;
  const sum = (what: (one: SteadyFigures) => number) => figures.reduce((total, one) => total + what(one), 0);
  return {
    untilSeconds: last.atSeconds,
    residentMiB: middle(samples, ({ residentMiB }) => residentMiB),
    anonymousMiB: middle(samples, ({ anonymousMiB }) => anonymousMiB),
    descriptors: middle(samples, ({ descriptors }) => descriptors),
    threads: middle(samples, ({ threads }) => threads),
    processors: (last.cpuSeconds - first.cpuSeconds) / (last.atSeconds - first.atSeconds),
    p50: middle(latencies, ({ p50 }) => p50),
    p99: middle(latencies, ({ p99 }) => p99),
    p999: middle(latencies, ({ p999 }) => p999),
    sent: sum(({ sent }) => sent),
    lost: sum(({ sent, answered }) => sent - answered),
    wrong: sum(({ wrong }) => wrong),
  };
}

/** Parts as lines of text. */
export function tableOf(parts: readonly Part[]): string {
  const columns: readonly (readonly [string, (part: Part) => string])[] = [
    ["until s", ({ untilSeconds }) => untilSeconds.toFixed(0)],
    ["sent", ({ sent }) => `${sent}`],
    ["lost", ({ lost }) => `${lost}`],
    ["wrong", ({ wrong }) => `${wrong}`],
    ["p50 µs", ({ p50 }) => p50.toFixed(0)],
    ["p99 µs", ({ p99 }) => p99.toFixed(0)],
    ["p99.9 µs", ({ p999 }) => p999.toFixed(0)],
    ["RSS MiB", ({ residentMiB }) => residentMiB.toFixed(1)],
    ["anon MiB", ({ anonymousMiB }) => anonymousMiB.toFixed(1)],
    ["fds", ({ descriptors }) => `${descriptors}`],
    ["threads", ({ threads }) => `${threads}`],
    ["processors", ({ processors }) => processors.toFixed(2)],
  ];
  const lines = [
    columns.map(([head]) => head),
    ...parts.map((part) => columns.map(([, cell]) => cell(part))),
  ];
  return lines.map((cells) => cells.map((cell) => cell.padStart(10)).join(" ")).join("\n");
}
