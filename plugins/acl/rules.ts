/**
 * Rules of access: who may ask for what, the first that fits deciding.
 *
 * @module
 */

import { PrefixSet } from "../../core/net/prefix_set.ts";
import { isWithin, type Name, type Prefix, type QueryContext } from "../../core/plugin.ts";

/** What becomes of a query that a rule fits. */
export type Action = "allow" | "block" | "filter" | "drop";

/** One line of an `acl`. */
export interface Rule {
  readonly action: Action;
  /** Types by number; absent = every type. */
  readonly types?: readonly number[];
  /** Sources; absent = everybody. */
  readonly networks?: readonly Prefix[];
}

/** One `acl`: for names within its zones, its rules in order. */
export interface RuleSet {
  /** None = every name of the block. */
  readonly zones: readonly Name[];
  readonly rules: readonly Rule[];
}

/** What was found, and whether it took a look at who asked. */
export interface Finding {
  readonly action: Action;
  readonly bySource: boolean;
}

/** Decides on queries by rule sets, one after the other; what fits no rule is allowed. */
export function makeJudge(sets: readonly RuleSet[]): (context: QueryContext) => Finding {
  const prepared = sets.map(({ zones, rules }) => ({ zones, rules: rules.map(prepare) }));
  return ({ name, question: { type }, source: { address } }) => {
    let bySource = false;
    for (const { zones, rules } of prepared) {
      if (zones.length > 0 && !zones.some((zone) => isWithin(name, zone))) continue;
      for (const { action, types, networks } of rules) {
        if (types && !types.has(type)) continue;
        bySource ||= networks !== undefined;
        if (!networks || networks.has(address)) return FINDINGS[action][bySource ? 1 : 0];
      }
    }
    return FINDINGS.allow[bySource ? 1 : 0];
  };
}

function prepare({ action, types, networks }: Rule) {
  return {
    action,
    types: types && new Set(types),
    networks: networks && new PrefixSet(networks),
  };
}

function both(action: Action): readonly [Finding, Finding] {
  return [{ action, bySource: false }, { action, bySource: true }];
}

const FINDINGS = { allow: both("allow"), block: both("block"), filter: both("filter"), drop: both("drop") };
