/**
 * What this server hears, on its way into the store: once a second what has changed, and at once that a lease has ended.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import { KEYS } from "../state/keys.ts";
import { type Entry, type Store, VALUES_OCTETS_MAX, type Write, WRITES_MAX } from "../state/store.ts";
import {
  bucketKey,
  bucketOf,
  BUCKETS,
  type HeardBucket,
  heardPrefix,
  loadText,
  type NodeLoad,
  readBucket,
  type ServerPulse,
} from "./hearings.ts";
import { Noted } from "./noted.ts";

/** What it works with. */
export interface BeatsOptions {
  readonly store: Store;
  readonly server: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What nodes are told. */
  readonly leaseMs: number;
  /** Whether there is such a node; others are forgotten when their lease has ended. */
  isNode(id: string): boolean;
}

/** How often what has changed is written, at most; and what should be known at once. */
const FLUSH_MS = 1000, URGENT_MS = 200;

/**
 * In how many parts buckets may be written, one part a flush, and how many nodes a part has at most: of many the whole each
 * second would be more than stores like to keep, and no lease is known any better by it.
 */
const PARTS = [1, 2, 4] as const, PARTS_MAX = 4, NODES_OF_A_PART = 1024;

/** So often it is written that the server is there, at the least: what it did not hear meanwhile it would have heard. */
const LIVED_MS = 30_000;

/** How often the load of a node is written, in flushes. */
const LOAD_FLUSHES = 10;

/** So often what two processes have heard is joined before that is an error. */
const ATTEMPTS = 4;

/** Room for what a transaction has beside the values of buckets. */
const OCTETS_MAX = VALUES_OCTETS_MAX - 65_536;

/** Notes who is heard. */
export class Beats {
  readonly #options: BeatsOptions;
  readonly #noted: Noted;
  /** As text, which is made when a node is heard: of all of a bucket at once it takes long. */
  readonly #loads: Map<string, string>[] = Array.from({ length: BUCKETS }, () => new Map());
  /** At which revision each bucket in the store is, as this process wrote or read it. */
  readonly #revisions = new Array<number>(BUCKETS).fill(0);
  #isRecalled = false;
  /** Until when all that was heard is in the store, of buckets by their number modulo {@linkcode PARTS_MAX}. */
  readonly #notedMs = new Array<number>(PARTS_MAX).fill(0);
  #lastMs = -Infinity;
  /** When any bucket was written. */
  #writtenMs = -Infinity;
  /** When it is looked again, and when it was last. */
  #nextMs = Infinity;
  #lookedMs = -Infinity;
  #flushes = 0;
  #writing: Promise<void> | undefined;
  #fault: Error | undefined;
  #cancel: () => void = () => {};
  #isClosed = false;

  constructor(options: BeatsOptions) {
    this.#options = options;
    this.#noted = new Noted(options.leaseMs, options.clock.nowMs());
  }

  /** Takes over what an earlier process of this server heard, as soon as the store gives it, and begins to write. */
  start(): void {
    this.#tick();
  }

  /** A node was heard. @param leaseMs For how long it may be silent now, where that is not what all are told. */
  hear(id: string, isDraining: boolean, load?: NodeLoad, leaseMs = this.#options.leaseMs): void {
    if (this.#noted.hear(id, this.#options.clock.nowMs(), isDraining, leaseMs)) this.#hurry();
    if (load) this.#loads[bucketOf(id)]!.set(id, canonicalJson(load as unknown as Json));
  }

  /** Since when a node wants no new clients, as it said here; undefined = it does. */
  drainingMs(id: string): number | undefined {
    return this.#noted.drainingMs(id);
  }

  /** What the server's own entry in the store has to say of its hearings. */
  pulse(): ServerPulse {
    return { nowMs: this.#options.clock.nowMs(), notedMs: Math.min(...this.#notedMs) };
  }

  /** Why nothing can be written just now. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Writes what has changed now. @returns Whether all of it is in the store. */
  async flush(): Promise<boolean> {
    await this.#writing;
    await (this.#writing = this.#write("all"));
    return this.#fault === undefined;
  }

  /** Writes what is left, and that the server was there until now. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    this.#noted.touch();
    await this.flush();
  }

  #tick(): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.nowMs(), endMs = this.#noted.end(nowMs);
    const isDue = nowMs >= this.#lastMs + FLUSH_MS || nowMs < this.#lastMs;
    if (isDue) this.#lastMs = nowMs;
    // A store that is slow is not asked again meanwhile.
    this.#writing ??= this.#write(isDue ? "due" : "urgent");
    this.#lookedMs = nowMs;
    this.#lookAt(Math.min(this.#lastMs + FLUSH_MS, Math.max(endMs, nowMs + URGENT_MS)));
  }

  #lookAt(atMs: number): void {
    this.#cancel();
    this.#nextMs = atMs;
    this.#cancel = this.#options.clock.after(
      Math.max(1, atMs - this.#options.clock.nowMs()),
      () => this.#tick(),
    );
  }

  #hurry(): void {
    const atMs = this.#lookedMs + URGENT_MS;
    if (!this.#isClosed && this.#lookedMs > -Infinity && atMs < this.#nextMs) this.#lookAt(atMs);
  }

  async #write(which: "urgent" | "due" | "all"): Promise<void> {
    const nowMs = this.#options.clock.nowMs(), isDue = this.#dueIn(which);
    try {
      if (!this.#isRecalled) await this.#recall();
      this.#noted.end(nowMs);
      if (nowMs - this.#writtenMs >= LIVED_MS) this.#noted.touch();
      const urgent = new Set(this.#noted.changed(true));
      await this.#writeHeard(this.#noted.changed(false).filter((at) => isDue(at) || urgent.has(at)), nowMs);
      for (let part = 0; part < PARTS_MAX; part++) if (isDue(part)) this.#notedMs[part] = nowMs;
      if (which !== "urgent") await this.#writeLoads(nowMs);
      this.#mend();
    } catch (error) {
      this.#break(error as Error);
    } finally {
      this.#writing = undefined;
    }
  }

  /** Which buckets are written now though nothing of them is urgent. */
  #dueIn(which: "urgent" | "due" | "all"): (bucket: number) => boolean {
    if (which !== "due") return () => which === "all";
    // Powers of two: so the parts that there are for fewer nodes are made of those for more.
    const parts = PARTS.find((parts) => parts * NODES_OF_A_PART >= this.#noted.size) ?? PARTS_MAX;
    const turn = this.#flushes % parts;
    return (bucket) => bucket % parts === turn;
  }

  /** What an earlier process of this server had written. */
  async #recall(): Promise<void> {
    this.#noted.recall(await this.#stored(), this.#options.clock.nowMs());
    this.#isRecalled = true;
  }

  /** What is in the store of this server's hearings. */
  async #stored(): Promise<HeardBucket[]> {
    const { store, server } = this.#options;
    const { entries } = await store.list(heardPrefix(server)), before = this.#revisions.slice();
    this.#revisions.fill(0);
    const buckets = entries.flatMap((entry) => {
      const at = bucketKey(entry.key)?.bucket ?? BUCKETS;
      if (at < BUCKETS) this.#revisions[at] = entry.revision;
      return this.#bucketIn(entry) ?? [];
    });
    // A store that was made anew has nothing of what was written into the old one.
    this.#noted.failed(
      before.flatMap((revision, at) => revision > 0 && this.#revisions[at] === 0 ? [at] : []),
    );
    return buckets;
  }

  /** One bucket that cannot be read keeps nobody from being heard. */
  #bucketIn({ key, value }: Entry): HeardBucket | undefined {
    try {
      return readBucket(value);
    } catch (error) {
      this.#options.log.error(`What ${key} says of who was heard cannot be used: ${error}`);
      return undefined;
    }
  }

  /**
   * Over what this process wrote or read, and nothing else: while one takes the place of another both hear nodes, and what the
   * one has heard is joined to what the other has.
   */
  async #writeHeard(buckets: readonly number[], nowMs: number): Promise<void> {
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (await this.#tryHeard(buckets, nowMs)) return;
        this.#noted.join(await this.#stored());
      }
      throw new Error("another process of this server writes it all the time");
    } catch (error) {
      this.#noted.failed(buckets);
      throw error;
    }
  }

  /** @returns Whether all of it is as this process had it. */
  async #tryHeard(buckets: readonly number[], nowMs: number): Promise<boolean> {
    const { store, server, isNode } = this.#options;
    const writes = buckets.map((at) => ({
      put: KEYS.alive(server, at),
      value: this.#noted.text(at, nowMs, isNode),
    }));
    let done = 0;
    for (const part of partsOf(writes)) {
      const own = buckets.slice(done, done += part.length);
      const conditions = own.map((at) => ({ key: KEYS.alive(server, at), revision: this.#revisions[at]! }));
      const { succeeded, revision } = await store.transact(part, conditions);
      if (!succeeded) return false;
      for (const at of own) this.#revisions[at] = revision;
      this.#writtenMs = nowMs;
    }
    return true;
  }

  /** A part of the buckets each time, all of them in {@linkcode LOAD_FLUSHES}: nobody needs to know each second. */
  async #writeLoads(nowMs: number): Promise<void> {
    const { server } = this.#options, turn = this.#flushes++ % LOAD_FLUSHES;
    const writes: Write[] = [];
    this.#loads.forEach((loads, at) => {
      if (at % LOAD_FLUSHES !== turn || loads.size === 0) return;
      writes.push({ put: KEYS.load(server, at), value: loadText(nowMs, loads) });
      loads.clear();
    });
    for (const part of partsOf(writes)) await this.#options.store.transact(part);
  }

  #break(error: Error): void {
    if (!this.#fault) this.#options.log.warn(`Cannot note which nodes were heard: ${error.message}`);
    this.#fault = error;
  }

  #mend(): void {
    if (this.#fault) this.#options.log.info("It is noted again which nodes are heard");
    this.#fault = undefined;
  }
}

/** Writes in as few transactions as they fit in: one, unless there are very many nodes. */
function partsOf(writes: readonly Write[]): Write[][] {
  const parts: Write[][] = [];
  let octets = Infinity;
  for (const write of writes) {
    // Ids, and so all of a bucket, are ASCII.
    const length = "put" in write ? write.value.length : 0;
    octets += length;
    if (octets > OCTETS_MAX || parts.at(-1)!.length === WRITES_MAX) {
      parts.push([]);
      octets = length;
    }
    parts.at(-1)!.push(write);
  }
  return parts;
}
