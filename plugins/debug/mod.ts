/**
 * debug: shows what is otherwise not logged, every decision of every query among it. Syntax: README.md.
 *
 * @module
 */

import { typeToText } from "../../core/dns/types.ts";
import {
  Arguments,
  type Decision,
  type Directive,
  formatName,
  type Log,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
} from "../../core/plugin.ts";

const options = {} satisfies Options;

export default {
  name: "debug",
  usage: "debug",
  options,
  // No `repeats`: it shows the decisions of every query, which only the chain takes.
  parse(directives: readonly Directive[], { problems }: ParseScope) {
    for (const directive of directives) {
      problems.attempt(() => new Arguments(directive).end());
      readOptions(directive, options, problems);
    }
    return null;
  },
  start: (_config, scope) => scope.process.showDebug(),
  answerer: (_config, { log }) => ({
    name: "debug",
    answer: (context, next) => next(context.unheard ? context : telling(context, log)),
  }),
} satisfies PluginModule<null>;

/** The context that logs each decision, beside whoever wants them already. */
export function telling(context: QueryContext, log: Pick<Log, "debug">): QueryContext {
  const asked = `${formatName(context.name)} ${typeToText(context.question.type)} (${context.messageId})`;
  const record = (decision: Decision) => {
    log.debug(`plugin/${decision.plugin}: ${asked}: ${decision.what}`);
    context.record?.(decision);
  };
  return Object.freeze({ ...context, record });
}
