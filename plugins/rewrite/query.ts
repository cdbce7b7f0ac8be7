/**
 * The way down: rule by rule, what is asked is changed, and what is to be done to the reply is noted.
 *
 * @module
 */

import {
  both,
  type Dependence,
  type EdnsOption,
  fold,
  formatName,
  INDEPENDENT,
  type Name,
  parseName,
  type QueryContext,
} from "../../core/plugin.ts";
import { applyEdnsRule, changeOptions, codeOf, dependenceOfRule } from "./edns.ts";
import type { ResponseRule } from "./response.ts";
import { matches, rewritten, type Rule } from "./rules.ts";

/** A query as it goes down, and what its reply is in for. */
export interface RewrittenQuery {
  readonly context: QueryContext;
  /** In the order of the rules; they are applied to the reply in the reverse one. */
  readonly responses: readonly ResponseRule[];
  readonly dependence: Dependence;
}

/** A name that is none came of a rule. */
export class InvalidName extends Error {
  override readonly name = "InvalidName";
}

/** Applies the rules up to the first that is for the query and does not say `continue`. @throws {InvalidName} */
export function rewriteQuery(rules: readonly Rule[], context: QueryContext): RewrittenQuery {
  const state: State = {
    context,
    text: formatName(context.name),
    responses: [],
    dependence: INDEPENDENT,
    echo: context.edns?.options ?? [],
    echoed: new Set(),
  };
  for (const rule of rules) {
    if (applyRule(rule, state) && !rule.proceeds) break;
  }
  const { responses, dependence } = state;
  if (state.echoed.size > 0) {
    const options = state.echo.filter(({ code }) => state.echoed.has(code));
    responses.push({ kind: "options", codes: [...state.echoed], options });
    const passedOptions = state.context.edns!.options.filter(({ code }) => state.echoed.has(code));
    state.context = Object.freeze({ ...state.context, passedOptions });
  }
  return { context: state.context, responses, dependence };
}

interface State {
  context: QueryContext;
  /** Its name, folded, in presentation form. */
  text: string;
  readonly responses: ResponseRule[];
  dependence: Dependence;
  /** The options as a reply is to show them: without what is to be reverted. */
  echo: readonly EdnsOption[];
  /** Codes of local options that rules were about. */
  readonly echoed: Set<number>;
}

/** Applies one rule; false when it is not for the query. */
function applyRule(rule: Rule, state: State): boolean {
  const { question } = state.context;
  switch (rule.field) {
    case "name":
      return applyNameRule(rule, state);
    case "type":
      if (question.type !== rule.from) return false;
      state.context = Object.freeze({ ...state.context, question: { ...question, type: rule.to } });
      return true;
    case "class":
      if (question.class !== rule.from) return false;
      state.context = Object.freeze({ ...state.context, question: { ...question, class: rule.to } });
      return true;
    case "ttl":
      if (!matches(rule.match, state.text)) return false;
      state.responses.push({ kind: "ttl", min: rule.min, max: rule.max });
      return true;
    case "rcode":
      if (!matches(rule.match, state.text)) return false;
      state.responses.push({ kind: "rcode", from: rule.from, to: rule.to });
      return true;
    case "cname":
      state.responses.push({ kind: "cname", match: rule.match, to: rule.to });
      return true;
    case "edns0":
      return applyEdns(rule, state);
  }
}

function applyNameRule(rule: Extract<Rule, { field: "name" }>, state: State): boolean {
  const before = state.text, after = rewritten(rule.match, rule.to, before);
  if (after === undefined) return false;
  const name = readName(after);
  state.text = formatName(fold(name));
  state.context = Object.freeze({
    ...state.context,
    name: fold(name),
    question: { ...state.context.question, name },
  });
  if (rule.auto) {
    // A suffix is turned back as such: so are other names with it, those of mail servers for instance.
    const change = rule.match.kind === "suffix"
      ? { kind: "suffix", from: rule.to, to: rule.match.text } as const
      : { kind: "below", from: state.text, to: before } as const;
    state.responses.push({ kind: "names", change }, { kind: "values", change });
  }
  for (const { what, pattern, to } of rule.answers) {
    const change = { kind: "whole", pattern, to } as const;
    state.responses.push({ kind: what === "name" ? "names" : "values", change });
  }
  return true;
}

function readName(text: string): Name {
  try {
    return parseName(text);
  } catch (error) {
    throw new InvalidName(`invalid name after rewrite: ${(error as Error).message}`);
  }
}

function applyEdns(rule: Extract<Rule, { field: "edns0" }>, state: State): boolean {
  const outcome = applyEdnsRule(rule, state.context);
  if (!outcome) {
    state.dependence = both(state.dependence, dependenceOfRule(rule, state.context));
    return false;
  }
  if (rule.option === "local") {
    state.echoed.add(rule.code);
    if (!rule.revert) {
      const option = outcome.context.edns!.options.find(({ code }) => code === codeOf(rule));
      const shown: typeof rule = { ...rule, action: rule.action === "unset" ? "unset" : "set" };
      state.echo = changeOptions(shown, option, state.echo)!;
    }
  }
  state.context = outcome.context;
  state.dependence = both(state.dependence, outcome.dependence);
  return true;
}
