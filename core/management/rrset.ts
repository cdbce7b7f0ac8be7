/**
 * RRsets as the store and the interface have them: owner, type, TTL, and RDATA in the words of a master file. Names are
 * whole here: `mail.example.org` and `mail.example.org.` are the same.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { nearest } from "../corefile/nearest.ts";
import { fold, formatName, isWithin, type Name, parseName, ROOT } from "../dns/name.ts";
import { canonicalRdata, formatRdata, parseRdata, RdataError } from "../dns/rdata.ts";
import { isMetaType, TYPE, typeFromText, typeToText } from "../dns/types.ts";
import { readEntries, type ZoneFileError } from "../zone/lexer.ts";
import type { FieldProblem } from "./problem.ts";
import { numberFrom, shown, wanted } from "./schema.ts";

/** The longest TTL (RFC 2181 section 8). */
export const TTL_MAX = 0x7fffffff;

/** Seconds. */
export const ttlSchema = numberFrom(`whole seconds from 0 to ${TTL_MAX}`, 0, TTL_MAX)
  .int(wanted("whole seconds")).openapi({ example: 300 });

/** An RRset. */
export const rrsetSchema = z.strictObject({
  name: z.string(wanted("an owner name")).openapi({ example: "www.example.org." }),
  type: z.string(wanted("a type, such as A")).openapi({ example: "A" }),
  ttl: ttlSchema,
  rdata: z.array(z.string(wanted("RDATA as in a master file")), wanted("a list of RDATA"))
    .min(1, wanted("at least one RDATA; an RRset without any is deleted"))
    .openapi({ example: ["192.0.2.1"] }),
}).openapi("RRset");

/** An RRset as JSON has it. */
export type RRsetValue = z.output<typeof rrsetSchema>;

/** An RRset, read. */
export interface ReadRRset {
  /** Spelled as it was. */
  readonly name: Name;
  readonly type: number;
  readonly ttl: number;
  /** Wire form. */
  readonly rdata: readonly Uint8Array[];
}

/** Mnemonics of what a zone can hold. */
const MNEMONICS = Object.entries(TYPE).filter(([, type]) => !isMetaType(type)).map(([name]) => name);

/** Takes notes of what is wrong, with pointers that begin with `at`. */
export class Faults {
  readonly found: FieldProblem[] = [];

  add(pointer: string, detail: string, meant?: string): undefined {
    this.found.push(meant === undefined ? { pointer, detail } : { pointer, detail, nearest: meant });
  }
}

/** A zone's name, folded; undefined where it is none. */
export function readZoneName(text: string): Name | undefined {
  try {
    return fold(parseName(text));
  } catch {
    return undefined;
  }
}

/** An owner name within a zone. */
export function readOwner(text: string, origin: Name, at: string, faults: Faults): Name | undefined {
  try {
    const name = parseName(text);
    if (isWithin(fold(name), origin)) return name;
    const hint = text.endsWith(".") ? "" : "; names are whole here";
    return faults.add(at, `wanted a name in zone ${formatName(origin)}, got ${shown(text)}${hint}`);
  } catch (error) {
    return faults.add(at, (error as Error).message);
  }
}

/** A type that a zone can hold. */
export function readType(text: string, at: string, faults: Faults): number | undefined {
  const type = typeFromText(text);
  if (type === undefined) {
    const meant = nearest(text, MNEMONICS);
    const hint = meant ? `; did you mean '${meant}'?` : "";
    return faults.add(at, `wanted a type such as A or MX, got ${shown(text)}${hint}`, meant);
  }
  if (!isMetaType(type)) return type;
  return faults.add(at, `type ${text} is asked for, never held: wanted another`);
}

/** RDATA of an RRset. @param at The pointer to the list. */
export function readRdata(
  type: number,
  texts: readonly string[],
  at: string,
  faults: Faults,
): readonly Uint8Array[] | undefined {
  const before = faults.found.length, seen = new Map<string, number>();
  const rdata = texts.flatMap((text, i) => readOne(type, text, `${at}/${i}`, faults) ?? []);
  if (faults.found.length > before) return undefined;
  rdata.forEach((octets, i) => {
    const key = canonicalRdata(type, octets).toHex(), first = seen.get(key);
    if (first === undefined) seen.set(key, i);
    else faults.add(`${at}/${i}`, `is the same as the one at ${first}: wanted each once`);
  });
  return faults.found.length > before ? undefined : rdata;
}

function readOne(type: number, text: string, at: string, faults: Faults): Uint8Array | undefined {
  const errors: ZoneFileError[] = [], entries = [...readEntries(text, "", errors)];
  const [error] = errors, [entry] = entries;
  if (error) return faults.add(at, error.message);
  if (!entry) return faults.add(at, `wanted RDATA of ${typeToText(type)}, got ${shown(text)}`);
  // What is behind the last word is a comment or a bracket: more often it was meant, as in `v=DKIM1; k=rsa`.
  const { line, column } = entry.end;
  if (entries.length > 1 || line > 1 || column <= Array.from(text.trimEnd()).length) {
    return faults.add(
      at,
      "wanted one line without a comment or brackets: put text that has ; ( or ) in quotes",
    );
  }
  try {
    return parseRdata(type, entry.tokens, ROOT);
  } catch (cause) {
    if (!(cause instanceof RdataError)) throw cause;
    return faults.add(at, cause.message);
  }
}

/** An RRset as JSON has it: names whole, RDATA in one way of writing. */
export function rrsetValueOf({ name, type, ttl, rdata }: ReadRRset): RRsetValue {
  return {
    name: formatName(name),
    type: typeToText(type),
    ttl,
    rdata: rdata.map((octets) => formatRdata(type, octets)),
  };
}

/** An RRset that lies in the store. @throws {SyntaxError} Where nobody of ours has written it. */
export function storedRRset(text: string): ReadRRset {
  const { name, type, ttl, rdata } = JSON.parse(text) as RRsetValue;
  const faults = new Faults(), number = readType(type, "/type", faults);
  const octets = number === undefined ? undefined : readRdata(number, rdata, "/rdata", faults);
  if (!octets) {
    throw new SyntaxError(faults.found.map(({ pointer, detail }) => `${pointer}: ${detail}`).join("; "));
  }
  return { name: parseName(name), type: number!, ttl, rdata: octets };
}
