/**
 * errors: logs what went wrong behind an answer. Syntax: README.md.
 *
 * @module
 */

import {
  alsoOn,
  type Answer,
  Arguments,
  CorefileError,
  type Directive,
  formatName,
  INDEPENDENT,
  type Next,
  type Options,
  parseDurationMs,
  type ParseScope,
  PluginFault,
  type PluginModule,
  type QueryContext,
  readOptions,
} from "../../core/plugin.ts";
import { readPattern } from "../../core/pattern/read_pattern.ts";
import { RCODE, typeToText } from "../../core/dns/types.ts";
import { type ConsolidateRule, Consolidator, type Level } from "./consolidator.ts";

/** All `errors` of a server block. Plain data. */
export interface ErrorsConfig {
  readonly stacktrace: boolean;
  readonly rules: readonly ConsolidateRule[];
}

const options = {
  stacktrace: { usage: "stacktrace", read: () => true },
  consolidate: {
    usage: "consolidate DURATION REGEXP [LEVEL] [show_first]",
    repeats: true,
    read: readRule,
  },
} satisfies Options;

export default {
  name: "errors",
  everyClass: true,
  usage: "errors",
  options,
  repeats: "absence",
  parse,
  answerer({ rules, stacktrace }, { log, clock, own }) {
    const consolidator = own(new Consolidator(rules, log, clock));
    const report = (context: QueryContext, failure: Failure) => {
      const shown = stacktrace && failure.stack ? `${failure.message}\n${failure.stack}` : failure.message;
      consolidator.report(failure.message, errorLine(context, failure.rcode, shown));
    };
    return { name: "errors", answer: (context, next) => watch(context, next, report) };
  },
} satisfies PluginModule<ErrorsConfig>;

/** Reads every `errors` of the block: all their rules count. */
function parse(directives: readonly Directive[], { problems }: ParseScope): ErrorsConfig {
  const read = directives.map((directive) => {
    problems.attempt(() => new Arguments(directive).end());
    return readOptions(directive, options, problems);
  });
  return {
    stacktrace: read.some(({ stacktrace }) => stacktrace),
    rules: read.flatMap(({ consolidate = [] }) => consolidate).filter((rule) => rule !== undefined),
  };
}

const LEVELS: Readonly<Record<string, Level>> = {
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
};

/** Reads `DURATION REGEXP [LEVEL] [show_first]`, the last two in any order. */
function readRule(args: Arguments): ConsolidateRule {
  const duration = args.token("DURATION");
  const durationMs = parseDurationMs(duration.text);
  if (!durationMs) {
    throw new CorefileError(
      duration,
      `consolidate: DURATION must be a duration such as 30s, above 0: got '${duration.text}'`,
    );
  }
  const pattern = readPattern(args.token("REGEXP"), "consolidate");
  let level: string | undefined;
  let showFirst = false;
  while (args.more) {
    if (!showFirst && args.take("show_first")) showFirst = true;
    else if (level === undefined) level = args.oneOf("LEVEL", Object.keys(LEVELS));
    else break;
  }
  return {
    durationMs,
    duration: duration.text,
    pattern,
    level: LEVELS[level ?? "error"]!,
    showFirst,
  };
}

/** What is to be told of a query that failed. */
export interface Failure {
  readonly rcode: number;
  readonly message: string;
  readonly stack?: string;
}

/**
 * Passes on, and reports an answer with a fault behind it, or a plugin that threw; a throw is passed on too. Such an answer
 * is good for this query alone: whoever gets the same is to be reported as well.
 */
export function watch(
  context: QueryContext,
  next: Next,
  report: (context: QueryContext, failure: Failure) => void,
): Answer | Promise<Answer> {
  const returned = (answer: Answer) => {
    if (!answer.fault) return answer;
    report(context, { rcode: answer.rcode, message: answer.fault.message });
    return alsoOn(answer, { ...INDEPENDENT, untilMs: context.nowMs });
  };
  const thrown = (error: unknown): never => {
    report(context, failureOf(error));
    throw error;
  };
  if (context.unheard) return next(context);
  let answer: Answer | Promise<Answer>;
  try {
    answer = next(context);
  } catch (error) {
    return thrown(error);
  }
  return answer instanceof Promise ? answer.then(returned, thrown) : returned(answer);
}

/** What the exchange makes of a throw is SERVFAIL. */
function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof PluginFault ? error.cause : error;
  const stack = cause instanceof Error ? cause.stack : undefined;
  return { rcode: RCODE.SERVFAIL, message, ...(stack && { stack }) };
}

/** `plugin/errors: 2 example.org. A: message`. */
export function errorLine({ name, question }: QueryContext, rcode: number, message: string): string {
  return `plugin/errors: ${rcode} ${formatName(name)} ${typeToText(question.type)}: ${message}`;
}
