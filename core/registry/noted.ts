/**
 * Whom this server has heard and when, and what of that is not in the store yet.
 *
 * A lease's end is something that the server that heard the node last writes down itself: whoever reads the bucket then
 * finds in it that nothing was heard for as long, by one clock, whatever the others show.
 *
 * While a server was away (stopped, suspended, or its clock set) it could hear nobody: that time is no node's fault, and
 * counts against none.
 *
 * @module
 */

import { bucketOf, BUCKETS, type HeardBucket, heardText, instantOf, leaseMsIn } from "./hearings.ts";

interface Heard {
  readonly id: string;
  heardMs: number;
  drainingMs: number | undefined;
  /** What it was told when it was heard: it may be silent for so long. */
  leaseMs: number;
  /** Whether the store has been told that its lease has ended. */
  isEnded: boolean;
}

interface Bucket {
  readonly nodes: Map<string, Heard>;
  /** In order of ids; undefined = to be sorted. */
  sorted: Heard[] | undefined;
  /** Something was heard since it was written. */
  isChanged: boolean;
  /** Something of it should be known at once: that a lease has ended, or has not after all. */
  isUrgent: boolean;
}

/** So much later than it should be is an absence; event loops stall by less. */
const AWAY_MS = 2000;

/** So far back is a clock that was set. */
const SET_BACK_MS = 1000;

/** The memory of one server. All times are by its clock, milliseconds since 1970. */
export class Noted {
  readonly #leaseMs: number;
  readonly #buckets: Bucket[] = Array.from({ length: BUCKETS }, () => ({
    nodes: new Map(),
    sorted: [],
    isChanged: false,
    isUrgent: false,
  }));
  /** When it last was there. */
  #seenMs: number;
  #size = 0;

  /** @param leaseMs What nodes are told from now on. */
  constructor(leaseMs: number, nowMs: number) {
    this.#leaseMs = leaseMs;
    this.#seenMs = nowMs;
  }

  /** How many nodes there are. */
  get size(): number {
    return this.#size;
  }

  /**
   * A node was heard, and may be silent for so long. What it was told before stands: TTLs have been told by it.
   *
   * @returns Whether that should be known at once: it was gone, wants clients again, or no more, or has a longer lease.
   */
  hear(id: string, nowMs: number, isDraining: boolean, leaseMs = this.#leaseMs): boolean {
    this.seen(nowMs);
    const bucket = this.#buckets[bucketOf(id)]!, known = bucket.nodes.get(id);
    bucket.isChanged = true;
    if (!known) {
      const drainingMs = isDraining ? nowMs : undefined;
      this.#add(bucket, { id, heardMs: nowMs, drainingMs, leaseMs, isEnded: false });
      return false;
    }
    const isUrgent = known.isEnded || isDraining !== (known.drainingMs !== undefined) ||
      leaseMs > known.leaseMs;
    if (isUrgent) bucket.isUrgent = true;
    known.leaseMs = known.isEnded ? leaseMs : Math.max(leaseMs, known.heardMs + known.leaseMs - nowMs);
    known.heardMs = nowMs;
    known.isEnded = false;
    known.drainingMs = isDraining ? known.drainingMs ?? nowMs : undefined;
    return isUrgent;
  }

  /** Since when a node wants no new clients; undefined = it takes them. */
  drainingMs(id: string): number | undefined {
    return this.#buckets[bucketOf(id)]!.nodes.get(id)?.drainingMs;
  }

  /** Takes what an earlier process of this server had written; what this one has heard stands. */
  recall(buckets: readonly HeardBucket[], nowMs: number): void {
    const livedMs = buckets.reduce((latest, { atMs }) => Math.max(latest, atMs), 0);
    const awayMs = Math.max(0, nowMs - livedMs);
    for (const stored of buckets) {
      const { heard, draining, atMs } = stored;
      for (const id of Object.keys(heard)) {
        const bucket = this.#buckets[bucketOf(id)]!, heardMs = instantOf(heard, id);
        if (heardMs === undefined || bucket.nodes.has(id)) continue;
        const leaseMs = leaseMsIn(stored, id), isEnded = atMs - heardMs >= leaseMs;
        const isOver = isEnded || livedMs - heardMs >= leaseMs;
        // A clock that was set back while nobody looked: nothing was heard in the future.
        const shownMs = Math.min(nowMs, isOver ? heardMs : heardMs + awayMs);
        this.#add(bucket, {
          ...{ id, heardMs: shownMs, drainingMs: instantOf(draining, id), leaseMs, isEnded },
        });
        bucket.isChanged = true;
      }
    }
  }

  /**
   * Takes what another process of this server has written meanwhile. By one clock: of a node that both have heard the later
   * word counts.
   */
  join(buckets: readonly HeardBucket[]): void {
    for (const stored of buckets) {
      const { heard, draining, atMs } = stored;
      for (const id of Object.keys(heard)) {
        const bucket = this.#buckets[bucketOf(id)]!, heardMs = instantOf(heard, id);
        const known = bucket.nodes.get(id);
        if (heardMs === undefined || known && known.heardMs >= heardMs) continue;
        const drainingMs = instantOf(draining, id), leaseMs = leaseMsIn(stored, id);
        const isEnded = atMs - heardMs >= leaseMs;
        if (!known) this.#add(bucket, { id, heardMs, drainingMs, leaseMs, isEnded });
        else Object.assign(known, { heardMs, drainingMs, leaseMs, isEnded });
        bucket.isChanged = true;
      }
    }
  }

  /** Tells that the server is there; finds out whether it was not. At least once in {@linkcode AWAY_MS}. */
  seen(nowMs: number): void {
    const awayMs = nowMs - this.#seenMs;
    const before = this.#seenMs;
    this.#seenMs = nowMs;
    if (awayMs > AWAY_MS || awayMs < -SET_BACK_MS) this.#shift(awayMs, before, nowMs);
  }

  /** Looks for leases that have ended. @returns When the next one does, if nobody is heard; Infinity = none. */
  end(nowMs: number): number {
    this.seen(nowMs);
    let nextMs = Infinity;
    for (const bucket of this.#buckets) {
      for (const node of bucket.nodes.values()) {
        if (node.isEnded) continue;
        const endMs = node.heardMs + node.leaseMs;
        if (endMs > nowMs) nextMs = Math.min(nextMs, endMs);
        else bucket.isUrgent = node.isEnded = true;
      }
    }
    return nextMs;
  }

  /** Numbers of the buckets that the store does not have as they are; only the urgent ones where that is asked for. */
  changed(urgentOnly: boolean): number[] {
    return this.#buckets.flatMap(({ isChanged, isUrgent }, at) =>
      isUrgent || isChanged && !urgentOnly ? [at] : []
    );
  }

  /**
   * The text of a bucket, which counts as written from now on. Nodes whose lease has ended and that are not `known` any more
   * are left out.
   */
  text(at: number, nowMs: number, known: (id: string) => boolean): string {
    const bucket = this.#buckets[at]!;
    bucket.isChanged = bucket.isUrgent = false;
    for (const { id, isEnded } of bucket.nodes.values()) if (isEnded && !known(id)) this.#remove(bucket, id);
    bucket.sorted ??= [...bucket.nodes.values()].sort((a, b) => a.id < b.id ? -1 : 1);
    return heardText(nowMs, this.#leaseMs, bucket.sorted);
  }

  /** The first bucket with nodes is to be written, though nothing is new. */
  touch(): void {
    const first = this.#buckets.find(({ nodes }) => nodes.size > 0);
    if (first) first.isChanged = true;
  }

  /** Buckets could not be written after all. */
  failed(buckets: readonly number[]): void {
    for (const at of buckets) this.#buckets[at]!.isChanged = this.#buckets[at]!.isUrgent = true;
  }

  #add(bucket: Bucket, node: Heard): void {
    bucket.nodes.set(node.id, node);
    bucket.sorted = undefined;
    this.#size++;
  }

  #remove(bucket: Bucket, id: string): void {
    bucket.nodes.delete(id);
    bucket.sorted = undefined;
    this.#size--;
  }

  /** Leases that had not ended are longer by an absence. */
  #shift(awayMs: number, beforeMs: number, nowMs: number): void {
    for (const bucket of this.#buckets) {
      for (const node of bucket.nodes.values()) {
        if (node.heardMs + node.leaseMs <= beforeMs) continue;
        node.heardMs = Math.min(nowMs, node.heardMs + awayMs);
        bucket.isChanged = true;
      }
    }
  }
}
