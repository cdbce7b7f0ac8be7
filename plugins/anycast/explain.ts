/**
 * What `explain` shows of a pool: every node, what is known of it, and why it was taken or not.
 *
 * @module
 */

import { addressDeadline } from "../../core/fleet/deadline.ts";
import { LOOK } from "../../core/fleet/consulted.ts";
import type { ConsultedFacts, NodeFacts, PoolFacts } from "../../core/fleet/facts.ts";
import { admit, rankAll, type Ranked } from "../../core/fleet/ranking.ts";
import { reachKm } from "../../core/fleet/score.ts";
import { type Choice, placeOf, spillPath } from "../../core/fleet/select.ts";
import type { Member, PoolView } from "../../core/fleet/view.ts";
import { type Decision, formatPrefix, type QueryContext } from "../../core/plugin.ts";
import type { Because, Filled } from "./fill.ts";

/** The decision behind a filled RRset. */
export function decisionOf(filled: Filled, context: QueryContext): Decision {
  const { choice, dependence, selection, because, family } = filled;
  const ids = selection.nodes.length > 0 ? selection.nodes.join(", ") : choice.outcome;
  const distance = selection.distanceKm === undefined ? "" : `, ${Math.round(selection.distanceKm)} km`;
  return {
    plugin: "anycast",
    what: `pool ${choice.pool} (IPv${family}): ${ids} (${choice.why}${distance})`,
    facts: {
      pool: choice.pool,
      family,
      outcome: choice.outcome,
      why: choice.why,
      allDown: choice.allDown,
      place: because.location?.place ?? null,
      leaf: formatPrefix(because.leaf),
      scope: { prefixLength: dependence.scopePrefixLength, from: because.scopeFrom },
      deadline: dependence.deadline,
      consulted: consultedFacts(because, context),
      nodes: spillPath(because.views, choice.pool).flatMap((view) => nodesFacts(view, filled)),
    } satisfies PoolFacts,
  };
}

/** What was looked at of whom, and when that could change. */
function consultedFacts({ consulted, views }: Because, { snapshot }: QueryContext): ConsultedFacts[] {
  return consulted.flatMap(({ pool, looks }) =>
    (views(pool)?.members ?? []).filter(({ index }) => looks[index] !== 0).map((member) => ({
      pool,
      node: member.node.id,
      for: Object.entries(LOOK).filter(([, bit]) => looks[member.index]! & bit).map(([name]) => name),
      nextScheduleMs: member.nextScheduleMs,
      ...addressDeadline(member, snapshot.deadlines),
    }))
  );
}

function nodesFacts(view: PoolView, { choice, because: { client } }: Filled): NodeFacts[] {
  const place = placeOf(view, client);
  const ranked = place ? rankAll(view, place) : view.members.map((member) => ({ member }));
  const chosenAt = (member: Member) => choice.chosen.findIndex((chosen) => chosen.member === member);
  return ranked.map((one, i) => ({
    pool: view.name,
    id: one.member.node.id,
    address: one.member.address,
    ..."distanceM" in one && { distanceKm: one.distanceM / 1000, bonus: one.bonus, score: one.score },
    rank: i + 1,
    state: one.member.state,
    checks: one.member.checks.map(({ target, verdict }) => ({ target, ...verdict })),
    ramp: one.member.ramp,
    weight: one.member.weight,
    serving: one.member.serving,
    ...chosenAt(one.member) >= 0
      ? { chosen: chosenAt(one.member) + 1 }
      : { chosen: 0, whyNot: whyNot(one, view, choice, client.leaf) },
  }));
}

function whyNot(one: { member: Member } | Ranked, view: PoolView, choice: Choice, leaf: number): string {
  const { member } = one;
  if (member.out !== undefined) return `out: ${member.out}`;
  if (member.state === "down" && choice.allDown.length === 0) return `down: ${reasonsOf(member)}`;
  if ("distanceM" in one && one.distanceM > reachKm(view.policy) * 1000) return "beyond max-distance";
  if (choice.chosen.length > 0 && !view.members.includes(choice.chosen[0]!.member)) {
    return "another pool answers";
  }
  if (choice.allDown.length > 0 && choice.why.endsWith("last-known-good") && !member.remembered) {
    return "did not serve when last the pool did";
  }
  if ("distanceM" in one && admit([one], true, leaf).resting.length > 0) {
    return `recovering: this client's network is not among the first ${Math.round(member.ramp * 100)} %`;
  }
  return "others come before it";
}

function reasonsOf({ checks }: Member): string {
  return checks.flatMap(({ verdict }) => verdict?.state === "down" ? [verdict.reason] : []).join("; ");
}
