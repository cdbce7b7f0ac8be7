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

/** The last record of a chain. */
export interface Head {
  readonly number: number;
  readonly hash: string;
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
export function verifyAudit(log: AuditLog): AuditFault[] {
  const steps = verifyAuditInSteps(log);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** How many records are looked at between two steps. */
const STEP_RECORDS = 256;

/** {@linkcode verifyAudit}, which rests now and then: others have something to do meanwhile. */
export function* verifyAuditInSteps(log: AuditLog): Generator<void, AuditFault[]> {
  const faults: AuditFault[] = [], hashes = new Map<string, string>();
  for (const [server, records] of Map.groupBy(log.records, ({ server }) => server)) {
    faults.push(...yield* brokenLinks(records, log.begins?.[server] ?? NO_RECORD, hashes));
  }
  let looked = 0;
  for (const record of log.records) {
    if (record.action !== WITNESS_ACTION) continue;
    if (++looked % STEP_RECORDS === 0) yield;
    faults.push(...contradictions(record, log, hashes));
  }
  return faults;
}

/** Notes the hash of each record as well. */
function* brokenLinks(
  records: readonly AuditRecord[],
  begin: Head,
  hashes: Map<string, string>,
): Generator<void, AuditFault[]> {
  const faults: AuditFault[] = [];
  let head = begin, looked = 0;
  for (const record of records.toSorted((a, b) => a.number - b.number)) {
    const { server, number } = record;
    if (number === head.number) {
      faults.push({ server, number, what: "is there twice" });
    } else if (number > head.number + 1) {
      const last = number - 1, what = last > head.number + 1 ? `to ${last} are missing` : "is missing";
      faults.push({ server, number: head.number + 1, what });
    } else if (record.previous !== head.hash) {
      faults.push({ server, number, what: `does not follow record ${head.number} as that is now` });
    }
    head = headOf(record);
    hashes.set(`${server}/${number}`, head.hash);
    if (++looked % STEP_RECORDS === 0) yield;
  }
  return faults;
}

/** Where a witness and the chains do not tell the same. */
function contradictions(
  record: AuditRecord,
  log: AuditLog,
  hashes: ReadonlyMap<string, string>,
): AuditFault[] {
  const { server, number } = record, witness = record.after as unknown as Witness;
  const fault = (what: string): AuditFault[] => [{ server, number, what }];
  const keys = [log.keys[server] ?? []].flat();
  if (keys.length === 0) return fault("is signed by a server whose key is not known");
  if (!witness?.heads || !keys.some((key) => isSigned(witness, server, number, key))) {
    return fault("has a signature that is not its server's");
  }
  return Object.entries(witness.heads).flatMap(([other, head]) => {
    const begin = log.begins?.[other] ?? NO_RECORD;
    if (head.number < begin.number) return [];
    const hash = head.number === begin.number ? begin.hash : hashes.get(`${other}/${head.number}`);
    if (hash === head.hash) return [];
    const what = hash === undefined ? "is missing" : "is not what it was";
    return [{ server: other, number: head.number, what: `${what}: ${server} signed it in record ${number}` }];
  });
}

function isSigned({ heads, signature }: Witness, server: string, number: number, key: string): boolean {
  try {
    const octets = Uint8Array.fromBase64(signature);
    return verify(null, signedText(server, number, heads), createPublicKey(key), octets);
  } catch {
    return false;
  }
}

function signedText(server: string, number: number, heads: Readonly<Record<string, Head>>): Uint8Array {
  return new TextEncoder().encode(canonicalJson({ server, number, heads } as unknown as Json));
}
