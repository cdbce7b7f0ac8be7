/**
 * Master files: RFC 1035 section 5, with `$TTL` (RFC 2308 section 4), unknown types and classes (RFC 3597
 * section 5), and BIND's TTL units and `$GENERATE`.
 *
 *     text --lexer--> entries --here--> records, and every error with its position
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import type { Name } from "../dns/name.ts";
import { CLASS, classFromText, TYPE } from "../dns/types.ts";
import { expandTemplate, parseRange } from "./generate.ts";
import { type Entry, ERRORS_MAX, readEntries, type ZoneFileError, type ZoneToken } from "./lexer.ts";
import { finish, STEP_ITEMS, type Steps } from "./steps.ts";
import {
  attemptAt,
  EntryError,
  keepEntryError,
  nameAt,
  nothingAfter,
  oneOf,
  parseTtl,
  rdataAt,
  typeAt,
  wanted,
} from "./words.ts";

export type { ZoneFileError } from "./lexer.ts";

/** One record as a file has it, its class being IN. */
export interface ZoneRecord {
  readonly name: Name;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** Wire form, names uncompressed. */
  readonly rdata: Uint8Array;
  readonly at: Position;
}

/** What a master file says. */
export interface MasterFile {
  readonly records: readonly ZoneRecord[];
  readonly errors: readonly ZoneFileError[];
  readonly warnings: readonly ZoneFileError[];
  /** The file and every file that it includes, those that could not be read among them. */
  readonly files: readonly string[];
}

/** How to read a master file. */
export interface MasterFileOptions {
  /** The file's path: positions name it, `$INCLUDE` starts from its folder. */
  readonly file: string;
  /** What relative names are relative to until `$ORIGIN` says otherwise. */
  readonly origin: Name;
  /** Reads an included file, or throws. Without it `$INCLUDE` is an error. */
  readonly read?: (path: string) => string;
  /** Bounds other than {@linkcode LIMITS}. */
  readonly limits?: Partial<MasterFileLimits>;
}

/** How much one zone may hold, whatever its lines are: without bounds a few of them fill a memory or a day. */
export interface MasterFileLimits {
  /** Files included, each as often as it is. */
  readonly includes: number;
  /** Records, those of `$GENERATE` among them. */
  readonly records: number;
  /** Records of every `$GENERATE` together. */
  readonly generated: number;
}

/** The bounds that hold unless others are given. */
export const LIMITS: MasterFileLimits = { includes: 1000, records: 2_000_000, generated: 1_000_000 };

/** Files that include files that include files …: deeper than this is a mistake. */
const INCLUDE_DEPTH_MAX = 16;

/** RFC 2181 section 8. */
const TTL_MAX = 0x7fffffff;

const DIRECTIVES = ["$GENERATE", "$INCLUDE", "$ORIGIN", "$TTL"];

/** Reads a whole master file and what it includes. Does not stop at the first error. */
export function parseMasterFile(text: string, options: MasterFileOptions): MasterFile {
  return finish(parseMasterFileInSteps(text, options));
}

/** {@linkcode parseMasterFile}, with rests. */
export function* parseMasterFileInSteps(text: string, options: MasterFileOptions): Steps<MasterFile> {
  const reader = new Reader(options.read, { ...LIMITS, ...options.limits });
  yield* reader.readFile(text, { file: options.file, origin: options.origin, owner: undefined, above: [] });
  if (reader.errors.length >= ERRORS_MAX) {
    const { at } = reader.errors.at(-1)!;
    reader.errors.push({ at, message: `stopped reading after ${ERRORS_MAX} errors` });
  }
  return reader;
}

/** Where reading stands in one file. */
interface Place {
  readonly file: string;
  origin: Name;
  /** The owner of the record before. */
  owner: Name | undefined;
  /** The files on the way to this one. */
  readonly above: readonly string[];
}

/** What stands before a record's RDATA. */
interface RecordHead {
  readonly type: number;
  readonly ttl: number | undefined;
  /** How many words it took. */
  readonly words: number;
}

class Reader implements MasterFile {
  readonly records: ZoneRecord[] = [];
  readonly errors: ZoneFileError[] = [];
  readonly warnings: ZoneFileError[] = [];
  readonly files: string[] = [];
  readonly #read: ((path: string) => string) | undefined;
  readonly #limits: MasterFileLimits;
  #entries = 0;
  #included = 0;
  #generated = 0;
  /** Set once a bound has been passed: nothing more is read. */
  #stopped = false;
  /** The TTL of records that state none: of the last `$TTL`, else of the last record that stated one. */
  #ttl: { readonly seconds: number; readonly byDirective: boolean } | undefined;

  constructor(read: ((path: string) => string) | undefined, limits: MasterFileLimits) {
    this.#read = read;
    this.#limits = limits;
  }

  *readFile(text: string, place: Place): Steps<void> {
    this.files.push(place.file);
    for (const entry of readEntries(text, place.file, this.errors)) {
      try {
        const more = this.#entry(entry, place);
        if (more) yield* more;
      } catch (error) {
        keepEntryError(this.errors, error);
      }
      if (this.#stopped) return;
      if (++this.#entries % STEP_ITEMS === 0) yield;
    }
  }

  /** Reads an entry. @returns What is still to be done when it stands for many. */
  #entry(entry: Entry, place: Place): Steps<void> | void {
    const first = entry.tokens[0]!;
    if (!entry.indented && !first.quoted && first.text.startsWith("$")) return this.#directive(entry, place);
    this.#record(entry, place);
  }

  #directive(entry: Entry, place: Place): Steps<void> | void {
    const [word, ...args] = entry.tokens as [ZoneToken, ...ZoneToken[]];
    switch (word.text.toUpperCase()) {
      case "$ORIGIN":
        place.origin = nameAt(wanted(args, 0, entry, "a domain name after $ORIGIN"), place.origin);
        return nothingAfter(args, 1);
      case "$TTL": {
        const token = wanted(args, 0, entry, "a TTL after $TTL");
        this.#ttl = { seconds: this.#ttlAt(token), byDirective: true };
        return nothingAfter(args, 1);
      }
      case "$INCLUDE":
        return this.#include(args, entry, place);
      case "$GENERATE":
        return this.#generate(args, entry, place);
      default:
        throw new EntryError(word.at, `found '${word.text}': wanted ${oneOf(word.text, DIRECTIVES)}`);
    }
  }

  /** The origin and the owner return to what they were when the file has been read, as in BIND. */
  #include(args: readonly ZoneToken[], entry: Entry, place: Place): Steps<void> {
    const token = wanted(args, 0, entry, "a file after $INCLUDE");
    const origin = args[1] ? nameAt(args[1], place.origin) : place.origin;
    nothingAfter(args, 2);
    const file = besides(place.file, token.text);
    const above = [...place.above, place.file];
    if (above.includes(file)) throw new EntryError(token.at, `found '${token.text}', which includes itself`);
    if (above.length > INCLUDE_DEPTH_MAX) {
      throw new EntryError(
        token.at,
        `found '${token.text}' included through ${above.length} files: wanted at most ${INCLUDE_DEPTH_MAX}`,
      );
    }
    this.#bound(++this.#included, this.#limits.includes, token.at, "files included");
    const text = this.#textOf(file, token);
    return this.readFile(text, { file, origin, owner: place.owner, above });
  }

  #textOf(file: string, token: ZoneToken): string {
    if (!this.#read) throw new EntryError(token.at, "found $INCLUDE: files cannot be included here");
    try {
      return this.#read(file);
    } catch (cause) {
      this.files.push(file);
      throw new EntryError(token.at, `cannot read '${file}': ${(cause as Error).message}`);
    }
  }

  /** `$GENERATE range owner [TTL] [class] type rdata`, the RDATA one word, quoted when it has blanks, or several. */
  *#generate(args: readonly ZoneToken[], entry: Entry, place: Place): Steps<void> {
    const rangeToken = wanted(args, 0, entry, "START-STOP after $GENERATE");
    const owner = wanted(args, 1, entry, "an owner name after the range");
    const range = attemptAt(rangeToken.at, () => parseRange(rangeToken.text));
    const head = this.#head(args.slice(2), entry);
    const rdata = args.slice(2 + head.words);
    if (rdata.length === 0) throw new EntryError(entry.end, "found the end of the line: wanted RDATA");
    for (let i = range.start; i <= range.stop; i += range.step) {
      this.#bound(++this.#generated, this.#limits.generated, rangeToken.at, "records by $GENERATE");
      const name = nameAt(expanded(owner, i), place.origin);
      this.#add(name, head, generatedRdata(rdata, i), { ...entry, tokens: [owner] }, place);
      if (this.#generated % STEP_ITEMS === 0) yield;
    }
  }

  #record(entry: Entry, place: Place): void {
    const { tokens, indented } = entry;
    if (!indented) {
      // Should the name be wrong, the lines below that share it are not wrong too.
      place.owner = place.origin;
      place.owner = nameAt(tokens[0]!, place.origin);
    }
    const words = indented ? tokens : tokens.slice(1);
    const head = this.#head(words, entry);
    if (!place.owner) {
      throw new EntryError(
        tokens[0]!.at,
        "found a record without an owner name: wanted one on this line or above",
      );
    }
    this.#add(place.owner, head, words.slice(head.words), entry, place);
  }

  /** TTL and class in either order or absent, then the type. */
  #head(words: readonly ZoneToken[], entry: Entry): RecordHead {
    let ttl: number | undefined;
    let classSeen = false;
    for (const [i, word] of words.entries()) {
      if (word.quoted) break;
      if (ttl === undefined && /^\d/.test(word.text)) {
        ttl = this.#ttlAt(word);
      } else if (!classSeen && classFromText(word.text) !== undefined) {
        if (classFromText(word.text) !== CLASS.IN) {
          throw new EntryError(
            word.at,
            `found class '${word.text}': wanted IN, the class of every zone here`,
          );
        }
        classSeen = true;
      } else {
        return { type: typeAt(word, entry.indented && i === 0), ttl, words: i + 1 };
      }
    }
    const found = words.find((word) => word.quoted);
    throw new EntryError(
      found?.at ?? entry.end,
      `found ${found ? "a quoted string" : "the end of the line"}: wanted a type such as A or MX`,
    );
  }

  #add(name: Name, head: RecordHead, words: readonly ZoneToken[], entry: Entry, place: Place): void {
    const { at } = entry.tokens[0]!;
    this.#bound(this.records.length + 1, this.#limits.records, at, "records");
    const rdata = rdataAt(head.type, words, entry, place.origin);
    this.records.push({ name, type: head.type, ttl: this.#ttlOf(head, rdata, at), rdata, at });
  }

  /** Stops all reading when there is too much of something. */
  #bound(count: number, max: number, at: Position, what: string): void {
    if (count <= max) return;
    this.#stopped = true;
    throw new EntryError(at, `found more than ${max} ${what}: wanted at most that many in a zone`);
  }

  /** The TTL of a record: its own, else the one in force. RFC 2308 section 4, RFC 1035 section 5.1. */
  #ttlOf({ type, ttl }: RecordHead, rdata: Uint8Array, at: Position): number {
    if (ttl !== undefined) {
      if (!this.#ttl?.byDirective) this.#ttl = { seconds: ttl, byDirective: false };
      return ttl;
    }
    if (this.#ttl) return this.#ttl.seconds;
    if (type !== TYPE.SOA) {
      throw new EntryError(at, "found a record without a TTL: wanted one on it, or $TTL above it");
    }
    const seconds = Math.min(soaMinimum(rdata), TTL_MAX);
    this.warnings.push({
      at,
      message: `found no TTL and no $TTL: taking the SOA's last field, ${seconds}, for both`,
    });
    this.#ttl = { seconds, byDirective: true };
    return seconds;
  }

  #ttlAt(token: ZoneToken): number {
    const ttl = token.quoted ? undefined : parseTtl(token.text);
    if (ttl === undefined) {
      throw new EntryError(token.at, `found TTL '${token.text}': wanted seconds, or a span such as 1h30m`);
    }
    if (ttl <= TTL_MAX) return ttl;
    this.warnings.push({ at: token.at, message: `found TTL ${ttl}, above ${TTL_MAX}: taking 0 (RFC 2181)` });
    return 0;
  }
}

/** MINIMUM, the last field of a SOA's RDATA (RFC 1035 section 3.3.13), in seconds. */
export function soaMinimum(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(rdata.length - 4);
}

function generatedRdata(rdata: readonly ZoneToken[], i: number): ZoneToken[] {
  const [only, ...others] = rdata;
  if (!only!.quoted || others.length > 0) return rdata.map((word) => expanded(word, i));
  const { text, at } = expanded(only!, i);
  const [entry] = readEntries(text, at.file, []);
  return (entry?.tokens ?? []).map((word) => ({ ...word, at }));
}

function expanded(token: ZoneToken, i: number): ZoneToken {
  return attemptAt(token.at, () => ({ ...token, text: expandTemplate(token.text, i) }));
}

/** `path` as meant in `file`: relative to the folder that `file` is in. */
function besides(file: string, path: string): string {
  return path.startsWith("/") ? path : file.slice(0, file.lastIndexOf("/") + 1) + path;
}
