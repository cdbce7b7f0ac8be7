/**
 * Whole messages (RFC 1035 section 4), any kind: what is sent upstream, what comes back, what is taken apart to explain it.
 * Queries that are answered come through `query.ts`, answers that are given through `responder.ts`.
 *
 * @module
 */

import type { EdnsOption } from "../answer.ts";
import type { Edns, Question } from "../query.ts";
import {
  decodeClientSubnet,
  decodeOptFields,
  decodeOptions,
  findOption,
  type OptFields,
  writeOpt,
} from "./edns.ts";
import type { Name } from "./name.ts";
import { decodeRdata } from "./rdata.ts";
import { compressedNames } from "./rdata_layouts.ts";
import { CLASS, OPCODE, OPTION, RCODE, TYPE } from "./types.ts";
import { WireError, WireReader, WireWriter } from "./wire.ts";

/** One record (RFC 1035 section 4.1.3). */
export interface ResourceRecord {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
  /** Wire form, names in it uncompressed. */
  readonly rdata: Uint8Array;
}

/** A message. Its OPT record is `edns` and the upper bits of `rcode`; it does not stand among the additional records. */
export interface Message {
  readonly id: number;
  /** The QR flag. */
  readonly isResponse: boolean;
  readonly opcode: number;
  /** AA. */
  readonly authoritative: boolean;
  /** TC. */
  readonly truncated: boolean;
  /** RD. */
  readonly recursionDesired: boolean;
  /** RA. */
  readonly recursionAvailable: boolean;
  /** AD. */
  readonly authenticData: boolean;
  /** CD. */
  readonly checkingDisabled: boolean;
  /** 12 bits where there is EDNS, else 4. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  readonly edns?: Edns;
}

/** A flag's bit in the header's second 16 bits. */
export const FLAG = Object.freeze({
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
});

/** The most octets a message may have: TCP gives its length 16 bits. */
export const MESSAGE_OCTETS_MAX = 0xffff;

/**
 * Reads a message. Octets behind it are ignored.
 *
 * @throws {WireError} When a count, a length or a name leads past the end, RDATA is malformed for its type, or there is
 * an OPT record that is malformed, misplaced or the second.
 */
export function decodeMessage(octets: Uint8Array): Message {
  const reader = new WireReader(octets);
  const id = reader.u16(), flags = reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  const questions: Question[] = [];
  for (let i = 0; i < counts[0]; i++) {
    questions.push({ name: reader.name(), type: reader.u16(), class: reader.u16() });
  }
  const opt: { found?: Opt } = {};
  const answer = readSection(reader, counts[1]);
  const authority = readSection(reader, counts[2]);
  const additional = readSection(reader, counts[3], opt);
  return {
    id,
    isResponse: (flags & FLAG.QR) !== 0,
    opcode: flags >> 11 & 15,
    authoritative: (flags & FLAG.AA) !== 0,
    truncated: (flags & FLAG.TC) !== 0,
    recursionDesired: (flags & FLAG.RD) !== 0,
    recursionAvailable: (flags & FLAG.RA) !== 0,
    authenticData: (flags & FLAG.AD) !== 0,
    checkingDisabled: (flags & FLAG.CD) !== 0,
    rcode: (opt.found?.fields.extendedRcode ?? 0) << 4 | flags & 15,
    questions,
    answer,
    authority,
    additional,
    ...(opt.found && { edns: ednsOf(opt.found) }),
  };
}

/**
 * Writes a message, names compressed.
 *
 * @throws {RangeError} When it would have more than 65535 octets, or an RCODE above 15 without EDNS.
 */
export function encodeMessage(message: Message): Uint8Array {
  if (message.rcode > 15 && !message.edns) {
    throw new RangeError(`Cannot write RCODE ${message.rcode} in a message without EDNS`);
  }
  const writer = new WireWriter();
  const { questions, answer, authority, additional, edns } = message;
  writer.u16(message.id);
  writer.u16(flagsOf(message));
  for (const section of [questions, answer, authority]) writer.u16(section.length);
  writer.u16(additional.length + (edns ? 1 : 0));
  for (const question of questions) {
    writer.name(question.name);
    writer.u16(question.type);
    writer.u16(question.class);
  }
  for (const record of [...answer, ...authority, ...additional]) {
    writeRecord(writer, record.name, record.type, record.class, record.ttl, record.rdata);
  }
  if (edns) writeOpt(writer, { ...edns, extendedRcode: message.rcode >> 4 }, edns.options);
  if (writer.at > MESSAGE_OCTETS_MAX) {
    throw new RangeError(`Cannot write a message of ${writer.at} octets, more than ${MESSAGE_OCTETS_MAX}`);
  }
  return writer.finish();
}

/** A query for one name and type, class IN. */
export function makeQuery(
  id: number,
  name: Name,
  type: number,
  options: {
    readonly recursionDesired?: boolean;
    readonly checkingDisabled?: boolean;
    readonly class?: number;
    readonly edns?: { payloadSize?: number; dnssecOk?: boolean; options?: readonly EdnsOption[] };
  } = {},
): Message {
  return {
    id,
    isResponse: false,
    opcode: OPCODE.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: options.recursionDesired ?? false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: options.checkingDisabled ?? false,
    rcode: RCODE.NOERROR,
    questions: [{ name, type, class: options.class ?? CLASS.IN }],
    answer: [],
    authority: [],
    additional: [],
    ...(options.edns &&
      { edns: { version: 0, payloadSize: 1232, dnssecOk: false, options: [], ...options.edns } }),
  };
}

/** Writes a record, its names compressed as its type allows. */
export function writeRecord(
  writer: WireWriter,
  name: Name,
  type: number,
  dnsClass: number,
  ttl: number,
  rdata: Uint8Array,
): void {
  writer.name(name);
  writer.u16(type);
  writer.u16(dnsClass);
  writer.u32(ttl);
  const start = writer.at + 2;
  writer.u16(rdata.length);
  if (compressedNames(type) === undefined) return writer.bytes(rdata);
  writeCompressed(writer, type, rdata);
  writer.patchU16(start - 2, writer.at - start);
}

/** RDATA that turns out not to be what its type says goes out as it stands. */
function writeCompressed(writer: WireWriter, type: number, rdata: Uint8Array): void {
  const found = compressibleNames(type, rdata);
  if (!found) return writer.bytes(rdata);
  const { start, names, rest } = found;
  if (start > 0) writer.bytes(rdata.subarray(0, start));
  for (let i = 0; i < names.length; i++) writer.name(names[i]!);
  if (rest) writer.bytes(rest);
}

/** Names in RDATA, one behind the other, that are written compressed. */
interface CompressibleNames {
  readonly start: number;
  readonly names: readonly Name[];
  /** What stands behind them. */
  readonly rest: Uint8Array | undefined;
}

/** Those of SOA records: one is in every negative answer. */
const ofSoa = new WeakMap<Uint8Array, CompressibleNames>();

/** The names in RDATA that replies compress; undefined where there are none, or it is not what its type says. */
export function compressibleNames(type: number, rdata: Uint8Array): CompressibleNames | undefined {
  const known = type === TYPE.SOA ? ofSoa.get(rdata) : undefined;
  if (known) return known;
  const found = readCompressibleNames(type, rdata);
  if (found && type === TYPE.SOA) ofSoa.set(rdata, found);
  return found;
}

function readCompressibleNames(type: number, rdata: Uint8Array): CompressibleNames | undefined {
  const layout = compressedNames(type);
  if (!layout) return undefined;
  const reader = new WireReader(rdata), names: Name[] = [];
  try {
    reader.skip(layout.skip);
    while (names.length < layout.count) names.push(reader.plainName());
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return undefined;
  }
  const rest = reader.at < rdata.length ? rdata.subarray(reader.at) : undefined;
  return { start: layout.skip, names, rest };
}

/** The one OPT record, and where it stood. */
interface Opt {
  readonly fields: OptFields;
  readonly options: readonly EdnsOption[];
}

function ednsOf({ fields: { version, payloadSize, dnssecOk }, options }: Opt): Edns {
  const option = findOption(options, OPTION.CLIENT_SUBNET);
  const subnet = option && decodeClientSubnet(option.data);
  return {
    version,
    payloadSize,
    dnssecOk,
    ...(subnet && {
      clientSubnet: { address: subnet.address, sourcePrefixLength: subnet.sourcePrefixLength },
    }),
    options,
  };
}

function flagsOf(message: Message): number {
  return (message.isResponse ? FLAG.QR : 0) | message.opcode << 11 |
    (message.authoritative ? FLAG.AA : 0) | (message.truncated ? FLAG.TC : 0) |
    (message.recursionDesired ? FLAG.RD : 0) | (message.recursionAvailable ? FLAG.RA : 0) |
    (message.authenticData ? FLAG.AD : 0) | (message.checkingDisabled ? FLAG.CD : 0) | message.rcode & 15;
}

/** Reads `count` records; an OPT goes into `opt`, and is an error where there is none to take it. */
function readSection(reader: WireReader, count: number, opt?: { found?: Opt }): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  for (let i = 0; i < count; i++) {
    const start = reader.at, name = reader.name(), head = reader.at;
    const type = reader.u16(), dnsClass = reader.u16(), ttl = reader.u32(), length = reader.u16();
    const messageEnd = reader.end, end = reader.at + length;
    if (end > messageEnd) throw new WireError(reader.at, `Expected ${length} octets of RDATA, found the end`);
    if (type === TYPE.OPT) {
      if (!opt || opt.found || name.length > 1) {
        throw new WireError(start, "Found an OPT record out of place");
      }
      opt.found = readOpt(reader, head, end);
    } else {
      reader.end = end;
      records.push({ name, type, class: dnsClass, ttl, rdata: decodeRdata(type, reader) });
      reader.end = messageEnd;
    }
    reader.at = end;
  }
  return records;
}

function readOpt(reader: WireReader, head: number, end: number): Opt {
  // What a message says may be kept for long: not as a part of what many share.
  const options = decodeOptions(reader.octets, reader.at, end)?.map(({ code, data }) => ({
    code,
    data: data.slice(),
  }));
  if (!options) throw new WireError(reader.at, "Found an EDNS option that does not end in its record");
  return { fields: decodeOptFields(reader.octets, head), options };
}
