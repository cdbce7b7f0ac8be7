/**
 * A copy of a store in memory, which follows it and outlives its absence.
 *
 *     store --list, then watch--> replica --> whoever listens
 *                                   |  ^
 *                                   v  | at the start
 *                              a file of this server
 *
 * With the store gone the copy stays as it was, and its age grows. What a watch cannot tell any more is found by listing
 * anew: listeners hear of what differs, once, in either case.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { Entries } from "./entries.ts";
import type { Log } from "../plugin.ts";
import {
  type Changes,
  CompactedError,
  type Entry,
  type Listing,
  NotWholeError,
  type Store,
} from "./store.ts";

/** A key that is different now. */
export interface Difference {
  readonly key: string;
  readonly before?: Entry;
  readonly after?: Entry;
}

/** What is kept of a replica on the disk. */
export interface Kept {
  /** When the store last confirmed it, milliseconds since 1970. */
  readonly confirmedMs: number;
  readonly revision: number;
  readonly entries: readonly Entry[];
}

/** Where a replica is kept: a file of this server. */
export interface Keeper {
  read(): Promise<Kept | undefined>;
  /** In the background; what was there stays when it fails. */
  keep(value: Kept): void;
  /** Resolves when the newest has been kept: at the end, nothing else waits for it. */
  close?(): Promise<void>;
}

/** A key without which, or with another value than its own, nothing is taken over. */
export interface Seal {
  readonly key: string;
  /** Looks at its value now, and the one that is known; undefined = it is not there. @throws {NotWholeError} */
  check(now: string | undefined, known: string | undefined): void;
}

/** What a replica works with. */
export interface ReplicaOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly keeper?: Keeper;
  /** By which key a store says that it is whole. */
  readonly seal?: Seal;
  /**
   * Writes something into the store and tells its revision: that it then comes by the watch shows that whatever else was
   * written before has come as well.
   */
  pulse(): Promise<number>;
}

/** How often it is made sure that what is known is all there is. */
const PULSE_MS = 5000;

/** How long a watch may take to tell what was written. */
const BEHIND_MS = 3000;

/** How long to wait before the store is tried again: at first, and at most. */
const RETRY_MS = 100, RETRY_MS_MAX = 2000;

/** How often it is written to the disk, at most. */
const KEEP_MS = 10_000;

/** A watch that stands still though the store does not. */
class BehindError extends Error {}

/** A copy of a store. */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #entries = new Entries();
  readonly #listeners = new Set<(differences: readonly Difference[]) => void>();
  readonly #ending = new AbortController();
  #revision = 0;
  #confirmedMs: number | undefined;
  #retryMs = RETRY_MS;
  #fault: Error | undefined;
  #isChanged = false;
  #following: Promise<void> | undefined;
  readonly #waiters = new Set<{ readonly revision: number; readonly come: AbortController }>();

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** Takes what was kept, and begins to follow; resolves when something is known, or nothing is to be had for now. */
  async start(): Promise<void> {
    const kept = await this.#options.keeper?.read();
    if (kept) this.#takeKept(kept);
    const first = Promise.withResolvers<void>();
    this.#following = this.#follow(first.resolve);
    if (!kept) await first.promise;
    this.#keepLater();
  }

  /** The store's revision that this is a copy of. */
  get revision(): number {
    return this.#revision;
  }

  /** When the store last confirmed that this is all there is, milliseconds since 1970; undefined = never. */
  get confirmedMs(): number | undefined {
    return this.#confirmedMs;
  }

  /** Why the store cannot be followed just now. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** What lies below a prefix, in no order. */
  *below(prefix: string): Generator<Entry> {
    yield* this.#entries.below(prefix);
  }

  /** Calls back with what is different, after each transaction or listing; until it is told to stop. */
  onChange(listener: (differences: readonly Difference[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when a revision has come, or time is up: whether it has. */
  async reached(revision: number, withinMs: number): Promise<boolean> {
    if (this.#revision >= revision) return true;
    const come = new AbortController(), waiter = { revision, come };
    this.#waiters.add(waiter);
    await this.#pause(withinMs, AbortSignal.any([come.signal, this.#ending.signal]));
    this.#waiters.delete(waiter);
    return this.#revision >= revision;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#following;
    this.#keep();
    await this.#options.keeper?.close?.();
  }

  async #follow(known: () => void): Promise<void> {
    for (let isListed = false; !this.#ending.signal.aborted;) {
      try {
        if (!isListed) {
          const askedMs = this.#options.clock.nowMs();
          this.#takeWhole(await this.#options.store.list(""));
          this.#confirmed(askedMs);
        }
        isListed = true;
        known();
        await this.#watch();
      } catch (error) {
        if (this.#ending.signal.aborted) break;
        this.#break(error as Error);
        if (
          error instanceof CompactedError || error instanceof BehindError || error instanceof NotWholeError
        ) {
          isListed = false;
        }
        known();
        await this.#pause(this.#retryMs * (0.5 + this.#options.random()));
        this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
      }
    }
    known();
  }

  /** Follows until the watch breaks, or falls behind. */
  async #watch(): Promise<void> {
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#ending.signal]);
    const confirming = this.#confirm(signal).finally(() => ended.abort());
    confirming.catch(() => {});
    try {
      for await (const batch of this.#options.store.watch("", this.#revision, signal)) this.#takeBatch(batch);
    } finally {
      ended.abort();
    }
    await confirming;
  }

  /** Writes now and then; throws when that fails, or the watch does not tell of it. */
  async #confirm(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#options;
    while (!signal.aborted) {
      const writtenMs = clock.nowMs(), revision = await this.#options.pulse();
      if (!await this.reached(revision, BEHIND_MS) && !signal.aborted) {
        throw new BehindError(`the watch has not told of revision ${revision} of ${store.name}`);
      }
      this.#confirmed(writtenMs);
      await this.#pause(PULSE_MS, signal);
    }
  }

  #takeKept({ confirmedMs, revision, entries }: Kept): void {
    this.#confirmedMs = confirmedMs;
    this.#takeListing({ revision, entries });
  }

  #takeWhole(listing: Listing): void {
    const { seal } = this.#options;
    if (seal) {
      const now = listing.entries.find(({ key }) => key === seal.key)?.value;
      seal.check(now, this.#entries.get(seal.key)?.value);
    }
    this.#takeListing(listing);
  }

  /** Makes the copy equal to a listing: what differs is what has happened. */
  #takeListing({ revision, entries }: Listing): void {
    if (revision < this.#revision) {
      this.#options.log.warn(
        `${this.#options.store.name} is at revision ${revision}, and was at ${this.#revision}: it was put back to an earlier state`,
      );
    }
    const differences: Difference[] = [], seen = new Set<string>();
    for (const after of entries) {
      seen.add(after.key);
      const before = this.#entries.get(after.key);
      if (before?.revision === after.revision && before.value === after.value) continue;
      differences.push({ key: after.key, ...before && { before }, after });
    }
    for (const before of this.#entries.values()) {
      if (!seen.has(before.key)) differences.push({ key: before.key, before });
    }
    this.#apply(revision, differences);
  }

  #takeBatch({ revision, changes }: Changes): void {
    // What a listing has told already is told once.
    if (revision <= this.#revision) return;
    this.#checkBatch(changes);
    this.#apply(
      revision,
      changes.map((change) => {
        const key = change.kind === "put" ? change.entry.key : change.key, before = this.#entries.get(key);
        return { key, ...before && { before }, ...change.kind === "put" && { after: change.entry } };
      }),
    );
  }

  #checkBatch(changes: Changes["changes"]): void {
    const { seal } = this.#options;
    const change = seal && changes.find((one) => (one.kind === "put" ? one.entry.key : one.key) === seal.key);
    if (!change) return;
    seal.check(change.kind === "put" ? change.entry.value : undefined, this.#entries.get(seal.key)?.value);
  }

  #apply(revision: number, differences: readonly Difference[]): void {
    this.#revision = revision;
    for (const { key, after } of differences) {
      if (after) this.#entries.set(after);
      else this.#entries.delete(key);
    }
    if (differences.length > 0) {
      this.#isChanged = true;
      for (const listener of this.#listeners) this.#tell(listener, differences);
    }
    for (const waiter of this.#waiters) if (waiter.revision <= revision) waiter.come.abort();
  }

  /** A listener's error is its own: the copy and the other listeners go on. */
  #tell(listener: (differences: readonly Difference[]) => void, differences: readonly Difference[]): void {
    try {
      listener(differences);
    } catch (error) {
      this.#options.log.error(`A change of ${this.#options.store.name} could not be taken over: ${error}`);
    }
  }

  #break(error: Error): void {
    if (!this.#fault) this.#options.log.warn(`Cannot follow ${this.#options.store.name}: ${error.message}`);
    this.#fault = error;
  }

  /** The store has said at `atMs` or later that this is all there is: to try to follow it says nothing yet. */
  #confirmed(atMs: number): void {
    this.#confirmedMs = Math.max(this.#confirmedMs ?? 0, atMs);
    this.#retryMs = RETRY_MS;
    if (this.#fault) this.#options.log.info(`${this.#options.store.name} is followed again`);
    this.#fault = undefined;
  }

  #keepLater(): void {
    if (!this.#options.keeper) return;
    this.#pause(KEEP_MS).then(() => {
      if (this.#ending.signal.aborted) return;
      this.#keep();
      this.#keepLater();
    });
  }

  #keep(): void {
    if (!this.#isChanged || this.#confirmedMs === undefined) return;
    this.#isChanged = false;
    this.#options.keeper?.keep({
      confirmedMs: this.#confirmedMs,
      revision: this.#revision,
      entries: [...this.#entries.values()],
    });
  }

  /** Resolves after a while, or when it is told to. */
  #pause(delayMs: number, signal = this.#ending.signal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, end);
      signal.addEventListener("abort", end);
    });
  }
}
