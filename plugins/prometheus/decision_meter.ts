/**
 * What is counted of what pools decided: which rule, which nodes, for how many clients, how well these were located. Bound
 * as in query_meter.ts.
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
  type Sample,
  type Selection,
} from "../../core/plugin.ts";
import { one, Values } from "./samples.ts";

/** What it is handed. */
export type DecisionScope = Pick<AnswerScope, "series" | "geography">;

/** What is bound of a pool. */
interface PoolMeter {
  /** By the reason as it stands in the answer. */
  readonly answers: Map<string, Sample>;
  readonly nodes: Map<string, Sample>;
}

/** Says what to count of the decisions of one block. */
export class DecisionMeter {
  readonly #scope: DecisionScope;
  readonly #pools = new Map<string, PoolMeter>();
  readonly #locations = new Map<string, Sample>();
  readonly #scopes: readonly [Values, Values];

  constructor(scope: DecisionScope) {
    this.#scope = scope;
    this.#scopes = [
      new Values(scope.series("meridian_pool_scope_prefix_length", { family: "1" })),
      new Values(scope.series("meridian_pool_scope_prefix_length", { family: "2" })),
    ];
  }

  /** Adds those behind one answer, if there are any. */
  add(samples: Sample[], context: QueryContext, answer: Answer): void {
    const { selections } = answer;
    if (!selections || selections.length === 0) return;
    for (const selection of selections) this.#addSelection(samples, selection);
    const address = answer.ecs === false ? context.source.address : clientAddress(context).address;
    const precision = precisionOf(this.#scope.geography(context.snapshot), address);
    samples.push(
      this.#scopes[address.family === 4 ? 0 : 1].of(answer.dependence.scopePrefixLength),
      this.#locationsOf(precision),
    );
  }

  #addSelection(samples: Sample[], { pool, why, nodes }: Selection): void {
    let meter = this.#pools.get(pool);
    if (!meter) this.#pools.set(pool, meter = { answers: new Map(), nodes: new Map() });
    let answers = meter.answers.get(why);
    if (!answers) {
      answers = one(this.#scope.series("meridian_pool_answers_total", { pool, outcome: outcomeOf(why) }));
      meter.answers.set(why, answers);
    }
    samples.push(answers);
    for (const node of nodes) {
      let selected = meter.nodes.get(node);
      if (!selected) {
        selected = one(this.#scope.series("meridian_pool_selected_total", { pool, node }));
        meter.nodes.set(node, selected);
      }
      samples.push(selected);
    }
  }

  #locationsOf(precision: string): Sample {
    let sample = this.#locations.get(precision);
    if (!sample) {
      sample = one(this.#scope.series("meridian_pool_locations_total", { precision }));
      this.#locations.set(precision, sample);
    }
    return sample;
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
