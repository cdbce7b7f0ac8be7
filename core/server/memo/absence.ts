/**
 * Replies that stand for all names below one: for which of these they do not, octet for octet.
 *
 * The octets behind the question are the same for all names of one length, as far as nothing in them points into what a
 * name has more than the one it was decided at. Something does where a name in the reply has that in common with it: so
 * names that begin, below there, as a name in the reply does are left to the chain.
 *
 * @module
 */

import type { Answer, DecidedAt, RRset } from "../../answer.ts";
import { compressibleNames } from "../../dns/message.ts";
import { fold, isWithin, type Name } from "../../dns/name.ts";
import { hashNextCloser } from "../../dns/name_hash.ts";

/** Works out for which names a reply does not stand; what it came to last is at hand, for zones say the same to many. */
export class Absences {
  #latest:
    | { readonly soa: RRset; readonly decidedAt: DecidedAt; readonly exceptions: Int32Array }
    | undefined;

  /**
   * The hashes of next closer names for which a reply to `name` does not stand, beside the names there are; undefined where
   * it does not even stand for the name's own neighbours.
   */
  exceptionsOf(answer: Answer, name: Name, decidedAt: DecidedAt): Int32Array | undefined {
    const own = hashNextCloser(name, decidedAt.name);
    if (decidedAt.existing?.has(own)) return undefined;
    const exceptions = this.#known(answer, decidedAt) ?? this.#workOut(answer, name, decidedAt);
    return exceptions.includes(own) ? undefined : exceptions;
  }

  /** What the latest reply's were, where this one has the same record and no other. */
  #known({ answer, authority, additional }: Answer, { name, existing }: DecidedAt): Int32Array | undefined {
    if (!this.#latest || answer.length + additional.length > 0 || authority.length !== 1) return undefined;
    const { soa, decidedAt, exceptions } = this.#latest, { type, name: owner, rdata } = authority[0]!;
    return decidedAt.name === name && decidedAt.existing === existing && soa.rdata === rdata &&
        soa.name === owner && soa.type === type
      ? exceptions
      : undefined;
  }

  #workOut(answer: Answer, name: Name, decidedAt: DecidedAt): Int32Array {
    const exceptions = namesIn(answer, name, decidedAt), { authority, additional } = answer;
    if (answer.answer.length + additional.length === 0 && authority.length === 1) {
      this.#latest = { soa: authority[0]!, decidedAt, exceptions };
    }
    return exceptions;
  }
}

/** The hashes of next closer names of names that the reply has. */
function namesIn(answer: Answer, name: Name, decidedAt: DecidedAt): Int32Array {
  const found = new Set<number>();
  const except = (other: Name) => {
    if (other.length <= decidedAt.name.length) return;
    const folded = fold(other);
    if (!isWithin(folded, decidedAt.name)) return;
    const hash = hashNextCloser(folded, decidedAt.name);
    if (!decidedAt.existing?.has(hash)) found.add(hash);
  };
  for (const section of [answer.answer, answer.authority, answer.additional]) {
    for (const rrset of section) {
      // The owner of what was made for the very name asked for moves along with it.
      if (section !== answer.answer || fold(rrset.name) !== name) except(rrset.name);
      for (const rdata of rrset.rdata) {
        compressibleNames(rrset.type, rdata)?.names.forEach((one) => except(one));
      }
    }
  }
  return Int32Array.from(found);
}
