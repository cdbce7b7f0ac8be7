/**
 * bufsize: an upper bound for replies over UDP. Syntax: README.md.
 *
 * @module
 */

import {
  type Answer,
  Arguments,
  type Directive,
  onlyOne,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  then,
} from "../../core/plugin.ts";

/** Octets. */
export interface BufsizeConfig {
  readonly size: number;
}

/** What fits into one packet on every path in use (DNS Flag Day 2020). */
const DEFAULT_SIZE = 1232;

export default {
  name: "bufsize",
  everyClass: true,
  usage: "bufsize [SIZE]",
  options: {},
  repeats: "absence",
  parse,
  answerer: ({ size }) => ({
    name: "bufsize",
    answer: (context, next) => then(next(clampQuery(context, size)), (answer) => clampAnswer(answer, size)),
  }),
} satisfies PluginModule<BufsizeConfig>;

/** Reads `bufsize [SIZE]`. */
function parse(directives: readonly Directive[], { problems }: ParseScope): BufsizeConfig {
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  const size = args.more ? args.whole("SIZE", { min: 512, max: 4096 }) : DEFAULT_SIZE;
  args.end();
  readOptions(directive, {}, problems);
  return { size };
}

/** The query as if the client had asked for no more than `size`: what a plugin below sends to an upstream. */
export function clampQuery(context: QueryContext, size: number): QueryContext {
  const { edns } = context;
  if (!edns || edns.payloadSize <= size) return context;
  return Object.freeze({ ...context, edns: { ...edns, payloadSize: size } });
}

/** The answer with the bound on what is sent and on what is announced; a lower one stays. */
export function clampAnswer(answer: Answer, size: number): Answer {
  return { ...answer, payloadSize: Math.min(size, answer.payloadSize ?? size) };
}
