/**
 * Writes what this server reports into the store: gathered by buckets, a turn of a state with a record in the audit log, and
 * everything once more after the store was away.
 *
 * A write that nobody confirmed may be done yet, long after: a network that comes back delivers what it was given before. So
 * each is over what this process knows to be there, and one that comes late finds something else there and does nothing.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { TargetKey } from "../fleet/verdict.ts";
import type { AuditEvent } from "../state/audit.ts";
import { KEYS } from "../state/keys.ts";
import type { Ledger } from "../state/ledger.ts";
import {
  type Store,
  StoreUnavailableError,
  VALUES_OCTETS_MAX,
  type Write,
  WRITES_MAX,
} from "../state/store.ts";
import type { Reports, TargetReport } from "./protocol.ts";
import { writeReports } from "./report_record.ts";

/** What a writer works with. */
export interface ReportWriterOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly server: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "warn" | "error">;
}

/** Into so many keys a server's reports go, so that a turn of one writes few of all. */
export const BUCKETS = 64;

const ALL_BUCKETS: readonly number[] = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

/** So many turns go into one transaction: each with a record and, where every one lies in another, a bucket; and a head. */
const EVENTS_MAX = Math.floor((WRITES_MAX - 1) / 2);

/** How long the reports of one transaction may be: leaves room for records, and for what takes more octets than one. */
const LENGTH_MAX = VALUES_OCTETS_MAX / 2;

/** How long news wait for others, and how long until the store is tried again. */
const GATHER_MS = 20, RETRY_MS = 1000;

/** See the module. */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #buckets = Array.from({ length: BUCKETS }, () => new Map<TargetKey, TargetReport>());
  /** As they were when they were last written. */
  readonly #written = new Map<TargetKey, TargetReport>();
  readonly #changed = new Set<TargetKey>();
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** Whether what a process before this one left has been put right. */
  #isBegun = false;
  /** At which revision each bucket was written last, 0 = it is not there; undefined = to be read. */
  #revisions: number[] | undefined;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
  }

  /** Takes what has changed. */
  take(reports: Reports): void {
    for (const [key, report] of Object.entries(reports)) {
      const bucket = this.#buckets[bucketOf(key)]!;
      if (report) bucket.set(key, report);
      else bucket.delete(key);
      this.#changed.add(key);
    }
    this.#writeIn(GATHER_MS);
  }

  /** Writes what waits, as far as the store can be had. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#writing;
  }

  #writeIn(delayMs: number): void {
    if (this.#isClosed || this.#changed.size === 0) return;
    this.#cancelTimer ??= this.#options.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#writing = this.#writing.then(() => this.#writeAll());
    });
  }

  async #writeAll(): Promise<void> {
    try {
      while (!this.#isBegun && !this.#isClosed) await this.#begin();
      while (this.#changed.size > 0 && !this.#isClosed) await this.#writeSome();
    } catch (error) {
      // Whoever follows the store says that it is away.
      if (!(error instanceof StoreUnavailableError)) {
        this.#options.log.error(`Verdicts of this server cannot be reported: ${error}`);
      }
      this.#writeIn(RETRY_MS);
    }
  }

  /** What a process of this name reported before is no longer said. */
  async #begin(): Promise<void> {
    const revisions = this.#revisions ??= await this.#readRevisions();
    const there = ALL_BUCKETS.filter((bucket) => revisions[bucket]! > 0);
    this.#isBegun = there.length === 0 || await this.#transact(there, () => undefined, []);
  }

  async #writeSome(): Promise<void> {
    const { keys, texts } = this.#due();
    for (const key of keys) this.#changed.delete(key);
    const now = new Map(keys.map((key) => [key, this.#buckets[bucketOf(key)]!.get(key)]));
    const events = [...now].flatMap(([key, report]) => this.#turned(key, report) ?? []);
    let isDone = false;
    try {
      isDone = await this.#transact([...texts.keys()], (bucket) => texts.get(bucket), events);
    } finally {
      if (!isDone) { for (const key of keys) this.#changed.add(key); }
    }
    if (!isDone) return;
    for (const [key, report] of now) {
      if (report) this.#written.set(key, report);
      else this.#written.delete(key);
    }
  }

  /** What goes into the next transaction: as many that changed as it takes, and what is to lie in their buckets. */
  #due(): { readonly keys: readonly TargetKey[]; readonly texts: ReadonlyMap<number, string> } {
    const keys: TargetKey[] = [], texts = new Map<number, string>();
    let length = 0;
    for (const key of this.#changed) {
      const bucket = bucketOf(key);
      if (!texts.has(bucket)) {
        const text = writeReports(this.#buckets[bucket]!);
        length += text.length;
        if (keys.length > 0 && length > LENGTH_MAX) break;
        texts.set(bucket, text);
      }
      if (keys.push(key) === EVENTS_MAX) break;
    }
    return { keys, texts };
  }

  /** Over what these buckets were when they were read or written last. @returns Whether they still were so, and it is done. */
  async #transact(
    buckets: readonly number[],
    valueOf: (bucket: number) => string | undefined,
    events: readonly AuditEvent[],
  ): Promise<boolean> {
    const { server, store, ledger } = this.#options;
    const revisions = this.#revisions ?? await this.#readRevisions();
    const writes = buckets.map((bucket): Write => {
      const key = KEYS.reports(server, bucket), value = valueOf(bucket);
      return value === undefined ? { remove: key } : { put: key, value };
    });
    const conditions = buckets.map((bucket) => ({
      key: KEYS.reports(server, bucket),
      revision: revisions[bucket]!,
    }));
    // They are read again unless this is confirmed.
    this.#revisions = undefined;
    const { succeeded, revision } =
      await (events.length > 0
        ? ledger.write(events, writes, conditions)
        : store.transact(writes, conditions));
    if (!succeeded) return false;
    buckets.forEach((bucket, i) => revisions[bucket] = "put" in writes[i]! ? revision : 0);
    this.#revisions = revisions;
    return true;
  }

  async #readRevisions(): Promise<number[]> {
    const { store, server } = this.#options, prefix = KEYS.reports(server, 0).slice(0, -1);
    const { entries } = await store.list(prefix),
      there = new Map(entries.map((one) => [one.key, one.revision]));
    return ALL_BUCKETS.map((bucket) => there.get(KEYS.reports(server, bucket)) ?? 0);
  }

  /** The record of a turn; undefined where the state is as it was. */
  #turned(target: TargetKey, report: TargetReport | undefined): AuditEvent | undefined {
    const before = this.#written.get(target);
    if (!report || report.state === (before?.state ?? "unknown")) return undefined;
    return {
      actor: `server:${this.#options.server}`,
      action: "verdict.change",
      subject: `targets/${target}`,
      reason: report.reason,
      before: before?.state ?? "unknown",
      after: report.state,
    };
  }
}

/** FNV-1a. */
function bucketOf(target: TargetKey): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < target.length; i++) hash = Math.imul(hash ^ target.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}
