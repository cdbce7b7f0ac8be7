/**
 * One question to one resolver: over UDP, and over TCP where the reply was cut short. Whatever is not the reply is ignored.
 *
 * @module
 */

import { decodeExtendedError } from "../dns/edns.ts";
import { decodeMessage, encodeMessage, FLAG, makeQuery, type Message } from "../dns/message.ts";
import { type Name, sameName } from "../dns/name.ts";
import { CLASS, OPCODE, OPTION, RCODE, rcodeToText } from "../dns/types.ts";
import { WireError, WireReader } from "../dns/wire.ts";
import { parseAddress, sameAddress } from "../net/address.ts";
import { closing } from "./deadline.ts";
import type { BootstrapIo, Stream } from "./io.ts";

/** Where a resolver listens. */
export interface ResolverAddress {
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
}

/** What is asked; class IN. */
export interface Question {
  readonly name: Name;
  readonly type: number;
}

/** How an exchange is done. */
export interface ExchangeOptions {
  readonly io: Pick<BootstrapIo, "random32" | "sockets">;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Whether letters are sent in random case, which the reply must repeat: more for a forger to guess. */
  readonly mixCase: boolean;
}

/** A reply, and how it came. */
export interface Exchanged {
  readonly message: Message;
  readonly transport: "UDP" | "TCP";
}

/** A resolver that gave no reply which is of use; the message says why. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
}

/** Messages other than the reply after which somebody is probably forging, and TCP is asked (RFC 5452 section 9.3). */
export const IGNORED_MAX = 64;

/**
 * Asks. A reply of use says NOERROR or NXDOMAIN, and comes from somebody who either resolves or is the authority.
 *
 * @throws {ExchangeError} When there is a reply of no use, or the system says no.
 */
export async function exchange(
  to: ResolverAddress,
  question: Question,
  options: ExchangeOptions,
): Promise<Exchanged> {
  const first = await overBoth(to, question, options, true);
  // RFC 6891 section 7: who does not know EDNS says so.
  const exchanged = isWithoutEdns(first.message) ? await overBoth(to, question, options, false) : first;
  const why = whyUseless(exchanged.message);
  if (why !== undefined) throw new ExchangeError(why);
  return exchanged;
}

async function overBoth(
  to: ResolverAddress,
  question: Question,
  options: ExchangeOptions,
  edns: boolean,
): Promise<Exchanged> {
  const message = await overUdp(to, question, options, edns);
  if (message) return { message, transport: "UDP" };
  return { message: await overTcp(to, question, options, edns), transport: "TCP" };
}

/** @returns Undefined when TCP is to be asked: the reply was cut short, or cannot be told from a forged one. */
async function overUdp(
  to: ResolverAddress,
  question: Question,
  { io, signal, mixCase }: ExchangeOptions,
  edns: boolean,
): Promise<Message | undefined> {
  const address = parseAddress(to.address)!;
  const sent = { id: io.random32() & 0xffff, ...question };
  if (mixCase) sent.name = inRandomCase(question.name, io.random32);
  const socket = io.sockets.datagram(address.family);
  using _ = closing(socket, signal);
  await socket.send(encodeQuestion(sent, edns), to.address, to.port);
  for (let ignored = 0; ignored < IGNORED_MAX; ignored++) {
    const { octets, ...from } = await socket.receive();
    const source = parseAddress(from.address);
    if (from.port !== to.port || !source || !sameAddress(source, address)) continue;
    const asked = questionOf(octets, sent);
    if (!asked) continue;
    // There are servers that change the case: over a connection it does not matter.
    if (mixCase && asked.name !== sent.name) return undefined;
    return octets[2]! << 8 & FLAG.TC ? undefined : decode(octets);
  }
  return undefined;
}

/** RFC 7766: two octets of length, then the message. */
async function overTcp(
  to: ResolverAddress,
  question: Question,
  { io, signal }: ExchangeOptions,
  edns: boolean,
): Promise<Message> {
  const sent = { id: io.random32() & 0xffff, ...question };
  const stream = await io.sockets.connect(to.address, to.port, signal);
  using _ = closing(stream, signal);
  const query = encodeQuestion(sent, edns);
  await writeAll(stream, Uint8Array.of(query.length >> 8, query.length & 255, ...query));
  const [high, low] = await readExactly(stream, 2);
  const octets = await readExactly(stream, high! << 8 | low!);
  if (!questionOf(octets, sent)) throw new ExchangeError("sent over TCP what is no reply to the question");
  if (octets[2]! << 8 & FLAG.TC) throw new ExchangeError("cut its reply short over TCP as well");
  return decode(octets);
}

/** The question that a reply repeats; undefined when it is not the reply to what was sent, case aside. */
function questionOf(octets: Uint8Array, sent: Question & { id: number }): Question | undefined {
  try {
    const reader = new WireReader(octets);
    const id = reader.u16(), flags = reader.u16(), count = reader.u16();
    if (id !== sent.id || !(flags & FLAG.QR) || (flags >> 11 & 15) !== OPCODE.QUERY || count !== 1) {
      return undefined;
    }
    reader.skip(6);
    const name = reader.name(), type = reader.u16(), dnsClass = reader.u16();
    return sameName(name, sent.name) && type === sent.type && dnsClass === CLASS.IN
      ? { name, type }
      : undefined;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function encodeQuestion({ id, name, type }: Question & { id: number }, edns: boolean): Uint8Array {
  return encodeMessage(makeQuery(id, name, type, { recursionDesired: true, ...edns && { edns: {} } }));
}

function decode(octets: Uint8Array): Message {
  try {
    return decodeMessage(octets);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ExchangeError(`sent a malformed reply: ${error.message}`);
  }
}

function isWithoutEdns({ rcode, edns }: Message): boolean {
  return !edns && (rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP);
}

function whyUseless(message: Message): string | undefined {
  const { rcode, authoritative, recursionAvailable, answer } = message;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) {
    return `said ${rcodeToText(rcode)}${told(message)}`;
  }
  if (answer.length > 0 || authoritative || recursionAvailable) return undefined;
  return "neither resolves names nor has this one";
}

/** What the extended errors tell (RFC 8914). */
function told({ edns }: Message): string {
  const texts = (edns?.options ?? []).flatMap(({ code, data }) => {
    const error = code === OPTION.EDE ? decodeExtendedError(data) : undefined;
    return error ? [error.text ? `${error.infoCode} ${printable(error.text)}` : `${error.infoCode}`] : [];
  });
  return texts.length > 0 ? ` (extended error ${texts.join(", ")})` : "";
}

/** Somebody else's words, for a terminal: short, and without what would steer it. */
function printable(text: string): string {
  return text.slice(0, 100).replaceAll(/[^\x20-\x7e]/g, "?");
}

/** Each letter large or small, as a bit says. Lengths of labels are below all letters. */
function inRandomCase(name: Name, random32: () => number): Name {
  let bits = 0, left = 0;
  return name.replace(/[A-Za-z]/g, (letter) => {
    if (left === 0) [bits, left] = [random32(), 32];
    const isLarge = bits & 1;
    [bits, left] = [bits >>> 1, left - 1];
    return isLarge ? letter.toUpperCase() : letter.toLowerCase();
  }) as Name;
}

async function writeAll(stream: Stream, octets: Uint8Array): Promise<void> {
  for (let at = 0; at < octets.length;) at += await stream.write(octets.subarray(at));
}

async function readExactly(stream: Stream, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await stream.read(octets.subarray(at));
    if (read === null) throw new ExchangeError("closed the connection before its reply was whole");
    at += read;
  }
  return octets;
}
