/** The kinds of rounds, in which order they come, and what one comes to. @module */

import type { Figures } from "../load.ts";
import type { Bins } from "../statistics.ts";

/** Who is sent heartbeats meanwhile: nobody, Meridian, or the neighbour. */
export const ROUND_KINDS = ["idle", "heartbeats", "neighbour"] as const;
export type RoundKind = typeof ROUND_KINDS[number];

/** Queries a second while latency is measured. */
export const QUERY_RATE = 10_000;

/** What one round came to. */
export interface Round {
  /** Processor time of the thread that answers, of a query; of all threads but the one that hears nodes. Microseconds. */
  readonly workerUs: number;
  readonly allUs: number;
  readonly perSecond: number;
  /** Latencies at {@linkcode QUERY_RATE}. */
  readonly bins: Bins;
  readonly serverBins: Bins;
  readonly lost: number;
  /** Shares of a processor that the threads take that hear: Meridian's, and the neighbour's. */
  readonly fleetShare: number;
  readonly neighbourShare: number;
  /** Heartbeats to either. */
  readonly beats?: Figures;
}

/** One of each kind in each cycle. */
export type Rounds = Readonly<Record<RoundKind, readonly Round[]>>;

/**
 * The order within a cycle. In six cycles each of the six orders comes once, every kind as often first, second and last, and, as
 * a round may leave something to the next, as often after either of the others, and never after itself.
 */
export function orderOf(cycle: number): RoundKind[] {
  const first = cycle % 3, kinds = cycle % 6 < 3 ? ROUND_KINDS : ROUND_KINDS.toReversed();
  return [...kinds.slice(first), ...kinds.slice(0, first)];
}
