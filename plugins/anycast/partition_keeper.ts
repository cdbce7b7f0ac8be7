/**
 * Keeps a partition for each pool and family of addresses, made anew whenever an answer could have changed.
 *
 * @module
 */

import { isCurrent, type Partition, type PartitionJob } from "../../core/fleet/partition.ts";
import { madeAnew, makeTheSame, partOf } from "../../core/fleet/partition_inputs.ts";
import type { Geography } from "../../core/fleet/place.ts";
import type { ControlScope, Family, Snapshot } from "../../core/plugin.ts";

/** By pool, then family of the answer. */
export type Partitions = Readonly<Record<string, { readonly 4?: Partition; readonly 6?: Partition }>>;

/** What the keeper of the next configuration may go on with: a partition, and what it was made from. */
export interface KeptPartition {
  readonly partition: Partition;
  readonly part: Snapshot;
  readonly geography: Geography;
}

/** Who makes partitions. */
export interface Builder {
  make(job: PartitionJob): Promise<Partition | undefined>;
}

/** The least time between the end of one rebuild and the start of the next: verdicts that flap leave it pauses. */
const SPACING_MS = 250;

/** After failures in a row: the first wait, doubled each time, and the longest. */
const RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 60_000;

/** The one writer of a block's partitions. While one is missing or old, scopes are the leaves' own: longer, never wrong. */
export class PartitionKeeper {
  readonly #names: readonly string[];
  readonly #scope: ControlScope;
  readonly #builder: Builder;
  readonly #publish: (partitions: Partitions) => void;
  #partitions: Partitions = {};
  /** Of the keeper before; until it has been looked at. */
  #inherited: readonly KeptPartition[];
  /** When each was made. */
  readonly #madeMs = new Map<string, number>();
  #busy = false;
  #closed = false;
  /** How long the last failure was waited out; 0 = what was made last was made. */
  #retryMs = 0;
  /** Ends the rest after a rebuild. */
  #cancelRest: (() => void) | undefined;

  constructor(
    names: readonly string[],
    scope: ControlScope,
    builder: Builder,
    publish: (partitions: Partitions) => void,
  ) {
    this.#names = names;
    this.#scope = scope;
    this.#builder = builder;
    this.#publish = publish;
    this.#inherited = scope.inherited as readonly KeptPartition[] | undefined ?? [];
    scope.bequeath(() => this.#current());
  }

  /** Looks whether any partition is old, and if so makes it; and again after a rest, until none is. Returns at once while resting or at it. */
  async refresh(): Promise<void> {
    if (this.#busy || this.#closed || this.#cancelRest) return;
    const stale = this.#stale();
    if (stale.length === 0) return;
    this.#busy = true;
    const restMs = await this.#makeAndSay(stale);
    this.#busy = false;
    if (restMs === 0) return this.refresh();
    this.#rest(restMs);
  }

  /** @returns How long to rest: not at all, where it took no time that the clock shows. */
  async #makeAndSay(stale: readonly { pool: string; family: Family }[]): Promise<number> {
    const startedMs = this.#scope.clock.nowMs();
    try {
      const isMade = await this.#makeAll(stale);
      this.#retryMs = 0;
      return isMade && this.#scope.clock.nowMs() === startedMs ? 0 : SPACING_MS;
    } catch (error) {
      this.#fail(error as Error);
      return this.#retryMs;
    }
  }

  /** Sets the gauges of what there is. */
  show(): void {
    const stale = this.#stale();
    for (const [pool, families] of Object.entries(this.#partitions)) {
      for (const number of [4, 6] as const) {
        const madeMs = this.#madeMs.get(`${pool} ${number}`);
        if (!families[number] || madeMs === undefined) continue;
        const isStale = stale.some((one) => one.pool === pool && one.family === number);
        const labels = { pool, family: number === 4 ? "1" : "2" };
        this.#scope.gauge("meridian_partition_made_timestamp_seconds", madeMs / 1000, labels);
        this.#scope.gauge("meridian_partition_current", isStale ? 0 : 1, labels);
      }
    }
  }

  /** Makes no more. */
  close(): void {
    this.#closed = true;
    this.#cancelRest?.();
  }

  /** Said once for failures in a row. */
  #fail({ message }: Error): void {
    if (this.#retryMs === 0) {
      this.#scope.log.error(
        `anycast: scopes stay longer than need be, partitions cannot be made: ${message}`,
      );
    }
    this.#retryMs = Math.min(RETRY_MAX_MS, 2 * this.#retryMs || RETRY_FIRST_MS);
  }

  #rest(ms: number): void {
    if (this.#closed) return;
    this.#cancelRest = this.#scope.clock.after(ms, () => {
      this.#cancelRest = undefined;
      void this.refresh();
    });
  }

  /** Publishes them together, so that the answers remembered elsewhere are dropped once. */
  async #makeAll(stale: readonly { pool: string; family: Family }[]): Promise<boolean> {
    for (const one of stale) {
      const job = this.#jobOf(one);
      const partition = job && (this.#fromBefore(job) ?? await this.#builder.make(job));
      if (!partition || this.#closed) return false;
      this.#partitions = {
        ...this.#partitions,
        [one.pool]: { ...this.#partitions[one.pool], [one.family]: partition },
      };
      this.#madeMs.set(`${one.pool} ${one.family}`, this.#scope.clock.nowMs());
    }
    this.#inherited = [];
    this.#publish(this.#partitions);
    return true;
  }

  /** What the keeper before made of the very same. */
  #fromBefore({ snapshot, geography, pool, family, nowMs }: PartitionJob): Partition | undefined {
    const kept = this.#inherited.find(({ partition }) =>
      partition.pool === pool && partition.family === family
    );
    if (kept?.geography !== geography || !makeTheSame(kept.part, partOf(snapshot, pool))) return undefined;
    const partition = madeAnew(kept.partition, snapshot);
    return isCurrent(partition, snapshot, geography.epoch, nowMs) ? partition : undefined;
  }

  /** Those that say what the snapshot does. */
  #current(): KeptPartition[] {
    const stale = this.#stale();
    return Object.values(this.#partitions).flatMap((families) =>
      ([4, 6] as const).flatMap((family) => {
        const partition = families[family];
        const pool = partition?.pool ?? "";
        const job = this.#jobOf({ pool, family });
        if (!partition || !job || stale.some((one) => one.pool === pool && one.family === family)) return [];
        return { partition, part: partOf(job.snapshot, pool), geography: job.geography };
      })
    );
  }

  #stale(): { pool: string; family: Family }[] {
    return this.#names.flatMap((pool) =>
      ([4, 6] as const).flatMap((family) => {
        const job = this.#jobOf({ pool, family });
        if (!job?.snapshot.pools[pool]) return [];
        const partition = this.#partitions[pool]?.[family];
        const { snapshot, geography, nowMs } = job;
        return partition && isCurrent(partition, snapshot, geography.epoch, nowMs) ? [] : [{ pool, family }];
      })
    );
  }

  /** Nothing is to be made while nobody knows where clients are: then no answer depends on it. */
  #jobOf({ pool, family }: { pool: string; family: Family }): PartitionJob | undefined {
    const snapshot = this.#scope.snapshot();
    const geography = snapshot.geographies[this.#scope.facts.key];
    return geography && { snapshot, geography, pool, family, nowMs: this.#scope.clock.nowMs() };
  }
}
