/**
 * The state machine of one target, as values: what is known of it, what a probe adds, and when what could change.
 *
 *     unknown --rise successes--> up <--latency--> degraded
 *        \________________________|_________________/
 *                  fall failures, or slow-flap        --> down --rise successes, hold-down over--> up
 *
 * @module
 */

import type { State, Verdict, VerdictDeadline } from "../../core/fleet/verdict.ts";
import { earliestGapMs, failureGapMs } from "./schedule.ts";

/** How a target is probed and judged: the options of the directive. */
export interface Timing {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row that make a target down. */
  readonly fall: number;
  /** Successes in a row that bring it up. */
  readonly rise: number;
  /** Failures, not in a row, that make it down as well, forgotten after `clear` successes in a row; absent = off. */
  readonly slowFlap?: { readonly failures: number; readonly clear: number };
  /** Whether probes follow fast after a first failure. */
  readonly confirm: boolean;
  /** How long a target that went down again stays down at least; absent = off. */
  readonly holdDown?: { readonly firstMs: number; readonly maxMs: number };
  /** Over how long the weight recovers; 0 = at once. */
  readonly rampMs: number;
  /** Above this latency a success is slow; Infinity = never. */
  readonly slowMs: number;
}

/** All that is known of one target. Plain data: it is kept across restarts. Counters are of the present state. */
export interface TargetState {
  readonly state: State;
  /** Since when, milliseconds since 1970. */
  readonly sinceMs: number;
  /** What the probe said that brought the state about. */
  readonly reason: string;
  /** When the last probe ended; 0 = never. */
  readonly probedMs: number;
  /** Failures in a row, while not down. */
  readonly failures: number;
  /** Failures not yet forgotten, while not down. */
  readonly flaps: number;
  /** Successes in a row. */
  readonly successes: number;
  /** Slow successes in a row. */
  readonly slow: number;
  /** Fast successes in a row. */
  readonly fast: number;
  /** When it last went down; 0 = never. */
  readonly wentDownMs: number;
  /** How long it had to stay down then. */
  readonly holdMs: number;
  /** Tenths of its weight: 1 to 10. */
  readonly ramp: number;
  /** When it came up: the start of the ramp. */
  readonly rampFromMs: number;
}

/** What happens to a target: a probe's end, or the passing of time. A success without latency was not measured fairly. */
export type Event =
  | { readonly kind: "ok"; readonly atMs: number; readonly latencyMs?: number; readonly reason: string }
  | { readonly kind: "failed"; readonly atMs: number; readonly reason: string }
  | { readonly kind: "time"; readonly atMs: number };

/** Going down twice within this span is flapping: the second time the hold-down begins. */
const FLAPPING_MS = 3_600_000;

/** A state kept longer than this says nothing of now. */
const STALE_MS = 900_000;

/** A target of which nothing is known. It counts as up, and takes as many failures to go down as any. */
export function unknownState(nowMs: number): TargetState {
  return {
    state: "unknown",
    sinceMs: nowMs,
    reason: "too little is known yet",
    probedMs: 0,
    ...NO_COUNTS,
    wentDownMs: 0,
    holdMs: 0,
    ramp: 10,
    rampFromMs: 0,
  };
}

/**
 * A starting state from one that an earlier process kept: its state while that is news, its history always. Its
 * counters are not taken over: the probes on both sides of a gap are not in a row.
 */
export function adopt(kept: TargetState, nowMs: number): TargetState {
  const fresh = nowMs - kept.probedMs <= STALE_MS && kept.probedMs <= nowMs;
  const known = notAfter(nowMs, kept);
  const { wentDownMs, holdMs } = known;
  return fresh ? { ...known, ...NO_COUNTS } : { ...unknownState(nowMs), wentDownMs, holdMs };
}

/**
 * A state as it is to be read once the clock has been set back to `nowMs`: what it has in the future is now. Else a target
 * that went down would stay so, and a ramp stand still, until the clock has caught up.
 */
export function notAfter(nowMs: number, state: TargetState): TargetState {
  return {
    ...state,
    sinceMs: Math.min(state.sinceMs, nowMs),
    probedMs: Math.min(state.probedMs, nowMs),
    wentDownMs: Math.min(state.wentDownMs, nowMs),
    rampFromMs: Math.min(state.rampFromMs, nowMs),
  };
}

/** Whether a state that nobody probes any more is of no use even as history. */
export function isForgettable({ probedMs, wentDownMs }: TargetState, nowMs: number): boolean {
  return nowMs - Math.max(probedMs, wentDownMs) > FLAPPING_MS;
}

/** The state after `event`. */
export function next(state: TargetState, event: Event, timing: Timing): TargetState {
  switch (event.kind) {
    case "ok":
      return afterSuccess(withTime(state, event.atMs, timing), event, timing);
    case "failed":
      return afterFailure(withTime(state, event.atMs, timing), event, timing);
    case "time":
      return withTime(state, event.atMs, timing);
  }
}

/** What the snapshot shows of it. */
export function verdict({ state, sinceMs, reason, ramp }: TargetState): Verdict {
  return { state, sinceMs, reason, ramp: ramp / 10 };
}

/** Whether a failure has been seen that is being looked into. */
export function isSuspect({ state, failures }: TargetState): boolean {
  return state !== "down" && failures > 0;
}

/** When time alone changes the state next: the end of a hold-down, a step of the ramp. Infinity = never. */
export function wakeMs(state: TargetState, timing: Timing): number {
  if (state.state !== "down") return rampStepMs(state, timing);
  return state.successes >= timing.rise ? holdEndMs(state) : Infinity;
}

/**
 * When the verdict could next change, each instant the earliest that any outcome of the probes to come can bring
 * about: a probe may end the moment it starts, and is as early as its jitter lets it be. `nextProbeMs` is when the
 * next probe starts, or when the one under way did.
 */
export function deadlines(
  state: TargetState,
  timing: Timing,
  nextProbeMs: number,
  nowMs: number,
): Omit<VerdictDeadline, "regions"> {
  const after = (probes: number, gapMs: number) => Math.max(nextProbeMs + (probes - 1) * gapMs, nowMs);
  const gapMs = earliestGapMs(timing);
  const downMs = state.state === "down" ? Infinity : after(failuresLeft(state, timing), failureGapMs(timing));
  const upMs = state.state !== "down" ? Infinity : Math.max(
    holdEndMs(state),
    nowMs,
    state.successes < timing.rise ? after(timing.rise - state.successes, gapMs) : 0,
  );
  const rampMs = Math.max(rampStepMs(state, timing), nowMs);
  const otherMs = after(successesToAnotherState(state, timing), gapMs);
  return { downMs, upMs, changeMs: Math.min(downMs, upMs, rampMs, otherMs), rampMs, steady: isSteady(state) };
}

const NO_COUNTS = Object.freeze({ failures: 0, flaps: 0, successes: 0, slow: 0, fast: 0 });

function withTime(state: TargetState, atMs: number, timing: Timing): TargetState {
  if (state.state === "down") {
    return state.successes >= timing.rise && atMs >= holdEndMs(state) ? comeUp(state, atMs, timing) : state;
  }
  if (state.ramp === 10) return state;
  const steps = timing.rampMs > 0 ? 1 + Math.floor((10 * (atMs - state.rampFromMs)) / timing.rampMs) : 10;
  return { ...state, ramp: Math.max(state.ramp, Math.min(10, steps)) };
}

function afterFailure(before: TargetState, event: Event & { kind: "failed" }, timing: Timing): TargetState {
  const state = { ...before, probedMs: event.atMs, successes: 0, slow: 0, fast: 0 };
  if (state.state === "down") return state;
  const failures = state.failures + 1, flaps = state.flaps + 1;
  const isDown = failures >= timing.fall || (timing.slowFlap && flaps >= timing.slowFlap.failures);
  return isDown ? goDown(state, event, timing) : { ...state, failures, flaps };
}

function afterSuccess(before: TargetState, event: Event & { kind: "ok" }, timing: Timing): TargetState {
  const { latencyMs } = event;
  const successes = Math.min(before.successes + 1, Math.max(timing.rise, timing.slowFlap?.clear ?? 0));
  const forgotten = !timing.slowFlap || successes >= timing.slowFlap.clear;
  const state: TargetState = {
    ...before,
    probedMs: event.atMs,
    failures: 0,
    flaps: forgotten ? 0 : before.flaps,
    successes,
    ...(latencyMs !== undefined && paceCounts(before, latencyMs > timing.slowMs, timing)),
  };
  if (state.state === "down") {
    const mayRise = successes >= timing.rise && event.atMs >= holdEndMs(state);
    return mayRise ? comeUp(state, event.atMs, timing, event.reason) : state;
  }
  return otherwise(state, stateByPace(state, timing), event);
}

function paceCounts({ slow, fast }: TargetState, isSlow: boolean, { fall, rise }: Timing) {
  return isSlow ? { slow: Math.min(slow + 1, fall), fast: 0 } : { slow: 0, fast: Math.min(fast + 1, rise) };
}

/** What a target that is not down is now, after a success. */
function stateByPace({ state, successes, slow, fast }: TargetState, { fall, rise }: Timing): State {
  if (slow >= fall) return "degraded";
  if (state === "degraded") return fast >= rise ? "up" : "degraded";
  return state === "unknown" && successes < rise ? "unknown" : "up";
}

function otherwise(before: TargetState, state: State, { atMs, reason }: Event & { kind: "ok" }): TargetState {
  if (state === before.state) return before;
  return { ...before, state, sinceMs: atMs, reason, ...(state !== "unknown" && { slow: 0, fast: 0 }) };
}

function goDown(
  state: TargetState,
  { atMs, reason }: Event & { kind: "failed" },
  { holdDown }: Timing,
): TargetState {
  const isFlapping = state.wentDownMs > 0 && atMs - state.wentDownMs <= FLAPPING_MS;
  const holdMs = !holdDown || !isFlapping
    ? 0
    : Math.min(holdDown.maxMs, Math.max(holdDown.firstMs, 2 * state.holdMs));
  return { ...state, ...NO_COUNTS, state: "down", sinceMs: atMs, reason, wentDownMs: atMs, holdMs, ramp: 10 };
}

function comeUp(before: TargetState, atMs: number, timing: Timing, reason = before.reason): TargetState {
  return {
    ...before,
    ...NO_COUNTS,
    state: before.slow >= timing.fall ? "degraded" : "up",
    sinceMs: atMs,
    reason,
    ramp: timing.rampMs > 0 ? 1 : 10,
    rampFromMs: atMs,
  };
}

function failuresLeft({ failures, flaps }: TargetState, { fall, slowFlap }: Timing): number {
  return Math.min(fall - failures, (slowFlap?.failures ?? Infinity) - flaps);
}

/** How many successes, all slow or all fast, make another state of one that is not down; Infinity = none can. */
function successesToAnotherState(
  { state, successes, slow, fast }: TargetState,
  { rise, fall, slowMs }: Timing,
): number {
  if (state === "down") return Infinity;
  if (state === "degraded") return rise - fast;
  const toDegraded = slowMs < Infinity ? fall - slow : Infinity;
  return state === "unknown" ? Math.min(toDegraded, rise - successes) : toDegraded;
}

function holdEndMs({ wentDownMs, holdMs }: TargetState): number {
  return wentDownMs + holdMs;
}

function rampStepMs({ state, ramp, rampFromMs }: TargetState, { rampMs }: Timing): number {
  return state === "down" || ramp === 10 ? Infinity : rampFromMs + (ramp * rampMs) / 10;
}

/** Steady: no probe has taken a step towards a change. What is unknown is never steady. */
function isSteady({ state, flaps, successes, slow, fast }: TargetState): boolean {
  if (state === "unknown") return false;
  if (state === "down") return successes === 0;
  return flaps === 0 && (state === "degraded" ? fast === 0 : slow === 0);
}
