/**
 * Records written as zone-file lines, for tests.
 *
 * @module
 */

import type { RRset } from "../../../core/answer.ts";
import { formatName, type Name, parseName } from "../../../core/dns/name.ts";
import { formatRdata, parseRdata, type RdataToken } from "../../../core/dns/rdata.ts";
import { typeFromText, typeToText } from "../../../core/dns/types.ts";

/** What relative names in tests are relative to. */
export const ORIGIN = parseName("example.org.");

/** The words of RDATA: quotes taken off whole words, escapes left in. */
export function tokensOf(text: string): RdataToken[] {
  const words = text.matchAll(/"((?:[^"\\]|\\.)*)"|((?:\\.|[^\s"\\]|"(?:[^"\\]|\\.)*")+)/gs);
  return [...words].map(([, inQuotes, bare]) =>
    inQuotes === undefined ? { text: bare!, quoted: false } : { text: inQuotes, quoted: true }
  );
}

/** RDATA of a line such as `MX 10 mail`. */
export function rdata(line: string): { type: number; octets: Uint8Array } {
  const [, mnemonic, rest] = /^(\S+)\s*(.*)$/s.exec(line)!;
  const type = typeFromText(mnemonic!)!;
  return { type, octets: parseRdata(type, tokensOf(rest!), ORIGIN) };
}

/** One RRset of lines such as `www 300 A 192.0.2.1`, all of one owner name and type. */
export function rrset(...lines: string[]): RRset {
  const parsed = lines.map((line) => {
    const [, owner, ttl, rest] = /^(\S+)\s+(\d+)\s+(.*)$/s.exec(line)!;
    return { name: parseName(owner!, ORIGIN), ttl: Number(ttl), ...rdata(rest!) };
  });
  const { name, ttl, type } = parsed[0]!;
  return { name, ttl, type, rdata: parsed.map(({ octets }) => octets) };
}

/** The line of a record, its owner name absolute. */
export function lineOf(record: { name: Name; ttl: number; type: number; rdata: Uint8Array }): string {
  const { name, ttl, type, rdata } = record;
  return `${formatName(name)} ${ttl} ${typeToText(type)} ${formatRdata(type, rdata)}`;
}

/** Octets of hexadecimal digits, blanks and `|` between them ignored; `'text'` stands for its characters. */
export function octets(hex: string): Uint8Array {
  const digits = hex.replace(/'([^']*)'/g, (_, text: string) => new TextEncoder().encode(text).toHex());
  return Uint8Array.fromHex(digits.replace(/[\s|]/g, ""));
}
