/**
 * Keeps a partition for each pool and family of addresses, made anew whenever an answer could have changed.
 *
 * @module
 */

import { isCurrent, type Partition, type PartitionJob } from "../../core/fleet/partition.ts";
import type { ControlScope, Family } from "../../core/plugin.ts";

/** By pool, then family of the answer. */
export type Partitions = Readonly<Record<string, { readonly 4?: Partition; readonly 6?: Partition }>>;

/** Who makes partitions. */
export interface Builder {
  make(job: PartitionJob): Promise<Partition | undefined>;
}

/** The one writer of a block's partitions. While one is missing or old, scopes are the leaves' own: longer, never wrong. */
export class PartitionKeeper {
  readonly #names: readonly string[];
  readonly #scope: ControlScope;
  readonly #builder: Builder;
  readonly #publish: (partitions: Partitions) => void;
  #partitions: Partitions = {};
  #busy = false;

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
  }

  /** Looks whether any partition is old, and if so makes it, until none is. Returns at once when that is under way. */
  async refresh(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let stale = this.#stale(); stale.length > 0; stale = this.#stale()) {
        if (!await this.#makeAll(stale)) return;
      }
    } catch (error) {
      this.#scope.log.error(`anycast: scopes stay longer than need be: ${(error as Error).message}`);
    } finally {
      this.#busy = false;
    }
  }

  /** Publishes them together, so that the answers remembered elsewhere are dropped once. */
  async #makeAll(stale: readonly { pool: string; family: Family }[]): Promise<boolean> {
    for (const one of stale) {
      const job = this.#jobOf(one);
      const partition = job && await this.#builder.make(job);
      if (!partition) return false;
      this.#partitions = {
        ...this.#partitions,
        [one.pool]: { ...this.#partitions[one.pool], [one.family]: partition },
      };
    }
    this.#publish(this.#partitions);
    return true;
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
