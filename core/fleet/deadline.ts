/**
 * When a choice could change: the second half of decision 0001, "Deadlines".
 *
 * @module
 */

import type { Deadline } from "../answer.ts";
import { ofTarget } from "./by_target.ts";
import { type Consulted, LOOK } from "./consulted.ts";
import { inRegion, type TargetKey, type VerdictDeadline, type VerdictDeadlines } from "./verdict.ts";
import { type Check, type Member, type PoolView, viewIn, type Views } from "./view.ts";

/** The earliest change of all that was looked at. */
export function deadlineOf(
  consulted: readonly Consulted[],
  views: Views,
  deadlines: VerdictDeadlines,
): Deadline {
  const gathered = { earliestMs: Infinity, scheduledMs: Infinity, steady: true };
  for (const { pool, region, looks } of consulted) {
    const view = views(pool);
    if (view) gather(gathered, viewIn(view, region), looks, deadlines);
  }
  const { earliestMs, scheduledMs, steady } = gathered;
  return { earliestMs: Math.min(earliestMs, scheduledMs), scheduledMs, steady };
}

function gather(
  into: { earliestMs: number; scheduledMs: number; steady: boolean },
  view: PoolView,
  looks: Uint8Array,
  deadlines: VerdictDeadlines,
): void {
  const returns: number[] = [], losses: number[] = [];
  const could = (instantMs: number) => into.earliestMs = Math.min(into.earliestMs, instantMs);
  const { members } = view;
  for (let index = 0; index < members.length; index++) {
    const look = looks[index]!;
    if (look === 0) continue;
    const member = members[index]!;
    into.scheduledMs = Math.min(into.scheduledMs, member.nextScheduleMs);
    if (look === LOOK.calendar) continue;
    const address = addressDeadline(member, deadlines, view.region);
    if (!address.steady) into.steady = false;
    if (look & LOOK.down) could(address.downMs);
    if (look & LOOK.change) could(address.changeMs);
    if (look & LOOK.up) returns.push(address.upMs);
    if (look & LOOK.threshold) losses.push(address.downMs);
    if (look & LOOK.ramp) into.scheduledMs = Math.min(into.scheduledMs, address.rampMs);
  }
  // A pool that is all-down changes when as many as are missing have come back; else each one matters.
  could(nthLeast(returns, view.allDown ? view.missing : 1));
  could(nthLeast(losses, view.mustBeLost));
}

/** When an address could change: the least of its targets'. @param region By whose verdicts; absent = by everyone's. */
export function addressDeadline(
  { checks, state, recoveriesMissing }: Pick<Member, "checks" | "state" | "recoveriesMissing">,
  deadlines: VerdictDeadlines,
  region?: string,
): VerdictDeadline {
  // Most addresses have one check or none, and are down when it is: these are told without making lists.
  if (checks.length === 0) return NEVER_CHANGES;
  const [{ target, verdict }] = checks as readonly [Check];
  const only = checks.length === 1 ? deadlineIn(region, deadlines, target) : undefined;
  if (only && (state === "down") === (verdict?.state === "down")) return only;
  const all = checks.map(({ target, verdict }) => ({
    isDown: verdict?.state === "down",
    deadline: deadlineIn(region, deadlines, target) ?? UNTOLD,
  }));
  const least = (of: keyof Omit<VerdictDeadline, "steady" | "regions">, among = all) =>
    among.reduce((least, { deadline }) => Math.min(least, deadline[of]), Infinity);
  return {
    downMs: state === "down" ? Infinity : least("downMs", all.filter(({ isDown }) => !isDown)),
    upMs: nthLeast(
      all.filter(({ isDown }) => isDown).map(({ deadline }) => deadline.upMs),
      recoveriesMissing,
    ),
    changeMs: least("changeMs"),
    rampMs: least("rampMs"),
    steady: all.every(({ deadline }) => deadline.steady),
  };
}

function deadlineIn(
  region: string | undefined,
  deadlines: VerdictDeadlines,
  target: TargetKey,
): VerdictDeadline | undefined {
  const deadline = ofTarget(deadlines, target);
  return deadline && inRegion(deadline, region);
}

/** Of an address without checks. */
const NEVER_CHANGES: VerdictDeadline = Object.freeze({
  downMs: Infinity,
  upMs: Infinity,
  changeMs: Infinity,
  rampMs: Infinity,
  steady: true,
});

/** Of a target that no probe has reported on yet: anything may change at any time. */
export const UNTOLD: VerdictDeadline = Object.freeze({
  downMs: -Infinity,
  upMs: -Infinity,
  changeMs: -Infinity,
  rampMs: Infinity,
  steady: false,
});

/** The n-th least, from 1; Infinity when there are fewer, or n is 0. */
export function nthLeast(instants: readonly number[], n: number): number {
  if (instants.length === 0 || instants.length < n) return Infinity;
  return instants.toSorted((a, b) => a - b)[n - 1] ?? Infinity;
}
