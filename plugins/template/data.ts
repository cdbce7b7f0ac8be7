/**
 * What a template is given.
 *
 * @module
 */

import { CLASS, classToText, TYPE, typeToText } from "../../core/dns/types.ts";
import type { Value } from "../../core/expression/syntax.ts";
import { formatAddress, formatName, type QueryContext } from "../../core/plugin.ts";
import type { GoValue } from "./go/functions.ts";
import type { TemplateRule } from "./rules.ts";

/** What a rule found out about a query. */
export interface Bindings {
  readonly zone: string;
  /** The regular expression that the name matches. */
  readonly regex: string;
  /** All of the match, then its groups. */
  readonly match: readonly string[];
  /** By name and, as text, by number. */
  readonly groups: ReadonlyMap<string, string>;
  readonly variables: Map<string, Value>;
  readonly class: string;
  readonly type: string;
}

/** A match of a name. */
interface Matched {
  readonly source: string;
  readonly groups: readonly string[];
  readonly groupNames: readonly string[];
}

/** What is known before variables are set. Where the question says ANY, class and type are the rule's. */
export function bindingsOf(
  rule: TemplateRule,
  { question }: QueryContext,
  zone: string,
  { source, groups, groupNames }: Matched,
): Bindings {
  const named = groupNames.map((name, i) => [name, groups[i]!] as const).filter(([name]) => name !== "");
  return {
    zone,
    regex: source,
    match: groups,
    groups: new Map([...groups.map((group, i) => [String(i), group] as const), ...named]),
    variables: new Map(),
    class: classToText(question.class === CLASS.ANY ? rule.class : question.class),
    type: typeToText(question.type === TYPE.ANY ? rule.type : question.type),
  };
}

/** The dot of a template, its fields in the order of FIELDS. */
export function dataOf(bindings: Bindings, context: QueryContext): GoValue {
  const question = new Map<string, GoValue>([
    ["Name", formatName(context.question.name)],
    ["Qtype", context.question.type],
    ["Qclass", context.question.class],
  ]);
  return new Map<string, GoValue>([
    ["Zone", bindings.zone],
    ["Name", formatName(context.name)],
    ["Regex", bindings.regex],
    ["Match", bindings.match],
    ["Group", bindings.groups],
    ["Class", bindings.class],
    ["Type", bindings.type],
    ["Message", messageOf(context, question)],
    ["Question", question],
    ["Remote", formatAddress(context.source.address)],
    ["Var", bindings.variables],
    ["Meta", { call: (label = "") => context.label?.(String(label)) ?? "" }],
  ]);
}

function messageOf(
  { messageId, recursionDesired, checkingDisabled }: QueryContext,
  question: GoValue,
): GoValue {
  return new Map<string, GoValue>([
    ["Id", messageId],
    ["Opcode", 0],
    ["RecursionDesired", recursionDesired],
    ["CheckingDisabled", checkingDisabled],
    ["Question", [question]],
  ]);
}
