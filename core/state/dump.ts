/**
 * The whole of a store as text, from either driver for either: for backups, and for moving from one to the other.
 *
 *     {"at":"2026-12-01T02:00:00.000Z","format":"meridian-state","layout":1,"revision":812,"schema":1,"store":"sqlite fleet.db"}
 *     {"key":"audit-heads/fra","value":"{…}"}
 *     …                                                  every key, in order, its value as the store has it
 *     {"entries":41,"sha256":"…"}                        of all the octets before this line
 *
 * A line is one object of JSON, its keys sorted, and ends with a line feed. What servers say while they live is left out: it
 * ends with them.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { canonicalJson, type Json } from "./canonical.ts";
import { KEYS, PREFIXES } from "./keys.ts";
import { textLines } from "./text_lines.ts";
import { type Entry, KEY_OCTETS_MAX, type Store, VALUES_OCTETS_MAX } from "./store.ts";

/** What the first line says it is, and in which layout. */
const FORMAT = "meridian-state", LAYOUT = 1;

/** What lives no longer than the server or the node that said it, or than a request that may come again. */
const PASSING = [
  PREFIXES.servers,
  PREFIXES.alive,
  PREFIXES.load,
  PREFIXES.reports,
  PREFIXES.drains,
  PREFIXES.idempotency,
];

/** What is told of a dump. */
export interface DumpHead {
  /** The layout of what the store holds. */
  readonly schema: number;
  /** Of the store, when it was dumped. */
  readonly revision: number;
  /** Which store, for people. */
  readonly store: string;
  /** When, ISO 8601. */
  readonly at: string;
}

/** A dump as it was read: whole, and as it was written. */
export interface Dump extends DumpHead {
  /** In the order of keys. */
  readonly entries: readonly Pick<Entry, "key" | "value">[];
  /** Of its octets, up to the last line. */
  readonly sha256: string;
}

/** A text that is no dump, or not a whole one, or not as it was written. */
export class DumpError extends Error {
  override readonly name = "DumpError";
}

/** Whether a key lives no longer than who wrote it. */
export function isPassing(key: string): boolean {
  return PASSING.some((prefix) => key.startsWith(prefix));
}

/**
 * The lines of a dump of all that a store holds, as it is at one revision. @param at When, ISO 8601.
 *
 * @throws {DumpError} There is nothing, or half of an import.
 */
export async function* dump(store: Store, at: string): AsyncGenerator<string> {
  const { revision, entries } = await store.list("");
  const sealed = entries.find(({ key }) => key === KEYS.schema);
  if (!sealed) throw new DumpError(`${store.name} holds no state of a fleet`);
  const { version: schema, importing } = JSON.parse(sealed.value);
  if (importing) throw new DumpError(`${store.name} holds half of an import, which was broken off`);
  const hash = createHash("sha256");
  const line = (value: Json) => {
    const text = `${canonicalJson(value)}\n`;
    hash.update(text);
    return text;
  };
  yield line({ format: FORMAT, layout: LAYOUT, schema, revision, store: store.name, at });
  let count = 0;
  for (const { key, value } of entries) {
    if (key === KEYS.schema || isPassing(key)) continue;
    count++;
    yield line({ key, value });
  }
  yield `${canonicalJson({ entries: count, sha256: hash.digest("hex") })}\n`;
}

/**
 * Reads a dump, and holds it against what its ends say. @param schemaMax The newest layout of state that is known.
 *
 * @throws {DumpError} With the line at fault.
 */
export async function readDump(text: AsyncIterable<string>, schemaMax: number): Promise<Dump> {
  const hash = createHash("sha256"), entries: Pick<Entry, "key" | "value">[] = [];
  let head: DumpHead | undefined, end: Ending | undefined, number = 0;
  for await (const line of textLines(text)) {
    const fault = (what: string) => new DumpError(`line ${number}: ${what}`);
    number++;
    if (end) throw fault("something stands behind the end");
    const value = objectIn(line, fault);
    if (!head) head = headIn(value, schemaMax, fault);
    else if ("sha256" in value) end = endIn(value, entries.length, hash, fault);
    else entries.push(entryIn(value, entries.at(-1)?.key, fault));
    hash.update(line);
  }
  if (head && end) return { ...head, entries, sha256: end.sha256 };
  throw new DumpError(
    number === 0
      ? "there is nothing"
      : `it ends after line ${number}: the last line, with the digest, is missing`,
  );
}

type Fault = (what: string) => DumpError;

interface Ending {
  readonly sha256: string;
}

function objectIn(line: string, fault: Fault): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw fault("it is no JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw fault("it is no object");
}

function headIn(value: Readonly<Record<string, unknown>>, schemaMax: number, fault: Fault): DumpHead {
  const { format, layout, schema, revision, store, at } = value;
  if (format !== FORMAT) {
    throw fault(`this is no state that Meridian exported: got format ${JSON.stringify(format)}`);
  }
  if (layout !== LAYOUT) throw fault(`got layout ${layout}: this program knows layout ${LAYOUT}`);
  if (typeof schema !== "number" || typeof revision !== "number") {
    throw fault("schema and revision are wanted");
  }
  if (schema > schemaMax) {
    throw fault(`it holds data of version ${schema}: this program knows version ${schemaMax} and older`);
  }
  return { schema, revision, store: String(store), at: String(at) };
}

function entryIn(
  { key, value, ...rest }: Readonly<Record<string, unknown>>,
  before: string | undefined,
  fault: Fault,
): Pick<Entry, "key" | "value"> {
  if (typeof key !== "string" || typeof value !== "string" || Object.keys(rest).length > 0) {
    throw fault("a key and its value are wanted, both text");
  }
  if (!/^[!-~]+$/.test(key) || key.length > KEY_OCTETS_MAX || key === KEYS.schema || isPassing(key)) {
    throw fault(`${JSON.stringify(key)} is no key of a dump`);
  }
  if (before !== undefined && key <= before) throw fault(`${key} stands behind ${before}`);
  if (new TextEncoder().encode(value).length > VALUES_OCTETS_MAX) throw fault(`${key} has too many octets`);
  return { key, value };
}

function endIn(
  { entries, sha256 }: Readonly<Record<string, unknown>>,
  count: number,
  hash: Hash,
  fault: Fault,
): Ending {
  if (entries !== count) throw fault(`there are ${count} entries, and were ${entries}`);
  const found = hash.copy().digest("hex");
  if (sha256 !== found) throw fault(`it is not as it was written: its digest is ${found}, and was ${sha256}`);
  return { sha256: found };
}
