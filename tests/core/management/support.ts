/** A store in memory, and management over it with a clock that tests turn. @module */

import { ManualClock } from "../../../core/clock.ts";
import type { Asking, Management } from "../../../core/management/change.ts";
import { type Problem, ProblemError } from "../../../core/management/problem.ts";
import type { AuditRecord } from "../../../core/state/audit.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { PREFIXES } from "../../../core/state/keys.ts";
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

/** 2026-12-01T00:00:00Z */
export const NOW_MS = Date.UTC(2026, 11, 1);

/** A store that can be told what to do before a transaction, to be faster than whoever writes. */
export class MemoryStore implements Store {
  readonly name = "memory";
  readonly entries = new Map<string, Entry>();
  revision = 0;
  transactions = 0;
  /** Called before the next transaction, once. */
  meanwhile: (() => void) | undefined;
  isGone = false;
  /** What becomes of transactions whose outcome nobody hears: done, or kept by the network until {@linkcode deliver}. */
  unheard: "done" | "kept" | undefined;
  readonly #kept: (() => void)[] = [];

  get(key: string): Promise<Entry | undefined> {
    return Promise.resolve(this.entries.get(key));
  }

  list(prefix: string): Promise<Listing> {
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    entries.sort((a, b) => a.key < b.key ? -1 : 1);
    return Promise.resolve({ revision: this.revision, entries });
  }

  transact(writes: readonly Write[], conditions: readonly Condition[] = []): Promise<Outcome> {
    checkTransaction(writes, conditions);
    const meanwhile = this.meanwhile;
    this.meanwhile = undefined;
    meanwhile?.();
    if (this.isGone) return Promise.reject(new StoreUnavailableError("the store is gone"));
    if (this.unheard) {
      const run = () => void this.#run(writes, conditions);
      if (this.unheard === "done") run();
      else this.#kept.push(run);
      return Promise.reject(new StoreUnavailableError("no answer"));
    }
    return Promise.resolve(this.#run(writes, conditions));
  }

  #run(writes: readonly Write[], conditions: readonly Condition[]): Outcome {
    this.transactions++;
    const succeeded = conditions.every(({ key, revision }) =>
      (this.entries.get(key)?.revision ?? 0) === revision
    );
    if (succeeded) this.apply(writes);
    return { succeeded, revision: this.revision };
  }

  /** What the network has kept arrives, in the order in which it was sent. */
  deliver(): void {
    for (const run of this.#kept.splice(0)) run();
  }

  /** Writes on the spot, as somebody else. */
  apply(writes: readonly Write[]): void {
    this.revision++;
    for (const write of writes) {
      const key = keyOf(write), version = (this.entries.get(key)?.version ?? 0) + 1;
      if ("put" in write) {
        this.entries.set(key, { key, value: write.value, revision: this.revision, version });
      } else this.entries.delete(key);
    }
  }

  watch(): AsyncIterable<Changes> {
    throw new Error("nobody watches");
  }

  lease(): Promise<Lease> {
    throw new Error("nobody leases");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Management over a store of its own. */
export interface World extends Management {
  readonly store: MemoryStore;
  readonly clock: ManualClock;
  audit(): Promise<AuditRecord[]>;
}

/** Nothing is there. */
export function emptyWorld(store = new MemoryStore(), server = "fra"): World {
  const clock = new ManualClock(NOW_MS);
  let ids = 0;
  return {
    ...{ store, clock, ledger: new Ledger({ store, server, clock }) },
    newId: () => `id${String(++ids).padStart(4, "0")}`,
    async audit() {
      return (await store.list(PREFIXES.audit)).entries.map(({ value }) => JSON.parse(value));
    },
  };
}

/** As whom tests ask. */
export const ANNA: Asking = { actor: "token:anna", reason: "a test" };

/** The problem that something ends with. */
export async function problemIn(run: () => unknown): Promise<Problem> {
  try {
    await run();
  } catch (error) {
    if (error instanceof ProblemError) return error.problem;
    throw error;
  }
  throw new Error("found no problem");
}

/** Pointers of the fields at fault. */
export async function faultsIn(run: () => unknown): Promise<string[]> {
  return ((await problemIn(run)).errors ?? []).map(({ pointer }) => pointer);
}
