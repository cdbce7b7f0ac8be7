/**
 * The answers of single leaves, one after the other as somebody wants them. What was worked out is kept as long as there is
 * room: a partition has all of them.
 *
 * @module
 */

import { NetworkCursor } from "../net/network_table.ts";
import { type Consulted, unite } from "./consulted.ts";
import { vectorOf } from "./distance.ts";
import { nearestToChosen } from "./near_table.ts";
import { Numbering } from "./numbering.ts";
import { answerKey, keyOfConsulted } from "./partition_outcomes.ts";
import { type Geography, placeAt, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";
import { isPlain } from "./plain_basis.ts";
import { leafHashAt } from "./rendezvous.ts";
import { type Choice, type ChoicePlan, isKeyedByLeaf, plan } from "./select.ts";
import type { PoolView, Views } from "./view.ts";

/** What it costs to work something out, in steps: to look at a leaf whose place is known is one. */
const STEPS = { near: 64, draw: 64, choose: 2048 } as const;

/** A millisecond at the most, of which a query keeps others waiting. */
const STEPS_MAX = 32_768;

/** Places of which the outcome is remembered, a power of two; outcomes, and plans of places whose leaves draw. */
const PLACES_KEPT = 4096, OUTCOMES_MAX = 4096, PLANS_MAX = 256;

/** In larger geographies nobody looks through all leaves: a partition tells whether all are alike. */
const ALIKE_MAX = 1 << 21;

/** Outcomes by number: an outcome is an answer and what it looked at. */
export class LeafAnswers {
  readonly #views: Views;
  readonly #path: readonly PoolView[];
  readonly #places: PlaceTable;
  /** Whether the order of the nearest nodes is all that matters. */
  readonly #isPlain: boolean;
  readonly #drawsByLeaf: boolean;
  readonly #answers = new Numbering<string>();
  #answerOf: number[] = [];
  /** Of choices themselves nothing is kept: they are several times as large. */
  #consultedOf: (readonly Consulted[])[] = [];
  #numbers = new Map<string, number>();
  /** By the low bits of a place's number: the place, and its outcome. */
  readonly #keptPlaces = new Int32Array(PLACES_KEPT).fill(-1);
  readonly #keptOutcomes = new Int32Array(PLACES_KEPT);
  readonly #plans = new Map<number, ChoicePlan>();
  #steps = 0;
  #stepsMost = STEPS_MAX;
  /** How far all leaves have been found to have one answer, what they come to; and whether that is so of all. */
  readonly #alike = { entry: 0, met: new Map<number, readonly Consulted[]>() };
  #isUniform: boolean | undefined;
  /** What all looked at, where all have one answer. */
  #all: readonly Consulted[] | undefined;
  /** The answer of the first leaf. */
  #first: number | undefined;

  constructor(views: Views, path: readonly PoolView[], places: PlaceTable) {
    this.#views = (pool) => path.find(({ name }) => name === pool) ?? views(pool);
    this.#path = path;
    this.#places = places;
    this.#isPlain = isPlain(path[0]!);
    this.#drawsByLeaf = path.some(isKeyedByLeaf);
  }

  /** Whether it is of these very views and places. */
  areOf(path: readonly PoolView[], places: PlaceTable): boolean {
    return places === this.#places && path.length === this.#path.length &&
      path.every((view, i) => view === this.#path[i]);
  }

  /** Makes room, and begins to count steps, of which there may be `most`. Numbers given out before stand for nothing any more. */
  begin(most = STEPS_MAX): void {
    this.#steps = 0;
    this.#stepsMost = Math.min(most, STEPS_MAX);
    if (this.#answerOf.length < OUTCOMES_MAX) return;
    this.#answerOf = [];
    this.#consultedOf = [];
    this.#numbers = new Map();
    this.#keptPlaces.fill(-1);
    if (this.#isUniform !== undefined) return;
    this.#alike.entry = 0;
    this.#alike.met.clear();
  }

  /** Whether more has been asked for than a query may take. */
  get isSpent(): boolean {
    return this.#steps > this.#stepsMost;
  }

  /** How many steps were taken since it began. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * What all leaves looked at, where all have one answer; false where they have not; undefined while that is not known.
   */
  uniform({ v4, v6 }: Pick<Geography, "v4" | "v6">): readonly Consulted[] | false | undefined {
    const { met } = this.#alike, total = v4.count + v6.count;
    if (this.#isUniform === undefined && total <= ALIKE_MAX) {
      let leaf: NetworkCursor | undefined;
      for (; this.#alike.entry < total && !this.isSpent; this.#alike.entry++) {
        const { entry } = this.#alike, at = entry < v4.count ? entry : entry - v4.count;
        if (!leaf || at === 0) leaf = new NetworkCursor(entry < v4.count ? v4 : v6, at);
        leaf.moveTo(at);
        const outcome = this.of(leaf);
        if (met.has(outcome)) continue;
        met.set(outcome, this.#consultedOf[outcome]!);
        this.#first ??= this.#answerOf[outcome];
        if (this.#answerOf[outcome] !== this.#first) {
          this.#isUniform = false;
          met.clear();
          break;
        }
      }
      if (this.#alike.entry === total) this.#isUniform = true;
    }
    return this.#isUniform && (this.#all ??= unite([...met.values()]));
  }

  /** The outcome of the leaf at which a cursor over a table of the geography stands. */
  of(leaf: NetworkCursor): number {
    this.#steps++;
    const { value } = leaf, placeId = value >= SPECIAL_CLASS_FIRST ? 0 : value;
    const at = placeId & (PLACES_KEPT - 1);
    if (this.#keptPlaces[at] === placeId) return this.#keptOutcomes[at]!;
    const outcome = this.#isPlain && placeId > 0 ? this.#byNearest(placeId) : undefined;
    if (outcome === undefined && this.#drawsByLeaf) {
      const planned = this.#keptPlan(placeId);
      if (planned.isSplit || !planned.isUniform) return this.#draw(planned, leaf);
    }
    this.#keptPlaces[at] = placeId;
    return this.#keptOutcomes[at] = outcome ?? this.#numberOf(this.#planOf(placeId).choose(0));
  }

  /** Whether two outcomes are the same answer. */
  areEqual(a: number, b: number): boolean {
    return this.#answerOf[a] === this.#answerOf[b];
  }

  consultedOf(outcome: number): readonly Consulted[] {
    return this.#consultedOf[outcome]!;
  }

  /** Who is nearest, up to the last one chosen, tells the outcome; undefined where that takes more of them than are looked for. */
  #byNearest(placeId: number): number | undefined {
    this.#steps += STEPS.near;
    const near = nearestToChosen(this.#path[0]!, vectorOf(placeAt(this.#places, placeId)));
    if (!near) return undefined;
    const key = `near ${String.fromCharCode(...near)}`;
    return this.#numbers.get(key) ?? this.#add(key, this.#planOf(placeId).choose(0));
  }

  #draw(planned: ChoicePlan, leaf: NetworkCursor): number {
    this.#steps += STEPS.draw;
    return this.#numberOf(planned.choose(leafHashAt(leaf)));
  }

  #keptPlan(placeId: number): ChoicePlan {
    let planned = this.#plans.get(placeId);
    if (planned) return planned;
    if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
    this.#plans.set(placeId, planned = this.#planOf(placeId));
    return planned;
  }

  #planOf(placeId: number): ChoicePlan {
    this.#steps += STEPS.choose;
    const place = placeId === 0 ? undefined : placeAt(this.#places, placeId);
    return plan(this.#views, this.#path[0]!, { place, placeId });
  }

  #numberOf(choice: Choice): number {
    const key = `${answerKey(choice)}\n${keyOfConsulted(choice.consulted())}`;
    return this.#numbers.get(key) ?? this.#add(key, choice);
  }

  #add(key: string, choice: Choice): number {
    const outcome = this.#answerOf.push(this.#answers.of(answerKey(choice))) - 1;
    this.#consultedOf.push(choice.consulted());
    this.#numbers.set(key, outcome);
    return outcome;
  }
}
