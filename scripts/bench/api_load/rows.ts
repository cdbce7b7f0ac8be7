/** What rounds come to, as rows of a table. @module */

import type { Figures } from "../load.ts";
import { binsPercentile, medianOf, type Ratio, ratioOf } from "../statistics.ts";
import { QUERY_RATE, type Round, ROUND_KINDS, type Rounds } from "./round.ts";

/** Over the columns of {@linkcode rowsOf}. */
export const HEADINGS = [
  ...["store, place", "figure", "idle", "with heartbeats", "ratio", "90 % of draws", ""],
  ...["with neighbour", "ratio", "90 % of draws"],
] as const;

/** What the figures of rounds with heartbeats may be at most, of those without. */
const MOST = 1.05;

type FigureOf = (rounds: readonly Round[]) => number;

const of = (read: (round: Round) => number): FigureOf => (rounds) => medianOf(rounds.map(read));

/** A percentile of each round, and of these the median: one round that somebody else disturbed decides nothing. */
const latencyUs = (share: number) => of(({ bins }) => binsPercentile([bins], share) / 1000);
const serverUs = (share: number) => of(({ serverBins }) => binsPercentile([serverBins], share) / 1000);

/** Of which ratios are told. */
const COMPARED: readonly {
  readonly name: string;
  readonly figureOf: FigureOf;
  readonly isJudged: boolean;
}[] = [
  { name: "CPU µs of the worker, a query", figureOf: of(({ workerUs }) => workerUs), isJudged: true },
  { name: "CPU µs without the fleet isolate", figureOf: of(({ allUs }) => allUs), isJudged: true },
  { name: "answers a second", figureOf: of(({ perSecond }) => perSecond), isJudged: false },
  { name: `p50 at ${QUERY_RATE}/s, µs`, figureOf: latencyUs(0.5), isJudged: false },
  { name: `p99 at ${QUERY_RATE}/s, µs`, figureOf: latencyUs(0.99), isJudged: true },
  { name: "p50 of the server alone, µs", figureOf: serverUs(0.5), isJudged: false },
  { name: "p99 of the server alone, µs", figureOf: serverUs(0.99), isJudged: true },
];

/** The rest, as it is shown of rounds of one kind. */
const TOLD: readonly { readonly name: string; tell(rounds: readonly Round[]): string }[] = [
  { name: "queries lost", tell: (rounds) => shownCount(sumOf(rounds, ({ lost }) => lost)) },
  {
    name: "fleet isolate, of a processor",
    tell: (rounds) => shown(medianOf(rounds.map(({ fleetShare }) => fleetShare))),
  },
  {
    name: "neighbour, of a processor",
    tell: (rounds) => shown(medianOf(rounds.map(({ neighbourShare }) => neighbourShare))),
  },
  { name: "heartbeats sent", tell: withBeats((beats) => shownCount(sumOf(beats, ({ sent }) => sent))) },
  {
    name: "heartbeats answered",
    tell: withBeats((beats) => shownCount(sumOf(beats, ({ answered, wrong }) => answered - wrong))),
  },
  {
    name: "p99 of heartbeats, ms",
    tell: withBeats((beats) => shown(binsPercentile(beats.map(({ bins }) => bins), 0.99) / 1e6)),
  },
];

/** Rows under {@linkcode HEADINGS}. Only what heartbeats to Meridian cost is judged: of the neighbour nothing is wanted. */
export function rowsOf(title: string, rounds: Rounds): string[][] {
  const { idle, heartbeats, neighbour } = rounds;
  return [
    ...COMPARED.map(({ name, figureOf, isJudged }) => {
      const ratio = ratioOf(heartbeats, idle, figureOf);
      return [
        ...[title, name, shown(figureOf(idle)), shown(figureOf(heartbeats)), ...shownRatio(ratio)],
        isJudged ? verdictOf(ratio) : "",
        ...[shown(figureOf(neighbour)), ...shownRatio(ratioOf(neighbour, idle, figureOf))],
      ];
    }),
    ...TOLD.map(({ name, tell }) => {
      const [without, loaded, beside] = ROUND_KINDS.map((kind) => tell(rounds[kind]));
      return [title, name, without!, loaded!, "", "", "", beside!, "", ""];
    }),
  ];
}

/** Nothing of rounds without heartbeats. */
function withBeats(tell: (beats: readonly Figures[]) => string): (rounds: readonly Round[]) => string {
  return (rounds) => {
    const beats = rounds.flatMap(({ beats }) => beats ?? []);
    return beats.length > 0 ? tell(beats) : "";
  };
}

function sumOf<T>(all: readonly T[], read: (one: T) => number): number {
  return all.reduce((sum, one) => sum + read(one), 0);
}

function verdictOf({ ratio }: Ratio): string {
  return ratio <= MOST ? "pass" : "FAIL";
}

function shownRatio({ ratio, low, high }: Ratio): [string, string] {
  return [ratio.toFixed(3), `${low.toFixed(3)}–${high.toFixed(3)}`];
}

function shown(value: number): string {
  return value >= 1000 ? shownCount(Math.round(value)) : value.toFixed(2);
}

function shownCount(count: number): string {
  return count.toLocaleString("en");
}
