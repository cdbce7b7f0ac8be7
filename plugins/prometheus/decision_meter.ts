/**
 * Counts what pools decided: which rule, which nodes, for how many clients, how well these were located. Bound as in
 * query_meter.ts.
 *
 * @module
 */

import { type Geography, SPECIAL_CLASS_FIRST } from "../../core/fleet/place.ts";
import { findNetwork, valueAt } from "../../core/net/network_table.ts";
import {
  type Address,
  type Answer,
  type AnswerScope,
  clientAddress,
  type QueryContext,
  type Selection,
  type Series,
} from "../../core/plugin.ts";

/** What it is handed. */
export type DecisionScope = Pick<AnswerScope, "series" | "geography">;

/** What is bound of a pool. */
interface PoolMeter {
  /** By the reason as it stands in the answer. */
  readonly answers: Map<string, Series>;
  readonly nodes: Map<string, Series>;
}

/** Counts the decisions of one block. */
export class DecisionMeter {
  readonly #scope: DecisionScope;
  readonly #pools = new Map<string, PoolMeter>();
  readonly #locations = new Map<string, Series>();
  readonly #scopes: readonly [Series, Series];

  constructor(scope: DecisionScope) {
    this.#scope = scope;
    this.#scopes = [
      scope.series("meridian_pool_scope_prefix_length", { family: "1" }),
      scope.series("meridian_pool_scope_prefix_length", { family: "2" }),
    ];
  }

  /** Counts those behind one answer, if there are any. */
  count(context: QueryContext, answer: Answer): void {
    const { selections } = answer;
    if (!selections || selections.length === 0) return;
    for (const selection of selections) this.#countSelection(selection);
    const address = answer.ecs === false ? context.source.address : clientAddress(context).address;
    this.#scopes[address.family === 4 ? 0 : 1].record(answer.dependence.scopePrefixLength);
    this.#locationsOf(precisionOf(this.#scope.geography(context.snapshot), address)).record(1);
  }

  #countSelection({ pool, why, nodes }: Selection): void {
    let meter = this.#pools.get(pool);
    if (!meter) this.#pools.set(pool, meter = { answers: new Map(), nodes: new Map() });
    let answers = meter.answers.get(why);
    if (!answers) {
      answers = this.#scope.series("meridian_pool_answers_total", { pool, outcome: outcomeOf(why) });
      meter.answers.set(why, answers);
    }
    answers.record(1);
    for (const node of nodes) {
      let selected = meter.nodes.get(node);
      if (!selected) {
        selected = this.#scope.series("meridian_pool_selected_total", { pool, node });
        meter.nodes.set(node, selected);
      }
      selected.record(1);
    }
  }

  #locationsOf(precision: string): Series {
    let series = this.#locations.get(precision);
    if (!series) {
      series = this.#scope.series("meridian_pool_locations_total", { precision });
      this.#locations.set(precision, series);
    }
    return series;
  }
}

/** A reason without what is particular: `spill to NAME: nearest` is `spill`. */
export function outcomeOf(why: string): string {
  if (why.startsWith("spill to ")) return "spill";
  if (why.startsWith("unlocated")) return "unlocated";
  return why.startsWith("no node") ? "none" : why;
}

/** How exactly a client's place is known. */
export function precisionOf(geography: Geography | undefined, { family, octets }: Address): string {
  if (!geography) return "none";
  const table = family === 4 ? geography.v4 : geography.v6;
  const place = valueAt(table, findNetwork(table, octets));
  if (place === 0) return "none";
  if (place >= SPECIAL_CLASS_FIRST) return "special";
  const { source, sourceNames } = geography.places;
  return sourceNames[source[place]!]!.precision;
}
