/**
 * A query's octets to a value, once per packet: by hand, without a throw, every outcome a value.
 *
 * @module
 */

import type { Edns, Question } from "../query.ts";
import { decodeOptFields, decodeOptions, queryEdns } from "./edns.ts";
import { fold, type Name, NAME_OCTETS_MAX, ROOT } from "./name.ts";
import { CLASS, OPCODE, OPTION, RCODE, TYPE } from "./types.ts";
import { octetString } from "./wire.ts";

/** What a packet says that any reply to it must repeat. It shares no octets with the packet. */
export interface Asked {
  readonly id: number;
  readonly opcode: number;
  /** The RD flag. */
  readonly recursionDesired: boolean;
  /** The AD flag: the client understands AD in replies (RFC 6840 section 5.7). */
  readonly authenticData: boolean;
  /** The CD flag. */
  readonly checkingDisabled: boolean;
  /** Its name octet for octet as it came; undefined where there was not just one, or it could not be read. */
  readonly question: Question | undefined;
  /** Undefined where there was no OPT record; without options where these could not be read. */
  readonly edns: Edns | undefined;
}

/** A query to answer: opcode QUERY, one question, EDNS version 0 or none. */
export interface DecodedQuery extends Asked {
  readonly kind: "query";
  readonly question: Question;
  /** The question's name, folded. */
  readonly folded: Name;
}

/** A packet to answer with an error: FORMERR, NOTIMP or BADVERS. */
export interface QueryError extends Asked {
  readonly kind: "error";
  readonly rcode: number;
}

/** A packet to say nothing to: a response, or less than a header. */
export interface Dropped {
  readonly kind: "drop";
}

/** What became of a packet. */
export type Decoded = DecodedQuery | QueryError | Dropped;

/** Stands for the question of a query that has none, but asks for a server cookie (RFC 7873 section 5.4). */
export const NO_QUESTION: Question = Object.freeze({ name: ROOT, type: 0, class: CLASS.IN });

const DROPPED: Dropped = Object.freeze({ kind: "drop" });

/** RFC 1035 section 4.1.1. */
const HEADER_OCTETS = 12;

/**
 * Reads a packet. Never throws. The flags TC and AA, an RCODE, and octets behind the message are ignored, as most servers do.
 *
 *     QR set, or under 12 octets                              drop
 *     an opcode other than QUERY                              NOTIMP
 *     QDCOUNT other than 1 (RFC 9619), but for 0 with a
 *     COOKIE option, anything malformed,
 *     two OPTs, one misplaced or not owned by the root        FORMERR
 *     EDNS version above 0                                    BADVERS
 */
export function decodeQuery(octets: Uint8Array): Decoded {
  if (octets.length < HEADER_OCTETS || octets[2]! & 0x80) return DROPPED;
  const opcode = octets[2]! >> 3 & 15;
  const id = octets[0]! << 8 | octets[1]!;
  const recursionDesired = (octets[2]! & 1) !== 0;
  const authenticData = (octets[3]! & 0x20) !== 0, checkingDisabled = (octets[3]! & 0x10) !== 0;
  const { question, edns, isSound } = readBody(octets);
  const asksForCookie = uint16(octets, 4) === 0 &&
    edns?.options.some(({ code }) => code === OPTION.COOKIE) === true;
  const rcode = rcodeFor(opcode, isSound && (question !== undefined || asksForCookie), edns);
  if (rcode !== RCODE.NOERROR) {
    const asked = { id, opcode, recursionDesired, authenticData, checkingDisabled, question, edns };
    return { kind: "error", rcode, ...asked };
  }
  return {
    kind: "query",
    id,
    opcode,
    recursionDesired,
    authenticData,
    checkingDisabled,
    question: question ?? NO_QUESTION,
    folded: question ? foldedName(question.name, octets) : ROOT,
    edns,
  };
}

function rcodeFor(opcode: number, isSound: boolean, edns: Edns | undefined): number {
  if (opcode !== OPCODE.QUERY) return RCODE.NOTIMP;
  if (!isSound) return RCODE.FORMERR;
  return edns && edns.version > 0 ? RCODE.BADVERS : RCODE.NOERROR;
}

/** What follows the header, as far as it can be read. */
interface Body {
  readonly question: Question | undefined;
  readonly edns: Edns | undefined;
  readonly isSound: boolean;
}

function readBody(octets: Uint8Array): Body {
  const count = uint16(octets, 4);
  if (count !== 1) return { question: undefined, ...readRecords(octets, skipQuestions(octets, count)) };
  const end = questionNameEnd(octets);
  if (end < 0 || end + 4 > octets.length) return { question: undefined, edns: undefined, isSound: false };
  const name = questionName(octets, end);
  const question = { name, type: uint16(octets, end), class: uint16(octets, end + 2) };
  if (uint16(octets, 6) + uint16(octets, 8) + uint16(octets, 10) === 0) {
    return { question, edns: undefined, isSound: true };
  }
  const { edns, isSound } = readRecords(octets, end + 4);
  return { question, edns, isSound };
}

/**
 * Names that were asked for lately, and more than once: to compare with one takes less than to make it anew, and maps know its
 * hash already. What is asked for once is not kept, for strings that live on have the garbage collector copy them.
 */
const NAMES_BITS = 12;
const latestNames: Name[] = new Array(1 << NAMES_BITS).fill(ROOT);
const latestHashes = new Int32Array(1 << NAMES_BITS);

/** The question's name, which ends before `end`. */
function questionName(octets: Uint8Array, end: number): Name {
  let hash = end;
  for (let at = HEADER_OCTETS; at < end; at++) hash = Math.imul(hash ^ octets[at]!, 0x01000193);
  const slot = Math.imul(hash, 0x9e3779b1) >>> 32 - NAMES_BITS;
  if (latestHashes[slot] !== hash) {
    latestHashes[slot] = hash;
    return octetString(octets, HEADER_OCTETS, end) as Name;
  }
  const known = latestNames[slot]!;
  if (isName(known, octets, end)) return known;
  return latestNames[slot] = octetString(octets, HEADER_OCTETS, end) as Name;
}

function isName(name: Name, octets: Uint8Array, end: number): boolean {
  if (name.length !== end - HEADER_OCTETS) return false;
  for (let at = HEADER_OCTETS; at < end; at++) {
    if (name.charCodeAt(at - HEADER_OCTETS) !== octets[at]) return false;
  }
  return true;
}

/** The same, folded: octets are looked at in less time than characters. */
function foldedName(name: Name, octets: Uint8Array): Name {
  for (let at = HEADER_OCTETS; at < HEADER_OCTETS + name.length; at++) {
    if (octets[at]! >= 0x41 && octets[at]! <= 0x5a) return fold(name);
  }
  return name;
}

/** The offset behind the question's name, which nothing stands before that it could point to; -1 when malformed. */
function questionNameEnd(octets: Uint8Array): number {
  let at = HEADER_OCTETS;
  while (at < octets.length) {
    const length = octets[at]!;
    at += 1 + length;
    if (length === 0) return at - HEADER_OCTETS <= NAME_OCTETS_MAX ? at : -1;
    if (length > 63) return -1;
  }
  return -1;
}

function skipQuestions(octets: Uint8Array, count: number): number {
  let at = HEADER_OCTETS;
  for (let i = 0; i < count && at >= 0; i++) {
    at = skipName(octets, at);
    if (at >= 0) at += 4;
  }
  return at;
}

/** Walks the records behind the question for the one OPT that may stand among the additional ones. */
function readRecords(octets: Uint8Array, start: number): Omit<Body, "question"> {
  const early = uint16(octets, 6) + uint16(octets, 8), count = early + uint16(octets, 10);
  let at = start, edns: Edns | undefined, isSound = start >= 0;
  for (let i = 0; i < count && isSound; i++) {
    const owner = at, head = skipName(octets, at);
    if (head < 0 || head + 10 > octets.length) return { edns, isSound: false };
    const data = head + 10;
    at = data + uint16(octets, head + 8);
    if (at > octets.length) return { edns, isSound: false };
    if (uint16(octets, head) !== TYPE.OPT) continue;
    const fields = decodeOptFields(octets, head);
    isSound = edns === undefined && i >= early && octets[owner] === 0;
    const decoded = isSound ? readOpt(octets, fields, data, at) : undefined;
    isSound &&= decoded !== undefined;
    edns ??= decoded ?? withoutOptions(fields);
  }
  return { edns, isSound: isSound && at <= octets.length };
}

/** Undefined when malformed. Options of a version we do not know are left unread. */
function readOpt(
  octets: Uint8Array,
  fields: ReturnType<typeof decodeOptFields>,
  start: number,
  end: number,
): Edns | undefined {
  if (fields.version > 0) return withoutOptions(fields);
  const options = decodeOptions(octets, start, end);
  return options && queryEdns(fields, options);
}

function withoutOptions({ version, payloadSize, dnssecOk }: ReturnType<typeof decodeOptFields>): Edns {
  return { version, payloadSize, dnssecOk, options: [] };
}

/** The offset behind a name that need not be known, -1 when it is malformed. A pointer must point backwards. */
function skipName(octets: Uint8Array, start: number): number {
  for (let at = start; at < octets.length; at += 1 + octets[at]!) {
    const length = octets[at]!;
    if (length === 0) return at + 1;
    if (length < 64) continue;
    const isSound = length >= 0xc0 && at + 1 < octets.length && (uint16(octets, at) & 0x3fff) < start;
    return isSound ? at + 2 : -1;
  }
  return -1;
}

function uint16(octets: Uint8Array, at: number): number {
  return octets[at]! << 8 | octets[at + 1]!;
}
