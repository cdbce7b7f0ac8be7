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
import { type Choice, decidingView, placeOf, regionalView, spillPath } from "../../core/fleet/select.ts";
import { isMemberOf, type Member, type PoolView, viewIn } from "../../core/fleet/view.ts";
import { type Decision, formatPrefix, type QueryContext } from "../../core/plugin.ts";
import type { Because, Filled } from "./fill.ts";

/** The decision behind a filled RRset. */
export function decisionOf(filled: Filled, context: QueryContext): Decision {
  const { choice, dependence, selection, because, family } = filled;
  const ids = selection.nodes.length > 0 ? selection.nodes.join(", ") : choice.outcome;
  const price = choice.chosen[0]?.member.priceM ?? 0;
  const added = price > 0 ? ` + ${Math.round(price / 1000)} km price` : "";
  const distance = selection.distanceKm === undefined
    ? ""
    : `, ${Math.round(selection.distanceKm)} km${added}`;
  const { degradation } = context.snapshot.pools[choice.pool] ?? {};
  const path = spillPath(because.views, choice.pool);
  const moved = movedOf(choice, because);
  return {
    plugin: "anycast",
    what: `pool ${choice.pool} (IPv${family}): ${ids} (${choice.why}${distance})`,
    facts: {
      pool: choice.pool,
      family,
      outcome: choice.outcome,
      why: choice.why,
      allDown: choice.allDown,
      ...degradation && { degraded: degradation.regions },
      ...moved && { moved },
      place: because.location?.place ?? null,
      leaf: formatPrefix(because.leaf),
      scope: { prefixLength: dependence.scopePrefixLength, from: because.scopeFrom },
      deadline: dependence.deadline,
      consulted: consultedFacts(because, context),
      regions: path.flatMap((view) => regionFacts(view, because)),
      nodes: path.flatMap((view) => nodesFacts(view, filled)),
    } satisfies PoolFacts,
  };
}

/** Of a pool of which the client's region has verdicts of its own. */
function regionFacts(view: PoolView, { views, client }: Because): PoolFacts["regions"][number][] {
  const own = regionalView(views, view, client);
  return own ? [{ pool: view.name, region: own.region!, decides: !own.allDown }] : [];
}

/** By how much the first node is farther away than the one that would be first if none had a price. */
function movedOf({ chosen: [first], pool }: Choice, { views, client }: Because): PoolFacts["moved"] {
  const all = views(pool), view = all && decidingView(views, all, client);
  const place = view && placeOf(view, client);
  if (!first || !view?.isPriced || !place) return undefined;
  const unpriced = { ...view, members: view.members.map((member) => ({ ...member, priceM: 0 })) };
  const [nearest] = rankAll(unpriced, place).filter(({ member }) => member.serving);
  if (!nearest || first.distanceM === undefined || nearest.member.node.id === first.member.node.id) {
    return undefined;
  }
  const addedKm = (first.distanceM - nearest.distanceM) / 1000;
  return addedKm > 0 ? { from: nearest.member.node.id, addedKm } : undefined;
}

/** What was looked at of whom, and when that could change. */
function consultedFacts({ consulted, views }: Because, { snapshot }: QueryContext): ConsultedFacts[] {
  return consulted.flatMap(({ pool, region, looks }) => {
    const view = views(pool), members = view ? viewIn(view, region).members : [];
    return members.filter(({ index }) => looks[index] !== 0).map((member) => {
      const { regions: _, ...deadline } = addressDeadline(member, snapshot.deadlines, region);
      return {
        pool,
        ...region !== undefined && { region },
        node: member.node.id,
        for: Object.entries(LOOK).filter(([, bit]) => looks[member.index]! & bit).map(([name]) => name),
        nextScheduleMs: member.nextScheduleMs,
        ...deadline,
      };
    });
  });
}

function nodesFacts(all: PoolView, { choice, because: { client, views } }: Filled): NodeFacts[] {
  const view = decidingView(views, all, client), place = placeOf(view, client);
  const ranked = place ? rankAll(view, place) : view.members.map((member) => ({ member }));
  const chosenAt = (member: Member) => choice.chosen.findIndex((chosen) => chosen.member === member);
  return ranked.map((one, i) => ({
    pool: all.name,
    id: one.member.node.id,
    address: one.member.address,
    ..."distanceM" in one && { distanceKm: one.distanceM / 1000, bonus: one.bonus, score: one.score },
    ...one.member.priceM > 0 && { priceKm: one.member.priceM / 1000 },
    rank: i + 1,
    state: one.member.state,
    checks: one.member.checks.map(({ target, verdict }, check) => ({
      target,
      ...verdict,
      ...verdict && "region" in verdict &&
        { globally: all.members[one.member.index]!.checks[check]!.verdict!.state },
    })),
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
  if (choice.chosen.length > 0 && !isMemberOf(view, choice.chosen[0]!.member)) {
    return "another pool answers";
  }
  if (choice.allDown.length > 0 && choice.why.endsWith("last-known-good") && !member.remembered) {
    return "did not serve when last the pool did";
  }
  if ("distanceM" in one && admit([one], true, leaf).resting.length > 0) {
    return `recovering: this client's network is not among the first ${Math.round(member.ramp * 100)} %`;
  }
  return member.priceM > 0
    ? `others come before it, with ${Math.round(member.priceM / 1000)} km for its price`
    : "others come before it";
}

function reasonsOf({ checks }: Member): string {
  return checks.flatMap(({ verdict }) => verdict?.state === "down" ? [verdict.reason] : []).join("; ");
}
