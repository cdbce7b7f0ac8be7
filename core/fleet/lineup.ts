/**
 * The nodes around a place once it is known whom a leaf admits: whom a choice takes for sure, whom it draws, and what it
 * looks at. Leaves that admit the same nodes have a lineup in common.
 *
 * @module
 */

import { LOOK } from "./consulted.ts";
import { type Admission, Arrangement, type Field, type Ranked } from "./ranking.ts";
import { isBiased } from "./score.ts";
import type { Member, PoolView } from "./view.ts";

/** A node chosen. */
export interface Chosen {
  readonly member: Member;
  /** Whole metres from the client; absent where the client has no place. */
  readonly distanceM?: number;
  /** The same with the node's price. */
  readonly costM?: number;
}

/** An outcome of picking. */
export interface Picked {
  /** Best first. */
  readonly chosen: readonly Chosen[];
  /** By what rule. */
  readonly rule: "nearest" | "bias" | "compat" | "ring" | "unlocated nodes" | "unlocated all";
  /** What of each member was looked at: {@linkcode LOOK}. */
  looks(): Uint8Array;
}

/** Two leaves of a lineup that have the same: they choose the same set of nodes, and look at the same of each. */
export type Variant = number | string;

/** What choices of different leaves have in common. */
export interface Pickable {
  /** Whether every leaf gets the same nodes in the same order. */
  readonly isFixed: boolean;
  /** Whether every leaf has the same variant. */
  readonly isUniform: boolean;
  pick(leaf: number): Picked;
  variant(leaf: number): Variant;
  /**
   * Written out: two of one view that have it in common pick the same set for every leaf, look at the same, and have the
   * same variants.
   */
  essence(): string;
}

/** See the module. */
export class Lineup implements Pickable {
  readonly #view: PoolView;
  readonly #field: Field;
  readonly #near: readonly Ranked[];
  readonly #admission: Admission;
  /** Of those admitted, and of the rest when these are too few. */
  readonly #lead: Arrangement;
  readonly #rest: Arrangement | undefined;
  /** How many of the rest are chosen. */
  readonly #restCount: number;
  #watched: readonly number[] | undefined;
  #essence: string | undefined;

  /** @param near Those within reach, candidates or not, ascending by cost, then id. */
  constructor(view: PoolView, field: Field, near: readonly Ranked[], admission: Admission) {
    const { lead, rest } = admission;
    this.#view = view;
    this.#field = field;
    this.#near = near;
    this.#admission = admission;
    this.#lead = new Arrangement(lead, view);
    this.#restCount = Math.min(rest.length, Math.max(0, view.policy.answers - lead.length));
    this.#rest = this.#restCount > 0 ? new Arrangement(rest, view) : undefined;
  }

  get isFixed(): boolean {
    return this.#lead.ring.members.length < 2 && !(this.#rest && this.#rest.ring.members.length > 1);
  }

  get isUniform(): boolean {
    return !this.#contested();
  }

  pick(leaf: number): Picked {
    const chosen = this.#chosen(leaf);
    const { policy } = this.#view;
    return {
      chosen,
      rule: this.#lead.ring.members.length > 1
        ? "ring"
        : policy.compat
        ? "compat"
        : isBiased(policy)
        ? "bias"
        : "nearest",
      looks: () => {
        const looks = new Uint8Array(this.#view.members.length);
        const watched = this.#watch();
        for (let i = 0; i < watched.length; i += 2) looks[watched[i]!] = watched[i + 1]!;
        for (const { member } of chosen) looks[member.index]! |= LOOK.down;
        return looks;
      },
    };
  }

  variant(leaf: number): Variant {
    const contested = this.#contested();
    return contested ? contested.ring.bestKey(leaf, contested.count) : 0;
  }

  essence(): string {
    return this.#essence ??= this.#writeOut();
  }

  #writeOut(): string {
    const codes = this.#essenceOf(this.#lead, this.#answers);
    if (this.#rest) codes.push(...this.#essenceOf(this.#rest, this.#restCount));
    codes.push(...this.#watch());
    return String.fromCharCode(...codes);
  }

  get #answers(): number {
    return this.#view.policy.answers;
  }

  #chosen(leaf: number): Ranked[] {
    const chosen = this.#lead.take(this.#answers, leaf);
    return this.#rest ? [...chosen, ...this.#rest.take(this.#restCount, leaf)] : chosen;
  }

  /** The ring of which some are chosen and some not: there is one at most, as the rest is asked only for want of others. */
  #contested() {
    const [arrangement, count] = this.#rest ? [this.#rest, this.#restCount] : [this.#lead, this.#answers];
    return arrangement.ring.members.length > count ? { ring: arrangement.ring, count } : undefined;
  }

  /** Members as char codes: the ring drawn from, as it stands, or those taken for sure, in no order. */
  #essenceOf({ ring, others }: Arrangement, count: number): number[] {
    const isDrawn = ring.members.length > count;
    const taken = isDrawn ? ring.members : [...ring.members, ...others.slice(0, count - ring.members.length)];
    const indexes = taken.map(({ member }) => member.index);
    return [Number(isDrawn), taken.length, ...isDrawn ? indexes : indexes.sort((a, b) => a - b)];
  }

  /** What of the members is looked at, whatever the leaf: indexes, ascending, each followed by what. */
  #watch(): readonly number[] {
    return this.#watched ??= this.#workOutWatched();
  }

  #workOutWatched(): number[] {
    const { lead, rest, resting } = this.#admission;
    const { length } = this.#view.members;
    if (looked.length < length) looked = new Uint8Array(length);
    const look = ({ member }: Ranked, what: number) => void (looked[member.index]! |= what);
    for (const [arrangement, group] of [[this.#lead, lead], [this.#rest, rest]] as const) {
      if (!arrangement) continue;
      for (const ranked of arrangement.ring.members) look(ranked, LOOK.change);
      // How far a bias may reach is counted from the nearest, be it chosen or not.
      if (isBiased(this.#view.policy) && !this.#view.policy.compat) look(group[0]!, LOOK.down);
    }
    for (const ranked of this.#near) {
      if (!this.#field.isCandidate(ranked.member) && this.#sways(ranked)) look(ranked, LOOK.up);
    }
    for (const ranked of resting) if (this.#sways(ranked)) look(ranked, LOOK.ramp);
    if (!this.#contested()) { for (const ranked of this.#chosen(0)) look(ranked, LOOK.down); }
    const watched: number[] = [];
    for (let index = 0; index < length; index++) {
      if (looked[index] === 0) continue;
      watched.push(index, looked[index]!);
      looked[index] = 0;
    }
    return watched;
  }

  /** Whether a node would make a difference, were it a candidate and admitted. */
  #sways(one: Ranked): boolean {
    const { lead, rest, resting } = this.#admission;
    const isNoneAdmitted = resting.length > 0 && rest.length === 0;
    return isNoneAdmitted || lead.length < this.#answers || this.#lead.wouldTake(one, this.#answers);
  }
}

/** By member, what the lineup at hand looks at; zero between lineups. */
let looked = new Uint8Array(0);
