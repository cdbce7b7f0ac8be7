/**
 * Puts a dump into a store: in transactions of bounded size, between a mark that says so and its end, so that what was broken
 * off is seen to be half by whoever comes.
 *
 *     schema := importing ─▶ what was there goes ─▶ heads of the audit chains ─▶ the rest ─▶ looked at ─▶ schema, record
 *
 * Heads of chains come before their records: whatever a server records meanwhile is then appended, and not written over.
 *
 * @module
 */

import { canonicalJson, type Json } from "./canonical.ts";
import { type Dump, isPassing } from "./dump.ts";
import { KEYS, namePart, PREFIXES } from "./keys.ts";
import type { AuditEvent } from "./audit.ts";
import type { Ledger } from "./ledger.ts";
import {
  type Entry,
  type Store,
  StoreRefusedError,
  VALUES_OCTETS_MAX,
  type Write,
  WRITES_MAX,
} from "./store.ts";

/** How a dump is put in. */
export interface RestoreOptions {
  /** Writes the record of it, when all is there. */
  readonly ledger: Ledger;
  /** Who does it: `local:ada`. */
  readonly actor: string;
  readonly reason?: string;
  /** What is there is to go. */
  readonly replaces: boolean;
}

/** What was done. */
export interface Restored {
  readonly entries: number;
  /** How many keys were there before. */
  readonly removed: number;
  readonly revision: number;
}

/** Half of an import lies in the store, or a server lives there, or something else that is not to be written over. */
export class NotEmptyError extends Error {
  override readonly name = "NotEmptyError";
}

/** What the key `schema` says while an import is under way. */
interface Mark {
  readonly version: number;
  /** The digest of the dump. */
  readonly importing: string;
}

/** Whether a store's `schema` says that only half of what it is to hold is there. */
export function isImporting(schema: string | undefined): boolean {
  return schema !== undefined && (JSON.parse(schema) as Partial<Mark>).importing !== undefined;
}

/**
 * Puts it in. One that was broken off can be begun again.
 *
 * @throws {NotEmptyError} What is there is not to be replaced, or a server is there that would answer by half of it.
 * @throws {StoreRefusedError} Somebody else writes there too.
 */
export async function restore(store: Store, dump: Dump, options: RestoreOptions): Promise<Restored> {
  const { entries: before } = await store.list("");
  refuseInUse(store, before, options);
  const seal = await mark(store, before, dump);
  const old = before.filter(({ key }) => key !== KEYS.schema).map(({ key }): Write => ({ remove: key }));
  await writeAll(store, old, seal);
  const isHead = ({ key }: { readonly key: string }) => key.startsWith(PREFIXES.auditHeads);
  const ordered = [...dump.entries.filter(isHead), ...dump.entries.filter((entry) => !isHead(entry))];
  await writeAll(store, ordered.map(({ key, value }) => ({ put: key, value })), seal);
  await lookAtAll(store, dump);
  const { revision } = await finish(dump, seal, old.length, options);
  return { entries: dump.entries.length, removed: old.length, revision };
}

function refuseInUse(store: Store, before: readonly Entry[], { replaces }: RestoreOptions): void {
  const servers = before.filter(({ key }) => key.startsWith(PREFIXES.servers));
  if (servers.length > 0) {
    const names = servers.map(({ key }) => namePart(key.slice(PREFIXES.servers.length))).join(", ");
    throw new NotEmptyError(
      `${names} ${
        servers.length > 1 ? "live" : "lives"
      } by ${store.name}, and would answer by half of what is imported: stop ${
        servers.length > 1 ? "them" : "it"
      }; one that was killed is gone after 15 s`,
    );
  }
  const schema = before.find(({ key }) => key === KEYS.schema);
  const lasting = before.filter(({ key }) => key !== KEYS.schema && !isPassing(key));
  if (replaces || isImporting(schema?.value) || lasting.length === 0) return;
  throw new NotEmptyError(
    `${store.name} holds ${lasting.length} keys already: -replace takes them away first`,
  );
}

/** @returns The revision of the mark: on this everything is written, so that of two imports one fails. */
async function mark(store: Store, before: readonly Entry[], { schema, sha256 }: Dump): Promise<number> {
  const revision = before.find(({ key }) => key === KEYS.schema)?.revision ?? 0;
  const value = canonicalJson({ version: schema, importing: sha256 } satisfies Mark);
  const outcome = await store.transact([{ put: KEYS.schema, value }], [{ key: KEYS.schema, revision }]);
  if (outcome.succeeded) return outcome.revision;
  throw new StoreRefusedError(`${store.name} has been changed just now: somebody else writes there`);
}

/** As many at once as a store takes. */
async function writeAll(store: Store, writes: readonly Write[], seal: number): Promise<void> {
  for (const batch of batchesOf(writes)) {
    const { succeeded } = await store.transact(batch, [{ key: KEYS.schema, revision: seal }]);
    if (!succeeded) {
      throw new StoreRefusedError(`Another import has begun in ${store.name}: this one ends here`);
    }
  }
}

function* batchesOf(writes: readonly Write[]): Generator<Write[]> {
  let batch: Write[] = [], octets = 0;
  for (const write of writes) {
    const more = "put" in write ? new TextEncoder().encode(write.value).length : 0;
    if (batch.length === WRITES_MAX || octets + more > VALUES_OCTETS_MAX) {
      yield batch;
      [batch, octets] = [[], 0];
    }
    batch.push(write);
    octets += more;
  }
  if (batch.length > 0) yield batch;
}

/** Whether all of it is there now. What came besides is no fault: a server that had not heard may have recorded something. */
async function lookAtAll(store: Store, { entries }: Dump): Promise<void> {
  const now = new Map((await store.list("")).entries.map(({ key, value }) => [key, value]));
  const other = entries.find(({ key, value }) =>
    now.get(key) !== value && !key.startsWith(PREFIXES.auditHeads)
  );
  if (!other) return;
  throw new StoreRefusedError(
    `${other.key} is not what was imported: a server writes into ${store.name}; stop it and import anew`,
  );
}

async function finish(
  { schema, sha256, at, revision, entries }: Dump,
  seal: number,
  removed: number,
  { ledger, actor, reason }: RestoreOptions,
): Promise<{ readonly revision: number }> {
  const after = { sha256, at, revision, entries: entries.length, removed } as Json;
  const event: AuditEvent = {
    actor,
    action: "state.import",
    subject: "state",
    after,
    ...reason && { reason },
  };
  const recorded = await ledger.write(
    [event],
    [{ put: KEYS.schema, value: canonicalJson({ version: schema }) }],
    [{ key: KEYS.schema, revision: seal }],
  );
  if (recorded.succeeded) return recorded;
  throw new StoreRefusedError("Another import has begun: this one ends here");
}
