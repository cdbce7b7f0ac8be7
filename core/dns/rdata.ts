/**
 * RDATA: its presentation form, its wire form, and the names in it. Driven by the table in `rdata_layouts.ts`; a type
 * that is not there is octets, written as RFC 3597 section 5 has it.
 *
 * @module
 */

import { fold, type Name, ROOT } from "./name.ts";
import type { Field } from "./rdata_fields.ts";
import { layoutOf } from "./rdata_layouts.ts";
import { hexText, octetsOfHex } from "./rdata_text.ts";
import { type RdataToken, RdataTokens } from "./rdata_tokens.ts";
import { typeToText } from "./types.ts";
import { WireError, WireReader, WireWriter } from "./wire.ts";

export { RdataError, type RdataToken } from "./rdata_tokens.ts";

/** The most octets that RDATA may have: RDLENGTH has 16 bits. */
const RDATA_OCTETS_MAX = 0xffff;

/**
 * Reads RDATA in presentation form into its wire form, names in it relative to `origin` and uncompressed. Takes
 * `\# LENGTH HEX` for every type (RFC 3597 section 5), and checks the octets of those it knows.
 *
 * @throws {RdataError} With the index of the token that is wrong.
 */
export function parseRdata(type: number, tokens: readonly RdataToken[], origin: Name = ROOT): Uint8Array {
  const cursor = new RdataTokens(tokens, origin, typeToText(type));
  const octets = tokens[0]?.text === "\\#" && !tokens[0].quoted
    ? parseGeneric(type, cursor)
    : parseFields(type, cursor);
  if (octets.length > RDATA_OCTETS_MAX) {
    cursor.fail(`expected at most ${RDATA_OCTETS_MAX} octets, got ${octets.length}`, 0);
  }
  return octets;
}

/** The presentation form; `\# LENGTH HEX` for an unknown type, and for octets that are malformed for a known one. */
export function formatRdata(type: number, octets: Uint8Array): string {
  const fields = layoutOf(type);
  if (fields) {
    try {
      const reader = new WireReader(octets);
      const texts = fields.map((field) => field.format(reader));
      if (reader.left === 0) return texts.filter((text) => text !== "").join(" ");
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }
  return octets.length === 0 ? "\\# 0" : `\\# ${octets.length} ${hexText(octets)}`;
}

/** Whether octets are well-formed as RDATA of a type. All are, of an unknown one. */
export function checkRdata(type: number, octets: Uint8Array): boolean {
  return rdataProblem(type, octets) === undefined;
}

/** The names in well-formed RDATA, in order: targets, exchanges, MNAME and RNAME, … */
export function rdataNames(type: number, octets: Uint8Array): Name[] {
  const reader = new WireReader(octets), names: Name[] = [];
  for (const field of layoutOf(type) ?? []) {
    if (field.name) names.push(reader.plainName());
    else field.skip(reader);
  }
  return names;
}

/** Well-formed RDATA in the form that is signed and compared: most names in lower case (RFC 4034 section 6.2). */
export function canonicalRdata(type: number, octets: Uint8Array): Uint8Array {
  const fields = layoutOf(type);
  if (!fields?.some((field) => field.name && field.name !== "keep")) return octets;
  return rewritten(fields, new WireReader(octets), (reader) => fold(reader.plainName()));
}

/** Well-formed RDATA with each name in it replaced by another; `index` counts the names of one RDATA from 0. */
export function mapRdataNames(
  type: number,
  octets: Uint8Array,
  change: (name: Name, index: number) => Name,
): Uint8Array {
  const fields = layoutOf(type);
  if (!fields?.some((field) => field.name)) return octets;
  let index = 0;
  return rewritten(fields, new WireReader(octets), (reader) => change(reader.plainName(), index++));
}

/**
 * Takes the RDATA at `reader.at` to `reader.end` out of a message: a copy, its names uncompressed where the type may
 * have had them compressed (RFC 3597 section 4).
 *
 * @throws {WireError} When it is malformed for its type.
 */
export function decodeRdata(type: number, reader: WireReader): Uint8Array {
  const fields = layoutOf(type);
  if (!fields) return reader.take(reader.left).slice();
  const mayPoint = (field: Field) => field.name === "compress" || field.name === "decompress";
  if (fields.some(mayPoint)) {
    return rewritten(fields, reader, (from, kind) => {
      return kind === "compress" || kind === "decompress" ? from.name() : from.plainName();
    });
  }
  const start = reader.at;
  skipFields(fields, reader);
  return reader.octets.slice(start, reader.at);
}

function rewritten(
  fields: readonly Field[],
  reader: WireReader,
  readName: (reader: WireReader, kind: Field["name"]) => Name,
): Uint8Array {
  const writer = new WireWriter(reader.left + 64);
  for (const field of fields) {
    const start = reader.at;
    if (field.name) {
      writer.plainName(readName(reader, field.name));
    } else {
      field.skip(reader);
      writer.bytes(reader.octets.subarray(start, reader.at));
    }
  }
  expectEnd(reader);
  return writer.finish();
}

/** One for all: a zone file may have a million records, and a writer is far larger than most RDATA. */
const scratch = new WireWriter();

function parseFields(type: number, tokens: RdataTokens): Uint8Array {
  const fields = layoutOf(type);
  if (!fields) tokens.fail(`expected \\# LENGTH HEX for a type without a form of its own`, 0);
  scratch.reset();
  for (const field of fields) field.parse(tokens, scratch);
  tokens.end();
  return scratch.finish();
}

/** RFC 3597 section 5. */
function parseGeneric(type: number, tokens: RdataTokens): Uint8Array {
  tokens.next("\\#");
  const { text } = tokens.next("length");
  const octets = octetsOf(tokens);
  if (!/^\d{1,5}$/.test(text) || Number(text) !== octets.length) {
    tokens.fail(`expected the length ${octets.length}, got "${text}"`, 1);
  }
  const problem = rdataProblem(type, octets);
  if (problem) tokens.fail(`expected octets of that type: ${problem}`, Math.min(2, tokens.at - 1));
  return octets;
}

function octetsOf(tokens: RdataTokens): Uint8Array {
  try {
    return octetsOfHex(tokens.joinRest());
  } catch (error) {
    tokens.fail((error as Error).message, 2);
  }
}

function rdataProblem(type: number, octets: Uint8Array): string | undefined {
  const fields = layoutOf(type);
  if (!fields) return undefined;
  try {
    skipFields(fields, new WireReader(octets));
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error.message;
    throw error;
  }
}

function skipFields(fields: readonly Field[], reader: WireReader): void {
  for (const field of fields) field.skip(reader);
  expectEnd(reader);
}

function expectEnd(reader: WireReader): void {
  if (reader.left > 0) {
    throw new WireError(reader.at, `Expected the end of RDATA, found ${reader.left} octets`);
  }
}
