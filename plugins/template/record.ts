/**
 * A single record in the form of a master file's line, as templates make it: `OWNER [TTL] [CLASS] TYPE RDATA`.
 *
 * @module
 */

import { classFromText } from "../../core/dns/types.ts";
import { ROOT, type RRset } from "../../core/plugin.ts";
import { type Entry, readEntries, type ZoneFileError, type ZoneToken } from "../../core/zone/lexer.ts";
import {
  EntryError,
  nameAt,
  nothingAfter,
  parseTtl,
  rdataAt,
  typeAt,
  wanted,
} from "../../core/zone/words.ts";

/** Seconds, where a record states none: as in CoreDNS. */
const DEFAULT_TTL = 3600;

/** RFC 2181 section 8. */
const TTL_MAX = 0x7fffffff;

/**
 * Reads a record, names in it relative to the root. Its class is read and forgotten: a record goes out in that of the
 * question.
 *
 * @throws {EntryError} At the word that is wrong; lines and columns count within the text.
 */
export function readRecord(text: string): RRset {
  const entry = onlyEntry(text);
  const [owner, ...words] = entry.tokens;
  const head = readHead(words, entry);
  return {
    name: nameAt(owner!, ROOT),
    type: head.type,
    ttl: head.ttl,
    rdata: [rdataAt(head.type, words.slice(head.count), entry, ROOT)],
  };
}

/** Records of one owner and type that follow each other as one RRset, which has one TTL: the first's (RFC 2181 section 5.2). */
export function joinRecords(records: readonly RRset[]): RRset[] {
  const joined: RRset[] = [];
  for (const record of records) {
    const last = joined.at(-1);
    if (last?.name === record.name && last.type === record.type) {
      joined[joined.length - 1] = { ...last, rdata: [...last.rdata, ...record.rdata] };
    } else {
      joined.push(record);
    }
  }
  return joined;
}

function onlyEntry(text: string): Entry {
  const errors: ZoneFileError[] = [];
  const entries = [...readEntries(text.trim(), "", errors)];
  const [error] = errors;
  if (error) throw new EntryError(error.at, error.message);
  const [entry, second] = entries;
  if (!entry) throw new EntryError({ file: "", line: 1, column: 1 }, "found nothing: wanted a record");
  if (second) nothingAfter(second.tokens, 0);
  return entry;
}

/** TTL and class, either first, and the type. */
function readHead(words: readonly ZoneToken[], entry: Entry): { type: number; ttl: number; count: number } {
  let ttl: number | undefined, dnsClass: number | undefined, count = 0;
  for (;; count++) {
    const token = wanted(words, count, entry, "a type such as A");
    const seconds = ttl === undefined ? parseTtl(token.text) : undefined;
    const found = dnsClass === undefined ? classFromText(token.text) : undefined;
    if (seconds !== undefined && seconds <= TTL_MAX) ttl = seconds;
    // ANY is a class and a type; neither can be held.
    else if (found !== undefined) dnsClass = found;
    else return { type: typeAt(token, false), ttl: ttl ?? DEFAULT_TTL, count: count + 1 };
  }
}
