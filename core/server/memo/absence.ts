/**
 * Replies that stand for all names below one: for which of these they do not, octet for octet.
 *
 * The octets behind the question are the same for all names of one length, as far as nothing in them points into what a
 * name has more than the one it was decided at. Something does where a name in the reply has that in common with it: so
 * names that begin, below there, as a name in the reply does are left to the chain.
 *
 * @module
 */

import type { Answer, DecidedAt } from "../../answer.ts";
import { compressibleNames } from "../../dns/message.ts";
import { fold, isWithin, type Name } from "../../dns/name.ts";
import { hashNameText } from "../../dns/name_hash.ts";

/** The name one label longer than `encloser` above or at `name`, which lies below it; all folded. */
export function nextCloserName(name: Name, encloser: Name): Name {
  const end = name.length - encloser.length;
  let at = 0;
  for (let next = 0; next < end; next += 1 + name.charCodeAt(next)) at = next;
  return name.slice(at) as Name;
}

/**
 * The hashes of next closer names for which a reply to `name` does not stand, beside the names there are; undefined where
 * it does not even stand for the name's own neighbours.
 */
export function exceptionsOf(answer: Answer, name: Name, decidedAt: DecidedAt): Int32Array | undefined {
  const own = hashNameText(nextCloserName(name, decidedAt.name)), found = new Set<number>();
  if (decidedAt.existing?.has(own)) return undefined;
  const except = (other: Name) => {
    if (other.length <= decidedAt.name.length) return;
    const folded = fold(other);
    if (!isWithin(folded, decidedAt.name)) return;
    const hash = hashNameText(nextCloserName(folded, decidedAt.name));
    if (!decidedAt.existing?.has(hash)) found.add(hash);
  };
  for (const section of [answer.answer, answer.authority, answer.additional]) {
    for (const rrset of section) {
      // The owner of what was made for the very name asked for moves along with it.
      if (section !== answer.answer || fold(rrset.name) !== name) except(rrset.name);
      for (const rdata of rrset.rdata) compressibleNames(rrset.type, rdata)?.names.forEach(except);
    }
  }
  return found.has(own) ? undefined : Int32Array.from(found);
}
