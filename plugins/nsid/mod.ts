/**
 * nsid: tells which server answered, to who asks for it (RFC 5001). Syntax: README.md.
 *
 * @module
 */

import { encodeNsid, findOption } from "../../core/dns/edns.ts";
import { OPTION } from "../../core/dns/types.ts";
import { digestTeller } from "../../core/fleet/digest.ts";
import {
  type Answer,
  Arguments,
  type Directive,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  then,
} from "../../core/plugin.ts";

/** The identifier; undefined = the host's name, which the control half publishes. */
export interface NsidConfig {
  readonly data?: string;
  /** Whether a digest of what is answered by follows it. */
  readonly digest?: true;
}

/** So that with the option a reply without records still fits into 512 octets, the longest name included. */
const DATA_OCTETS_MAX = 128;

/** What a digest takes with the blank before it. */
const DIGEST_OCTETS = 33;

const options = { digest: { usage: "digest", read: () => true as const } } satisfies Options;

export default {
  name: "nsid",
  everyClass: true,
  usage: "nsid [DATA]",
  options,
  // Of a query it looks at whether there is an NSID option, and nothing else.
  repeats: "absence",
  parse,
  start({ data }, scope) {
    if (data === undefined) scope.publish(Deno.hostname());
  },
  answerer: ({ data, digest }, scope) => {
    const digestOf = digestTeller();
    return {
      name: "nsid",
      answer(context, next) {
        if (!asksForNsid(context)) return next(context);
        const { snapshot, nowMs } = context, told = data ?? scope.published(snapshot);
        const name = typeof told === "string" ? told : "localhost";
        const text = digest ? `${name} ${digestOf(snapshot, nowMs)}` : name;
        return then(next(context), (answer) => withNsid(answer, text));
      },
    };
  },
} satisfies PluginModule<NsidConfig>;

/** Reads `nsid [DATA] { digest }`: the words of DATA, one blank between them. */
function parse(directives: readonly Directive[], { problems }: ParseScope): NsidConfig {
  const directive = onlyOne(directives, problems);
  const { digest } = readOptions(directive, options, problems), also = digest ? { digest } : {};
  const args = new Arguments(directive), octetsMax = DATA_OCTETS_MAX - (digest ? DIGEST_OCTETS : 0);
  if (!args.more) return also;
  const data = args.rest().map(({ text }) => text).join(" ");
  const { length } = encode(data);
  if (length > octetsMax) {
    const beside = digest ? " beside a digest" : "";
    problems.error(
      directive.args[0]!,
      `nsid: DATA must have at most ${octetsMax} octets${beside}: got ${length}`,
    );
  }
  return { data, ...also };
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
