/**
 * The audit log: one chain of records for each server, in which each has the hash of the one before it, and heads of all
 * chains that every server signs now and then into its own.
 *
 *     chain of a:  1 ◀─ 2 ◀─ 3 ◀─ 4 (witness: a 3, b 2; signed by a) ◀─ 5
 *     chain of b:  1 ◀─ 2 ◀─ 3 (witness: a 4, b 2; signed by b)
 *
 * A record that is changed, taken out or moved breaks its chain; a chain that is written anew from there, or cut off at
 * its end, is not the one that others have signed.
 *
 * @module
 */

import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { canonicalJson, digestOf, type Json } from "./canonical.ts";
import { namePart } from "./keys.ts";
import { objectIn } from "./object_in.ts";

/** What happened, as it is told to the log. */
export interface AuditEvent {
  /** Who: `token:ops-anna`, `server:fra`, `local:root`, `node:fra1`. */
  readonly actor: string;
  /** What was done, as RESOURCE.VERB: `override.create`, `verdict.change`. */
  readonly action: string;
  /** To what: `nodes/fra1`. */
  readonly subject: string;
  readonly reason?: string;
  readonly before?: Json;
  readonly after?: Json;
  /** What brought it about: a request's id, another record (`fra/17`). */
  readonly cause?: string;
}

/** An event in its chain. */
export interface AuditRecord extends AuditEvent {
  /** The server whose chain it is in. */
  readonly server: string;
  /** From 1, without gaps. */
  readonly number: number;
  /** Milliseconds since 1970, by that server's clock. */
  readonly atMs: number;
  /** The hash of the record before it; of the first, {@linkcode NO_RECORD}. */
  readonly previous: string;
}

/** A record out of its text in the store; undefined where somebody has made something else of it. */
export function recordIn(text: string): AuditRecord | undefined {
  const record = objectIn(text) as Partial<AuditRecord> | undefined;
  const isRecord = record && Number.isSafeInteger(record.number) && typeof record.atMs === "number" &&
    [record.server, record.actor, record.action, record.subject, record.previous].every((one) =>
      typeof one === "string"
    );
  return isRecord ? record as AuditRecord : undefined;
}

/** What stands in for a record that cannot be read says that it does. */
export const UNREADABLE_ACTION = "audit.unreadable";

/** What stands in for a record that cannot be read: its chain breaks there. */
export function unreadableRecord(server: string, number: number): AuditRecord {
  return { server, number, atMs: 0, previous: "", actor: "", action: UNREADABLE_ACTION, subject: "" };
}

/** A head out of its text in the store; undefined where it is none. */
export function headIn(text: string): Head | undefined {
  const head = objectIn(text) as Partial<Head> | undefined;
  return head && Number.isSafeInteger(head.number) && /^[0-9a-f]{64}$/.test(String(head.hash))
    ? head as Head
    : undefined;
}

/** The last record of a chain. */
export interface Head {
  readonly number: number;
  readonly hash: string;
}

/** Heads by server, of those entries below a prefix that are any. */
export function headsIn(
  entries: readonly { readonly key: string; readonly value: string }[],
  prefix: string,
): Record<string, Head> {
  return Object.fromEntries(entries.flatMap(({ key, value }) => {
    const head = headIn(value);
    return head ? [[namePart(key.slice(prefix.length)), head]] : [];
  }));
}

/** The head of a chain without records. */
export const NO_RECORD: Head = Object.freeze({ number: 0, hash: "0".repeat(64) });

/** What a witness record says has been done. */
export const WITNESS_ACTION = "audit.witness";

/** Heads of chains, signed: what `after` of a witness record is. */
export interface Witness {
  /** By server. */
  readonly heads: Readonly<Record<string, Head>>;
  /** Ed25519 over the canonical text of server, number and heads; base64. */
  readonly signature: string;
}

/** The record that comes after `head`. */
export function recordAfter(head: Head, server: string, event: AuditEvent, atMs: number): AuditRecord {
  return { ...event, server, number: head.number + 1, atMs, previous: head.hash };
}

/** The head of a chain that ends with `record`. */
export function headOf(record: AuditRecord): Head {
  return { number: record.number, hash: digestOf(record as unknown as Json) };
}

/** The event by which `server` signs the heads that it sees, to be appended to its chain after `own`. */
export function witnessEvent(
  server: string,
  own: Head,
  heads: Readonly<Record<string, Head>>,
  key: KeyObject,
): AuditEvent {
  const signature = sign(null, signedText(server, own.number + 1, heads), key).toString("base64");
  return {
    ...{ actor: `server:${server}`, action: WITNESS_ACTION, subject: "audit" },
    after: { heads, signature } as unknown as Json,
  };
}

/** What a record says has been done by which chains begin later than with their first record. */
export const ARCHIVE_ACTION = "audit.archive";

/** Which records have been put away, signed: what `after` of such a record is. */
export interface Archived {
  /** Of every chain that begins later, the head before the first record that is left. */
  readonly begins: Readonly<Record<string, Head>>;
  /** Of the file that has what was put away this time. */
  readonly sha256: string;
  /** How many records that were. */
  readonly records: number;
  /** Ed25519 over {@linkcode archivedText}, base64. */
  readonly signature: string;
}

/** What a server signs that puts records away. */
export function archivedText(
  server: string,
  { begins, sha256, records }: Omit<Archived, "signature">,
): Uint8Array {
  return octetsOf({ archivedBy: server, begins, sha256, records });
}

/** Which chains begin where, by a record that says so; none where its signature is not its server's. */
export function signedBegins(
  { server, after }: AuditRecord,
  keys: AuditLog["keys"],
): Readonly<Record<string, Head>> {
  const archived = after as unknown as Partial<Archived> | undefined;
  const { begins, sha256, records, signature } = archived ?? {};
  if (!begins || sha256 === undefined || records === undefined || signature === undefined) return {};
  const text = archivedText(server, { begins, sha256, records });
  return [keys[server] ?? []].flat().some((key) => isSignedBy(text, signature, key)) ? begins : {};
}

/** Something in the log that cannot be as it was written. */
export interface AuditFault {
  readonly server: string;
  /** The record at fault, or the first that is missing. */
  readonly number: number;
  readonly what: string;
}

/** What there is to verify. */
export interface AuditLog {
  readonly records: readonly AuditRecord[];
  /** Public keys by server, PEM (SPKI): the one, or all that it has ever had. */
  readonly keys: Readonly<Record<string, string | readonly string[]>>;
  /** Where chains begin whose oldest records have been put away: the head before the first that is there. */
  readonly begins?: Readonly<Record<string, Head>>;
}

/** Everything that is wrong with a log; none when it is whole. */
export function verifyAudit({ records, keys, begins = {} }: AuditLog): AuditFault[] {
  const hashes = new Hashes(begins), faults: AuditFault[] = [];
  for (const [server, chain] of Map.groupBy(records, ({ server }) => server)) {
    const links = new Links(server, begins[server] ?? NO_RECORD, hashes);
    for (const record of chain.toSorted((a, b) => a.number - b.number)) faults.push(...links.take(record));
  }
  for (const record of records) faults.push(...contradictions(record, keys, hashes));
  return faults;
}

/** One chain, record by record in the order of numbers: each is to follow the one before it. */
export class Links {
  readonly #server: string;
  readonly #hashes: Hashes;
  #head: Head;

  /** @param hashes Notes the hash of each record. */
  constructor(server: string, begin: Head, hashes: Hashes) {
    [this.#server, this.#head, this.#hashes] = [server, begin, hashes];
  }

  /** The last that was taken. */
  get head(): Head {
    return this.#head;
  }

  take(record: AuditRecord): AuditFault[] {
    const { number } = record, head = this.#head, next = head.number + 1;
    this.#head = headOf(record);
    this.#hashes.note(this.#server, this.#head);
    const fault = (what: string, at = number) => [{ server: this.#server, number: at, what }];
    if (record.action === UNREADABLE_ACTION) return fault("cannot be read");
    if (number === head.number) return fault("is there twice");
    if (number > next) return fault(missingTo(next, number - 1), next);
    return record.previous === head.hash ? [] : fault(`does not follow record ${head.number} as that is now`);
  }
}

/** How it is said that records are not there. */
export function missingTo(first: number, last: number): string {
  return last > first ? `to ${last} are missing` : "is missing";
}

/** So many octets of a hash are kept of each record: as many as nobody can find another record for. */
const KEPT_OCTETS = 16;

/** The hashes of the records of all chains, sixteen octets each: a log of a million takes 16 MB. */
export class Hashes {
  readonly #begins: Readonly<Record<string, Head>>;
  readonly #chains = new Map<string, Uint8Array>();

  constructor(begins: Readonly<Record<string, Head>>) {
    this.#begins = begins;
  }

  note(server: string, { number, hash }: Head): void {
    const at = (number - this.#beginOf(server).number) * KEPT_OCTETS;
    let chain = this.#chains.get(server) ?? new Uint8Array(1024 * KEPT_OCTETS);
    // A number far beyond all others is nobody's: what is missing before it has been told of.
    if (at < 0 || at > 1024 * chain.length) return;
    if (chain.length < at + KEPT_OCTETS) {
      const longer = new Uint8Array(2 * (at + KEPT_OCTETS));
      longer.set(chain);
      chain = longer;
    }
    chain.set(Uint8Array.fromHex(hash.slice(0, 2 * KEPT_OCTETS)), at);
    this.#chains.set(server, chain);
  }

  /** Whether a head is that of the record of its number: `unknown` where this one has been put away. */
  compare(server: string, { number, hash }: Head): "same" | "other" | "missing" | "unknown" {
    const begin = this.#beginOf(server);
    if (number < begin.number) return "unknown";
    if (number === begin.number) return hash === begin.hash ? "same" : "other";
    const at = (number - begin.number) * KEPT_OCTETS;
    const kept = this.#chains.get(server)?.subarray(at, at + KEPT_OCTETS).toHex() ?? "";
    if (/^0*$/.test(kept)) return "missing";
    return hash.startsWith(kept) ? "same" : "other";
  }

  #beginOf(server: string): Head {
    return Object.hasOwn(this.#begins, server) ? this.#begins[server]! : NO_RECORD;
  }
}

/** Where a record that is a witness and the chains do not tell the same. */
export function contradictions(record: AuditRecord, allKeys: AuditLog["keys"], hashes: Hashes): AuditFault[] {
  const { action, server, number } = record, witness = record.after as unknown as Witness;
  if (action !== WITNESS_ACTION) return [];
  const fault = (what: string): AuditFault[] => [{ server, number, what }];
  const keys = [allKeys[server] ?? []].flat();
  if (keys.length === 0) return fault("is signed by a server whose key is not known");
  if (!witness?.heads || !keys.some((key) => isSigned(witness, server, number, key))) {
    return fault("has a signature that is not its server's");
  }
  return Object.entries(witness.heads).flatMap(([other, head]) => {
    const compared = hashes.compare(other, head);
    if (compared === "same" || compared === "unknown") return [];
    const what = compared === "missing" ? "is missing" : "is not what it was";
    return [{ server: other, number: head.number, what: `${what}: ${server} signed it in record ${number}` }];
  });
}

function isSigned({ heads, signature }: Witness, server: string, number: number, key: string): boolean {
  return isSignedBy(signedText(server, number, heads), signature, key);
}

function isSignedBy(text: Uint8Array, signature: string, key: string): boolean {
  try {
    return verify(null, text, createPublicKey(key), Uint8Array.fromBase64(signature));
  } catch {
    return false;
  }
}

function signedText(server: string, number: number, heads: Readonly<Record<string, Head>>): Uint8Array {
  return octetsOf({ server, number, heads });
}

function octetsOf(value: object): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value as Json));
}
