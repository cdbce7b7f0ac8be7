/**
 * EDNS (RFC 6891): the OPT record and its options, between octets and values.
 *
 * @module
 */

import type { EdnsOption, ExtendedError } from "../answer.ts";
import type { Family } from "../net/address.ts";
import type { ClientSubnet, Edns } from "../query.ts";
import { Copies } from "./copies.ts";
import { OPTION, TYPE } from "./types.ts";
import type { WireWriter } from "./wire.ts";

/** An ECS option with its scope (RFC 7871 section 6). */
export interface ClientSubnetOption extends ClientSubnet {
  readonly scopePrefixLength: number;
}

/** What an OPT record says, beside its options, and the octets that hold these. */
export interface OptFields {
  readonly payloadSize: number;
  /** The upper eight bits of the RCODE. */
  readonly extendedRcode: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

/** The fields of an OPT record whose fixed part, from its type on, starts at `at` (RFC 6891 section 6.1.3). */
export function decodeOptFields(octets: Uint8Array, at: number): OptFields {
  return {
    payloadSize: octets[at + 2]! << 8 | octets[at + 3]!,
    extendedRcode: octets[at + 4]!,
    version: octets[at + 5]!,
    dnssecOk: (octets[at + 6]! & 0x80) !== 0,
  };
}

/** What a query's options are copied with: they live no longer than it. */
const COPIES = new Copies();

/** The options in an OPT record's RDATA, copied; undefined when one runs past the end. */
export function decodeOptions(octets: Uint8Array, start: number, end: number): EdnsOption[] | undefined {
  const options: EdnsOption[] = [];
  for (let at = start; at < end;) {
    if (at + 4 > end) return undefined;
    const code = octets[at]! << 8 | octets[at + 1]!, length = octets[at + 2]! << 8 | octets[at + 3]!;
    at += 4 + length;
    if (at > end) return undefined;
    options.push({ code, data: COPIES.take(octets, at - length, length) });
  }
  return options;
}

/**
 * The EDNS value of a query. Undefined when its ECS option is malformed, given twice, or has a scope (RFC 7871
 * section 7.1.2): all of which ask for FORMERR.
 */
export function queryEdns(fields: OptFields, options: readonly EdnsOption[]): Edns | undefined {
  const { version, payloadSize, dnssecOk } = fields;
  const option = findOption(options, OPTION.CLIENT_SUBNET);
  if (!option) return { version, payloadSize, dnssecOk, options };
  const subnet = decodeClientSubnet(option.data);
  if (!subnet || subnet.scopePrefixLength !== 0 || !isAlone(option, options)) return undefined;
  const { address, sourcePrefixLength } = subnet;
  return { version, payloadSize, dnssecOk, clientSubnet: { address, sourcePrefixLength }, options };
}

/** Whether no other option has the same code. */
function isAlone(option: EdnsOption, options: readonly EdnsOption[]): boolean {
  for (const other of options) if (other !== option && other.code === option.code) return false;
  return true;
}

/** The first option with a code. */
export function findOption(options: readonly EdnsOption[], code: number): EdnsOption | undefined {
  for (const option of options) if (option.code === code) return option;
  return undefined;
}

/**
 * Reads an ECS option's data strictly: family 1 or 2, as many address octets as the source prefix needs, no bit set past
 * it, lengths that the family has. Family 0 is taken with source 0 only, and reads as 0.0.0.0/0. Undefined otherwise.
 */
export function decodeClientSubnet(data: Uint8Array): ClientSubnetOption | undefined {
  if (data.length < 4) return undefined;
  const family = data[0]! << 8 | data[1]!, sourcePrefixLength = data[2]!, scopePrefixLength = data[3]!;
  if (family > 2 || (family === 0 && sourcePrefixLength > 0)) return undefined;
  const size = family === 2 ? 16 : 4;
  if (sourcePrefixLength > 8 * size || scopePrefixLength > 8 * size) return undefined;
  if (data.length - 4 !== (sourcePrefixLength + 7) >> 3) return undefined;
  const spare = -sourcePrefixLength & 7;
  if (data[data.length - 1]! & (1 << spare) - 1 && sourcePrefixLength > 0) return undefined;
  const octets = COPIES.room(size);
  for (let i = 4; i < data.length; i++) octets[i - 4] = data[i]!;
  // An IPv4-mapped address stays IPv6: source and scope count its bits.
  return { address: { family: size === 4 ? 4 : 6, octets }, sourcePrefixLength, scopePrefixLength };
}

/** An ECS option; in a query the scope is 0. The address is cut to the source prefix. */
export function encodeClientSubnet(
  { address, sourcePrefixLength, scopePrefixLength = 0 }: ClientSubnet & {
    readonly scopePrefixLength?: number;
  },
): EdnsOption {
  const data = new Uint8Array(4 + ((sourcePrefixLength + 7) >> 3));
  data.set([0, ianaFamily(address.family), sourcePrefixLength, scopePrefixLength]);
  data.set(address.octets.subarray(0, data.length - 4), 4);
  if (sourcePrefixLength & 7) data[data.length - 1]! &= 0xff00 >> (sourcePrefixLength & 7);
  return { code: OPTION.CLIENT_SUBNET, data };
}

/** A query's ECS option with a scope put in: family, source and address as they came, octet for octet. Good until the next. */
export function echoClientSubnet({ data: asked }: EdnsOption, scopePrefixLength: number): EdnsOption {
  const echo = ECHOES[asked.length]!, { data } = echo;
  for (let i = 0; i < data.length; i++) data[i] = asked[i]!;
  const bits = data[1] === 2 ? 128 : 32;
  data[3] = data[2] === 0 ? 0 : Math.min(scopePrefixLength, bits);
  return echo;
}

/** By the length of their data, that of an ECS option being 20 octets at most: a reply is written before the next is thought of. */
const ECHOES: readonly EdnsOption[] = Array.from(
  { length: 21 },
  (_, length) => ({ code: OPTION.CLIENT_SUBNET, data: new Uint8Array(length) }),
);

/** An Extended DNS Error (RFC 8914 section 2). */
export function encodeExtendedError({ infoCode, text = "" }: ExtendedError): EdnsOption {
  const encoded = new TextEncoder().encode(text);
  const data = new Uint8Array(2 + encoded.length);
  data.set([infoCode >> 8, infoCode & 0xff]);
  data.set(encoded, 2);
  return { code: OPTION.EDE, data };
}

/** Reads an Extended DNS Error; undefined when it has fewer than two octets. */
export function decodeExtendedError(data: Uint8Array): ExtendedError | undefined {
  if (data.length < 2) return undefined;
  const infoCode = data[0]! << 8 | data[1]!;
  const text = new TextDecoder().decode(data.subarray(2)).replace(/\0+$/, "");
  return text === "" ? { infoCode } : { infoCode, text };
}

/** The name server's identifier: any octets (RFC 5001 section 2.3). */
export function encodeNsid(identifier: Uint8Array): EdnsOption {
  return { code: OPTION.NSID, data: identifier };
}

/** The client's cookie of 8 octets with the server's of 8 to 32 behind it (RFC 7873 section 4). */
export function encodeCookie(cookies: Uint8Array): EdnsOption {
  return { code: OPTION.COOKIE, data: cookies };
}

/** A COOKIE option taken apart. */
export interface Cookies {
  /** 8 octets. */
  readonly client: Uint8Array;
  /** 8 to 32 octets; absent where the client has none of this server yet. */
  readonly server?: Uint8Array;
}

/** Reads a COOKIE option; undefined when its length is none that it may have (RFC 7873 section 5.2.2). */
export function decodeCookie(data: Uint8Array): Cookies | undefined {
  const client = data.subarray(0, CLIENT_COOKIE_OCTETS), server = data.subarray(CLIENT_COOKIE_OCTETS);
  if (client.length < CLIENT_COOKIE_OCTETS) return undefined;
  if (server.length === 0) return { client };
  return server.length >= 8 && server.length <= 32 ? { client, server } : undefined;
}

const CLIENT_COOKIE_OCTETS = 8;

/** How long an idle TCP connection is kept, in units of 100 ms on the wire (RFC 7828 section 3.1). Not for UDP. */
export function encodeKeepalive(timeoutMs: number): EdnsOption {
  const units = Math.min(0xffff, Math.floor(timeoutMs / 100));
  return { code: OPTION.KEEPALIVE, data: Uint8Array.of(units >> 8, units & 0xff) };
}

/** How many octets {@linkcode writeOpt} takes for these options. */
export function optOctets(options: readonly EdnsOption[]): number {
  let octets = 11;
  for (const option of options) octets += 4 + option.data.length;
  return octets;
}

/** Writes an OPT record (RFC 6891 section 6.1.2); the bits of Z are clear. */
export function writeOpt(writer: WireWriter, fields: OptFields, options: readonly EdnsOption[]): void {
  writer.u8(0);
  writer.u16(TYPE.OPT);
  writer.u16(fields.payloadSize);
  writer.u8(fields.extendedRcode);
  writer.u8(fields.version);
  writer.u16(fields.dnssecOk ? 0x8000 : 0);
  writer.u16(optOctets(options) - 11);
  for (const option of options) {
    writer.u16(option.code);
    writer.u16(option.data.length);
    writer.bytes(option.data);
  }
}

/** The family's number in ECS (IANA "Address Family Numbers"). */
function ianaFamily(family: Family): number {
  return family === 4 ? 1 : 2;
}
