/**
 * Where NSD or Knot answers otherwise than we do, and we mean it. Nothing else may differ.
 *
 * @module
 */

import type { Asked } from "./make_zone_file.ts";
import type { Reply } from "./reply.ts";

/** One class of differences. */
export interface AllowedDifference {
  readonly id: string;
  /** Whose reply differs from ours. */
  readonly who: readonly ("nsd" | "knot")[];
  readonly rfc: string;
  readonly why: string;
  /** Their reply as it would be without this difference; the same object where it does not apply. */
  setAside(theirs: Reply, ours: Reply, asked: Asked): Reply;
}

export const ALLOWED: readonly AllowedDifference[] = [
  {
    id: "apex NS",
    who: ["nsd"],
    rfc: "RFC 1034 section 4.3.2",
    why:
      "NSD adds the zone's NS and their addresses to every answer; no rule asks for it, and it makes replies large",
    setAside(theirs, ours) {
      const extra = theirs.authority.filter((line) =>
        line.includes(" NS ") && !ours.authority.includes(line)
      );
      if (!theirs.authoritative || theirs.answer.length === 0 || extra.length === 0) return theirs;
      const hosts = extra.map((line) => line.split(" ")[3]);
      const isAlong = (line: string) => hosts.includes(line.split(" ")[0]) && !ours.additional.includes(line);
      return {
        ...theirs,
        authority: theirs.authority.filter((line) => !extra.includes(line)),
        additional: theirs.additional.filter((line) => !isAlong(line)),
      };
    },
  },
  {
    id: "one RRset of ANY",
    who: ["nsd", "knot"],
    rfc: "RFC 8482 section 4.1",
    why: "a server may pick any RRset; ours is the smallest",
    setAside(theirs, ours, { type }) {
      if (type !== "ANY" || theirs.answer.length === 0 || ours.answer.length === 0) return theirs;
      return { ...theirs, answer: ours.answer, additional: ours.additional };
    },
  },
  {
    id: "NSEC and RRSIG beside CNAME",
    who: ["knot"],
    rfc: "RFC 1034 section 4.3.2",
    why:
      "Knot gives NODATA for the types that may stand beside a CNAME; the CNAME is there, so it is followed",
    setAside(theirs, ours, { type }) {
      const beside = ["NSEC", "RRSIG"].includes(type) && ours.answer.some((line) => line.includes(" CNAME "));
      return beside && theirs.answer.every((line) => !line.includes(` ${type} `)) ? ours : theirs;
    },
  },
  {
    id: "length of a chain",
    who: ["nsd", "knot"],
    rfc: "RFC 1034 section 3.6.2",
    why: "no limit is written down: Knot follows 5 aliases, we 16, NSD more; what is said so far is the same",
    setAside(theirs, ours) {
      const [shorter, longer] = theirs.answer.length < ours.answer.length ? [theirs, ours] : [ours, theirs];
      const isCut = shorter.answer.length >= 5 && shorter.rcode === "NOERROR" &&
        shorter.authority.length === 0 &&
        shorter.answer.every((line) => / (CNAME|DNAME) /.test(line) && longer.answer.includes(line));
      return isCut ? ours : theirs;
    },
  },
  {
    id: "DNAME to a name below itself",
    who: ["nsd"],
    rfc: "RFC 6672 section 2.2",
    why: "NSD substitutes once and stops; the RFC has it done until the name is too long, which is YXDOMAIN",
    setAside(theirs, ours) {
      const dname = theirs.answer.find((line) => line.includes(" DNAME "))?.split(" ");
      const isOwnChild = dname?.[3]?.endsWith(`.${dname[0]}`) && theirs.rcode === "NOERROR";
      return isOwnChild && theirs.answer.every((line) => ours.answer.includes(line)) ? ours : theirs;
    },
  },
  {
    id: "more than the DNAME with YXDOMAIN",
    who: ["knot"],
    rfc: "RFC 6672 section 2.2",
    why: "Knot goes on to look up the DNAME's bare target and adds what it finds there, or the SOA",
    setAside(theirs, ours) {
      if (theirs.rcode !== "YXDOMAIN" || ours.rcode !== "YXDOMAIN") return theirs;
      const answer = theirs.answer.filter((line) => / (CNAME|DNAME) /.test(line));
      const isMore = answer.length < theirs.answer.length || theirs.authority.length > 0;
      return isMore ? { ...theirs, answer, authority: [], additional: [] } : theirs;
    },
  },
];
