/** rewrite: changes what is asked on the way down, and what is answered on the way up. Syntax: README.md. @module */

import {
  type Answer,
  both,
  emptyAnswer,
  formatName,
  INDEPENDENT,
  type Next,
  type PluginModule,
  type QueryContext,
  then,
} from "../../core/plugin.ts";
import { classToText, RCODE, typeToText } from "../../core/dns/types.ts";
import { type TtlBounds, widest } from "../../core/fleet/ttl_bounds.ts";
import { onKey } from "../../core/expression/query_functions.ts";
import { parseRules } from "./parse.ts";
import { InvalidName, rewriteQuery, type RewrittenQuery } from "./query.ts";
import { rewriteResponse } from "./response.ts";
import type { Rule } from "./rules.ts";

export default {
  name: "rewrite",
  usage: "rewrite [continue|stop] FIELD [TYPE] [(FROM TO)|TTL] [OPTIONS]",
  options: {},
  everyClass: true,
  // Not `absence`: rules are for names.
  repeats: "question",
  parse: (directives, { problems }) => parseRules(directives, problems),
  answerer: (rules) => ({
    name: "rewrite",
    answer: (context, next) => answerRewritten(rules, context, next),
    readsOptions: rules.some(({ field }) => field === "edns0"),
  }),
  ttlBounds: (rules, below) => below && rules.reduce(withRule, below),
} satisfies PluginModule<readonly Rule[]>;

/** A rule is for some names: the others keep what they have. */
function withRule(bounds: TtlBounds, rule: Rule): TtlBounds {
  if (rule.field !== "ttl") return bounds;
  const changed = (ttl: number) => Math.min(Math.max(ttl, rule.min), rule.max);
  return widest(bounds, { min: changed(bounds.min), max: changed(bounds.max) });
}

/** Passes on what the rules make of a query, and hands back what they make of the answer. */
export function answerRewritten(
  rules: readonly Rule[],
  context: QueryContext,
  next: Next,
): Answer | Promise<Answer> {
  const query = tryRewrite(rules, context);
  if (query instanceof InvalidName) {
    const fault = { plugin: "rewrite", message: query.message };
    return emptyAnswer(RCODE.SERVFAIL, { fault });
  }
  if (query.context !== context) recordQuery(context, query.context);
  const { responses, dependence } = query;
  const setsSubnet = rules.some(isSubnetRule);
  if (responses.length === 0 && dependence === INDEPENDENT && !setsSubnet) return next(query.context);
  return then(next(query.context), (answer) => {
    const made = { ...answer, dependence: both(answer.dependence, dependence) };
    const depending = setsSubnet ? forNetworkOfOwn(made) : made;
    return rewriteResponse(depending, responses, { asked: context, context: query.context, next });
  });
}

function isSubnetRule(rule: Rule): boolean {
  return rule.field === "edns0" && rule.option === "subnet";
}

/** An answer that is tailored to another network than the query's own is told apart by nothing in the query. */
function forNetworkOfOwn(answer: Answer): Answer {
  const { scopePrefixLength, keys, clients } = answer.dependence;
  if (scopePrefixLength === 0 && !clients && !keys.includes("tailored")) return answer;
  return { ...answer, dependence: both(answer.dependence, onKey("port")) };
}

function tryRewrite(rules: readonly Rule[], context: QueryContext): RewrittenQuery | InvalidName {
  try {
    return rewriteQuery(rules, context);
  } catch (error) {
    if (error instanceof InvalidName) return error;
    throw error;
  }
}

function recordQuery(before: QueryContext, { question, name }: QueryContext): void {
  const kind = question.class === 1 ? "" : `${classToText(question.class)} `;
  before.record?.({
    plugin: "rewrite",
    what: `${formatName(before.name)} is asked for as ${formatName(name)} ${kind}${
      typeToText(question.type)
    }`,
  });
}
