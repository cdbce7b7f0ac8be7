/**
 * Reads single words of a master file's entries: names, TTLs, types, RDATA, each with an error that points at it.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";
import { type Name, parseName } from "../dns/name.ts";
import { parseRdata, RdataError } from "../dns/rdata.ts";
import { isMetaType, TYPE, typeFromText } from "../dns/types.ts";
import type { Entry, ZoneFileError, ZoneToken } from "./lexer.ts";

/** Mnemonics that a zone may hold, to guess what a mistyped one was meant to be. */
const MNEMONICS = Object.entries(TYPE).filter(([, type]) => !isMetaType(type)).map(([name]) => name);

/** Stops reading an entry. */
export class EntryError extends Error {
  readonly at: Position;

  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

/** Seconds of `3600`, `1h`, `1h30m` (units w d h m s, case aside); undefined for anything else, or above 2^32 − 1. */
export function parseTtl(text: string): number | undefined {
  if (!/^(\d+|(\d+[wdhms])+)$/i.test(text)) return undefined;
  const unitSeconds: Record<string, number> = { w: 604800, d: 86400, h: 3600, m: 60, s: 1, "": 1 };
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(\D?)/g)) {
    total += Number(count) * unitSeconds[unit!.toLowerCase()]!;
  }
  return total <= 0xffffffff ? total : undefined;
}

/** RDATA in wire form, from the words after the type. */
export function rdataAt(type: number, words: readonly ZoneToken[], entry: Entry, origin: Name): Uint8Array {
  try {
    return parseRdata(type, words, origin);
  } catch (error) {
    if (!(error instanceof RdataError)) throw error;
    throw new EntryError(words[error.tokenIndex]?.at ?? entry.end, error.message);
  }
}

/** A type that a zone may hold. `isFirst`: nothing stood before it on a line that begins with a blank. */
export function typeAt(token: ZoneToken, isFirst: boolean): number {
  const type = typeFromText(token.text);
  if (type === undefined) {
    const reason = isFirst ? ", for a line that begins with a blank has the owner name above" : "";
    const guess = nearest(token.text, MNEMONICS);
    const hint = guess ? `; did you mean '${guess}'?` : "";
    throw new EntryError(
      token.at,
      `found '${token.text}': wanted a type such as A or MX${reason}${hint}`,
    );
  }
  if (isMetaType(type)) {
    throw new EntryError(
      token.at,
      `found type '${token.text}', which is asked for, never held: wanted another`,
    );
  }
  return type;
}

/** A domain name, relative to `origin` unless it ends in a dot. */
export function nameAt(token: ZoneToken, origin: Name): Name {
  if (token.quoted) throw new EntryError(token.at, "found a quoted string: wanted a domain name");
  return attemptAt(token.at, () => parseName(token.text, origin));
}

/** The word at `index`, which may not be missing. */
export function wanted(args: readonly ZoneToken[], index: number, entry: Entry, what: string): ZoneToken {
  const token = args[index];
  if (!token) throw new EntryError(entry.end, `found the end of the line: wanted ${what}`);
  return token;
}

/** Nothing may follow the first `count` words. */
export function nothingAfter(args: readonly ZoneToken[], count: number): void {
  const extra = args[count];
  if (extra) throw new EntryError(extra.at, `found '${extra.text}': wanted the end of the line`);
}

/** `A, B, C`, and a guess which of them `word` was meant to be. */
export function oneOf(word: string, words: readonly string[]): string {
  const guess = nearest(word, words);
  return words.join(", ") + (guess ? `; did you mean '${guess}'?` : "");
}

/** Keeps the error that stopped the reading of an entry; any other is thrown on. */
export function keepEntryError(errors: ZoneFileError[], error: unknown): void {
  if (!(error instanceof EntryError)) throw error;
  errors.push({ at: error.at, message: error.message });
}

/** Gives a SyntaxError from reading one word the word's position. */
export function attemptAt<T>(at: Position, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new EntryError(at, error.message);
  }
}
