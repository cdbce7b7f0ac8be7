/**
 * nsid: tells which server answered, to who asks for it (RFC 5001). Syntax: README.md.
 *
 * @module
 */

import { encodeNsid, findOption } from "../../core/dns/edns.ts";
import { OPTION } from "../../core/dns/types.ts";
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

/** The identifier; undefined = the host's name, which the control half publishes. */
export interface NsidConfig {
  readonly data?: string;
}

/** So that with the option a reply without records still fits into 512 octets, the longest name included. */
const DATA_OCTETS_MAX = 128;

export default {
  name: "nsid",
  everyClass: true,
  usage: "nsid [DATA]",
  options: {},
  // Of a query it looks at whether there is an NSID option, and nothing else.
  repeats: "absence",
  parse,
  start({ data }, scope) {
    if (data === undefined) scope.publish(Deno.hostname());
  },
  answerer: ({ data }, scope) => ({
    name: "nsid",
    answer(context, next) {
      if (!asksForNsid(context)) return next(context);
      const text = data ?? scope.published(context.snapshot);
      return then(next(context), (answer) => withNsid(answer, typeof text === "string" ? text : "localhost"));
    },
  }),
} satisfies PluginModule<NsidConfig>;

/** Reads `nsid [DATA]`: the words of DATA, one blank between them. */
function parse(directives: readonly Directive[], { problems }: ParseScope): NsidConfig {
  const directive = onlyOne(directives, problems);
  readOptions(directive, {}, problems);
  const args = new Arguments(directive);
  if (!args.more) return {};
  const data = args.rest().map(({ text }) => text).join(" ");
  const { length } = encode(data);
  if (length > DATA_OCTETS_MAX) {
    problems.error(
      directive.args[0]!,
      `nsid: DATA must have at most ${DATA_OCTETS_MAX} octets: got ${length}`,
    );
  }
  return { data };
}

function asksForNsid({ edns }: QueryContext): boolean {
  return edns !== undefined && findOption(edns.options, OPTION.NSID) !== undefined;
}

/** The answer with the identifier in place of any that it had, as from an upstream. */
export function withNsid(answer: Answer, text: string): Answer {
  const others = (answer.options ?? []).filter(({ code }) => code !== OPTION.NSID);
  return { ...answer, options: [...others, encodeNsid(encode(text))] };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
