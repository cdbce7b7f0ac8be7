/**
 * What leaves come to after some nodes of a pool went down or came back, in the numbers of the partition from before: what
 * is looked at again has one that was free. Of plain pools, where what is looked at tells the answer.
 *
 * @module
 */

import { type Consulted, LOOK, unite } from "./consulted.ts";
import { vectorOf } from "./distance.ts";
import { nearestToChosen } from "./near_table.ts";
import { Numbering } from "./numbering.ts";
import { answerKey, choiceKey, keyOfConsulted } from "./partition_outcomes.ts";
import { degreesAt, placeAt, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";
import { plan } from "./select.ts";
import type { PoolView, Views } from "./view.ts";

/** See the module. */
export class UpdatedOutcomes {
  /** What was looked at, by number; of those that are free, anything. */
  readonly consulted: (readonly Consulted[])[];
  readonly #views: Views;
  readonly #view: PoolView;
  readonly #places: PlaceTable;
  readonly #free: number[];
  readonly #numbers = new Map<string, number>();
  readonly #answers = new Numbering<string>();
  /** By the number of what was looked at. */
  readonly #answerOf: number[] = [];
  readonly #joined = new Map<number, number>();
  readonly #choices = new Numbering<string>();
  /** By place: the number of what is looked at, and 1; and of the choice, in which order counts. */
  readonly #lookOfPlace: Uint32Array;
  readonly #choiceOfPlace: Uint32Array;
  /** By who is nearest: the same. */
  readonly #byNearest = new Map<string, { readonly look: number; readonly choice: number }>();

  /** @param stay Numbers of what is looked at that stay what they are, as 1; the others are free. */
  constructor(
    views: Views,
    view: PoolView,
    places: PlaceTable,
    before: readonly (readonly Consulted[])[],
    stay: Uint8Array,
  ) {
    this.#views = views;
    this.#view = view;
    this.#places = places;
    this.consulted = [...before];
    this.#free = [...stay.keys()].filter((number) => stay[number] === 0).reverse();
    stay.forEach((stays, number) =>
      stays && this.#note(number, before[number]!, this.#answerLookedAt(before[number]!))
    );
    this.#lookOfPlace = new Uint32Array(places.count);
    this.#choiceOfPlace = new Uint32Array(places.count);
  }

  /** The number of what a leaf looks at. @param leafClass Its value in its geography. */
  lookOf(leafClass: number): number {
    const placeId = leafClass >= SPECIAL_CLASS_FIRST ? 0 : leafClass;
    return (this.#lookOfPlace[placeId]! || this.#workOut(placeId)) - 1;
  }

  /** The number of a leaf's choice. */
  choiceOf(leafClass: number): number {
    const placeId = leafClass >= SPECIAL_CLASS_FIRST ? 0 : leafClass;
    if (this.#lookOfPlace[placeId] === 0) this.#workOut(placeId);
    return this.#choiceOfPlace[placeId]!;
  }

  /** The number of a look's answer. */
  answerOf(look: number): number {
    return this.#answerOf[look]!;
  }

  /** Of looks of equal answers the one of both together; undefined when these are not equal. */
  join(a: number, b: number): number | undefined {
    if (a === b) return a;
    const answer = this.#answerOf[a]!;
    if (answer !== this.#answerOf[b]) return undefined;
    const key = Math.min(a, b) * PAIR + Math.max(a, b);
    let joined = this.#joined.get(key);
    if (joined === undefined) {
      joined = this.#numberOf(unite([this.consulted[a]!, this.consulted[b]!]), answer);
      this.#joined.set(key, joined);
    }
    return joined;
  }

  /** @returns The number of what the leaves of a place look at, and 1. */
  #workOut(placeId: number): number {
    const place = placeId === 0 ? undefined : placeAt(this.#places, placeId);
    const nearest = place && this.#nearest(placeId);
    let found = nearest === undefined ? undefined : this.#byNearest.get(nearest);
    if (!found) {
      const choice = plan(this.#views, this.#view, { place, placeId }).choose(0);
      found = {
        look: this.#numberOf(choice.consulted(), this.#answers.of(answerKey(choice))),
        choice: this.#choices.of(choiceKey(choice)),
      };
      if (nearest !== undefined) this.#byNearest.set(nearest, found);
    }
    this.#choiceOfPlace[placeId] = found.choice;
    return this.#lookOfPlace[placeId] = found.look + 1;
  }

  /** The nearest nodes up to the last one chosen, written out; undefined where that takes more of them than are looked for. */
  #nearest(placeId: number): string | undefined {
    const { latitude, longitude } = this.#places;
    const from = vectorOf({
      latitude: degreesAt(latitude, placeId),
      longitude: degreesAt(longitude, placeId),
    });
    const near = nearestToChosen(this.#view, from);
    return near && String.fromCharCode(...near);
  }

  /** In a plain pool who is chosen is looked at for when it could become down, and nobody else is. */
  #answerLookedAt(consulted: readonly Consulted[]): number {
    const chosen = this.#view.members.filter(({ index }) => consulted[0]!.looks[index]! & LOOK.down);
    return this.#answers.of([...new Set(chosen.map(({ address }) => address))].sort().join());
  }

  #numberOf(consulted: readonly Consulted[], answer: number): number {
    const known = this.#numbers.get(keyOfConsulted(consulted));
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.consulted.length;
    this.#note(number, consulted, answer);
    return number;
  }

  #note(number: number, consulted: readonly Consulted[], answer: number): void {
    this.consulted[number] = consulted;
    this.#numbers.set(keyOfConsulted(consulted), number);
    this.#answerOf[number] = answer;
  }
}

/** More than there are looks: an update with far fewer is let go already. */
const PAIR = 2 ** 26;
