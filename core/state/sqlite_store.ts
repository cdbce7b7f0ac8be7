/**
 * A store in one file of SQLite: for a server, or for several processes of one machine, with nothing to install.
 *
 * Each transaction is one of SQLite's, on the disk when it returns (WAL, synchronous FULL). What it changed is also kept
 * as rows of `changes` for an hour, and that is what watchers read: those of this process at once, those of others when
 * `PRAGMA data_version` tells that somebody else has written.
 *
 * @module
 */

import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { Clock } from "../clock.ts";
import { openDatabase } from "./sqlite_file.ts";
import {
  beyond,
  type Change,
  type Changes,
  checkTransaction,
  CompactedError,
  type Condition,
  type Entry,
  keyOf,
  type Lease,
  LeaseEndedError,
  type Listing,
  type Outcome,
  type Store,
  StoreUnavailableError,
  type Write,
} from "./store.ts";

/** How long what happened is kept for watchers that come back. */
const CHANGES_KEPT_MS = 3_600_000;

/** How often others' writes are looked for while somebody watches, and ends of leases. */
const LOOK_MS = 100;

/**
 * Opens the store in `file`, or makes it.
 *
 * @throws {StoreRefusedError} The file is another program's, or a newer one's, or damaged.
 * @throws {StoreUnavailableError} It cannot be opened.
 */
export function openSqliteStore(file: string, clock: Clock): Store {
  return new SqliteStore(`sqlite ${file}`, openDatabase(file), clock);
}

class SqliteStore implements Store {
  readonly name: string;
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  /** Those who watch, called when something may have happened. */
  readonly #watchers = new Set<() => void>();
  #dataVersion = 0;
  #prunedMs = 0;
  #stopLooking: () => void = () => {};
  #closed = false;

  constructor(name: string, database: DatabaseSync, clock: Clock) {
    this.name = name;
    this.#database = database;
    this.#clock = clock;
    this.#lookLater();
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#attempt(() => entryOf(this.#one("SELECT * FROM entries WHERE key = ?", key)));
  }

  list(prefix: string): Promise<Listing> {
    return this.#attempt(() =>
      this.#within("BEGIN", () => ({
        revision: this.#head("current"),
        entries: this.#below("SELECT * FROM entries WHERE TRUE", prefix, "ORDER BY key").map((row) =>
          entryOf(row)!
        ),
      }))
    );
  }

  async transact(writes: readonly Write[], conditions: readonly Condition[] = []): Promise<Outcome> {
    checkTransaction(writes, conditions);
    const outcome = await this.#attempt(() =>
      this.#within("BEGIN IMMEDIATE", () => {
        this.#endLeases();
        if (!conditions.every((condition) => this.#holds(condition))) {
          return { succeeded: false, ...this.#now() };
        }
        this.#write(writes);
        return { succeeded: true, ...this.#now() };
      })
    );
    this.#tell();
    return outcome;
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncGenerator<Changes> {
    let news = Promise.withResolvers<void>();
    const wake = () => news.resolve();
    signal.addEventListener("abort", wake);
    this.#watchers.add(wake);
    try {
      for (let known = after; !signal.aborted;) {
        news = Promise.withResolvers<void>();
        const batches = await this.#attempt(() => this.#changesAfter(prefix, known));
        for (const batch of batches) {
          if (signal.aborted) return;
          yield batch;
          known = batch.revision;
        }
        if (batches.length === 0) await news.promise;
      }
    } finally {
      this.#watchers.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }

  async lease(seconds: number): Promise<Lease> {
    const id = crypto.randomUUID();
    await this.#attempt(() =>
      this.#run("INSERT INTO leases VALUES (?, ?, ?)", id, seconds, this.#clock.nowMs() + seconds * 1000)
    );
    return { id, seconds, renew: () => this.#renew(id, seconds), end: () => this.#end(id) };
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#stopLooking();
      this.#database.close();
      this.#tell();
    }
    return Promise.resolve();
  }

  #write(writes: readonly Write[]): void {
    const revision = this.#head("current") + 1;
    let changed = false;
    for (const write of writes) changed = this.#writeOne(write, revision) || changed;
    if (!changed) return;
    this.#run("INSERT INTO revisions VALUES (?, ?)", revision, this.#clock.nowMs());
    this.#run("UPDATE heads SET revision = ? WHERE name = 'current'", revision);
  }

  /** Whether that changed anything: what is not there cannot be removed. */
  #writeOne(write: Write, revision: number): boolean {
    const key = keyOf(write), before = entryOf(this.#one("SELECT * FROM entries WHERE key = ?", key));
    if (!("put" in write)) {
      if (!before) return false;
      this.#run("DELETE FROM entries WHERE key = ?", key);
      this.#run("INSERT INTO changes VALUES (?, ?, NULL, 0)", revision, key);
      return true;
    }
    const { value, lease } = write, version = (before?.version ?? 0) + 1;
    if (lease && !this.#one("SELECT id FROM leases WHERE id = ?", lease.id)) {
      throw new LeaseEndedError(lease.id);
    }
    this.#run(
      "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)",
      key,
      value,
      revision,
      version,
      lease?.id ?? null,
    );
    this.#run("INSERT INTO changes VALUES (?, ?, ?, ?)", revision, key, value, version);
    return true;
  }

  #holds({ key, revision }: Condition): boolean {
    return (entryOf(this.#one("SELECT * FROM entries WHERE key = ?", key))?.revision ?? 0) === revision;
  }

  /** Each transaction after `known` that concerns `prefix`; where none does but there were some, an empty one. */
  #changesAfter(prefix: string, known: number): Changes[] {
    return this.#within("BEGIN", () => {
      const current = this.#head("current");
      if (known < this.#head("compacted") || known > current) throw new CompactedError();
      if (known === current) return [];
      const rows = this.#below(
        "SELECT * FROM changes WHERE revision > ?",
        prefix,
        "ORDER BY revision, key",
        known,
      );
      const batches: { revision: number; changes: Change[] }[] = [];
      for (const row of rows as unknown as ChangeRow[]) {
        if (batches.at(-1)?.revision !== row.revision) batches.push({ revision: row.revision, changes: [] });
        batches.at(-1)!.changes.push(changeOf(row));
      }
      if (batches.at(-1)?.revision !== current) batches.push({ revision: current, changes: [] });
      return batches;
    });
  }

  async #renew(id: string, seconds: number): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const { changes } = await this.#attempt(() =>
      this.#run(
        "UPDATE leases SET ends_ms = ? WHERE id = ? AND ends_ms > ?",
        nowMs + seconds * 1000,
        id,
        nowMs,
      )
    );
    if (changes === 0) throw new LeaseEndedError(id);
  }

  async #end(id: string): Promise<void> {
    await this.#attempt(() =>
      this.#within("BEGIN IMMEDIATE", () => {
        this.#run("UPDATE leases SET ends_ms = 0 WHERE id = ?", id);
        this.#endLeases();
      })
    );
    this.#tell();
  }

  /** Removes what leases have kept that have ended: a transaction for each. */
  #endLeases(): void {
    for (const { id } of this.#all("SELECT id FROM leases WHERE ends_ms <= ?", this.#clock.nowMs())) {
      const keys = this.#all("SELECT key FROM entries WHERE lease = ?", id as string);
      this.#write(keys.map(({ key }) => ({ remove: key as string })));
      this.#run("DELETE FROM leases WHERE id = ?", id as string);
    }
  }

  #lookLater(): void {
    this.#stopLooking = this.#clock.after(LOOK_MS, () => {
      try {
        this.#look();
      } catch {
        // Whoever asks next is told; to look goes on.
      }
      if (!this.#closed) this.#lookLater();
    });
  }

  /** Looks for what others wrote, for leases that have ended, and for what need not be kept any longer. */
  #look(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#one("SELECT id FROM leases WHERE ends_ms <= ?", nowMs)) {
      this.#within("BEGIN IMMEDIATE", () => this.#endLeases());
      this.#tell();
    }
    const { data_version: dataVersion } = this.#one("PRAGMA data_version") as { data_version: number };
    if (dataVersion !== this.#dataVersion) this.#tell();
    this.#dataVersion = dataVersion;
    if (Math.abs(nowMs - this.#prunedMs) < CHANGES_KEPT_MS / 60) return;
    this.#prunedMs = nowMs;
    this.#within("BEGIN IMMEDIATE", () => this.#forget(nowMs - CHANGES_KEPT_MS));
  }

  #forget(beforeMs: number): void {
    const row = this.#one("SELECT max(revision) AS revision FROM revisions WHERE at_ms < ?", beforeMs);
    const revision = row?.revision as number | null;
    if (!revision) return;
    this.#run("DELETE FROM changes WHERE revision <= ?", revision);
    this.#run("DELETE FROM revisions WHERE revision <= ?", revision);
    this.#run("UPDATE heads SET revision = ? WHERE name = 'compacted'", revision);
  }

  #tell(): void {
    for (const wake of [...this.#watchers]) wake();
  }

  #now(): { revision: number } {
    return { revision: this.#head("current") };
  }

  #head(name: "current" | "compacted"): number {
    return this.#one("SELECT revision FROM heads WHERE name = ?", name)!.revision as number;
  }

  /** The rows of a query whose keys begin with `prefix`. */
  #below(select: string, prefix: string, order: string, ...values: SQLInputValue[]): Row[] {
    if (prefix === "") return this.#all(`${select} ${order}`, ...values);
    return this.#all(`${select} AND key >= ? AND key < ? ${order}`, ...values, prefix, beyond(prefix));
  }

  #within<T>(begin: string, work: () => T): T {
    this.#database.exec(begin);
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // A statement that failed for want of room may have rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #one(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values) as Row | undefined;
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values) as Row[];
  }

  #run(sql: string, ...values: SQLInputValue[]): { changes: number | bigint } {
    return this.#prepared(sql).run(...values);
  }

  #prepared(sql: string): ReturnType<DatabaseSync["prepare"]> {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.#database.prepare(sql));
    return statement;
  }

  /** What `work` says, or why the store cannot. */
  // deno-lint-ignore require-await -- errors have to come as a rejection.
  async #attempt<T>(work: () => T): Promise<T> {
    if (this.#closed) throw new StoreUnavailableError(`${this.name} is closed`);
    try {
      return work();
    } catch (error) {
      if (!isOfSqlite(error)) throw error;
      throw new StoreUnavailableError(`${this.name}: ${error.message}`, { cause: error });
    }
  }
}

type Row = Record<string, unknown>;

interface ChangeRow {
  revision: number;
  key: string;
  value: string | null;
  version: number;
}

function isOfSqlite(error: unknown): error is Error {
  return error instanceof Error && (error as { code?: string }).code === "ERR_SQLITE_ERROR";
}

function entryOf(row: Row | undefined): Entry | undefined {
  if (!row) return undefined;
  const { key, value, revision, version } = row as unknown as Entry;
  return { key, value, revision, version };
}

function changeOf({ key, value, revision, version }: ChangeRow): Change {
  return value === null ? { kind: "delete", key } : { kind: "put", entry: { key, value, revision, version } };
}
