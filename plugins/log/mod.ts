/**
 * log: a line on standard output for every reply. Syntax and placeholders: README.md.
 *
 * @module
 */

import { readNames } from "../../core/dns/corefile_names.ts";
import {
  type Arguments,
  CorefileError,
  type Directive,
  isWithin,
  type Name,
  type Options,
  type ParseScope,
  type PluginModule,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";
import { DEFAULT_FORMAT, parseFormat, type Part, withWeight } from "./format.ts";
import { QueryLog } from "./query_log.ts";
import type { ReplyClass } from "./reply.ts";
import { LEAVE_OUT } from "./sampler.ts";

/** One `log`: which replies, and how each is written. Plain data. */
export interface LogRule {
  /** Names at or below these, folded. */
  readonly names: readonly Name[];
  readonly format: readonly Part[] | "json";
  readonly classes: readonly ReplyClass[];
  /** How many of these have a line: more than 0, at most 1. */
  readonly share: number;
}

const ALL: readonly ReplyClass[] = ["success", "denial", "error"];

const options = {
  class: { usage: "class CLASSES...", repeats: true, read: readClasses },
  sample: { usage: "sample SHARE", read: (args: Arguments) => args.share("SHARE", { min: 1e-6, max: 1 }) },
} satisfies Options;

export default {
  name: "log",
  everyClass: true,
  usage: "log [NAMES...] [FORMAT]",
  options,
  parse: (directives, scope) => directives.map((directive) => parse(directive, scope)),
  repeats: "absence",
  answerer(rules, scope) {
    const logs = rules.map((rule) => new QueryLog(rule, scope));
    return {
      name: "log",
      answer: (context, next) => next(context),
      observe: (context, answer, sent) => logs[ruleFor(rules, context.name)]?.write(context, answer, sent),
      repeater(context, answer, sent) {
        const { decidedAt } = answer.dependence;
        // It may be repeated for other names as well.
        if (decidedAt && !rules.every(({ names }) => isSameBelow(names, decidedAt.name))) return undefined;
        const log = logs[ruleFor(rules, context.name)];
        return log ? log.repeater(context, answer, sent) : LEAVE_OUT;
      },
    };
  },
} satisfies PluginModule<readonly LogRule[]>;

/** Reads one `log`. Without names it is for all; the last word is the format if it holds a brace or is `json`. */
function parse(directive: Directive, scope: ParseScope): LogRule {
  const words = [...directive.args];
  const last = isFormat(words.at(-1)) ? words.pop() : undefined;
  const format = last && scope.problems.attempt(() => readFormat(last)) || DEFAULT_FORMAT;
  const names = words.length > 0
    ? words.flatMap((word) => scope.problems.attempt(() => readNames(word, scope.problems)) ?? [])
    : [ROOT];
  const { class: classes = [], sample: share = 1 } = readOptions(directive, options, scope.problems);
  return {
    names,
    format: share < 1 && format !== "json" ? withWeight(format) : format,
    classes: classes.length > 0 ? classes.flat() : ALL,
    share,
  };
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

/** The number of the first rule whose names hold the name; -1 = none. */
function ruleFor(rules: readonly LogRule[], asked: Name): number {
  return rules.findIndex(({ names }) => names.some((name) => isWithin(asked, name)));
}

/** Whether the names hold every name below `above`, or none. */
function isSameBelow(names: readonly Name[], above: Name): boolean {
  return names.some((name) => isWithin(above, name)) || !names.some((name) => isWithin(name, above));
}
