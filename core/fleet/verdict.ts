/**
 * What probes found: the state of one address under one check.
 *
 * @module
 */

import type { ByTarget } from "./by_target.ts";

/** Unknown counts as up. Degraded keeps its rank at half the weight. */
export type State = "up" | "degraded" | "down" | "unknown";

/** The verdict on one target: part of the snapshot, changes its epoch. */
export interface Verdict {
  readonly state: State;
  /** Since when, milliseconds since 1970. */
  readonly sinceMs: number;
  /** What the last probe said: `connection refused`, `HTTP 503`, `latency 812 ms`. */
  readonly reason: string;
  /** The recovering weight: 0.1 to 1 in tenths. 1 when no ramp is under way. */
  readonly ramp: number;
  /** What regions say that have an opinion of their own, and another; ascending by region. Absent where none has. */
  readonly regions?: readonly RegionalVerdict[];
}

/** What the vantages of one region say of a target, to clients of that region. */
export interface RegionalVerdict extends Omit<Verdict, "regions"> {
  readonly region: string;
}

/** When a verdict could next change: kept beside the snapshot, replaced at every probe. */
export interface VerdictDeadline {
  /** The earliest instant at which the state could become down, were all probes to fail; Infinity when it is down. */
  readonly downMs: number;
  /** The earliest instant at which the state could stop being down; Infinity when it is not down. */
  readonly upMs: number;
  /** The earliest instant of any change, degraded and ramp steps included. */
  readonly changeMs: number;
  /** The next ramp step, or Infinity. */
  readonly rampMs: number;
  /** No failure counted while up, no success counted while down. */
  readonly steady: boolean;
  /** When the verdicts of regions could change that have one of their own; what is above holds for all others. */
  readonly regions?: readonly RegionalDeadline[];
}

/** A deadline as a snapshot has it: {@linkcode asItStands} says what it is by now. */
export interface ToldDeadline extends VerdictDeadline {
  /** Where `downMs` and `changeMs` are by now, of what is put off again and again. */
  readonly end?: SharedEnd;
}

/** An instant in memory that isolates share, milliseconds since 1970. Whoever writes it tells where it comes sooner. */
export interface SharedEnd {
  readonly cells: Float64Array;
  readonly at: number;
}

/** A deadline as it is by now. */
export function asItStands(deadline: ToldDeadline): VerdictDeadline {
  const { end, upMs, rampMs, steady } = deadline;
  if (end === undefined) return deadline;
  const endMs = end.cells[end.at]!;
  return { downMs: endMs, upMs, changeMs: endMs, rampMs, steady };
}

/** When a {@linkcode RegionalVerdict} could next change, or no longer be one. */
export interface RegionalDeadline extends Omit<VerdictDeadline, "regions"> {
  readonly region: string;
}

/** What holds in a region of a verdict or of its deadline: what the region has of its own, or what all have. */
export function inRegion(all: Verdict, region: string | undefined): Verdict;
export function inRegion(all: VerdictDeadline, region: string | undefined): VerdictDeadline;
export function inRegion(
  all: { readonly regions?: readonly { readonly region: string }[] },
  region: string | undefined,
): unknown {
  if (region === undefined || !all.regions) return all;
  return all.regions.find((own) => own.region === region) ?? all;
}

/** What of a verdict answers depend on: not since when it stands, nor why. JSON. */
export function essenceOf(
  { state, ramp, regions }: Verdict,
): readonly [State, number, ...[State, number, string][]] {
  return [
    state,
    ramp,
    ...(regions ?? []).map((own): [State, number, string] => [own.state, own.ramp, own.region]),
  ];
}

/** What a target is known by: the address and the check, its every parameter. `127.0.0.11 tcp 8443 …`. */
export type TargetKey = string;

/** The whole of what is known of health. */
export type Verdicts = ByTarget<Verdict>;

/** See {@linkcode ToldDeadline}. */
export type VerdictDeadlines = ByTarget<ToldDeadline>;
