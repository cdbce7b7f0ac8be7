/**
 * A store in memory whose every change is there at once, and a replica of it that may be behind: for tests that turn the
 * clock by hand.
 *
 * @module
 */

import type { Difference } from "../../../core/state/replica.ts";
import {
  type Changes,
  checkTransaction,
  type Condition,
  type Entry,
  keyOf,
  type Lease,
  type Listing,
  type Outcome,
  type Store,
  StoreUnavailableError,
  type Write,
} from "../../../core/state/store.ts";

/** The store. */
export class MemoryStore implements Store {
  readonly name = "memory";
  readonly entries = new Map<string, Entry>();
  revision = 0;
  /** Whether it can be reached. */
  isAway = false;
  /** How many transactions have changed something. */
  transactions = 0;
  readonly replicas = new Set<MemoryReplica>();

  get(key: string): Promise<Entry | undefined> {
    return this.#attempt(() => this.entries.get(key));
  }

  list(prefix: string): Promise<Listing> {
    return this.#attempt(() => ({
      revision: this.revision,
      entries: [...this.entries.values()].filter(({ key }) => key.startsWith(prefix)).sort((a, b) =>
        a.key < b.key ? -1 : 1
      ),
    }));
  }

  transact(writes: readonly Write[], conditions: readonly Condition[] = []): Promise<Outcome> {
    return this.#attempt(() => {
      checkTransaction(writes, conditions);
      const holds = conditions.every(({ key, revision }) =>
        (this.entries.get(key)?.revision ?? 0) === revision
      );
      if (holds) this.write(writes);
      return { succeeded: holds, revision: this.revision };
    });
  }

  /** Writes at once. */
  write(writes: readonly Write[]): void {
    if (writes.length === 0) return;
    this.revision++;
    this.transactions++;
    const differences = writes.map((write): Difference => {
      const key = keyOf(write), before = this.entries.get(key);
      const after = "put" in write
        ? { key, value: write.value, revision: this.revision, version: (before?.version ?? 0) + 1 }
        : undefined;
      if (after) this.entries.set(key, after);
      else this.entries.delete(key);
      return { key, ...before && { before }, ...after && { after } };
    });
    for (const replica of this.replicas) replica.take(this.revision, differences);
  }

  // deno-lint-ignore require-yield
  async *watch(): AsyncGenerator<Changes> {
    await Promise.reject(new StoreUnavailableError("nobody watches here"));
  }

  lease(): Promise<Lease> {
    return Promise.reject(new StoreUnavailableError("there are no leases here"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  // deno-lint-ignore require-await
  async #attempt<T>(run: () => T): Promise<T> {
    if (this.isAway) throw new StoreUnavailableError("the store is away");
    return run();
  }
}

/** A replica, which follows at once, or when it is told to. */
export class MemoryReplica {
  readonly entries = new Map<string, Entry>();
  revision = 0;
  /** What is to come of the difference; by default it is there at once. */
  onDifferences: (differences: readonly Difference[], apply: () => void) => void = (_, apply) => apply();

  constructor(store: MemoryStore) {
    store.replicas.add(this);
    this.revision = store.revision;
    for (const entry of store.entries.values()) this.entries.set(entry.key, entry);
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  take(revision: number, differences: readonly Difference[]): void {
    this.onDifferences(differences, () => {
      this.revision = revision;
      for (const { key, after } of differences) {
        if (after) this.entries.set(key, after);
        else this.entries.delete(key);
      }
    });
  }
}
