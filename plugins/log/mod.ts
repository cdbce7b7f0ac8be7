/**
 * log: a line on standard output for every reply. Syntax and placeholders: README.md.
 *
 * @module
 */

import { readNames } from "../../core/dns/corefile_names.ts";
import { locate } from "../../core/fleet/locate.ts";
import {
  type Address,
  type Answer,
  type Arguments,
  clientAddress,
  CorefileError,
  type Directive,
  isWithin,
  type Name,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";
import { DEFAULT_FORMAT, formatLine, parseFormat, type Part } from "./format.ts";
import { jsonLine } from "./json.ts";
import { classOf, kindOf, type Reply, type ReplyClass } from "./reply.ts";

/** One `log`: which replies, and how each is written. Plain data. */
export interface LogRule {
  /** Names at or below these, folded. */
  readonly names: readonly Name[];
  readonly format: readonly Part[] | "json";
  readonly classes: readonly ReplyClass[];
}

const ALL: readonly ReplyClass[] = ["success", "denial", "error"];

const options = {
  class: { usage: "class CLASSES...", repeats: true, read: readClasses },
} satisfies Options;

export default {
  name: "log",
  everyClass: true,
  usage: "log [NAMES...] [FORMAT]",
  options,
  parse: (directives, scope) => directives.map((directive) => parse(directive, scope)),
  answerer: (rules, scope) => ({
    name: "log",
    answer: (context, next) => next(context),
    observe(context, answer, sent) {
      const geography = scope.geography(context.snapshot);
      const whereFrom = () => geography && locate(geography, clientOf(context, answer));
      const line = lineFor({ context, answer, sent, locate: whereFrom }, rules);
      if (line !== undefined) scope.writeLine(line);
    },
  }),
} satisfies PluginModule<readonly LogRule[]>;

/** Reads one `log`. Without names it is for all; the last word is the format if it holds a brace or is `json`. */
function parse(directive: Directive, scope: ParseScope): LogRule {
  const words = [...directive.args];
  const last = isFormat(words.at(-1)) ? words.pop() : undefined;
  const format = last && scope.problems.attempt(() => readFormat(last)) || DEFAULT_FORMAT;
  const names = words.length > 0
    ? words.flatMap((word) => scope.problems.attempt(() => readNames(word, scope.problems)) ?? [])
    : [ROOT];
  const { class: classes = [] } = readOptions(directive, options, scope.problems);
  return { names, format, classes: classes.length > 0 ? classes.flat() : ALL };
}

function isFormat(token: Token | undefined): token is Token {
  return token !== undefined && (token.text.includes("{") || token.text === "json");
}

function readFormat(token: Token): LogRule["format"] {
  if (token.text === "json") return "json";
  try {
    return parseFormat(token.text);
  } catch (error) {
    throw new CorefileError(token, `log: ${(error as Error).message}`);
  }
}

function readClasses(args: Arguments): readonly ReplyClass[] {
  const classes = new Set<ReplyClass>();
  do {
    const word = args.oneOf("class", [...ALL, "all"]);
    for (const each of word === "all" ? ALL : [word]) classes.add(each);
  } while (args.more);
  return [...classes];
}

/** The address that decided, or would have. */
function clientOf(context: QueryContext, answer: Answer): Address {
  return answer.ecs === false ? context.source.address : clientAddress(context).address;
}

/** The line for a reply by the first rule whose names hold the question's; undefined when it is of no class wanted. */
export function lineFor(reply: Reply, rules: readonly LogRule[]): string | undefined {
  const { context, answer } = reply;
  const rule = rules.find(({ names }) => names.some((name) => isWithin(context.name, name)));
  if (!rule?.classes.includes(classOf(kindOf(context.question.type, answer)))) return undefined;
  return rule.format === "json" ? jsonLine(reply) : `[INFO] ${formatLine(rule.format, reply)}`;
}
