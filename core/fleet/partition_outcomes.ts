/**
 * What the leaves of a geography come to. Leaves are many: each that differs in what matters is chosen for once, and
 * the others are told by where they are and, in a ring, by what they draw.
 *
 * @module
 */

import type { NetworkCursor } from "../net/network_table.ts";
import { type Consulted, unite, viewKey } from "./consulted.ts";
import type { Variant } from "./lineup.ts";
import { CLASS_LENGTH_MAX, nearTable } from "./near_table.ts";
import { Numbering } from "./numbering.ts";
import { type Geography, placeAt, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";
import { isPlain } from "./plain_basis.ts";
import { leafHashAt } from "./rendezvous.ts";
import { type Choice, type ChoicePlan, isKeyedByLeaf, plan } from "./select.ts";
import type { PoolView, Views } from "./view.ts";

/** What stands for an answer: its outcome and the set of its addresses. */
export function answerKey({ outcome, chosen }: Choice): string {
  return outcome === "nodes"
    ? [...new Set(chosen.map(({ member }) => member.address))].sort().join()
    : outcome;
}

/** What stands for a choice to those who get it: its nodes in their order, and why. */
export function choiceKey({ chosen, why, allDown }: Choice): string {
  return [why, ...allDown.map(({ policy }) => policy), ...chosen.map(({ member }) => member.node.id)].join(
    "\0",
  );
}

/** A plan, for all that have its essence, and the outcomes of the variants that came up. */
interface Recipe {
  readonly plan: ChoicePlan;
  readonly outcomes: Map<Variant, number>;
}

/** Outcomes by number, from 0: an outcome is an answer and what it looked at. */
export class Outcomes {
  /** Whether leaves of one place may come to different outcomes. */
  readonly drawsByLeaf: boolean;
  readonly #views: Views;
  readonly #view: PoolView;
  readonly #places: PlaceTable;
  readonly #classOf: ((placeId: number) => number) | undefined;
  readonly #answers = new Numbering<string>();
  readonly #looks = new Numbering<readonly Consulted[]>(keyOfConsulted);
  /** Pairs of an answer's number and a look's, by outcome. */
  readonly #pairs = new Numbering<number>();
  readonly #answerOf: number[] = [];
  readonly #lookOf: number[] = [];
  readonly #joined = new Map<number, number>();
  /** Where nothing is drawn: the choice of each place, and of each class of places, by number. */
  readonly #choices = new Numbering<string>();
  readonly #choiceOfPlace: Uint32Array | undefined;
  readonly #choiceOfClass = new Map<number, number>();
  /** By place: above zero, the outcome of all its leaves, and 1; below zero, the recipe for them, from -1 down; or SPLIT. */
  readonly #byPlace: Int32Array;
  /** The same by class and by essence. */
  readonly #byClass = new Map<number, number>();
  readonly #byEssence = new Map<string, number>();
  readonly #recipes: Recipe[] = [];
  /** How many outcomes the recipes have together. */
  #variants = 0;
  /** Plans of places of which leaves differ in whom they admit. */
  readonly #split = new Map<number, ChoicePlan>();

  /** @param path The pools that a choice may come by, in turn. */
  constructor(views: Views, path: readonly PoolView[], { places }: Geography) {
    this.drawsByLeaf = path.some(isKeyedByLeaf);
    this.#views = views;
    this.#view = path[0]!;
    this.#places = places;
    this.#classOf = this.drawsByLeaf ? undefined : classesOf(this.#view, places);
    this.#byPlace = new Int32Array(places.count);
    this.#choiceOfPlace = this.drawsByLeaf ? undefined : new Uint32Array(places.count);
  }

  /** What stands for each answer. */
  get answerKeys(): readonly string[] {
    return this.#answers.values;
  }

  /** What was looked at, by number. */
  get consulted(): readonly (readonly Consulted[])[] {
    return this.#looks.values;
  }

  /** The number of an outcome's answer. */
  answerOf(outcome: number): number {
    return this.#answerOf[outcome]!;
  }

  /** The number of what an outcome looked at. */
  lookOf(outcome: number): number {
    return this.#lookOf[outcome]!;
  }

  /** Where nothing is drawn: the number of a place's choice, in which order counts. Of places that were read. */
  choiceOf(placeId: number): number {
    return this.#choiceOfPlace![placeId]!;
  }

  /** All that any of the leaves looked at. */
  uniteAll(): readonly Consulted[] {
    return unite(this.#looks.values);
  }

  /** Of equal answers, the outcome of both together; undefined when they are not equal. */
  join(a: number, b: number): number | undefined {
    if (a === b) return a;
    const answer = this.answerOf(a);
    if (answer !== this.answerOf(b)) return undefined;
    const key = Math.min(a, b) * PAIR + Math.max(a, b);
    let joined = this.#joined.get(key);
    if (joined === undefined) {
      const { values } = this.#looks;
      joined = this.#number(answer, unite([values[this.lookOf(a)]!, values[this.lookOf(b)]!]));
      this.#joined.set(key, joined);
    }
    return joined;
  }

  /** The outcome of the leaf at which a cursor over a table of the geography stands. */
  read(at: NetworkCursor): number {
    const byPlace = this.#byPlace, placeId = at.value >= SPECIAL_CLASS_FIRST ? 0 : at.value;
    let known = byPlace[placeId]!;
    if (known > 0) return known - 1;
    const leaf = leafHashAt(at);
    if (known === 0) known = byPlace[placeId] = this.#workOut(placeId, leaf);
    if (known === SPLIT) known = this.#workOutSplit(placeId, leaf);
    return known > 0 ? known - 1 : this.#cook(this.#recipes[-1 - known]!, leaf);
  }

  #workOut(placeId: number, leaf: number): number {
    const nearClass = this.#classOf?.(placeId) ?? 0;
    const known = nearClass > 0 ? this.#byClass.get(nearClass) : undefined;
    if (known !== undefined) {
      this.#noteChoice(placeId, this.#choiceOfClass.get(nearClass)!);
      return known;
    }
    const planned = this.#plan(placeId);
    const found = planned.isSplit ? SPLIT : this.#workOutPlan(planned, leaf);
    if (this.#choiceOfPlace) {
      this.#noteChoice(placeId, this.#choices.of(choiceKey(planned.choose(leaf))), nearClass);
    }
    if (nearClass > 0) this.#byClass.set(nearClass, found);
    return found;
  }

  #noteChoice(placeId: number, choice: number, nearClass = 0): void {
    this.#choiceOfPlace![placeId] = choice;
    if (nearClass > 0) this.#choiceOfClass.set(nearClass, choice);
  }

  #workOutSplit(placeId: number, leaf: number): number {
    let planned = this.#split.get(placeId);
    if (!planned) {
      if (this.#split.size >= SPLIT_MAX) this.#split.clear();
      this.#split.set(placeId, planned = this.#plan(placeId));
    }
    return this.#workOutPlan(planned.admitting(leaf), leaf);
  }

  #plan(placeId: number): ChoicePlan {
    const places = this.#places;
    const place = placeId === 0 ? undefined : placeAt(places, placeId);
    return plan(this.#views, this.#view, { place, placeId, places });
  }

  #workOutPlan(planned: ChoicePlan, leaf: number): number {
    const essence = planned.essence();
    let found = this.#byEssence.get(essence);
    if (found === undefined) {
      found = planned.isUniform ? this.#outcomeOf(planned.choose(leaf)) + 1 : this.#newRecipe(planned);
      this.#byEssence.set(essence, found);
    }
    return found;
  }

  #newRecipe(planned: ChoicePlan): number {
    if (this.#recipes.length >= RECIPES_MAX) this.#forgetRecipes();
    return -this.#recipes.push({ plan: planned, outcomes: new Map() });
  }

  #forgetRecipes(): void {
    this.#recipes.length = this.#variants = 0;
    this.#byClass.clear();
    this.#byEssence.clear();
    const byPlace = this.#byPlace;
    for (let placeId = 0; placeId < byPlace.length; placeId++) {
      if (byPlace[placeId]! < 0 && byPlace[placeId] !== SPLIT) byPlace[placeId] = 0;
    }
  }

  #cook({ plan, outcomes }: Recipe, leaf: number): number {
    const variant = plan.variant(leaf);
    let outcome = outcomes.get(variant);
    if (outcome === undefined) {
      outcomes.set(variant, outcome = this.#outcomeOf(plan.choose(leaf)));
      if (++this.#variants > VARIANTS_MAX) this.#forgetVariants();
    }
    return outcome;
  }

  #forgetVariants(): void {
    for (const { outcomes } of this.#recipes) outcomes.clear();
    this.#variants = 0;
  }

  #outcomeOf(choice: Choice): number {
    return this.#number(this.#answers.of(answerKey(choice)), choice.consulted());
  }

  #number(answer: number, consulted: readonly Consulted[]): number {
    const look = this.#looks.of(consulted);
    const outcome = this.#pairs.of(answer * PAIR + look);
    this.#answerOf[outcome] = answer;
    this.#lookOf[outcome] = look;
    return outcome;
  }
}

/** Of a place of which leaves differ in whom they admit. */
const SPLIT = -(2 ** 31);

/** More than there are answers, looks or outcomes. */
const PAIR = 2 ** 26;

/** How many are kept; beyond it, all are worked out anew as they come up again. */
const SPLIT_MAX = 4096, RECIPES_MAX = 1 << 15, VARIANTS_MAX = 1 << 20;

/**
 * A number that places share when a pool's choice for them must be the same, 0 where that cannot be told; undefined when
 * more than the order of the nearest nodes matters, or may come to matter.
 */
function classesOf(view: PoolView, places: PlaceTable): ((placeId: number) => number) | undefined {
  if (!isPlain(view)) return undefined;
  const { policy, members, serving } = view;
  const table = nearTable(view, places);
  const serves = Uint8Array.from(members, ({ serving }) => Number(serving));
  return (placeId) => {
    if (placeId === 0) return 0;
    const length = table.lengthTo(placeId, Math.min(policy.answers, serving.length), serves);
    return length === 0 || length > CLASS_LENGTH_MAX ? 0 : table.classOf(placeId, length);
  };
}

/** Written out: what tells it from others of the same views. */
export function keyOfConsulted(consulted: readonly Consulted[]): string {
  return consulted.map((one) => `${viewKey(one)} ${String.fromCharCode(...one.looks)}`).join("\n");
}
