/**
 * The model of one target's health, written from plugins/health/README.md: what each probe and the passing of time
 * make of it, and, by trying every outcome of the probes to come, how soon it could be otherwise. Shares no code with
 * the server.
 *
 * @module
 */

export interface ModelTiming {
  intervalMs: number;
  fall: number;
  rise: number;
  /** So many failures are too many; `ok` successes in a row forget them. */
  slowFlap?: { failures: number; ok: number };
  confirm: boolean;
  holdDown?: { firstMs: number; maxMs: number };
  /** 0 = off. */
  rampMs: number;
  /** Whether a success can be slow: `degraded latency` is on. */
  slows: boolean;
}

/** `local`: this machine could not probe, which says nothing of the target. */
export type ModelOutcome = "ok" | "slow" | "failed" | "local";

export interface ModelTarget {
  state: "unknown" | "up" | "degraded" | "down";
  /** Successes in a row; below 0, failures. */
  run: number;
  /** Failures not forgotten, while not down. */
  marks: number;
  /** Slow successes in a row; below 0, fast ones. Counted anew in each state. */
  pace: number;
  /** When it last went down, and for how long it had to stay there. */
  fellMs: number;
  heldMs: number;
  /** When it last came up. */
  roseMs: number;
}

/** A target and its timetable: when its next probe starts, or when the one under way did. */
export interface ModelWatch {
  target: ModelTarget;
  startMs: number;
}

const HOUR_MS = 3_600_000;

export function newTarget(): ModelTarget {
  return {
    state: "unknown",
    ...{ run: 0, marks: 0, pace: 0, fellMs: -Infinity, heldMs: 0, roseMs: -Infinity },
  };
}

/** After a probe that ended at `atMs`. */
export function probed(
  before: ModelTarget,
  outcome: ModelOutcome,
  atMs: number,
  timing: ModelTiming,
): ModelTarget {
  const target = passed(before, atMs, timing);
  if (outcome === "local") return target;
  if (outcome === "failed") return afterFailure(target, atMs, timing);
  // More than any number asked for is as good as that number.
  const most = Math.max(timing.rise, timing.fall, timing.slowFlap?.ok ?? 0);
  const run = Math.min(Math.max(target.run, 0) + 1, most);
  const isForgotten = !timing.slowFlap || run >= timing.slowFlap.ok;
  const pace = outcome === "slow"
    ? Math.min(Math.max(target.pace, 0) + 1, most)
    : Math.max(Math.min(target.pace, 0) - 1, -most);
  const after = { ...target, run, pace, marks: isForgotten ? 0 : target.marks };
  if (after.state === "down") return passed(after, atMs, timing);
  const state = stateByPace(after, timing);
  return state === after.state ? after : { ...after, state, pace: 0 };
}

/** After time alone: a target that has succeeded often enough comes up when its hold-down ends. */
export function passed(target: ModelTarget, atMs: number, timing: ModelTiming): ModelTarget {
  const { state, run, pace, fellMs, heldMs } = target;
  if (state !== "down" || run < timing.rise || atMs < fellMs + heldMs) return target;
  const isSlow = pace >= timing.fall;
  return { ...target, state: isSlow ? "degraded" : "up", run: 0, marks: 0, pace: 0, roseMs: atMs };
}

function afterFailure(target: ModelTarget, atMs: number, timing: ModelTiming): ModelTarget {
  const { fall, slowFlap, holdDown } = timing;
  if (target.state === "down") return { ...target, run: 0, pace: 0 };
  const after = { ...target, run: Math.min(target.run, 0) - 1, marks: target.marks + 1, pace: 0 };
  const isTooMany = -after.run >= fall || (slowFlap !== undefined && after.marks >= slowFlap.failures);
  if (!isTooMany) return after;
  const isAgain = atMs - target.fellMs <= HOUR_MS;
  const heldMs = holdDown && isAgain
    ? Math.min(holdDown.maxMs, target.heldMs === 0 ? holdDown.firstMs : 2 * target.heldMs)
    : 0;
  return { ...after, state: "down", run: 0, marks: 0, fellMs: atMs, heldMs };
}

function stateByPace({ state, run, pace }: ModelTarget, { fall, rise }: ModelTiming): ModelTarget["state"] {
  if (pace >= fall) return "degraded";
  if (state === "degraded") return -pace >= rise ? "up" : "degraded";
  return state === "unknown" && run < rise ? "unknown" : "up";
}

/** Tenths of its weight: ten equal steps, the first at once. */
export function rampOf({ state, roseMs }: ModelTarget, atMs: number, { rampMs }: ModelTiming): number {
  if (state === "down" || rampMs === 0) return 10;
  return Math.min(10, 1 + Math.floor((10 * (atMs - roseMs)) / rampMs));
}

/** When the ramp takes its next step; Infinity = it is over. */
export function rampStepMs(target: ModelTarget, atMs: number, timing: ModelTiming): number {
  const tenths = rampOf(target, atMs, timing);
  return tenths === 10 ? Infinity : target.roseMs + (tenths * timing.rampMs) / 10;
}

/** Whether nothing has been counted towards a change. What is unknown is not steady. */
export function isSteady({ state, run, marks, pace }: ModelTarget): boolean {
  if (state === "unknown") return false;
  if (state === "down") return run <= 0;
  return marks === 0 && (state === "degraded" ? pace >= 0 : pace <= 0);
}

/** The least time from the start of one probe to that of the next. */
export function leastGapMs({ state, run }: ModelTarget, { intervalMs, confirm }: ModelTiming): number {
  const isSuspect = state !== "down" && run < 0;
  return isSuspect && confirm ? Math.min(1000, 0.9 * intervalMs) : 0.9 * intervalMs;
}

/** When time alone next does something; Infinity = never. */
export function wakesMs(target: ModelTarget, atMs: number, timing: ModelTiming): number {
  if (target.state !== "down") return rampStepMs(target, atMs, timing);
  return target.run >= timing.rise ? target.fellMs + target.heldMs : Infinity;
}

/**
 * The earliest instant from now on, up to `untilMs`, at which `holds` can be true, and the target then: the first that
 * is met when all outcomes of all probes to come are tried in order of time. A probe may end the moment it starts, one
 * that is under way included; one that says nothing makes nothing happen earlier.
 */
export function earliest(
  { target, startMs }: ModelWatch,
  { nowMs, untilMs }: { nowMs: number; untilMs: number },
  timing: ModelTiming,
  holds: (target: ModelTarget, atMs: number) => boolean,
): { atMs: number; target: ModelTarget } {
  const outcomes: ModelOutcome[] = timing.slows ? ["ok", "slow", "failed"] : ["ok", "failed"];
  const tried = new Set<string>();
  let open = [{ atMs: Math.min(nowMs, startMs), startMs, target }];
  while (open.length > 0) {
    const first = open.reduce((a, b) => b.atMs < a.atMs ? b : a);
    if (first.atMs > untilMs) break;
    open = open.filter((one) => one !== first);
    const atMs = Math.max(first.atMs, nowMs);
    const now = passed(first.target, atMs, timing);
    if (holds(now, atMs)) return { atMs, target: now };
    const key = Object.values({ ...now, at: first.atMs, start: first.startMs }).join();
    if (tried.has(key)) continue;
    tried.add(key);
    const wakeMs = wakesMs(now, atMs, timing);
    if (wakeMs > atMs && wakeMs <= first.startMs) open.push({ ...first, atMs: wakeMs, target: now });
    for (const outcome of outcomes) {
      const next = probed(now, outcome, first.startMs, timing);
      open.push({ atMs: first.startMs, startMs: first.startMs + leastGapMs(next, timing), target: next });
    }
  }
  return { atMs: Infinity, target };
}
