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
}

/** What a target is known by: the address and the check, its every parameter. `127.0.0.11 tcp 8443 …`. */
export type TargetKey = string;

/** The whole of what is known of health. */
export type Verdicts = ByTarget<Verdict>;

/** See {@linkcode VerdictDeadline}. */
export type VerdictDeadlines = ByTarget<VerdictDeadline>;
