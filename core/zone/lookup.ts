/**
 * Answers from a zone: RFC 1034 section 4.3.2, as RFC 2308, 4035, 4592, 6672 and 8482 have it.
 *
 *     descend   where the walk down from the apex ends: at the name, at a wildcard, a delegation, a DNAME, nowhere
 *     resolve   what that means for the type asked: one of a closed set of outcomes
 *     lookup    follows aliases from outcome to outcome, and makes an answer of the last
 *
 * @module
 */

import {
  type Answer,
  type DecidedAt,
  type Dependence,
  type Draft,
  emptyAnswer,
  INDEPENDENT,
  type RRset,
} from "../answer.ts";
import { fold, isWithin, type Name, NAME_OCTETS_MAX, ROOT } from "../dns/name.ts";
import { hashNextCloser } from "../dns/name_hash.ts";
import { RCODE, TYPE } from "../dns/types.ts";
import { existingNames } from "./existing_names.ts";
import { hostsIn, nameInRdata, namesHosts } from "./rdata_names.ts";
import type { Zone, ZoneNode } from "./zone.ts";

/** What is asked of a zone. */
export interface ZoneQuery {
  /** The name as it was asked: what synthesised records are called. At or below the zone's apex. */
  readonly name: Name;
  /** The same, folded. */
  readonly folded: Name;
  readonly type: number;
  /** Whether an alias is followed to a name that a pool answers: not when the query carried ECS (RFC 7871 section 7.2.1). */
  readonly chaseToPools: boolean;
  /** The DO bit: whether a referral brings the DS that the zone has for it. */
  readonly dnssecOk: boolean;
}

/** What a zone has for one name and type. */
export type Outcome =
  | { readonly kind: "answer"; readonly rrset: RRset }
  | { readonly kind: "nodata" }
  | { readonly kind: "nxdomain" }
  /** The name belongs to a child zone. */
  | { readonly kind: "referral"; readonly cut: ZoneNode }
  /** `aliases`: the CNAME, or the DNAME and the CNAME made from it. */
  | { readonly kind: "alias"; readonly aliases: readonly RRset[]; readonly target: Name }
  /** A DNAME makes a name of more than 255 octets. */
  | { readonly kind: "yxdomain"; readonly dname: RRset };

/** The most aliases that one answer follows; a chain that is longer, or that comes back to itself, ends where it is. */
const ALIASES_MAX = 16;

/** RFC 9824 section 7. */
const EDE_INVALID_QUERY_TYPE = 30;

/**
 * Answers a query from a zone. Every answer is static, placeholders of pools (RRsets without RDATA) aside. One that was
 * decided at an encloser or a delegation of the name says so: any name there gets the same that has as many octets.
 */
export function lookup(zone: Zone, query: ZoneQuery): Answer {
  const refused = refusal(query.type);
  if (refused) return refused;
  const place = descend(zone, query.folded, query.type);
  const answer = follow(zone, query, place);
  const decidedAt = decisionAt(zone, place, query.folded);
  if (decidedAt) answer.dependence = decided(answer.dependence, decidedAt);
  return answer;
}

/** The same dependence, decided there. That of static answers, which most are, is written out: to spread it takes longer. */
function decided(dependence: Dependence, decidedAt: DecidedAt): Dependence {
  if (dependence !== INDEPENDENT) return { ...dependence, decidedAt };
  const { scopePrefixLength, deadline, keys } = INDEPENDENT;
  return { scopePrefixLength, deadline, keys, decidedAt };
}

/**
 * Where the name asked for was decided, unless at itself. What comes behind an alias hangs on the alias alone, for the
 * name is none of those that records mention: these count as existing. A DNAME makes another answer for each name.
 */
function decisionAt(zone: Zone, place: Place, asked: Name): DecidedAt | undefined {
  if (!("at" in place) || place.at === asked) return undefined;
  const existing = existingNames(zone);
  if (!existing || existing.has(hashNextCloser(asked, place.at))) return undefined;
  return { name: place.at, existing };
}

/** The answer to a name that the walk from the apex ends at `place` for. */
function follow(zone: Zone, query: ZoneQuery, place: Place): Draft<Answer> {
  const followed: RRset[] = [];
  let { name, folded } = query;
  let visited: Name[] | undefined;
  for (;;) {
    const outcome = outcomeAt(place, name, query.type);
    if (outcome.kind !== "alias") return conclude(zone, query, outcome, followed);
    visited ??= [folded];
    if (visited.length > ALIASES_MAX) break;
    followed.push(...outcome.aliases);
    // The CNAME that a DNAME made is what was asked for.
    if (query.type === TYPE.CNAME) break;
    name = outcome.target;
    folded = fold(name);
    if (visited.includes(folded) || !isWithin(folded, zone.origin)) break;
    visited.push(folded);
    place = descend(zone, folded, query.type);
  }
  return authoritative(followed);
}

/** Finds what the zone has for `name` and `type`; `name` and `folded` are the same name. */
export function resolve(zone: Zone, name: Name, folded: Name, type: number): Outcome {
  return outcomeAt(descend(zone, folded, type), name, type);
}

function outcomeAt(place: Place, name: Name, type: number): Outcome {
  switch (place.kind) {
    case "name":
      return atNode(place.node, type);
    case "wildcard":
      return atNode(place.node, type, name);
    case "delegation":
      return { kind: "referral", cut: place.node };
    case "dname":
      return throughDname(place.node.rrsets.get(TYPE.DNAME)!, name);
    case "nowhere":
      return { kind: "nxdomain" };
  }
}

/** Where the walk from the apex towards a name ends (RFC 1034 section 4.3.2 step 3). `at`: the encloser, or the cut. */
type Place =
  | { readonly kind: "name" | "dname"; readonly node: ZoneNode }
  | { readonly kind: "wildcard" | "delegation"; readonly node: ZoneNode; readonly at: Name }
  | { readonly kind: "nowhere"; readonly at: Name };

function descend(zone: Zone, folded: Name, type: number): Place {
  let encloser = zone.origin;
  let node = zone.nodes.get(encloser)!;
  for (let label = labelsAbove(folded, zone.origin) - 1; label >= 0; label--) {
    const start = labelAt[label]!;
    if (node.rrsets.has(TYPE.DNAME)) return { kind: "dname", node };
    const name = folded.slice(start) as Name;
    const next = zone.nodes.get(name);
    if (!next) return wildcardBelow(zone, encloser);
    // The DS of a delegation is the parent's to answer (RFC 4035 section 3.1.4.1).
    if (zone.cuts.has(name) && !(start === 0 && type === TYPE.DS)) {
      return { kind: "delegation", node: next, at: name };
    }
    [encloser, node] = [name, next];
  }
  return { kind: "name", node };
}

/** Where the labels begin that the name looked at last has more than an apex. */
const labelAt = new Uint8Array(128);

/** Sets these; returns how many there are. */
function labelsAbove(folded: Name, origin: Name): number {
  const end = folded.length - origin.length;
  let count = 0;
  for (let at = 0; at < end; at += 1 + folded.charCodeAt(at)) labelAt[count++] = at;
  return count;
}

/** The wildcard below the encloser looked at last: for names that are not there it is as a rule the same each time. */
const latest = { encloser: ROOT, wildcard: "\x01*\0" as Name };

/** The source of synthesis (RFC 4592 section 3.3.1), if the closest encloser has one. */
function wildcardBelow(zone: Zone, closestEncloser: Name): Place {
  if (latest.encloser !== closestEncloser) {
    latest.wildcard = ("\x01*" + closestEncloser) as Name;
    latest.encloser = closestEncloser;
  }
  const node = zone.nodes.get(latest.wildcard);
  return node ? { kind: "wildcard", node, at: closestEncloser } : { kind: "nowhere", at: closestEncloser };
}

/** What a node has for a type, under the name `synthesized` when it is a wildcard. */
function atNode(node: ZoneNode, type: number, synthesized?: Name): Outcome {
  const named = (rrset: RRset) => synthesized === undefined ? rrset : { ...rrset, name: synthesized };
  const rrset = type === TYPE.ANY ? oneOfAny(node) : node.rrsets.get(type);
  if (rrset) return { kind: "answer", rrset: named(rrset) };
  const cname = node.rrsets.get(TYPE.CNAME);
  if (!cname) return { kind: "nodata" };
  return { kind: "alias", aliases: [named(cname)], target: nameInRdata(cname.rdata[0]!, 0) };
}

/** RFC 6672 section 3.2: the DNAME, a CNAME with its TTL, and on with the name that this makes. */
function throughDname(dname: RRset, name: Name): Outcome {
  const prefix = name.slice(0, name.length - dname.name.length);
  const target = prefix + nameInRdata(dname.rdata[0]!, 0) as Name;
  if (target.length > NAME_OCTETS_MAX) return { kind: "yxdomain", dname };
  const rdata = Uint8Array.from(target, (octet) => octet.charCodeAt(0));
  const cname: RRset = { name, type: TYPE.CNAME, ttl: dname.ttl, rdata: [rdata] };
  return { kind: "alias", aliases: [dname, cname], target };
}

/**
 * What ANY gets (RFC 8482 section 4): the CNAME if there is one, else the smallest RRset, so that a forged query is
 * not worth sending. Where only pools answer, the HINFO of section 4.2, which is the same for every client.
 */
function oneOfAny(node: ZoneNode): RRset | undefined {
  if (node.rrsets.size === 0) return undefined;
  const cname = node.rrsets.get(TYPE.CNAME);
  if (cname) return cname;
  const fixed = [...node.rrsets.values()].filter((rrset) => rrset.pool === undefined);
  fixed.sort((a, b) => sizeOf(a) - sizeOf(b) || a.type - b.type);
  return fixed[0] ?? { name: node.name, type: TYPE.HINFO, ttl: 3600, rdata: [HINFO_RFC8482] };
}

/** CPU `RFC8482`, OS empty. */
const HINFO_RFC8482 = new TextEncoder().encode("\x07RFC8482\x00");

function sizeOf({ rdata }: RRset): number {
  return rdata.reduce((octets, one) => octets + 12 + one.length, 0);
}

/** The answer that the last outcome makes, behind the aliases that led to it. */
function conclude(
  zone: Zone,
  query: ZoneQuery,
  outcome: Exclude<Outcome, { kind: "alias" }>,
  followed: RRset[],
) {
  switch (outcome.kind) {
    case "answer":
      if (outcome.rrset.pool !== undefined && followed.length > 0) {
        return toPool(query, outcome.rrset, followed);
      }
      followed.push(outcome.rrset);
      return authoritative(followed, { additional: addressesOf(zone, outcome.rrset) });
    case "nodata":
      return authoritative(followed, { authority: [zone.negativeSoa] });
    case "nxdomain":
      return authoritative(followed, { rcode: RCODE.NXDOMAIN, authority: [zone.negativeSoa] });
    case "yxdomain":
      return authoritative([...followed, outcome.dname], { rcode: RCODE.YXDOMAIN });
    case "referral":
      return refer(zone, query, outcome.cut, followed);
  }
}

/** A delegation: not authoritative, unless an alias of this zone led to it (RFC 1035 section 4.1.1, AA). */
function refer(zone: Zone, { dnssecOk }: ZoneQuery, cut: ZoneNode, followed: readonly RRset[]): Answer {
  const ns = cut.rrsets.get(TYPE.NS)!;
  const ds = cut.rrsets.get(TYPE.DS);
  return {
    ...authoritative(followed, {
      authority: ds && dnssecOk ? [ns, ds] : [ns],
      additional: addressesOf(zone, ns),
    }),
    authoritative: followed.length > 0,
    dependence: ds ? { ...INDEPENDENT, keys: ["do"] } : INDEPENDENT,
  };
}

/** Whether the query carried ECS decides how far the chain goes, so the two answers are remembered apart. */
function toPool({ chaseToPools }: ZoneQuery, rrset: RRset, followed: readonly RRset[]): Answer {
  return {
    ...authoritative(chaseToPools ? [...followed, rrset] : followed),
    dependence: { ...INDEPENDENT, keys: ["tailored"] },
  };
}

/** The zone's addresses of the hosts that NS, MX or SRV records name. Those of pools are left to be asked for. */
function addressesOf(zone: Zone, rrset: RRset): readonly RRset[] {
  if (!namesHosts(rrset)) return NO_RRSETS;
  const found: RRset[] = [], seen = new Set<Name>();
  for (const host of hostsIn(rrset)) {
    const folded = fold(host);
    if (seen.has(folded)) continue;
    seen.add(folded);
    for (const type of [TYPE.A, TYPE.AAAA]) {
      const addresses = addressesAt(zone, host, type);
      if (addresses && addresses.pool === undefined) found.push(addresses);
    }
  }
  return found;
}

const NO_RRSETS: readonly RRset[] = Object.freeze([]);

/** Glue, an address of this zone, or one that a wildcard gives. */
function addressesAt(zone: Zone, host: Name, type: number): RRset | undefined {
  const folded = fold(host);
  const node = zone.nodes.get(folded);
  if (node) return node.rrsets.get(type);
  const outcome = isWithin(folded, zone.origin) ? resolve(zone, host, folded, type) : undefined;
  return outcome?.kind === "answer" ? outcome.rrset : undefined;
}

/** Transfers are not done here. A query for NXNAME is malformed (RFC 9824 section 3.5). */
function refusal(type: number): Answer | undefined {
  if (type === TYPE.AXFR || type === TYPE.IXFR) return emptyAnswer(RCODE.REFUSED);
  return type === TYPE.NXNAME
    ? emptyAnswer(RCODE.FORMERR, { extendedErrors: [{ infoCode: EDE_INVALID_QUERY_TYPE }] })
    : undefined;
}

/** Put together at one go: an empty answer with the parts spread over it takes several times as long. */
function authoritative(
  answer: readonly RRset[],
  { rcode = RCODE.NOERROR, authority = [], additional = [] }: {
    readonly rcode?: number;
    readonly authority?: readonly RRset[];
    readonly additional?: readonly RRset[];
  } = {},
): Answer {
  return { rcode, authoritative: true, answer, authority, additional, dependence: INDEPENDENT };
}
