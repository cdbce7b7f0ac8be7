/**
 * The audit log as the store has it: read a page at a time, verified, and begun later, once its oldest records lie elsewhere.
 *
 *     audit/fra/1 … 4000 | 4001 …          audit-begins/fra { number: 4000, hash }   signed in a record `audit.archive`
 *     put away, swept    | what is left
 *
 * @module
 */

import {
  ARCHIVE_ACTION,
  type AuditFault,
  type AuditLog,
  type AuditRecord,
  contradictions,
  Hashes,
  type Head,
  headIn,
  headOf,
  headsIn,
  Links,
  missingTo,
  NO_RECORD,
  recordIn,
  signedBegins,
  unreadableRecord,
} from "./audit.ts";
import { KEYS, namePart, PREFIXES } from "./keys.ts";
import { objectIn } from "./object_in.ts";
import type { Entry, Store, Write } from "./store.ts";
import { WRITES_MAX } from "./store.ts";

/** How many digits of a record's number are left open by a page: it has a thousand records. */
const PAGE_DIGITS = 3, PAGE_RECORDS = 10 ** PAGE_DIGITS;

/** What is told of the whole log. */
export interface Verification {
  readonly records: number;
  readonly isWhole: boolean;
  readonly faults: readonly AuditFault[];
}

/** Where the chains that are there end, at one revision. */
export interface Extent {
  readonly heads: Readonly<Record<string, Head>>;
  readonly begins: Readonly<Record<string, Head>>;
  readonly revision: number;
}

/** Lets others have a turn. */
export type Rest = () => Promise<void>;

/** So often it is begun again when somebody puts records away meanwhile. */
const ATTEMPTS = 4;

/** So many faults are told. */
const FAULTS_MAX = 1000;

/**
 * Everything that is wrong with the log of a store; of a large one never more than a page is in memory, and sixteen octets a
 * record.
 *
 * @param known What a copy of the store has of records: chains without a head, and what stands beyond heads, show by it.
 */
export async function verifyStore(store: Store, known: Iterable<Entry>, rest: Rest): Promise<Verification> {
  const places = Array.from(known, placeOf);
  for (let attempt = 1;; attempt++) {
    const extent = await extentOf(store), found = await verifyOnce(store, extent, places, rest);
    if (found.isWhole || attempt === ATTEMPTS) return found;
    const { begins } = await extentOf(store);
    if (Object.entries(begins).every(([server, { number }]) => extent.begins[server]?.number === number)) {
      return found;
    }
  }
}

/** Heads and begins of all chains. Heads come second: none of them is older than what they end. */
export async function extentOf(store: Store): Promise<Extent> {
  const begins = await headsBelow(store, PREFIXES.auditBegins),
    heads = await headsBelow(store, PREFIXES.auditHeads);
  return { heads: heads.heads, begins: begins.heads, revision: heads.revision };
}

/** All public keys by which servers have ever signed. */
export async function auditKeysIn(store: Store): Promise<AuditLog["keys"]> {
  const keys: Record<string, string[]> = {};
  for (const { key, value } of (await store.list(PREFIXES.auditKeys)).entries) {
    const { keys: told } = objectIn(value) ?? {};
    if (Array.isArray(told)) keys[namePart(key.slice(PREFIXES.auditKeys.length))] = told;
  }
  // What programs of before have signed, which told their keys there alone.
  for (const { key, value } of (await store.list(PREFIXES.servers)).entries) {
    const { key: told } = objectIn(value) ?? {};
    if (typeof told === "string") (keys[namePart(key.slice(PREFIXES.servers.length))] ??= []).push(told);
  }
  return keys;
}

/**
 * A chain's records from one number to another, both included, as many as are there: page by page; in place of what cannot be
 * read {@linkcode unreadableRecord}.
 */
export async function* recordsOf(
  store: Store,
  server: string,
  from: number,
  to: number,
): AsyncGenerator<readonly AuditRecord[]> {
  for (let page = Math.floor(from / PAGE_RECORDS); page <= Math.floor(to / PAGE_RECORDS); page++) {
    const prefix = KEYS.auditRecord(server, page * PAGE_RECORDS).slice(0, -PAGE_DIGITS);
    const { entries } = await store.list(prefix);
    yield entries.filter((entry) => {
      const { number } = placeOf(entry);
      return number >= from && number <= to;
    }).map((entry) => recordIn(entry.value) ?? unreadableRecord(server, placeOf(entry).number));
  }
}

/**
 * Takes away what has been put away, where a signed record says so. Any server may, and any may have begun.
 *
 * @param known What a copy of the store has of records.
 * @returns How many.
 */
export async function sweepArchived(store: Store, known: Iterable<Entry>): Promise<number> {
  const { entries } = await store.list(PREFIXES.auditBegins);
  const begins = new Map(entries.flatMap(({ key, value, revision }) => {
    const head = headIn(value), server = namePart(key.slice(PREFIXES.auditBegins.length));
    return head ? [[server, { key, revision, ...head }] as const] : [];
  }));
  let count = 0;
  const old = Map.groupBy(
    [...known].filter((entry) => {
      const { server, number } = placeOf(entry);
      return number <= (begins.get(server)?.number ?? 0);
    }),
    (entry) => placeOf(entry).server,
  );
  for (const [server, records] of old) {
    const { key, revision } = begins.get(server)!;
    for (let at = 0; at < records.length; at += WRITES_MAX) {
      const writes = records.slice(at, at + WRITES_MAX).map(({ key }): Write => ({ remove: key }));
      const { succeeded } = await store.transact(writes, [{ key, revision }]);
      if (!succeeded) break;
      count += writes.length;
    }
  }
  return count;
}

/** Where a record lies: its chain and its number, by its key. */
interface Place {
  readonly server: string;
  readonly number: number;
  readonly revision: number;
}

function placeOf({ key, revision }: Entry): Place {
  const slash = key.lastIndexOf("/");
  return {
    ...{
      server: namePart(key.slice(PREFIXES.audit.length, slash)),
      number: Number(key.slice(slash + 1)),
      revision,
    },
  };
}

async function headsBelow(
  store: Store,
  prefix: string,
): Promise<{ readonly heads: Record<string, Head>; readonly revision: number }> {
  const { entries, revision } = await store.list(prefix);
  return { heads: headsIn(entries, prefix), revision };
}

async function verifyOnce(
  store: Store,
  { heads, begins, revision }: Extent,
  places: readonly Place[],
  rest: Rest,
): Promise<Verification> {
  // Keys come first: whoever signs has put theirs there before.
  const keys = await auditKeysIn(store), hashes = new Hashes(begins), faults: AuditFault[] = [];
  const beyond = lastBeyond(heads, begins, places, revision);
  const chains = new Set([...Object.keys(heads), ...Object.keys(begins), ...beyond.keys()]);
  let count = 0;
  const signed = new Map<string, Head[]>(), ends = new Map<string, number>(), known = lastOf(places);
  for (const server of chains) {
    const begin = begins[server] ?? NO_RECORD, head = heads[server], links = new Links(server, begin, hashes);
    const last = Math.max(head?.number ?? 0, beyond.get(server) ?? 0);
    for await (const records of recordsOf(store, server, begin.number + 1, last)) {
      // A head may say anything: where there is nothing any more nothing is looked for.
      if (records.length === 0 && links.head.number >= (known.get(server) ?? 0)) break;
      for (const record of records) {
        count++;
        faults.push(...links.take(record), ...isAt(record, server));
        if (record.action !== ARCHIVE_ACTION) continue;
        for (const [other, at] of Object.entries(signedBegins(record, keys))) {
          signed.set(other, [...signed.get(other) ?? [], at]);
        }
      }
      await rest();
    }
    ends.set(server, links.head.number);
    faults.push(...endOf(server, links.head, head));
  }
  for (const [server, begin] of Object.entries(begins)) {
    if (signed.get(server)?.some(({ number, hash }) => number === begin.number && hash === begin.hash)) {
      continue;
    }
    faults.push({ server, number: begin.number, what: "begins there, and no server has signed that it may" });
  }
  for (const server of chains) {
    for await (
      const records of recordsOf(
        store,
        server,
        (begins[server]?.number ?? 0) + 1,
        Math.min(heads[server]?.number ?? 0, ends.get(server)!),
      )
    ) {
      for (const record of records) faults.push(...contradictions(record, keys, hashes));
      await rest();
    }
  }
  return { records: count, isWhole: faults.length === 0, faults: faults.slice(0, FAULTS_MAX) };
}

/** The last record of each chain, as far as is known. */
function lastOf(places: readonly Place[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { server, number } of places) last.set(server, Math.max(number, last.get(server) ?? 0));
  return last;
}

/** Of chains that have records beyond their head, or no head, the last; not what was appended since the heads were read. */
function lastBeyond(
  heads: Extent["heads"],
  begins: Extent["begins"],
  places: readonly Place[],
  revision: number,
): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { server, number, revision: at } of places) {
    const known = Math.max(heads[server]?.number ?? 0, begins[server]?.number ?? 0, last.get(server) ?? 0);
    if (number > known && at <= revision) last.set(server, number);
  }
  return last;
}

function isAt({ server, number }: AuditRecord, chain: string): AuditFault[] {
  return server === chain ? [] : [{ server: chain, number, what: `is a record of ${server}` }];
}

/** Whether a chain ends as its head says. */
function endOf(server: string, last: Head, head: Head | undefined): AuditFault[] {
  const fault = (number: number, what: string) => [{ server, number, what }];
  if (!head) return fault(last.number, "has nothing that says that the chain ends there");
  if (last.number < head.number) return fault(last.number + 1, missingTo(last.number + 1, head.number));
  if (last.number > head.number) return fault(head.number + 1, "stands behind the end of the chain");
  return last.hash === head.hash ? [] : fault(head.number, "is not what the end of the chain was");
}

/** The head of a record that is there, and when that was; undefined = it is not. */
export async function headAt(
  store: Store,
  server: string,
  number: number,
): Promise<(Head & { readonly atMs: number }) | undefined> {
  const entry = await store.get(KEYS.auditRecord(server, number));
  if (!entry) return undefined;
  const record = recordIn(entry.value);
  return record && { ...headOf(record), atMs: record.atMs };
}
