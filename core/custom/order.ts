/**
 * Where custom plugins stand in the order of execution.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import type { PluginModule } from "../plugin.ts";

/** Where a plugin is to stand; with neither, above all of ours. */
export interface Beside {
  readonly before?: string;
  readonly after?: string;
}

/** A module and where it is to stand. */
export interface Placed<Module> {
  readonly module: Module;
  readonly place: Beside;
}

/** A plugin that could not be placed, and why. */
export interface Unplaced<Module> {
  readonly module: Module;
  readonly why: string;
}

/**
 * Puts `customs` among `modules`. Those with the same place stand in the order in which they are given. One may name another
 * custom plugin, wherever that stands in the list.
 */
export function placeAll<Module extends Pick<PluginModule, "name" | "aliases">>(
  modules: readonly Module[],
  customs: readonly Placed<Module>[],
): { readonly modules: readonly Module[]; readonly unplaced: readonly Unplaced<Module>[] } {
  const order = [...modules];
  // What was put last below another or, for undefined, on top: what comes next with the same place goes behind it.
  const last = new Map<Module | undefined, Module>();
  let waiting = customs;
  for (let before = -1; waiting.length !== before;) {
    before = waiting.length;
    waiting = waiting.filter(({ module, place }) => !put(order, last, module, place));
  }
  const known = [...modules, ...customs.map(({ module }) => module)];
  return {
    modules: order,
    unplaced: waiting.map((one) => ({ module: one.module, why: whyNot(one, known) })),
  };
}

/** @returns False when the name that it is to stand beside is not there yet. */
function put<Module extends Pick<PluginModule, "name" | "aliases">>(
  order: Module[],
  last: Map<Module | undefined, Module>,
  module: Module,
  { before, after }: Beside,
): boolean {
  const beside = before ?? after;
  const at = beside === undefined ? -1 : order.findIndex((other) => isNamed(other, beside));
  if (beside !== undefined && at < 0) return false;
  if (before !== undefined) {
    order.splice(at, 0, module);
    return true;
  }
  const behind = last.get(order[at]);
  order.splice(behind ? order.indexOf(behind) + 1 : at + 1, 0, module);
  last.set(order[at], module);
  return true;
}

function isNamed({ name, aliases = [] }: Pick<PluginModule, "name" | "aliases">, word: string): boolean {
  return name === word || aliases.includes(word);
}

function whyNot(
  { module, place }: Placed<Pick<PluginModule, "name">>,
  known: readonly Pick<PluginModule, "name" | "aliases">[],
): string {
  const word = place.before ?? place.after!;
  const which = place.before !== undefined ? "before" : "after";
  if (word === module.name) return `${which} ${word}: it cannot stand beside itself`;
  if (known.some((other) => isNamed(other, word))) {
    return `${which} ${word}: that has no place either, as each waits for the other`;
  }
  const guess = nearest(word, known.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  return `${which} ${word}: there is no such plugin${guess ? `; did you mean '${guess}'?` : ""}`;
}
