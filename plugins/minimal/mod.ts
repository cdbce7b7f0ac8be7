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
  const proof = answer.authority.filter(isProof);
  return {
    ...answer,
    authority: dnssecOk ? proof : [],
    additional: [],
    ...proof.length > 0 && { dependence: both(answer.dependence, { ...INDEPENDENT, keys: ["do"] }) },
  };
}

/** NSEC, NSEC3, and the signatures of these: an RRSIG begins with the type that it covers (RFC 4034 section 3.1). */
function isProof({ type, rdata }: RRset): boolean {
  if (type === TYPE.NSEC || type === TYPE.NSEC3) return true;
  if (type !== TYPE.RRSIG) return false;
  return rdata.every(([high = 0, low = 0]) =>
    [TYPE.NSEC, TYPE.NSEC3].some((proof) => proof === (high << 8 | low))
  );
}
