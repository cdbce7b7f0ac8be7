/**
 * Picks from a field of nodes, and says what it looked at: steps 2 to 6 of decision 0001, "Selection", and the first
 * half of "Deadlines".
 *
 * @module
 */

import { LOOK } from "./consulted.ts";
import type { Place } from "./place.ts";
import { admit, byDistance, type Field, order, type Ranked, rankNear } from "./ranking.ts";
import { isBiased } from "./score.ts";
import type { Member, PoolView } from "./view.ts";

/** A node chosen. */
export interface Chosen {
  readonly member: Member;
  /** Whole metres from the client; absent where the client has no place. */
  readonly distanceM?: number;
}

/** An outcome of picking. */
export interface Picked {
  /** Best first. */
  readonly chosen: readonly Chosen[];
  /** By what rule. */
  readonly rule: "nearest" | "bias" | "ring" | "unlocated nodes" | "unlocated all";
  /** What of each member was looked at: {@linkcode LOOK}. */
  looks(): Uint8Array;
}

/** Picks for a client at `place`; undefined when no candidate is within reach. `nearest`: see {@linkcode rankNear}. */
export function pickNear(
  view: PoolView,
  field: Field,
  place: Place,
  leaf: number,
  nearest?: Uint16Array,
): Picked | undefined {
  const { policy } = view;
  const near = rankNear(view, place, field, nearest).filter(({ distanceM }) =>
    distanceM <= field.maxDistanceM
  );
  const candidates = near.filter(({ member }) => field.isCandidate(member));
  if (candidates.length === 0) return undefined;
  const { lead, rest, resting } = admit(candidates, field.ramps, leaf);
  const first = order(lead, view, leaf);
  const reached = [first];
  let chosen = first.order.slice(0, policy.answers);
  if (chosen.length < policy.answers && rest.length > 0) {
    const second = order(rest, view, leaf);
    reached.push(second);
    chosen = [...chosen, ...second.order.slice(0, policy.answers - chosen.length)];
  }
  /** Whether a node would make a difference, were it a candidate and admitted. */
  const sways = (one: Ranked): boolean => {
    if (chosen.length < policy.answers || reached.length > 1 || resting.length === candidates.length) {
      return true;
    }
    if (!isBiased(policy) && !policy.ring) return byDistance(one, chosen.at(-1)!) < 0;
    const changed = order([...lead, one].sort(byDistance), view, leaf);
    return changed.ring.includes(one) ||
      changed.order.slice(0, policy.answers).some((ranked) => !chosen.includes(ranked));
  };
  return {
    chosen,
    rule: first.ring.length > 1 ? "ring" : isBiased(policy) ? "bias" : "nearest",
    looks() {
      const looks = new Uint8Array(view.members.length);
      const look = ({ member }: Chosen, what: number) => void (looks[member.index]! |= what);
      for (const ranked of chosen) look(ranked, LOOK.down);
      for (const [i, group] of [lead, rest].slice(0, reached.length).entries()) {
        for (const ranked of reached[i]!.ring) look(ranked, LOOK.change);
        // How far a bias may reach is counted from the nearest, be it chosen or not.
        if (isBiased(policy)) look(group[0]!, LOOK.down);
      }
      for (const ranked of near) {
        if (!field.isCandidate(ranked.member) && sways(ranked)) look(ranked, LOOK.up);
      }
      for (const ranked of resting) {
        if (chosen.includes(ranked) || sways(ranked)) look(ranked, LOOK.ramp);
      }
      return looks;
    },
  };
}

/** Picks for a client without a place, by a policy that needs none. */
export function pickListed(view: PoolView, isCandidate: (member: Member) => boolean): Picked {
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
