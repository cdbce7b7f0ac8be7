/**
 * The oldest records of the audit log as a text, and that they are put away.
 *
 *     {"at":…,"before":…,"begins":{…},"ends":{"fra":{"number":4000,"hash":…}},"format":"meridian-audit","keys":{…},"layout":1}
 *     the records, chain by chain, as the store has them
 *     {"records":4000,"sha256":"…"}                of all the octets before this line
 *
 * `begins` is where each chain began, `ends` the last record of each that is here: another archive, or the store, goes on
 * from there.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  ARCHIVE_ACTION,
  type Archived,
  archivedText,
  type AuditEvent,
  type AuditFault,
  type AuditRecord,
  contradictions,
  Hashes,
  type Head,
  headOf,
  Links,
  NO_RECORD,
  UNREADABLE_ACTION,
} from "./audit.ts";
import { auditKeysIn, extentOf, headAt, recordsOf, type Rest } from "./audit_log.ts";
import { canonicalJson, type Json } from "./canonical.ts";
import { KEYS } from "./keys.ts";
import type { Condition, Store, Write } from "./store.ts";
import { textLines } from "./text_lines.ts";

const FORMAT = "meridian-audit", LAYOUT = 1;

/** Records younger than this stay: by them it is known what people took out of pools within a day. */
export const STAYS_MS = 2 * 86_400_000;

/** What an archive says of itself. */
export interface ArchiveHead {
  readonly at: string;
  /** Its records are older than this, ISO 8601. */
  readonly before: string;
  readonly begins: Readonly<Record<string, Head>>;
  readonly ends: Readonly<Record<string, Head>>;
  readonly keys: Readonly<Record<string, string | readonly string[]>>;
}

/** What an archive holds, once it has been looked at. */
export interface ArchiveSummary extends ArchiveHead {
  readonly records: number;
  readonly sha256: string;
  readonly faults: readonly AuditFault[];
}

/** A text that is no archive, or not a whole one; or what cannot be put away. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

/** The lines of an archive of what is older than an instant. Of each chain the last record stays. @throws {ArchiveError} */
export async function* archiveText(
  store: Store,
  beforeMs: number,
  nowMs: number,
  rest: Rest,
): AsyncGenerator<string> {
  if (beforeMs > nowMs - STAYS_MS) {
    throw new ArchiveError(
      `records stay for ${STAYS_MS / 86_400_000} days at least: want an earlier instant`,
    );
  }
  const { heads, begins } = await extentOf(store), ends: Record<string, Head> = {};
  for (const [server, head] of Object.entries(heads)) {
    const end = await lastBefore(store, server, begins[server] ?? NO_RECORD, head, beforeMs);
    if (end) ends[server] = end;
  }
  if (Object.keys(ends).length === 0) throw new ArchiveError("there is no record so old");
  const hash = createHash("sha256");
  const line = (text: string) => {
    hash.update(`${text}\n`);
    return `${text}\n`;
  };
  const head: ArchiveHead = {
    ...{ at: new Date(nowMs).toISOString(), before: new Date(beforeMs).toISOString() },
    ...{ begins, ends, keys: await auditKeysIn(store) },
  };
  yield line(canonicalJson({ format: FORMAT, layout: LAYOUT, ...head } as unknown as Json));
  let count = 0;
  for (const [server, end] of Object.entries(ends)) {
    for await (const records of recordsOf(store, server, (begins[server]?.number ?? 0) + 1, end.number)) {
      const bad = records.find(({ action }) => action === UNREADABLE_ACTION);
      if (bad) {
        throw new ArchiveError(
          `${server}/${bad.number} cannot be read: nothing is put away of a log at fault`,
        );
      }
      count += records.length;
      yield records.map((record) => line(canonicalJson(record as unknown as Json))).join("");
      await rest();
    }
  }
  yield `${canonicalJson({ records: count, sha256: hash.digest("hex") })}\n`;
}

/** The last record of a chain before which all are older; undefined where none is, or it is the chain's last. */
async function lastBefore(
  store: Store,
  server: string,
  begin: Head,
  head: Head,
  beforeMs: number,
): Promise<Head | undefined> {
  let last: AuditRecord | undefined;
  for await (const records of recordsOf(store, server, begin.number + 1, head.number - 1)) {
    // A head may say anything.
    if (records.length === 0) break;
    for (const record of records) {
      if (record.atMs >= beforeMs) return last && headOf(last);
      last = record;
    }
  }
  return last && headOf(last);
}

/** Reads an archive and looks at all of it. @throws {ArchiveError} With the line at fault. */
export async function readArchive(text: AsyncIterable<string>): Promise<ArchiveSummary> {
  const hash = createHash("sha256"), faults: AuditFault[] = [], witnesses: AuditRecord[] = [];
  let head: ArchiveHead | undefined, end: { records: number; sha256: string } | undefined;
  let links: { readonly server: string; readonly chain: Links } | undefined, hashes = new Hashes({});
  let number = 0, count = 0;
  const finish = () => links && faults.push(...endsAs(links.server, links.chain.head, head!.ends));
  for await (const line of textLines(text)) {
    number++;
    if (end) throw new ArchiveError(`line ${number}: something stands behind the end`);
    const value = parsed(line, number);
    if (!head) {
      head = headIn(value, number);
      hashes = new Hashes(head.begins);
    } else if ("sha256" in value && !("action" in value)) {
      end = value as unknown as typeof end;
      continue;
    } else {
      const record = value as unknown as AuditRecord, { server } = record;
      if (links?.server !== server) {
        finish();
        links = { server, chain: new Links(server, head.begins[server] ?? NO_RECORD, hashes) };
      }
      faults.push(...links.chain.take(record));
      if (record.action === "audit.witness") witnesses.push(record);
      count++;
    }
    hash.update(line);
  }
  finish();
  if (!head || !end) {
    throw new ArchiveError(`it ends after line ${number}: the last line, with the digest, is missing`);
  }
  const sha256 = hash.digest("hex");
  if (end.sha256 !== sha256 || end.records !== count) {
    throw new ArchiveError(`it is not as it was written: its digest is ${sha256}, and was ${end.sha256}`);
  }
  for (const record of witnesses) {
    // What lies beyond the archive's end is for the log to say.
    faults.push(
      ...contradictions(record, head.keys, hashes).filter(({ server, number, what }) =>
        !what.startsWith("is missing") || number <= (head.ends[server]?.number ?? 0)
      ),
    );
  }
  return { ...head, records: count, sha256, faults };
}

/** What it takes to put records away: that chains begin later, in one transaction with the record that says so. */
export interface ArchivePlan {
  readonly events: readonly AuditEvent[];
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
}

/** What whoever asks says that they have. */
export interface ToArchive {
  readonly ends: Readonly<Record<string, Head>>;
  readonly sha256: string;
}

/**
 * Plans it. @param sign Ed25519 by the key of the server whose chain has the record, base64.
 *
 * @throws {ArchiveError} What they have is not what is there.
 */
export async function planArchive(
  store: Store,
  { ends, sha256 }: ToArchive,
  { server, actor, reason, nowMs, sign }: {
    readonly server: string;
    readonly actor: string;
    readonly reason?: string;
    readonly nowMs: number;
    readonly sign: (octets: Uint8Array) => Promise<string>;
  },
): Promise<ArchivePlan> {
  const { begins: before } = await extentOf(store), begins = { ...before };
  const writes: Write[] = [], conditions: Condition[] = [];
  let records = 0;
  for (const [chain, end] of Object.entries(ends)) {
    const there = await headAt(store, chain, end.number), begin = before[chain] ?? NO_RECORD;
    if (!there || there.hash !== end.hash || end.number <= begin.number) {
      throw new ArchiveError(`${chain}/${end.number} is not what the archive ends with: make another one`);
    }
    if (there.atMs > nowMs - STAYS_MS) {
      throw new ArchiveError(`${chain}/${end.number} is too young to be put away`);
    }
    if (!await store.get(KEYS.auditRecord(chain, end.number + 1))) {
      throw new ArchiveError(`${chain}/${end.number} is the last of its chain, which stays`);
    }
    begins[chain] = { number: end.number, hash: end.hash };
    records += end.number - begin.number;
    const key = KEYS.auditBegin(chain), revision = (await store.get(key))?.revision ?? 0;
    writes.push({ put: key, value: canonicalJson(begins[chain] as unknown as Json) });
    conditions.push({ key, revision });
  }
  if (writes.length === 0) throw new ArchiveError("there is nothing to be put away");
  const archived = { begins, sha256, records };
  const after: Archived = { ...archived, signature: await sign(archivedText(server, archived)) };
  return {
    events: [{
      ...{ actor, action: ARCHIVE_ACTION, subject: "audit", after: after as unknown as Json },
      ...reason !== undefined && { reason },
    }],
    ...{ writes, conditions },
  };
}

function parsed(line: string, number: number): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // It is told below.
  }
  throw new ArchiveError(`line ${number}: it is no object of JSON`);
}

function headIn(value: Readonly<Record<string, unknown>>, number: number): ArchiveHead {
  if (value.format !== FORMAT) throw new ArchiveError(`line ${number}: this is no archive of an audit log`);
  if (value.layout !== LAYOUT) {
    throw new ArchiveError(`line ${number}: got layout ${value.layout}: this program knows layout ${LAYOUT}`);
  }
  const { at, before, begins, ends, keys } = value as unknown as ArchiveHead;
  return { at, before, begins, ends, keys };
}

function endsAs(server: string, last: Head, ends: ArchiveHead["ends"]): AuditFault[] {
  const end = ends[server];
  if (end?.number === last.number && end.hash === last.hash) return [];
  return [{ server, number: last.number, what: "is not what the archive says that it ends with" }];
}
