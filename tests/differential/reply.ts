/**
 * A reply as it is compared: what matters of it, as text.
 *
 * @module
 */

import type { Message, ResourceRecord } from "../../core/dns/message.ts";
import { fold, formatName } from "../../core/dns/name.ts";
import { canonicalRdata, formatRdata } from "../../core/dns/rdata.ts";
import { rcodeToText, TYPE, typeToText } from "../../core/dns/types.ts";

/** A reply; sections as sorted zone-file lines, names in lower case. */
export interface Reply {
  readonly rcode: string;
  /** AA. */
  readonly authoritative: boolean;
  /** TC. */
  readonly truncated: boolean;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
}

/** What matters of a message. */
export function replyOf(message: Message): Reply {
  return {
    rcode: rcodeToText(message.rcode),
    authoritative: message.authoritative,
    truncated: message.truncated,
    answer: lines(message.answer),
    authority: lines(message.authority),
    additional: lines(message.additional),
  };
}

/** Whether two sections hold the same records. */
export function sameLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}

function lines(section: readonly ResourceRecord[]): string[] {
  const all = section.map(({ name, type, ttl, rdata }) => {
    const data = formatRdata(type, canonicalRdata(type, rdata));
    // The canonical form keeps the case of names in these two (RFC 9460 section 2.2), NSD does not.
    const folded = type === TYPE.SVCB || type === TYPE.HTTPS ? data.toLowerCase() : data;
    return `${formatName(fold(name))} ${ttl} ${typeToText(type)} ${folded}`;
  });
  return [...new Set(all)].sort();
}
