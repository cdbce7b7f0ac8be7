/** minimal: leaves out of replies what clients can do without. Syntax: README.md. @module */

import {
  type Answer,
  Arguments,
  both,
  INDEPENDENT,
  type PluginModule,
  readOptions,
  type RRset,
  then,
} from "../../core/plugin.ts";
import { TYPE } from "../../core/dns/types.ts";

export default {
  name: "minimal",
  usage: "minimal",
  options: {},
  repeats: "absence",
  parse(directives, { problems }) {
    for (const directive of directives) {
      problems.attempt(() => new Arguments(directive).end());
      readOptions(directive, {}, problems);
    }
    return {};
  },
  answerer: () => ({
    name: "minimal",
    answer: (context, next) =>
      then(next(context), (answer) => minimize(answer, context.edns?.dnssecOk ?? false)),
  }),
} satisfies PluginModule<Record<string, never>>;

/**
 * A positive answer without what it does not need: all but its answer section and, for who asked for DNSSEC, the proof
 * that a wildcard may have been expanded (RFC 4035 section 3.1.3.3). Everything else is as small as it may be.
 */
export function minimize(answer: Answer, dnssecOk: boolean): Answer {
  if (answer.rcode !== 0 || answer.answer.length === 0) return answer;
  const proof = answer.authority.flatMap(proofIn);
  return {
    ...answer,
    authority: dnssecOk ? proof : [],
    additional: [],
    ...proof.length > 0 && { dependence: both(answer.dependence, { ...INDEPENDENT, keys: ["do"] }) },
  };
}

/** NSEC and NSEC3, and of RRSIGs those of these: each begins with the type that it covers (RFC 4034 section 3.1). */
function proofIn(rrset: RRset): RRset | [] {
  if (isDenial(rrset.type)) return rrset;
  if (rrset.type !== TYPE.RRSIG) return [];
  const rdata = rrset.rdata.filter(([high = 0, low = 0]) => isDenial(high << 8 | low));
  return rdata.length > 0 ? { ...rrset, rdata } : [];
}

function isDenial(type: number): boolean {
  return type === TYPE.NSEC || type === TYPE.NSEC3;
}
