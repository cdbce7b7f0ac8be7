/**
 * Writes what this server reports into the store: gathered by buckets, a turn of a state with a record in the audit log, and
 * everything once more after the store was away.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { TargetKey } from "../fleet/verdict.ts";
import type { AuditEvent } from "../state/audit.ts";
import { KEYS } from "../state/keys.ts";
import type { Ledger } from "../state/ledger.ts";
import { type Store, StoreUnavailableError, type Write } from "../state/store.ts";
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

/** So many turns go into one transaction, each with a record. */
const EVENTS_MAX = 40;

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
      if (!this.#isBegun) await this.#begin();
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
    const { store, server } = this.#options;
    await store.transact(
      Array.from({ length: BUCKETS }, (_, bucket) => ({ remove: KEYS.reports(server, bucket) })),
    );
    this.#isBegun = true;
  }

  async #writeSome(): Promise<void> {
    const keys = [...this.#changed].slice(0, EVENTS_MAX), { server, store, ledger } = this.#options;
    for (const key of keys) this.#changed.delete(key);
    const now = new Map(keys.map((key) => [key, this.#buckets[bucketOf(key)]!.get(key)]));
    const events = [...now].flatMap(([key, report]) => this.#turned(key, report) ?? []);
    const writes = [...new Set(keys.map(bucketOf))].map((bucket): Write => ({
      put: KEYS.reports(server, bucket),
      value: writeReports(this.#buckets[bucket]!),
    }));
    try {
      if (events.length > 0) await ledger.write(events, writes);
      else await store.transact(writes);
    } catch (error) {
      for (const key of keys) this.#changed.add(key);
      throw error;
    }
    for (const [key, report] of now) {
      if (report) this.#written.set(key, report);
      else this.#written.delete(key);
    }
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
