/**
 * Reads `template CLASS TYPE [ZONE...] { ... }`.
 *
 * @module
 */

import { classFromText, RCODE, typeFromText } from "../../core/dns/types.ts";
import { isBuiltin, type Vocabulary } from "../../core/expression/check.ts";
import { readExpression } from "../../core/expression/corefile_expression.ts";
import { QUERY_FUNCTIONS } from "../../core/expression/query_functions.ts";
import type { Signature, Type } from "../../core/expression/syntax.ts";
import { KEYWORDS } from "../../core/expression/tokens.ts";
import type { Pattern } from "../../core/pattern/pattern.ts";
import { readPattern } from "../../core/pattern/read_pattern.ts";
import { readNames } from "../../core/dns/corefile_names.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  type Name,
  nearest,
  type Options,
  type ParseScope,
  type Problems,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";
import { readTemplate, usesOf } from "./parse_template.ts";
import type { RecordTemplate, TemplateRule } from "./rules.ts";

/** The functions that conditions know: those of a query, and the groups of the regular expression. */
export const FUNCTIONS: Readonly<Record<string, Signature>> = {
  ...QUERY_FUNCTIONS,
  group: { parameters: ["any"], returns: "string" },
};

/** The options of a block. `variables` takes the types of those that it declares, for the expressions below. */
export function makeOptions(variables: Record<string, Type> = {}) {
  const vocabulary: Vocabulary = { functions: FUNCTIONS, variables };
  const records = (name: string) => ({
    usage: `${name} RR...`,
    repeats: true as const,
    read: (args: Arguments): RecordTemplate[] => [args.token("RR"), ...args.rest()].map(readTemplate),
  });
  return {
    match: {
      usage: "match REGEX...",
      repeats: true,
      read: (args: Arguments): Pattern[] =>
        [args.token("REGEX"), ...args.rest()].map((token) => readPattern(token, "template")),
    },
    var: {
      usage: "var NAME EXPRESSION",
      repeats: true,
      read(args: Arguments) {
        const name = variableName(args.token("NAME"), variables);
        if (!args.more) args.token("EXPRESSION");
        const { expression, type } = readExpression(args.rest(), vocabulary, "any", `var ${name}`);
        variables[name] = type;
        return { name, expression };
      },
    },
    expr: {
      usage: "expr EXPRESSION",
      repeats: true,
      read(args: Arguments) {
        if (!args.more) args.token("EXPRESSION");
        return readExpression(args.rest(), vocabulary, "boolean", "expr").expression;
      },
    },
    answer: records("answer"),
    additional: records("additional"),
    authority: records("authority"),
    rcode: { usage: "rcode CODE", read: readRcode },
    ederror: {
      usage: "ederror CODE [TEXT]",
      read(args: Arguments) {
        const infoCode = args.whole("CODE", { min: 0, max: 0xffff });
        return { infoCode, ...args.more && { text: args.word("TEXT") } };
      },
    },
    upstream: { usage: "upstream", read: (args: Arguments) => args.rest() },
    fallthrough: {
      usage: "fallthrough [ZONES...]",
      read: (args: Arguments) => args.rest(),
    },
  } satisfies Options;
}

/** Reads every `template`, in order. */
export function parseTemplates(directives: readonly Directive[], scope: ParseScope): TemplateRule[] {
  return directives.flatMap((directive) => scope.problems.attempt(() => readRule(directive, scope)) ?? []);
}

function readRule(directive: Directive, { problems, zones }: ParseScope): TemplateRule {
  const args = new Arguments(directive);
  const dnsClass = readClass(args.token("CLASS")), type = readType(args.token("TYPE"));
  const named = args.rest();
  const variables: Record<string, Type> = {};
  const options = readOptions(directive, makeOptions(variables), problems);
  const { match = [], answer = [], authority = [], additional = [], fallthrough } = options;
  const rule: TemplateRule = {
    at: directive.name.at,
    class: dnsClass,
    type,
    zones: named.length > 0 ? namesOf(named, problems) : zones,
    patterns: match.flat(),
    variables: options.var ?? [],
    conditions: options.expr ?? [],
    answer: answer.flat(),
    authority: authority.flat(),
    additional: additional.flat(),
    rcode: options.rcode ?? RCODE.NOERROR,
    ...options.ederror && { extendedError: options.ederror },
    fallthrough: !fallthrough ? [] : fallthrough.length > 0 ? namesOf(fallthrough, problems) : [ROOT],
    uses: { keys: [], labels: [] },
  };
  const templates = (directive.block ?? []).filter(({ name }) =>
    ["answer", "authority", "additional"].includes(name.text)
  );
  return { ...rule, uses: usesOf(rule, templates.flatMap(({ args }) => args), problems) };
}

function namesOf(tokens: readonly Token[], problems: Problems): Name[] {
  return tokens.flatMap((token) => problems.attempt(() => readNames(token, problems)) ?? []);
}

function readClass(token: Token): number {
  const dnsClass = classFromText(token.text);
  if (dnsClass !== undefined) return dnsClass;
  throw new CorefileError(token, `template: CLASS must be IN, CH, HS or ANY: got '${token.text}'`);
}

function readType(token: Token): number {
  const type = typeFromText(token.text);
  if (type !== undefined) return type;
  throw new CorefileError(token, `template: TYPE must be a type such as A, or ANY: got '${token.text}'`);
}

function readRcode(args: Arguments): number {
  const token = args.token("CODE"),
    known: Readonly<Record<string, number>> = RCODE,
    name = token.text.toUpperCase();
  if (Object.hasOwn(known, name)) return known[name]!;
  const guess = nearest(name, Object.keys(known));
  throw new CorefileError(
    token,
    `template: unknown rcode '${token.text}': wanted a name such as NXDOMAIN${
      guess ? `; did you mean '${guess}'?` : ""
    }`,
  );
}

function variableName(token: Token, declared: Readonly<Record<string, Type>>): string {
  const { text } = token;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) {
    throw new CorefileError(token, `template: NAME must be of letters, digits and _: got '${text}'`);
  }
  if (Object.hasOwn(FUNCTIONS, text) || isBuiltin(text) || KEYWORDS.includes(text)) {
    throw new CorefileError(token, `template: NAME must not be '${text}', which means something else`);
  }
  if (Object.hasOwn(declared, text)) {
    throw new CorefileError(token, `template: variable '${text}' stands twice`);
  }
  return text;
}
