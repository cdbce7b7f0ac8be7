/**
 * Turns an answer into octets: the only place that does.
 *
 *     header, flags    QR, opcode, RD and CD as asked; AA, RA, AD from the answer; TC when something did not fit
 *     question         as it came, octet for octet
 *     answer           RRset by RRset, names compressed; the first that does not fit, and all behind it, set TC
 *     authority        the same
 *     additional       what still fits; only glue that a referral cannot do without sets TC (RFC 9471)
 *     OPT              if the query had one; its room is set aside before anything else
 *
 * No record stands in a reply twice.
 *
 * @module
 */

import type { Answer, EdnsOption, RRset } from "./answer.ts";
import { Copies } from "./dns/copies.ts";
import {
  echoClientSubnet,
  encodeExtendedError,
  encodeKeepalive,
  findOption,
  optOctets,
  writeOpt,
} from "./dns/edns.ts";
import { FLAG, MESSAGE_OCTETS_MAX, writeRecord } from "./dns/message.ts";
import { fold, isWithin, sameName } from "./dns/name.ts";
import { type Asked, type DecodedQuery, NO_QUESTION } from "./dns/query.ts";
import { CLASS, OPTION, RCODE, TYPE } from "./dns/types.ts";
import { octetString, WireWriter } from "./dns/wire.ts";
import type { Edns, Question, Transport } from "./query.ts";

/** What bounds a reply, beside the client's own word. */
export interface ResponseLimits {
  readonly transport: Transport;
  /** The most octets of a UDP reply, 1232 by default; an answer's `payloadSize` takes its place. 512 at least. */
  readonly maxOctets?: number;
  /** How long an idle TCP connection is kept: told to clients that ask (RFC 7828). */
  readonly keepaliveMs?: number;
}

/** What passes every path in one piece (DNS Flag Day 2020): the most we send, and what we say that we take. */
const PAYLOAD_OCTETS = 1232;

/** What a client without EDNS takes over UDP (RFC 1035 section 4.2.1), and the least that any can ask for. */
const PLAIN_OCTETS = 512;

/** RFC 2181 section 8. */
const TTL_MAX = 0x7fffffff;

/** Where the counts of a message stand in its header (RFC 1035 section 4.1.1). */
const ANCOUNT = 6, NSCOUNT = 8, ARCOUNT = 10, HEADER_END = 12;

const COPIES = new Copies();

/** Replies are made one at a time and copied out, so one buffer serves all. */
const SCRATCH = new WireWriter(MESSAGE_OCTETS_MAX);

/** A reply, and what a larger or smaller limit would have made of it. */
export interface Reply {
  readonly octets: Uint8Array;
  /** Whether all that the answer has is in it: any limit that leaves room for its octets brings the same. */
  readonly isComplete: boolean;
  /** The most octets that the server's side allowed over UDP, whatever the client takes. */
  readonly ownLimit: number;
}

/** The reply that carries `answer`, within the octets that client, transport and limits allow. */
export function respond(query: DecodedQuery, answer: Answer, limits: ResponseLimits): Uint8Array {
  return encodeReply(query, answer, limits).octets;
}

/** The same, and how it came about. */
export function encodeReply(query: DecodedQuery, answer: Answer, limits: ResponseLimits): Reply {
  const ownLimit = answer.payloadSize ?? limits.maxOctets ?? PAYLOAD_OCTETS;
  const octets = limits.transport === "tcp" ? MESSAGE_OCTETS_MAX : udpLimit(query.edns, ownLimit);
  const wanted = query.edns ? optionsFor(query.edns, answer, limits) : NONE;
  const options = fitting(wanted, octets - HEADER_END - query.question.name.length - 4 - optOctets(NONE));
  const written = writeReply(query, answer, octets, options);
  if (written === TRUNCATED && answer.extendedErrors?.length) {
    // Records matter more than a word about them (RFC 8914 section 3).
    writeReply(query, answer, octets, options.filter(({ code }) => code !== OPTION.EDE));
  }
  const isComplete = written === COMPLETE && options.length === wanted.length;
  return { octets: COPIES.take(SCRATCH.octets, 0, SCRATCH.at), isComplete, ownLimit };
}

/** A reply without records that tells of an error, with an OPT record if the query had one (RFC 6891 section 7). */
export function respondError(query: Asked, rcode: number): Uint8Array {
  startReply(query, 0, rcode);
  if (query.edns) writeReplyOpt(query.edns, rcode, PAYLOAD_OCTETS, NONE);
  return SCRATCH.finish();
}

const NONE: readonly EdnsOption[] = [];

/** The most octets of a UDP reply to a client that says `edns`. */
function udpLimit(edns: Edns | undefined, ownLimit: number): number {
  return Math.max(PLAIN_OCTETS, Math.min(edns ? edns.payloadSize : 0, ownLimit));
}

/** The options to send, most needed first. */
function optionsFor(
  edns: Edns,
  answer: Answer,
  { transport, keepaliveMs }: ResponseLimits,
): readonly EdnsOption[] {
  if (edns.options.length === 0 && !answer.options && !answer.extendedErrors) return NONE;
  const subnet = edns.clientSubnet && answer.ecs !== false && findOption(edns.options, OPTION.CLIENT_SUBNET);
  const options = subnet ? [echoClientSubnet(subnet, answer.dependence.scopePrefixLength)] : [];
  if (answer.options) options.push(...answer.options);
  if (transport === "tcp" && keepaliveMs !== undefined && findOption(edns.options, OPTION.KEEPALIVE)) {
    options.push(encodeKeepalive(keepaliveMs));
  }
  if (answer.extendedErrors) options.push(...answer.extendedErrors.map(encodeExtendedError));
  return options.length > 0 ? options : NONE;
}

/** Those for which there is room. */
function fitting(options: readonly EdnsOption[], room: number): readonly EdnsOption[] {
  let octets = 0;
  for (const { data } of options) octets += 4 + data.length;
  if (octets <= room) return options;
  return options.filter(({ data }) => {
    const fits = 4 + data.length <= room;
    if (fits) room -= 4 + data.length;
    return fits;
  });
}

/** How much of an answer is in a reply; of an incomplete one nothing is missing that TC would have to tell of. */
const TRUNCATED = 0, INCOMPLETE = 1, COMPLETE = 2;

/** Writes the whole reply. */
function writeReply(
  query: DecodedQuery,
  answer: Answer,
  octets: number,
  options: readonly EdnsOption[],
): number {
  startReply(query, answerFlags(query, answer), answer.rcode, answer.recursionDesired);
  const records = new Records(octets - (query.edns ? optOctets(options) : 0), query.question.class);
  let isWhole = !answer.truncated && records.add(answer.answer, ANCOUNT);
  isWhole &&= records.add(answer.authority, NSCOUNT);
  let isComplete = isWhole;
  if (isWhole && answer.additional.length > 0) {
    isWhole = records.add(requiredGlue(query.question, answer), ARCOUNT);
    isComplete = isWhole && records.add(answer.additional, ARCOUNT);
  }
  if (query.edns) writeReplyOpt(query.edns, answer.rcode, answer.payloadSize ?? PAYLOAD_OCTETS, options);
  if (!isWhole) SCRATCH.octets[2]! |= FLAG.TC >> 8;
  return isComplete ? COMPLETE : isWhole ? INCOMPLETE : TRUNCATED;
}

function answerFlags({ edns, authenticData }: DecodedQuery, answer: Answer): number {
  const understandsAd = authenticData || edns?.dnssecOk;
  return (answer.authoritative ? FLAG.AA : 0) | (answer.recursionAvailable ? FLAG.RA : 0) |
    (answer.authenticData && understandsAd ? FLAG.AD : 0);
}

/** Header and question; every count but QDCOUNT is 0. */
function startReply(
  query: Asked,
  flags: number,
  rcode: number,
  recursionDesired = query.recursionDesired,
): void {
  const { opcode, edns } = query, question = query.question === NO_QUESTION ? undefined : query.question;
  SCRATCH.reset();
  SCRATCH.u16(query.id);
  // Without an OPT there is no room for the upper bits, and the lower ones alone would say something else.
  SCRATCH.u16(
    FLAG.QR | opcode << 11 | flags | (recursionDesired ? FLAG.RD : 0) |
      (query.checkingDisabled ? FLAG.CD : 0) | (rcode < 16 || edns ? rcode & 15 : RCODE.SERVFAIL),
  );
  SCRATCH.u16(question ? 1 : 0);
  SCRATCH.u16(0);
  SCRATCH.u32(0);
  if (!question) return;
  SCRATCH.plainName(question.name);
  SCRATCH.remember(question.name, HEADER_END);
  SCRATCH.u16(question.type);
  SCRATCH.u16(question.class);
}

function writeReplyOpt(
  { dnssecOk }: Edns,
  rcode: number,
  payloadSize: number,
  options: readonly EdnsOption[],
): void {
  writeOpt(SCRATCH, { payloadSize, extendedRcode: rcode >> 4, version: 0, dnssecOk }, options);
  SCRATCH.patchU16(ARCOUNT, 1 + (SCRATCH.octets[ARCOUNT]! << 8 | SCRATCH.octets[ARCOUNT + 1]!));
}

/** The addresses of name servers that lie inside the zone a referral leads to: without them it leads nowhere. */
function requiredGlue({ type }: Question, { answer, authority, additional }: Answer): readonly RRset[] {
  if (answer.some((rrset) => rrset.type === type)) return [];
  const cuts = authority.filter((rrset) => rrset.type === TYPE.NS).map((rrset) => fold(rrset.name));
  if (cuts.length === 0) return [];
  return additional.filter(({ name, type }) =>
    (type === TYPE.A || type === TYPE.AAAA) && cuts.some((cut) => isWithin(fold(name), cut))
  );
}

/** The records of one reply, up to where the next may not go past `end`. */
class Records {
  readonly #end: number;
  readonly #class: number;
  readonly #written = WRITTEN;

  constructor(end: number, questionClass: number) {
    this.#end = end;
    this.#class = questionClass === CLASS.ANY ? CLASS.IN : questionClass;
    this.#written.clear();
  }

  /** Writes RRsets and counts their records in the header; false when one did not fit: it and the rest are left out. */
  add(rrsets: readonly RRset[], countAt: number): boolean {
    let count = SCRATCH.octets[countAt]! << 8 | SCRATCH.octets[countAt + 1]!, isWhole = true;
    for (let i = 0; i < rrsets.length && isWhole; i++) {
      const added = this.#addRRset(rrsets[i]!);
      if (added < 0) isWhole = false;
      else count += added;
    }
    SCRATCH.patchU16(countAt, count);
    return isWhole;
  }

  /** How many records were written, -1 when there was no room for all. */
  #addRRset(rrset: RRset): number {
    const start = SCRATCH.at, ttl = Math.min(rrset.ttl, TTL_MAX);
    let added = 0;
    for (const rdata of rrset.rdata) {
      if (!this.#written.add(rrset, rdata)) continue;
      writeRecord(SCRATCH, rrset.name, rrset.type, this.#class, ttl, rdata);
      if (SCRATCH.at > this.#end) {
        SCRATCH.rewind(start);
        return -1;
      }
      added++;
    }
    return added;
  }
}

/** How many records are compared one by one. */
const COMPARED_MAX = 24;

/** Which records a reply has: the few of a usual one compared one by one, those of a large one by a key. */
class Written {
  readonly #rrsets: RRset[] = [];
  readonly #rdata: Uint8Array[] = [];
  #count = 0;
  #keys: Set<string> | undefined;

  /** For the next reply; what is left of the last one is written over. */
  clear(): void {
    this.#count = 0;
    this.#keys = undefined;
  }

  /** False when the record is there already. */
  add(rrset: RRset, rdata: Uint8Array): boolean {
    if (this.#keys) {
      const { size } = this.#keys;
      return this.#keys.add(keyOf(rrset, rdata)).size > size;
    }
    for (let i = 0; i < this.#count; i++) {
      if (isSame(this.#rrsets[i]!, this.#rdata[i]!, rrset, rdata)) return false;
    }
    this.#rrsets[this.#count] = rrset;
    this.#rdata[this.#count++] = rdata;
    if (this.#count === COMPARED_MAX) {
      this.#keys = new Set(this.#rdata.map((octets, i) => keyOf(this.#rrsets[i]!, octets)));
    }
    return true;
  }
}

/** Replies are made one at a time. */
const WRITTEN = new Written();

function keyOf({ name, type }: RRset, rdata: Uint8Array): string {
  return `${fold(name)}${type} ${octetString(rdata)}`;
}

function isSame(a: RRset, aRdata: Uint8Array, b: RRset, bRdata: Uint8Array): boolean {
  if (a.type !== b.type || aRdata.length !== bRdata.length) return false;
  // The last octet first: addresses of one network differ there.
  for (let i = aRdata.length - 1; i >= 0; i--) if (aRdata[i] !== bRdata[i]) return false;
  return a === b || sameName(a.name, b.name);
}
