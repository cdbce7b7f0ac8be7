/** any: a short answer to queries for every type (RFC 8482). Syntax: README.md. @module */

import {
  type Answer,
  Arguments,
  type Directive,
  isWithin,
  type Name,
  onlyOne,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  then,
  undivided,
} from "../../core/plugin.ts";
import { emptyAnswer } from "../../core/plugin.ts";
import { RCODE, TYPE } from "../../core/dns/types.ts";

/** RDATA of an HINFO record (RFC 8482 section 4.2): CPU and OS in the words of CoreDNS, which some look for. */
const HINFO = new TextEncoder().encode("\x0dANY obsoleted\x0cSee RFC 8482");

/** Seconds, as in CoreDNS. There is nothing to wait for. */
const TTL = 8482;

export default {
  name: "any",
  usage: "any",
  options: {},
  repeats: "absence",
  parse,
  answerer: (_, { facts: { dataZones } }) => ({
    name: "any",
    answer(context, next) {
      if (context.question.type !== TYPE.ANY) return next(context);
      // Where no zone tells whether the name exists, to find out would cost as much as a whole answer.
      if (!dataZones.some((zone) => isWithin(context.name, zone))) return hinfoAlone(context);
      return then(
        next(context),
        (answer) => undivided(shortened(answer, context.question.name), dataZones),
      );
    },
  }),
} satisfies PluginModule<Record<string, never>>;

/** Reads `any`. */
function parse(directives: readonly Directive[], { problems }: ParseScope): Record<string, never> {
  const directive = onlyOne(directives, problems);
  new Arguments(directive).end();
  readOptions(directive, {}, problems);
  return {};
}

function hinfoAlone(context: QueryContext): Answer {
  context.record?.({ plugin: "any", what: "HINFO for every type (RFC 8482)" });
  return withHinfo(emptyAnswer(RCODE.NOERROR, { authoritative: true }), context.question.name);
}

/**
 * An answer with records for the name becomes HINFO; a CNAME stays, since nothing may stand beside one (RFC 1034 section
 * 3.6.2), and so does what says that there is nothing, or that others have to be asked.
 */
export function shortened(answer: Answer, name: Name): Answer {
  if (answer.rcode !== RCODE.NOERROR || answer.answer.length === 0) return answer;
  if (answer.answer.some(({ type }) => type === TYPE.CNAME || type === TYPE.DNAME)) return answer;
  return withHinfo(answer, name);
}

/** What was to be repeated with TTLs that count down has none any more that does. */
function withHinfo({ aging: _, ...answer }: Answer, name: Name): Answer {
  const rrset = { name, type: TYPE.HINFO, ttl: TTL, rdata: [HINFO] };
  return { ...answer, answer: [rrset], authority: [], additional: [] };
}
