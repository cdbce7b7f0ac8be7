/**
 * The parameters of SVCB and HTTPS records (RFC 9460).
 *
 * @module
 */

import { formatAddress, parseAddress } from "../net/address.ts";
import { type Field, wholeNumber } from "./rdata_fields.ts";
import { escapedText, octetsOfBase64, octetsOfText } from "./rdata_text.ts";
import type { RdataTokens } from "./rdata_tokens.ts";
import { WireError, WireReader, WireWriter } from "./wire.ts";

/** How the value of one key looks. `parse` gets the text with its character-string escapes undone. */
interface Parameter {
  parse(value: Uint8Array): Uint8Array;
  format(octets: Uint8Array): string;
  /** What is wrong with the octets, if anything. */
  problem(octets: Uint8Array): string | undefined;
}

const MANDATORY = 0, ALPN = 1, NO_DEFAULT_ALPN = 2;

/** By number (RFC 9460 section 14.3.2; dohpath: RFC 9461; ohttp: RFC 9540). */
const KEYS = [
  "mandatory",
  "alpn",
  "no-default-alpn",
  "port",
  "ipv4hint",
  "ech",
  "ipv6hint",
  "dohpath",
  "ohttp",
] as const;

const flag: Parameter = {
  parse(value) {
    if (value.length > 0) throw new SyntaxError("expected no value");
    return value;
  },
  format: () => "",
  problem: (octets) => octets.length > 0 ? "has a value" : undefined,
};

const opaque: Parameter = {
  parse: (value) => value,
  format: quotedValue,
  problem: () => undefined,
};

const PARAMETERS: Readonly<Record<(typeof KEYS)[number], Parameter>> = {
  mandatory: {
    parse: (value) => uint16s(textOf(value).split(",").map(keyNumber).sort((a, b) => a - b)),
    format: (octets) => keyNumbers(octets).map(keyText).join(","),
    problem(octets) {
      const keys = keyNumbers(octets);
      if (octets.length === 0 || octets.length % 2 === 1) return "is no list of keys";
      if (keys.includes(MANDATORY)) return "lists itself";
      return keys.some((key, i) => i > 0 && key <= keys[i - 1]!)
        ? "lists a key twice or out of order"
        : undefined;
    },
  },
  alpn: {
    parse: (value) => concatenated(splitList(value).map(countedId)),
    format: (octets) => quotedValue(joinList(alpnIds(octets))),
    problem(octets) {
      for (let at = 0; at < octets.length; at += 1 + octets[at]!) {
        if (octets[at] === 0 || at + 1 + octets[at]! > octets.length) {
          return "holds an empty or cut protocol ID";
        }
      }
      return octets.length === 0 ? "is empty" : undefined;
    },
  },
  "no-default-alpn": flag,
  port: {
    parse: (value) => uint16s([wholeNumber(textOf(value), 0xffff)]),
    format: (octets) => String(octets[0]! << 8 | octets[1]!),
    problem: (octets) => octets.length !== 2 ? "has not 2 octets" : undefined,
  },
  ipv4hint: addressHints(4),
  ech: {
    parse: (value) => octetsOfBase64(textOf(value)),
    format: (octets) => octets.toBase64(),
    problem: (octets) => octets.length === 0 ? "is empty" : undefined,
  },
  ipv6hint: addressHints(6),
  dohpath: opaque,
  ohttp: flag,
};

/**
 * SvcParams, to the end: ascending by key on the wire, in any order in text (RFC 9460 sections 2.1 and 2.2). A token is
 * `key`, `key=value` or `key="value"`; a quoted token right behind `key=` is taken for its value.
 */
export const serviceParameters: Field = {
  parse(tokens, out) {
    const values = new Map<number, Uint8Array>();
    while (tokens.peeked) {
      const [key, value] = tokens.read("parameter", (text) => parameterOfText(text, tokens));
      if (values.has(key)) tokens.fail(`expected each key once, got "${keyText(key)}" again`, tokens.at - 1);
      values.set(key, value);
    }
    for (const key of [...values.keys()].sort((a, b) => a - b)) writeParameter(out, key, values.get(key)!);
    const problem = setProblem(values);
    if (problem) tokens.fail(problem, tokens.at - 1);
  },
  format(octets) {
    return [...readParameters(octets)].map(([key, value]) => {
      const text = parameterOf(key).format(value);
      return text === "" ? keyText(key) : `${keyText(key)}=${text}`;
    }).join(" ");
  },
  skip: (octets) => void readParameters(octets),
};

/** The parameters by key. @throws {WireError} When one is malformed, or the record contradicts itself. */
export function readParameters(octets: WireReader): ReadonlyMap<number, Uint8Array> {
  const values = new Map<number, Uint8Array>();
  for (let last = -1; octets.left > 0;) {
    const key = octets.u16();
    if (key <= last) throw new WireError(octets.at - 2, "Expected ascending keys");
    last = key;
    const value = octets.take(octets.u16());
    const problem = key === 0xffff ? "is reserved" : parameterOf(key).problem(value);
    if (problem) throw new WireError(octets.at, `Parameter ${keyText(key)} ${problem}`);
    values.set(key, value);
  }
  const problem = setProblem(values);
  if (problem) throw new WireError(octets.at, problem);
  return values;
}

/** What is wrong between parameters (RFC 9460 sections 7.1.1 and 8). */
function setProblem(values: ReadonlyMap<number, Uint8Array>): string | undefined {
  const missing = keyNumbers(values.get(MANDATORY) ?? new Uint8Array(0)).find((key) => !values.has(key));
  if (missing !== undefined) return `expected ${keyText(missing)}, which is mandatory`;
  return values.has(NO_DEFAULT_ALPN) && !values.has(ALPN)
    ? "expected alpn beside no-default-alpn"
    : undefined;
}

function parameterOfText(text: string, tokens: RdataTokens): [number, Uint8Array] {
  const equals = text.indexOf("=");
  const keyName = equals < 0 ? text : text.slice(0, equals);
  const key = keyNumber(keyName);
  let raw = equals < 0 ? "" : text.slice(equals + 1);
  if (equals >= 0 && raw === "" && tokens.peeked?.quoted) raw = tokens.next("value").text;
  else if (/^".*"$/s.test(raw)) raw = raw.slice(1, -1);
  // `key3` is the way to write any octets for a key, known or not.
  const parameter = isNumbered(keyName) ? opaque : parameterOf(key);
  const value = parameter.parse(octetsOfText(raw));
  const problem = parameterOf(key).problem(value);
  if (problem) throw new SyntaxError(`${keyName} ${problem}`);
  return [key, value];
}

function writeParameter(out: WireWriter, key: number, value: Uint8Array): void {
  out.u16(key);
  out.u16(value.length);
  out.bytes(value);
}

function parameterOf(key: number): Parameter {
  return key < KEYS.length ? PARAMETERS[KEYS[key]!] : opaque;
}

function keyText(key: number): string {
  return KEYS[key] ?? `key${key}`;
}

function isNumbered(name: string): boolean {
  return /^key\d/.test(name);
}

function keyNumber(name: string): number {
  const known = KEYS.indexOf(name as typeof KEYS[number]);
  if (known >= 0) return known;
  if (/^key(0|[1-9]\d{0,4})$/.test(name) && Number(name.slice(3)) < 0xffff) return Number(name.slice(3));
  throw new SyntaxError(`expected a key such as alpn or key667, got "${name}"`);
}

function keyNumbers(octets: Uint8Array): number[] {
  return Array.from({ length: octets.length >> 1 }, (_, i) => octets[2 * i]! << 8 | octets[2 * i + 1]!);
}

function uint16s(numbers: readonly number[]): Uint8Array {
  return Uint8Array.from(numbers.flatMap((number) => [number >> 8, number & 255]));
}

function addressHints(family: 4 | 6): Parameter {
  const size = family === 4 ? 4 : 16;
  return {
    parse: (value) =>
      concatenated(
        textOf(value).split(",").map((text) => {
          const address = parseAddress(text);
          if (address?.family !== family) {
            throw new SyntaxError(`expected an IPv${family} address, got "${text}"`);
          }
          return address.octets;
        }),
      ),
    format: (octets) =>
      Array.from(
        { length: octets.length / size },
        (_, i) => formatAddress({ family, octets: octets.subarray(i * size, (i + 1) * size) }),
      ).join(","),
    problem: (octets) =>
      octets.length === 0 || octets.length % size !== 0 ? "is no list of addresses" : undefined,
  };
}

/** Octets as text, for values that are ASCII when they are right. */
function textOf(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

function quotedValue(octets: Uint8Array): string {
  return octets.length === 0 ? "" : `"${escapedText(octets, '"\\')}"`;
}

const COMMA = 0x2c, BACKSLASH = 0x5c;

/** Splits at commas; `\,` and `\\` stand for themselves (RFC 9460 appendix A.1). */
function splitList(value: Uint8Array): number[][] {
  const items: number[][] = [[]];
  for (let at = 0; at < value.length; at++) {
    if (value[at] === COMMA) items.push([]);
    else if (value[at] !== BACKSLASH) items.at(-1)!.push(value[at]!);
    else if (value[++at] === COMMA || value[at] === BACKSLASH) items.at(-1)!.push(value[at]!);
    else throw new SyntaxError("expected , or \\ after \\ in a list");
  }
  return items;
}

function joinList(items: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(items.flatMap((item, i) => [
    ...(i > 0 ? [COMMA] : []),
    ...[...item].flatMap((octet) => octet === COMMA || octet === BACKSLASH ? [BACKSLASH, octet] : [octet]),
  ]));
}

function countedId(id: readonly number[]): Uint8Array {
  if (id.length < 1 || id.length > 255) {
    throw new SyntaxError(`expected an ID of 1 to 255 octets, got ${id.length}`);
  }
  return Uint8Array.of(id.length, ...id);
}

function alpnIds(octets: Uint8Array): Uint8Array[] {
  const reader = new WireReader(octets), ids: Uint8Array[] = [];
  while (reader.left > 0) ids.push(reader.take(reader.u8()));
  return ids;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const writer = new WireWriter();
  for (const part of parts) writer.bytes(part);
  return writer.finish();
}
