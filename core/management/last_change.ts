/**
 * Who changed something last, and when, as the audit log has it.
 *
 * A change and its record are one transaction, so they have one revision; and the revisions of a chain's records grow with
 * their numbers. So the record is found by halving, in each chain there is.
 *
 * @module
 */

import { type AuditRecord, headIn, recordIn } from "../state/audit.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Entry } from "../state/store.ts";
import type { Reader } from "./reader.ts";

/** Who changed something. */
export interface LastChange {
  readonly actor: string;
  /** When, ISO 8601. */
  readonly at: string;
  /** The record in the audit log: `fra/17`. */
  readonly record: string;
}

/** Who wrote at `revision`; undefined where the log does not tell. Reads some twenty records of each chain. */
export async function changeAt(
  reader: Reader,
  revision: number,
  subject: string,
): Promise<LastChange | undefined> {
  const heads = await reader.list(PREFIXES.auditHeads);
  for (const head of heads.entries) {
    const server = namePart(head.key.slice(PREFIXES.auditHeads.length));
    const record = await recordAt(reader, server, head, revision, subject);
    if (record) return toldOf(record);
  }
  return undefined;
}

function toldOf({ actor, atMs, server, number }: AuditRecord): LastChange {
  return { actor, at: new Date(atMs).toISOString(), record: `${server}/${number}` };
}

/** The record of the transaction, in one chain: of several the one of the subject. */
async function recordAt(
  reader: Reader,
  server: string,
  head: Entry,
  revision: number,
  subject: string,
): Promise<AuditRecord | undefined> {
  const last = headIn(head.value)?.number ?? 0;
  const at = (number: number) => reader.get(KEYS.auditRecord(server, number));
  let low = 1, high = last + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    // A record that was put away is older than all that are there.
    if (((await at(middle))?.revision ?? 0) < revision) low = middle + 1;
    else high = middle;
  }
  let found: AuditRecord | undefined;
  for (let number = low; number <= last; number++) {
    const entry = await at(number);
    if (entry?.revision !== revision) break;
    const record = recordIn(entry.value);
    if (record?.subject === subject) return record;
    found ??= record;
  }
  return found;
}
