/**
 * Picks from a field of nodes, and says what it looked at: steps 2 to 6 of decision 0001, "Selection", and the first
 * half of "Deadlines". In two steps: a plan has all that is the same for every leaf of a place.
 *
 * @module
 */

import { LOOK } from "./consulted.ts";
import { Lineup, type Pickable, type Picked } from "./lineup.ts";
import type { Place } from "./place.ts";
import { admit, type Field, isAdmitted, type Ranked, rankNear } from "./ranking.ts";
import type { Member, PoolView } from "./view.ts";

export type { Chosen, Picked } from "./lineup.ts";

/** What a place comes to. */
export interface PickPlan {
  /** What all leaves have in common; undefined where nodes recover, and leaves differ in whom they admit. */
  readonly common: Pickable | undefined;
  /** What a leaf has in common with those that admit the same nodes. */
  lineup(leaf: number): Pickable;
}

/** Plans for clients at `place`; undefined when no candidate is within reach. `nearest`: see {@linkcode rankNear}. */
export function planNear(
  view: PoolView,
  field: Field,
  place: Place,
  nearest?: readonly number[],
): PickPlan | undefined {
  const near = rankNear(view, place, field, nearest).filter(({ distanceM }) =>
    distanceM <= field.maxDistanceM
  );
  const candidates = near.filter(({ member }) => field.isCandidate(member));
  if (candidates.length === 0) return undefined;
  const recovering = field.ramps ? candidates.filter(({ member }) => member.ramp < 1) : [];
  if (recovering.length > 0) return planAdmitting(view, field, near, candidates, recovering);
  return planFor(new Lineup(view, field, near, admit(candidates, false, 0)));
}

/** Some wait for a leaf to admit them: a lineup for each set of those admitted. */
function planAdmitting(
  view: PoolView,
  field: Field,
  near: readonly Ranked[],
  candidates: readonly Ranked[],
  recovering: readonly Ranked[],
): PickPlan {
  const lineups = new Map<string, Lineup>();
  return {
    common: undefined,
    lineup(leaf) {
      let admitted = "";
      for (const { member } of recovering) admitted += isAdmitted(member, leaf) ? "1" : "0";
      let lineup = lineups.get(admitted);
      if (!lineup) {
        if (lineups.size >= LINEUPS_MAX) lineups.clear();
        lineups.set(admitted, lineup = new Lineup(view, field, near, admit(candidates, true, leaf)));
      }
      return lineup;
    },
  };
}

/** Lineups kept for one place. */
const LINEUPS_MAX = 64;

function planFor(common: Pickable): PickPlan {
  return { common, lineup: () => common };
}

/** Plans for clients without a place, by a policy that needs none. */
export function planListed(view: PoolView, isCandidate: (member: Member) => boolean): PickPlan {
  const picked = pickListed(view, isCandidate);
  return planFor({
    isFixed: true,
    isUniform: true,
    pick: () => picked,
    variant: () => 0,
    // All that a view's unlocated clients may get.
    essence: () => `unlocated ${picked.chosen.map(({ member }) => member.index)}`,
  });
}

function pickListed(view: PoolView, isCandidate: (member: Member) => boolean): Picked {
  const list = (isIn: (member: Member) => boolean) => listed(view, view.members.filter(isIn));
  const { chosen, rule } = list(isCandidate);
  const sways = (one: Member) =>
    list((member) => member === one || isCandidate(member)).chosen.some((member) => !chosen.includes(member));
  return {
    chosen: chosen.map((member) => ({ member })),
    rule,
    looks: () =>
      Uint8Array.from(view.members, (member) => {
        if (chosen.includes(member)) return LOOK.down;
        return !isCandidate(member) && sways(member) ? LOOK.up : 0;
      }),
  };
}

function listed(
  { policy }: PoolView,
  candidates: readonly Member[],
): { chosen: readonly Member[]; rule: Picked["rule"] } {
  const { unknown } = policy;
  if (unknown.policy !== "nodes") return { chosen: candidates, rule: "unlocated all" };
  const named = unknown.nodes.flatMap((id) => candidates.find(({ node }) => node.id === id) ?? []);
  return named.length > 0
    ? { chosen: named.slice(0, policy.answers), rule: "unlocated nodes" }
    : { chosen: candidates.slice(0, policy.answers), rule: "unlocated all" };
}
