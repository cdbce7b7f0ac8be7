/**
 * The order of a pool's nodes for a client: steps 3 to 5 of decision 0001, "Selection".
 *
 * @module
 */

import { chordSquared, chordSquaredAt, FARTHEST_M, type Vector, vectorMetres, vectorOf } from "./distance.ts";
import type { Place } from "./place.ts";
import type { PoolPolicy } from "./pool.ts";
import { draw } from "./rendezvous.ts";
import { Ring } from "./ring.ts";
import { isBiased, scoreOf } from "./score.ts";
import type { Member, PoolView } from "./view.ts";

/** A member as seen from a place. */
export interface Ranked {
  readonly member: Member;
  /** Whole metres. */
  readonly distanceM: number;
  /** The same with the node's price: what orders go by. */
  readonly costM: number;
  readonly bonus: number;
  readonly score: number;
}

/** Who may be chosen, and within what limits. */
export interface Field {
  readonly isCandidate: (member: Member) => boolean;
  /** Whether a node that recovers is admitted for some leaves only. */
  readonly ramps: boolean;
  /** Metres. */
  readonly maxDistanceM: number;
}

/** Candidates split by whether the leaf admits them. Where it admits none, all of them lead. */
export interface Admission {
  readonly lead: readonly Ranked[];
  readonly rest: readonly Ranked[];
  /** Those not admitted, wherever they stand. */
  readonly resting: readonly Ranked[];
}

/** Every member, ascending by cost, then id. */
export function rankAll(view: PoolView, place: Place): Ranked[] {
  return rankMembers(view, place, view.members, true);
}

/**
 * The members that may matter to who is chosen from a field, ascending by cost, then id. In a large pool these
 * are few: what lies farther than the last that could be chosen or stand in a ring changes nothing.
 *
 * @param near Indexes of the nearest members, ascending by distance; absent where nobody has worked them out.
 */
export function rankNear(view: PoolView, place: Place, field: Field, near?: readonly number[]): Ranked[] {
  const from = vectorOf(place);
  const walked = near && (view.isPriced ? walkPriced : walk)(view, field, from, near);
  if (walked) return rankMembers(view, place, walked);
  if (view.members.length <= PRUNE_ABOVE) return rankAll(view, place);
  const chords = view.members.map((member) => chordSquared(from, member.vector));
  const limit = chordSquaredAt(reachM(view, field, chords) + SLACK_M);
  return rankMembers(view, place, view.members.filter((_, i) => chords[i]! <= limit));
}

/** Pools of so many members are ranked whole. */
const PRUNE_ABOVE = 32;

/** More than rounding to whole metres and the error of a chord can come to. */
const SLACK_M = 2;

/** The members up to where nobody matters any more; undefined when `near` ends before that. */
function walk(view: PoolView, field: Field, from: Vector, near: readonly number[]): Member[] | undefined {
  const { members, policy } = view;
  const walked: Member[] = [], sure: number[] = [];
  let limit = Infinity;
  for (const index of near) {
    const member = members[index]!;
    const chord = chordSquared(from, member.vector);
    if (chord > limit) return walked;
    walked.push(member);
    if (sure.length === policy.answers || !isSure(member, field)) continue;
    sure.push(chord);
    if (sure.length === policy.answers) limit = chordSquaredAt(reachOfChords(policy, sure) + SLACK_M);
  }
  return near.length === members.length ? walked : undefined;
}

/** The same where some are farther than they lie: nobody is nearer, so whoever lies beyond what is reached matters to nobody. */
function walkPriced(
  view: PoolView,
  field: Field,
  from: Vector,
  near: readonly number[],
): Member[] | undefined {
  const walked = near.map((index) => view.members[index]!);
  if (walked.length === view.members.length) return walked;
  const metres = walked.map(({ vector }) => vectorMetres(from, vector));
  const sure = walked.flatMap((member, i) => isSure(member, field) ? [metres[i]! + member.priceM] : []);
  return reachOf(view.policy, sure) < metres.at(-1)! ? walked : undefined;
}

/** Whether a member is chosen if it stands near enough, whatever the leaf. */
function isSure(member: Member, field: Field): boolean {
  return field.isCandidate(member) && (!field.ramps || member.ramp >= 1);
}

/** Without a bias a score decides nothing, and is worked out only for those who want to see it. */
function rankMembers(
  { policy }: PoolView,
  place: Place,
  members: readonly Member[],
  withScores = isBiased(policy),
): Ranked[] {
  const from = vectorOf(place);
  return members.map((member) => {
    const distanceM = vectorMetres(from, member.vector), costM = distanceM + member.priceM;
    const { bonus, score } = withScores ? scoreOf(policy, place, member.node.place, costM) : NO_SCORE;
    return { member, distanceM, costM, bonus, score };
  }).sort(byDistance);
}

const NO_SCORE = Object.freeze({ bonus: 0, score: 0 });

/** The farthest that a node could lie and still matter, metres. */
function reachM({ policy, members, isPriced }: PoolView, field: Field, chords: readonly number[]): number {
  const isIn = (i: number) => isSure(members[i]!, field);
  if (isPriced) {
    const cost = (chord: number, i: number) => metresOfChord(chord) + SLACK_M + members[i]!.priceM;
    return reachOf(policy, chords.map(cost).filter((_, i) => isIn(i)));
  }
  const sure = chords.filter((_, i) => isIn(i)).sort((a, b) => a - b);
  return sure.length < policy.answers ? FARTHEST_M : reachOfChords(policy, sure);
}

/** The same, given what those cost who are sure to be chosen if they are near enough. */
function reachOf(policy: PoolPolicy, costs: number[]): number {
  if (costs.length < policy.answers) return FARTHEST_M;
  costs.sort((a, b) => a - b);
  return reachOfCosts(policy, costs[0]!, costs[policy.answers - 1]!);
}

/** The same, given the chords of those, ascending, as many as an answer has. */
function reachOfChords(policy: PoolPolicy, sure: readonly number[]): number {
  return reachOfCosts(policy, metresOfChord(sure[0]!) + SLACK_M, metresOfChord(sure[policy.answers - 1]!));
}

/** The same, given what the first and the last of those cost, metres. */
function reachOfCosts(policy: PoolPolicy, firstM: number, lastM: number): number {
  if (policy.compat) return FARTHEST_M;
  const favouredM = firstM + (isBiased(policy) ? policy.bias.maxKm * 1000 : 0);
  return Math.max(lastM, policy.ring ? ringLimitM(policy.ring, favouredM) : favouredM);
}

function metresOfChord(squared: number): number {
  return FARTHEST_M * 2 / Math.PI * Math.asin(Math.min(1, Math.sqrt(squared) / 2));
}

/** Nearest first, prices counted, then by id: what every order falls back to. */
export function byDistance(a: Ranked, b: Ranked): number {
  return a.costM - b.costM || a.member.index - b.member.index;
}

/** Step 3. */
export function admit(candidates: readonly Ranked[], ramps: boolean, leaf: number): Admission {
  const isIn = ({ member }: Ranked) => isAdmitted(member, leaf);
  if (!ramps || candidates.every(isIn)) return { lead: candidates, rest: [], resting: [] };
  const admitted = candidates.filter(isIn);
  const resting = candidates.filter((ranked) => !admitted.includes(ranked));
  return admitted.length > 0
    ? { lead: admitted, rest: resting, resting }
    : { lead: candidates, rest: [], resting };
}

/** Whether a leaf is among those that a recovering node gets already. */
export function isAdmitted(member: Member, leaf: number): boolean {
  return member.ramp >= 1 || draw(leaf, member.rampHash) < member.ramp;
}

/** Steps 4 and 5: an order of which a leaf decides no more than how the ring stands. */
export class Arrangement {
  /** They stand before the others; empty where the pool has no ring. */
  readonly ring: Ring;
  readonly others: readonly Ranked[];
  readonly #policy: PoolPolicy;
  /** Whom the ring is formed around. */
  readonly #first: Ranked;
  /** Up to where a bias favours, and how far the farthest that it favours is; metres. */
  readonly #favouredLimitM: number;
  readonly #favouredReachM: number;

  /** @param group Not empty; ascending by cost, then id. */
  constructor(group: readonly Ranked[], { policy }: PoolView) {
    this.#policy = policy;
    this.#favouredLimitM = policy.compat
      ? Infinity
      : isBiased(policy)
      ? group[0]!.costM + policy.bias.maxKm * 1000
      : -Infinity;
    const count = group.findLastIndex(({ costM }) => costM <= this.#favouredLimitM) + 1;
    this.#favouredReachM = count > 0 ? group[count - 1]!.costM : -Infinity;
    const base = count > 1
      ? [...group.slice(0, count).sort((a, b) => this.#byScore(a, b)), ...group.slice(count)]
      : group;
    this.#first = base[0]!;
    this.ring = policy.ring ? new Ring(group.filter((one) => this.#isInRing(one))) : NO_RING;
    this.others = policy.ring ? base.filter((one) => !this.#isInRing(one)) : base;
  }

  /** The first `count`, or all, for a leaf. */
  take(count: number, leaf: number): Ranked[] {
    const { ring, others } = this;
    const drawn = ring.members.length > 1 ? ring.best(leaf, count) : ring.members.slice(0, count);
    return [...drawn, ...others.slice(0, count - drawn.length)];
  }

  /**
   * Whether one more node would stand in the ring or change who are the first `count`, of which there are as many: for
   * whatever leaf the same.
   *
   * One that is nearer than all others has the bias favour fewer of them. If the first is no longer favoured, one of
   * another bonus comes first, since of equal bonus the nearer comes first anyway: so no ring around that one has a node
   * of this ring. If another that is taken is no longer favoured, the new one comes before it.
   */
  wouldTake(one: Ranked, count: number): boolean {
    const fromOthers = count - this.ring.members.length;
    const limitM = one.costM + this.#policy.bias.maxKm * 1000;
    if (limitM < this.#favouredReachM && !this.#policy.compat) {
      const falls = ({ costM }: Ranked) => limitM < costM && costM <= this.#favouredLimitM;
      if (falls(this.#first)) return true;
      for (let i = 0; i < fromOthers; i++) if (falls(this.others[i]!)) return true;
    }
    if (this.#isBefore(one, this.#first)) return true;
    if (this.#policy.ring && this.#isInRing(one)) return true;
    return fromOthers > 0 && this.#isBefore(one, this.others[fromOthers - 1]!);
  }

  /** Step 4. */
  #isBefore(a: Ranked, b: Ranked): boolean {
    const isFavoured = a.costM <= this.#favouredLimitM;
    if (isFavoured !== b.costM <= this.#favouredLimitM) return isFavoured;
    return (isFavoured ? this.#byScore(a, b) : byDistance(a, b)) < 0;
  }

  /** The greater score first; among equals the nearer, or in a compat pool the one of the smaller id. */
  #byScore(a: Ranked, b: Ranked): number {
    return b.score - a.score || (this.#policy.compat ? a.member.index - b.member.index : byDistance(a, b));
  }

  #isInRing({ costM, bonus }: Ranked): boolean {
    return bonus === this.#first.bonus && costM <= ringLimitM(this.#policy.ring!, this.#first.costM);
  }
}

const NO_RING = new Ring([]);

function ringLimitM({ share, km }: { share: number; km: number }, costM: number): number {
  return Math.max(costM * (1 + share), costM + km * 1000);
}
