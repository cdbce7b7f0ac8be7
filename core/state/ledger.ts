/**
 * The one way to change what a fleet shares: a change and the record of it are one transaction, so that there is neither
 * without the other.
 *
 *     writes + events --> ledger --one transaction--> store: the writes, audit/SERVER/N, audit-heads/SERVER
 *
 * @module
 */

import type { KeyObject } from "node:crypto";
import type { Clock } from "../clock.ts";
import {
  type AuditEvent,
  type AuditRecord,
  type Head,
  headOf,
  headsIn,
  NO_RECORD,
  recordAfter,
  recordIn,
  WITNESS_ACTION,
  witnessEvent,
} from "./audit.ts";
import { canonicalJson, type Json } from "./canonical.ts";
import { KEYS, PREFIXES } from "./keys.ts";
import { type Condition, type Outcome, type Store, StoreUnavailableError, type Write } from "./store.ts";

/** What a ledger works with. */
export interface LedgerOptions {
  readonly store: Store;
  /** This server's id: the chain is its own, and it alone writes it. */
  readonly server: string;
  readonly clock: Clock;
}

/** How a change went. */
export interface Recorded extends Outcome {
  /** What stands in the log now; none where a condition did not hold. */
  readonly records: readonly AuditRecord[];
}

/** So often the chain is looked at anew when somebody else has written it, before that is an error. */
const ATTEMPTS = 8;

/** So many records are looked at for one that is no signature. */
const LOOK_MAX = 20;

/** Writes changes with their records, one after the other. */
export class Ledger {
  readonly #options: LedgerOptions;
  /** The last record of the chain, and the revision at which it was written; undefined = to be read. */
  #head: { readonly head: Head; readonly revision: number } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** The heads that were signed last. */
  #witnessed: Readonly<Record<string, Head>> = {};

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /**
   * Writes everything and records it, or nothing, when a condition does not hold.
   *
   * @throws {RangeError} As {@linkcode Store.transact} does; a record for each event and one head come on top of the writes.
   * @throws {StoreUnavailableError} Whether it has been done is not known.
   */
  write(
    events: readonly AuditEvent[],
    writes: readonly Write[],
    conditions: readonly Condition[] = [],
  ): Promise<Recorded> {
    return this.#inTurn(() => this.#write(() => events, writes, conditions));
  }

  /** Signs the heads of all chains there are into this one; undefined where nothing but such signatures is new. */
  witness(key: KeyObject): Promise<Recorded | undefined> {
    return this.#inTurn(async () => {
      const heads = await this.#heads();
      if (!await this.#isAnyNews(heads)) return undefined;
      const recorded = await this.#write(
        (own) => [witnessEvent(this.#options.server, own, heads, key)],
        [],
        [],
      );
      this.#witnessed = heads;
      return recorded;
    });
  }

  /** Whether a chain has more than it had, and not just more signatures: else servers would sign each other's for ever. */
  async #isAnyNews(heads: Readonly<Record<string, Head>>): Promise<boolean> {
    for (const [server, { number }] of Object.entries(heads)) {
      const from = this.#witnessed[server]?.number;
      if (from === undefined || number - from > LOOK_MAX) return true;
      for (let at = from + 1; at <= number; at++) {
        const entry = await this.#options.store.get(KEYS.auditRecord(server, at));
        if (!entry || recordIn(entry.value)?.action !== WITNESS_ACTION) return true;
      }
    }
    return false;
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }

  async #write(
    eventsAfter: (own: Head) => readonly AuditEvent[],
    writes: readonly Write[],
    conditions: readonly Condition[],
  ): Promise<Recorded> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { head, revision } = this.#head ??= await this.#read();
      const records = this.#recordsAfter(head, eventsAfter(head));
      const outcome = await this.#transact([...writes, ...this.#chainWrites(records)], [
        ...conditions,
        { key: KEYS.auditHead(this.#options.server), revision },
      ]);
      if (outcome.succeeded) {
        this.#head = { head: headOf(records.at(-1)!), revision: outcome.revision };
        return { ...outcome, records };
      }
      this.#head = await this.#read();
      // The chain is as it was thought to be: one of the caller's conditions did not hold.
      if (this.#head.revision === revision) return { ...outcome, records: [] };
    }
    throw new StoreUnavailableError(
      `Cannot write audit chain ${this.#options.server}: another program writes it too`,
    );
  }

  #recordsAfter(head: Head, events: readonly AuditEvent[]): AuditRecord[] {
    const { server, clock } = this.#options, atMs = clock.nowMs();
    const records: AuditRecord[] = [];
    for (const event of events) {
      const record = recordAfter(head, server, event, atMs);
      records.push(record);
      head = headOf(record);
    }
    return records;
  }

  #chainWrites(records: readonly AuditRecord[]): Write[] {
    const { server } = this.#options, head = headOf(records.at(-1)!);
    return [
      ...records.map((record) => ({
        put: KEYS.auditRecord(server, record.number),
        value: canonicalJson(record as unknown as Json),
      })),
      { put: KEYS.auditHead(server), value: canonicalJson(head as unknown as Json) },
    ];
  }

  /** Whether it was done is not known when it fails: the chain is read before the next change. */
  async #transact(writes: readonly Write[], conditions: readonly Condition[]): Promise<Outcome> {
    try {
      return await this.#options.store.transact(writes, conditions);
    } catch (error) {
      this.#head = undefined;
      throw error;
    }
  }

  async #read(): Promise<{ head: Head; revision: number }> {
    const entry = await this.#options.store.get(KEYS.auditHead(this.#options.server));
    return entry
      ? { head: JSON.parse(entry.value) as Head, revision: entry.revision }
      : { head: NO_RECORD, revision: 0 };
  }

  async #heads(): Promise<Record<string, Head>> {
    const { entries } = await this.#options.store.list(PREFIXES.auditHeads);
    return headsIn(entries, PREFIXES.auditHeads);
  }
}
