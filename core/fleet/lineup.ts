/**
 * The nodes around a place once it is known whom a leaf admits: whom a choice takes for sure, whom it draws, and what it
 * looks at. Leaves that admit the same nodes have a lineup in common.
 *
 * @module
 */

import { LOOK } from "./consulted.ts";
import { type Admission, Arrangement, byDistance, type Field, type Ranked } from "./ranking.ts";
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

/** A node that makes a difference for some leaves only, were it a candidate and admitted: to what, then. */
interface Swing {
  readonly member: Member;
  readonly look: number;
  readonly changed: Arrangement;
}

/** What of the members is looked at. */
interface Watch {
  /** Whatever the leaf: indexes, ascending, each followed by what is looked at. */
  readonly always: readonly number[];
  readonly swings: readonly Swing[];
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
  #watched: Watch | undefined;
  #essence: string | undefined;

  /** @param near Those within reach, candidates or not, ascending by distance, then id. */
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
    return !this.#contested() && this.#watch().swings.length === 0;
  }

  pick(leaf: number): Picked {
    const chosen = this.#chosen(leaf);
    const { policy } = this.#view;
    return {
      chosen,
      rule: this.#lead.ring.members.length > 1 ? "ring" : isBiased(policy) ? "bias" : "nearest",
      looks: () => {
        const { always, swings } = this.#watch();
        const looks = new Uint8Array(this.#view.members.length);
        for (let i = 0; i < always.length; i += 2) looks[always[i]!] = always[i + 1]!;
        for (const { member } of chosen) looks[member.index]! |= LOOK.down;
        for (const swing of swings) {
          if (this.#isSwung(swing, chosen, leaf)) looks[swing.member.index]! |= swing.look;
        }
        return looks;
      },
    };
  }

  variant(leaf: number): Variant {
    const contested = this.#contested();
    const drawn = contested ? contested.ring.bestKey(leaf, contested.count) : 0;
    const { swings } = this.#watch();
    if (swings.length === 0) return drawn;
    const chosen = this.#chosen(leaf);
    return `${drawn} ${swings.map((swing) => Number(this.#isSwung(swing, chosen, leaf))).join("")}`;
  }

  essence(): string {
    return this.#essence ??= this.#writeOut();
  }

  #writeOut(): string {
    const { always, swings } = this.#watch();
    const codes = this.#essenceOf(this.#lead, this.#answers);
    if (this.#rest) codes.push(...this.#essenceOf(this.#rest, this.#restCount));
    codes.push(...always);
    for (const { member, look, changed } of swings) {
      codes.push(SWING, member.index, look, ...this.#essenceOf(changed, this.#answers));
    }
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

  #watch(): Watch {
    if (this.#watched) return this.#watched;
    const { lead, rest, resting } = this.#admission;
    const { length } = this.#view.members;
    if (looked.length < length) looked = new Uint8Array(length);
    const swings: Swing[] = [];
    const look = ({ member }: Ranked, what: number) => void (looked[member.index]! |= what);
    const lookIfSwaying = (one: Ranked, what: number) => {
      const sways = this.#sways(one);
      if (sways === true) look(one, what);
      else if (sways) swings.push({ member: one.member, look: what, changed: sways });
    };
    for (const [arrangement, group] of [[this.#lead, lead], [this.#rest, rest]] as const) {
      if (!arrangement) continue;
      for (const ranked of arrangement.ring.members) look(ranked, LOOK.change);
      // How far a bias may reach is counted from the nearest, be it chosen or not.
      if (isBiased(this.#view.policy)) look(group[0]!, LOOK.down);
    }
    for (const ranked of this.#near) {
      if (!this.#field.isCandidate(ranked.member)) lookIfSwaying(ranked, LOOK.up);
    }
    for (const ranked of resting) lookIfSwaying(ranked, LOOK.ramp);
    if (!this.#contested()) { for (const ranked of this.#chosen(0)) look(ranked, LOOK.down); }
    const always: number[] = [];
    for (let index = 0; index < length; index++) {
      if (looked[index] === 0) continue;
      always.push(index, looked[index]!);
      looked[index] = 0;
    }
    return this.#watched = { always, swings };
  }

  /** Whether a node would make a difference, were it a candidate and admitted; the arrangement with it, where leaves differ. */
  #sways(one: Ranked): boolean | Arrangement {
    const { lead, rest, resting } = this.#admission;
    const isShort = lead.length < this.#answers;
    if (isShort || resting.length > 0 && rest.length === 0) return true;
    const known = this.#lead.wouldTake(one, this.#answers);
    if (known !== undefined) return known;
    const changed = new Arrangement([...lead, one].sort(byDistance), this.#view);
    if (changed.ring.members.includes(one)) return true;
    const isDrawn = this.#lead.ring.members.length > this.#answers ||
      changed.ring.members.length > this.#answers;
    return isDrawn ? changed : differs(changed.take(this.#answers, 0), this.#chosen(0));
  }

  #isSwung({ changed }: Swing, chosen: readonly Chosen[], leaf: number): boolean {
    return differs(changed.take(this.#answers, leaf), chosen);
  }
}

/** By member, what the lineup at hand looks at; zero between lineups. */
let looked = new Uint8Array(0);

/** Between those looked at and a swing; no member's number is as great. */
const SWING = 0xffff;

function differs(changed: readonly Ranked[], chosen: readonly Chosen[]): boolean {
  return changed.some((ranked) => !chosen.includes(ranked));
}
