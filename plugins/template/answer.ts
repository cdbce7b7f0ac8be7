/**
 * Answers from templates.
 *
 * @module
 */

import { CLASS, classToText, RCODE, TYPE, typeToText } from "../../core/dns/types.ts";
import { METRIC_TYPES, metricTypeOf } from "../../core/dns/metric_type.ts";
import { evaluate, EvaluationError } from "../../core/expression/evaluate.ts";
import {
  callQueryFunction,
  dependenceOf,
  dependenceOfLabel,
  onKey,
} from "../../core/expression/query_functions.ts";
import type { Value } from "../../core/expression/syntax.ts";
import { matchPattern } from "../../core/pattern/pattern.ts";
import {
  type Answer,
  both,
  type Dependence,
  emptyAnswer,
  fold,
  formatName,
  INDEPENDENT,
  isWithin,
  type Labels,
  type Name,
  type Next,
  type QueryContext,
  type RRset,
  then,
  withTarget,
} from "../../core/plugin.ts";
import { EntryError } from "../../core/zone/words.ts";
import { type Bindings, bindingsOf, dataOf } from "./data.ts";
import { executeTemplate } from "./go/execute.ts";
import { ExecutionError } from "./go/functions.ts";
import { joinRecords, readRecord } from "./record.ts";
import type { RecordTemplate, TemplateRule } from "./rules.ts";

/** What counts: see the module's metrics. */
export type Count = (name: string, labels: Labels) => void;

export const MATCHES = "coredns_template_matches_total";
export const TEMPLATE_FAILURES = "coredns_template_template_failures_total";
export const RR_FAILURES = "coredns_template_rr_failures_total";

/** Aliases that lead back to templates, one behind the other: more are a loop. */
const ALIASES_MAX = 8;

/** Answers from the first rule that is for the query, or passes it on. */
export function answerFromTemplates(
  rules: readonly TemplateRule[],
  context: QueryContext,
  next: Next,
  count: Count,
  aliases = 0,
): Answer | Promise<Answer> {
  let looked = INDEPENDENT;
  const depending = (answer: Answer) => ({ ...answer, dependence: both(answer.dependence, looked) });
  for (const rule of rules) {
    const tried = tryRule(rule, context);
    if (tried.looked) looked = both(looked, tried.looked);
    if (tried.kind === "not") continue;
    if (tried.kind === "failed") {
      return depending(emptyAnswer(RCODE.SERVFAIL, tried.why ? faultOf(tried.why) : {}));
    }
    count(MATCHES, labelsOf(rule, context, tried.bindings.zone));
    context.record?.({ plugin: "template", what: whatOf(rule, tried.bindings) });
    const again: Next = (context) => answerFromTemplates(rules, context, next, count, aliases + 1);
    const answer = makeAnswer(rule, tried.bindings, context, count);
    if (aliases >= ALIASES_MAX) return depending(answer);
    const followed = followAlias(answer, context, again);
    return then(followed, depending);
  }
  return then(next(context), depending);
}

/** Whether a rule is for a query. `looked`: what that hung on, beside the question. */
type Tried =
  & { readonly looked?: Dependence }
  & (
    | { readonly kind: "not" }
    /** It is for nobody else either. */
    | { readonly kind: "failed"; readonly why?: string }
    | { readonly kind: "matched"; readonly bindings: Bindings }
  );

const NOT: Tried = { kind: "not" }, FAILED: Tried = { kind: "failed" };

function tryRule(rule: TemplateRule, context: QueryContext): Tried {
  const { question, name } = context;
  const zone = longestZone(rule.zones, name);
  if (zone === undefined) return NOT;
  if (rule.class !== CLASS.ANY && question.class !== CLASS.ANY && question.class !== rule.class) return NOT;
  if (rule.type !== TYPE.ANY && question.type !== TYPE.ANY && question.type !== rule.type) return NOT;
  const unmatched = rule.fallthrough.some((below) => isWithin(name, below)) ? NOT : FAILED;
  const matched = matchName(rule, formatName(name));
  if (!matched) return unmatched;
  const looked = [...rule.variables.map(({ expression }) => expression), ...rule.conditions]
    .reduce((sum, expression) => both(sum, dependenceOf(expression, context)), INDEPENDENT);
  const bindings = bindingsOf(rule, context, formatName(zone), matched);
  try {
    return holds(rule, bindings, context) ? { kind: "matched", bindings, looked } : { ...unmatched, looked };
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    return { kind: "failed", why: error.message, looked };
  }
}

function longestZone(zones: readonly Name[], name: Name): Name | undefined {
  return zones.filter((zone) => isWithin(name, zone)).sort((a, b) => b.length - a.length)[0];
}

/** The first regular expression that the name matches, and its groups. */
function matchName({ patterns }: TemplateRule, text: string) {
  if (patterns.length === 0) return { source: ".*", groups: [text], groupNames: [""] };
  for (const pattern of patterns) {
    const groups = matchPattern(pattern, text);
    if (groups) return { source: pattern.source, groups, groupNames: pattern.groupNames };
  }
  return undefined;
}

/** Sets the variables, and tells whether every condition holds. @throws {EvaluationError} */
function holds(rule: TemplateRule, { groups, variables }: Bindings, context: QueryContext): boolean {
  const surroundings = {
    call: (name: string, args: readonly Value[]) =>
      name === "group" ? groups.get(String(args[0])) ?? "" : callQueryFunction(context, name, args),
    variable: (name: string) => variables.get(name) ?? null,
  };
  for (const { name, expression } of rule.variables) variables.set(name, evaluate(expression, surroundings));
  return rule.conditions.every((condition) => evaluate(condition, surroundings) === true);
}

/** The records of a rule; SERVFAIL where one cannot be made. */
function makeAnswer(rule: TemplateRule, bindings: Bindings, context: QueryContext, count: Count): Answer {
  const { extendedError, rcode, uses } = rule;
  const extendedErrors = extendedError ? { extendedErrors: [extendedError] } : {};
  const dependence = [
    ...uses.keys.map(onKey),
    ...uses.labels.map((label) => dependenceOfLabel(label, context)),
  ].reduce(both, INDEPENDENT);
  if (rcode === RCODE.SERVFAIL) return emptyAnswer(rcode, extendedErrors);
  const data = dataOf(bindings, context);
  const make = (section: "answer" | "authority" | "additional") =>
    joinRecords(rule[section].map((template) => {
      try {
        return makeRecord(template, data);
      } catch (error) {
        if (!(error instanceof ExecutionError || error instanceof EntryError)) throw error;
        throw new Unmade(section, template, error);
      }
    }));
  try {
    return {
      ...emptyAnswer(rcode, { authoritative: true, ...extendedErrors, dependence }),
      answer: make("answer"),
      authority: make("authority"),
      additional: make("additional"),
    };
  } catch (error) {
    if (!(error instanceof Unmade)) throw error;
    const metric = error.cause instanceof EntryError ? RR_FAILURES : TEMPLATE_FAILURES;
    const labels = labelsOf(rule, context, bindings.zone);
    count(metric, { ...labels, section: error.section, template: error.template.source });
    return emptyAnswer(RCODE.SERVFAIL, { dependence, ...faultOf(error.message) });
  }
}

/** A record that could not be made. */
class Unmade extends Error {
  readonly section: string;
  readonly template: RecordTemplate;

  constructor(section: string, template: RecordTemplate, cause: Error) {
    super(`${section} '${template.source}': ${cause.message}`, { cause });
    this.section = section;
    this.template = template;
  }
}

function makeRecord(template: RecordTemplate, data: ReturnType<typeof dataOf>): RRset {
  return "record" in template ? template.record : readRecord(executeTemplate(template.nodes, data));
}

/** The answer with what the last CNAME of it leads to, where addresses were asked for. */
function followAlias(answer: Answer, context: QueryContext, again: Next): Answer | Promise<Answer> {
  const { type } = context.question, last = answer.answer.at(-1);
  if ((type !== TYPE.A && type !== TYPE.AAAA) || last?.type !== TYPE.CNAME) return answer;
  const name = String.fromCharCode(...last.rdata[0]!) as Name;
  const found = again(
    Object.freeze({ ...context, name: fold(name), question: { ...context.question, name } }),
  );
  return then(found, (found) => withTarget(answer, found));
}

function labelsOf(rule: TemplateRule, { question }: QueryContext, zone: string): Labels {
  return {
    zone,
    class: classToText(rule.class === CLASS.ANY ? CLASS.IN : question.class),
    type: METRIC_TYPES[metricTypeOf(question.type)]!,
  };
}

function faultOf(message: string): Partial<Answer> {
  return { fault: { plugin: "template", message } };
}

function whatOf({ class: dnsClass, type }: TemplateRule, { regex }: Bindings): string {
  return `template ${classToText(dnsClass)} ${typeToText(type)} answers, by ${regex}`;
}
