/**
 * A reply as the query log sees it, and the class it falls in.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import type { Location } from "../../core/fleet/place.ts";
import type { Answer, QueryContext, Selection, Sent } from "../../core/plugin.ts";

/** All that a line may tell. */
export interface Reply {
  readonly context: QueryContext;
  readonly answer: Answer;
  readonly sent: Sent;
  /** Where the client is; worked out only when a line wants it. Undefined without geo data. */
  readonly locate: () => Location | undefined;
  /** How many replies the line stands for, where only some have one. */
  readonly weight?: string;
}

/** What `class` may name, besides all of them. */
export type ReplyClass = "success" | "denial" | "error";

/** CoreDNS's finer kinds: what `{/log/type}` says. */
export type ReplyKind = "NOERROR" | "NODATA" | "NXDOMAIN" | "DELEGATION" | "META" | "OTHERERROR";

/** The kind of an answer. A denial is one only with the SOA record that lets it be cached (RFC 2308 section 5). */
export function kindOf(type: number, answer: Answer): ReplyKind {
  if (type === TYPE.AXFR || type === TYPE.IXFR) return "META";
  const exists = answer.rcode === 0;
  if (exists && answer.answer.length > 0) return "NOERROR";
  if (answer.authority.some((rrset) => rrset.type === TYPE.SOA)) {
    if (exists) return "NODATA";
    if (answer.rcode === 3) return "NXDOMAIN";
  }
  if (exists) return answer.authority.some((rrset) => rrset.type === TYPE.NS) ? "DELEGATION" : "NOERROR";
  return "OTHERERROR";
}

/** How far it is from a client there to the first node chosen; undefined where that is not known. */
export function distanceKm(
  { distanceKm, distanceKmFrom }: Selection,
  location: Location | undefined,
): number | undefined {
  return distanceKmFrom ? distanceKmFrom(location?.place) : distanceKm;
}

/** The class of a kind. */
export function classOf(kind: ReplyKind): ReplyClass {
  switch (kind) {
    case "NOERROR":
    case "DELEGATION":
      return "success";
    case "NODATA":
    case "NXDOMAIN":
      return "denial";
    default:
      return "error";
  }
}

/** The flags of a header's second word (RFC 1035 section 4.1.1), as dig names them. */
export function flagNames(flags: number): string[] {
  return FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name);
}

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x8000, "qr"],
  [0x0400, "aa"],
  [0x0200, "tc"],
  [0x0100, "rd"],
  [0x0080, "ra"],
  [0x0040, "z"],
  [0x0020, "ad"],
  [0x0010, "cd"],
];

/** The least TTL of the answer section or, when it is empty, of the authority section; undefined without records. */
export function leastTtl(answer: Answer): number | undefined {
  const section = answer.answer.length > 0 ? answer.answer : answer.authority;
  return section.length > 0 ? Math.min(...section.map((rrset) => rrset.ttl)) : undefined;
}
