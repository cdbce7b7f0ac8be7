/**
 * One question to one upstream: makes the query, tells the reply from everything else that may come.
 *
 * @module
 */

import { decodeMessage, encodeMessage, FLAG, makeQuery, type Message } from "../../core/dns/message.ts";
import { CLASS, OPCODE } from "../../core/dns/types.ts";
import { WireError, WireReader } from "../../core/dns/wire.ts";
import { type Name, sameName, type Transport } from "../../core/plugin.ts";
import type { Upstream } from "./config.ts";
import { ExchangeError, overTcp, overUdp, type Sockets } from "./transport.ts";

/** What is asked, class IN, and how. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly dnssecOk: boolean;
}

/** What an exchange works with. */
export interface ExchangeScope {
  readonly sockets: Sockets;
  /** Ends the exchange when it aborts. */
  readonly signal: AbortSignal;
  /** Hears of each datagram that was not the reply. */
  onIgnored(): void;
}

/**
 * Asks `upstream`, over TCP where `transport` says so, where the reply over UDP was truncated, and where somebody sends
 * forgeries.
 *
 * @throws {ExchangeError} When no reply came before the signal, or one that is malformed.
 */
export async function exchange(
  question: Question,
  upstream: Upstream,
  transport: Transport,
  scope: ExchangeScope,
): Promise<Message> {
  if (transport === "udp") {
    const { id, query } = makeOctets(question);
    const reply = await overUdp(
      upstream,
      query,
      (octets) => readReply(octets, id, question, upstream),
      scope,
    );
    if (reply && reply !== TRUNCATED) return reply;
  }
  const { id, query } = makeOctets(question);
  const reply = await overTcp(upstream, query, (octets) => readReply(octets, id, question, upstream), scope);
  if (reply === TRUNCATED) throw new ExchangeError(upstream, "malformed", "sent a truncated reply over TCP");
  return reply;
}

/** The reply ended early, and is to be had over TCP. */
const TRUNCATED = Symbol("truncated");

function makeOctets({ name, type, dnssecOk, ...flags }: Question): { id: number; query: Uint8Array } {
  // Not the random that is handed in: an ID that can be guessed lets strangers answer (RFC 5452 section 4.3).
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  return { id, query: encodeMessage(makeQuery(id, name, type, { ...flags, edns: { dnssecOk } })) };
}

/** The reply to `question`; undefined for anything that is not. @throws {ExchangeError} When it is, but malformed. */
function readReply(
  octets: Uint8Array,
  id: number,
  question: Question,
  upstream: Upstream,
): Message | typeof TRUNCATED | undefined {
  if (!isReplyTo(octets, id, question)) return undefined;
  if (octets[2]! << 8 & FLAG.TC) return TRUNCATED;
  try {
    return decodeMessage(octets);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ExchangeError(upstream, "malformed", `sent a malformed reply: ${error.message}`);
  }
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
