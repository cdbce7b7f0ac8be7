/**
 * Labels that are asked for in a server block where nobody tells them: a slip that only shows as conditions that never hold.
 *
 * @module
 */

import type { Position, Problems } from "../corefile/directive.ts";
import type { BlockFacts } from "../plugin.ts";
import { type Expression, parts } from "./syntax.ts";

/** The labels that an expression asks for in so many words. */
export function labelsIn(expression: Expression): string[] {
  const [label] = expression.kind === "call" && expression.name === "metadata" ? expression.args : [];
  const own = label?.kind === "literal" && typeof label.value === "string" ? [label.value] : [];
  return [...own, ...parts(expression).flatMap(labelsIn)];
}

/** Warns, once for each plugin that is missing, of labels that are always empty. */
export function warnOfEmptyLabels(
  labels: readonly string[],
  { labelZones, plugins }: BlockFacts,
  what: string,
  at: Position,
  problems: Problems,
): void {
  const [first] = labels;
  if (first === undefined) return;
  if (labelZones.length === 0) {
    problems.warn(at, `${what}: label '${first}' is always empty: this server block has no metadata`);
  }
  const located = labels.find((label) => /^geo(ip)?\//.test(label));
  if (located !== undefined && !plugins.includes("geo")) {
    problems.warn(at, `${what}: label '${located}' is always empty: this server block has no geo`);
  }
}
