/**
 * When a choice could change: the second half of decision 0001, "Deadlines".
 *
 * @module
 */

import type { Deadline } from "../answer.ts";
import { ofTarget } from "./by_target.ts";
import { type Consulted, LOOK } from "./consulted.ts";
import {
  asItStands,
  inRegion,
  type TargetKey,
  type VerdictDeadline,
  type VerdictDeadlines,
} from "./verdict.ts";
import { type Check, type Member, type PoolView, viewIn, type Views } from "./view.ts";
import type { DegradePolicy } from "./pool.ts";

/** The earliest change of all that was looked at. */
export function deadlineOf(
  consulted: readonly Consulted[],
  views: Views,
  deadlines: VerdictDeadlines,
): Deadline {
  const gathered = { earliestMs: Infinity, scheduledMs: Infinity, steady: true };
  for (const { pool, region, looks } of consulted) {
    const view = views(pool);
    if (!view) continue;
    gather(gathered, viewIn(view, region), looks, deadlines);
    if (view.policy.degrade) gatherPrices(gathered, view, view.policy.degrade, deadlines);
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
  // Without a threshold all of them.
  could(nthLeast(losses, Math.min(view.mustBeLost, losses.length)));
}

/**
 * When prices could change, whatever was looked at: while there are none, when as many nodes of a region could be lost as it
 * takes to degrade it; while there are, when any node could serve or serve no more, or a region may recover.
 */
function gatherPrices(
  into: { earliestMs: number; scheduledMs: number; steady: boolean },
  view: PoolView,
  { below }: DegradePolicy,
  deadlines: VerdictDeadlines,
): void {
  const { members, isDegraded, mayEndMs } = view;
  const could = (instantMs: number) => into.earliestMs = Math.min(into.earliestMs, instantMs);
  const losses = new Map<string, number[]>();
  for (const member of members) {
    into.scheduledMs = Math.min(into.scheduledMs, member.nextScheduleMs);
    const { downMs, upMs, rampMs, changeMs, steady } = addressDeadline(member, deadlines);
    if (!steady) into.steady = false;
    if (isDegraded) {
      could(Math.min(downMs, upMs, changeMs));
      if (member.ramp < 1) into.scheduledMs = Math.min(into.scheduledMs, rampMs);
    } else if (member.serving && member.node.region !== "") {
      const { region } = member.node, known = losses.get(region);
      if (known) known.push(downMs);
      else losses.set(region, [downMs]);
    }
  }
  if (mayEndMs < Infinity) into.steady = false;
  could(mayEndMs);
  for (const [region, instants] of losses) could(nthLeast(instants, lossesTo(members, region, below)));
}

/**
 * How few of a region's nodes, taken by their healthy share or by their capacity, must be lost for it to be degraded; those
 * of the greatest capacity go first.
 */
function lossesTo(members: readonly Member[], region: string, below: number): number {
  const own = members.filter(({ node }) => node.region === region);
  const serving = own.filter(({ serving }) => serving);
  const capacities = serving.map(({ node }) => node.capacity).sort((a, b) => b - a);
  const total = own.reduce((sum, { node }) => sum + node.capacity, 0);
  let left = capacities.reduce((sum, one) => sum + one, 0);
  for (let lost = 1; lost <= serving.length; lost++) {
    left -= capacities[lost - 1]!;
    if ((serving.length - lost) / own.length < below || (total > 0 && left / total < below)) return lost;
  }
  return Infinity;
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
  return deadline && inRegion(asItStands(deadline), region);
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
