/**
 * One question as it is sent to an upstream, and how its reply is told from everything else that may come.
 *
 * @module
 */

import { decodeClientSubnet, encodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, FLAG, makeQuery, type Message } from "../../core/dns/message.ts";
import { CLASS, OPCODE, OPTION } from "../../core/dns/types.ts";
import { WireError, WireReader } from "../../core/dns/wire.ts";
import { type ClientSubnet, type EdnsOption, type Name, sameAddress, sameName } from "../../core/plugin.ts";
import { ExchangeError } from "./failure.ts";

/** What is asked, class IN, and how. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly dnssecOk: boolean;
  /** The client's network, where upstreams are told (RFC 7871). */
  readonly subnet?: ClientSubnet;
  /** Other EDNS options, as they are to be sent. */
  readonly options?: readonly EdnsOption[];
}

/** The reply ended early, and is to be had over a stream. */
export const TRUNCATED = Symbol("truncated");

/** Numbers that nobody can guess, made many at a time, and each taken once. */
const RANDOM = new Uint16Array(512);
let randomAt = RANDOM.length;

/**
 * An ID that nobody can guess. Not the random that is handed in: an ID that can be foretold lets strangers answer
 * (RFC 5452 section 4.3).
 */
export function randomId(): number {
  if (randomAt === RANDOM.length) {
    crypto.getRandomValues(RANDOM);
    randomAt = 0;
  }
  const id = RANDOM[randomAt]!;
  RANDOM[randomAt++] = 0;
  return id;
}

/** The query's octets. */
export function encodeQuestion(
  { name, type, dnssecOk, subnet, options: others = [], ...flags }: Question,
  id: number,
): Uint8Array {
  const options = [...subnet ? [encodeClientSubnet(subnet)] : [], ...others];
  return encodeMessage(makeQuery(id, name, type, { ...flags, edns: { dnssecOk, options } }));
}

/** The reply to `question`; undefined for anything that is not. @throws {ExchangeError} When it is, but malformed. */
export function readReply(
  octets: Uint8Array,
  id: number,
  question: Question,
): Message | typeof TRUNCATED | undefined {
  if (!isReplyTo(octets, id, question)) return undefined;
  if (octets[2]! << 8 & FLAG.TC) return TRUNCATED;
  try {
    const reply = decodeMessage(octets);
    return question.subnet && !repeatsSubnet(reply, question.subnet) ? undefined : reply;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ExchangeError("malformed", `sent a malformed reply: ${error.message}`);
  }
}

/** For how many bits of the client's address a reply says it holds; 0 where it says nothing. */
export function scopeOf({ edns }: Message): number {
  const option = edns && findOption(edns.options, OPTION.CLIENT_SUBNET);
  return option && decodeClientSubnet(option.data)?.scopePrefixLength || 0;
}

/** Whether header and question are those of the reply; the name may come back in another case. */
export function isReplyTo(octets: Uint8Array, id: number, { name, type }: Question): boolean {
  try {
    const reader = new WireReader(octets);
    const replyId = reader.u16(), flags = reader.u16(), questionCount = reader.u16();
    reader.skip(6);
    return replyId === id && (flags & FLAG.QR) !== 0 && (flags >> 11 & 15) === OPCODE.QUERY &&
      questionCount === 1 &&
      sameName(reader.name(), name) && reader.u16() === type && reader.u16() === CLASS.IN;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}

/** A reply that repeats another network than it was asked for is forged or confused (RFC 7871 section 7.3). */
function repeatsSubnet({ edns }: Message, subnet: ClientSubnet): boolean {
  const option = edns && findOption(edns.options, OPTION.CLIENT_SUBNET);
  if (!option) return true;
  const repeated = decodeClientSubnet(option.data);
  return repeated !== undefined && repeated.sourcePrefixLength === subnet.sourcePrefixLength &&
    (subnet.sourcePrefixLength === 0 || sameAddress(repeated.address, subnet.address));
}
