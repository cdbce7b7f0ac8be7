/**
 * Keeps partitions for the pools that are asked for, made anew whenever an answer could have changed. They spare queries
 * the search for their scopes and tell a memo who gets the same; a pool without one is answered as well.
 *
 * @module
 */

import { isCurrent, type Partition, type PartitionJob, partitionOctets } from "../../core/fleet/partition.ts";
import { madeAnew, madeFrom, makeTheSame, partOf } from "../../core/fleet/partition_inputs.ts";
import type { Geography } from "../../core/fleet/place.ts";
import type { ControlScope, Family, Snapshot } from "../../core/plugin.ts";
import type { PoolPartitions } from "../../core/snapshot.ts";

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

/** How much memory all partitions may take together, octets. One pool's may take more. */
const ROOM_OCTETS = 64 << 20;

/** In a block of more pools a pool must have been asked for before it gets a partition, and how often that is looked at. */
const FEW_POOLS = 4, LOOK_MS = 1000;

/** A pool that was not asked for so long makes room for one that was, seconds. */
const IDLE_S = 60;

/** The one writer of a block's partitions. While one is missing or old, each query looks for its own scope. */
export class PartitionKeeper {
  #names: readonly string[];
  readonly #scope: ControlScope;
  readonly #builder: Builder;
  #askedS: Uint32Array;
  #partitions: Readonly<Record<string, PoolPartitions>> = {};
  /** Of the keeper before; until it has been looked at. */
  #inherited: readonly KeptPartition[];
  /** When each was made. */
  readonly #madeMs = new Map<string, number>();
  /** What the partitions of each pool took when last they were made. */
  readonly #octets = new Map<string, number>();
  #busy = false;
  #closed = false;
  /** How long the last failure was waited out; 0 = what was made last was made. */
  #retryMs = 0;
  /** Ends the rest after a rebuild. */
  #cancelRest: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;

  /** @param askedS For each name when it was last asked for, seconds since 1970; written by those who answer. */
  constructor(names: readonly string[], scope: ControlScope, builder: Builder, askedS: Uint32Array) {
    this.#names = names;
    this.#scope = scope;
    this.#builder = builder;
    this.#askedS = askedS;
    this.#inherited = scope.inherited as readonly KeptPartition[] | undefined ?? [];
    scope.bequeath(() => this.#current());
    if (names.length > FEW_POOLS) this.#look();
  }

  /** Keeps them for these pools from now on. What there is of others goes with them. */
  setPools(names: readonly string[], askedS: Uint32Array): void {
    const gone = Object.keys(this.#partitions).filter((pool) => !names.includes(pool));
    [this.#names, this.#askedS] = [names, askedS];
    this.#partitions = Object.fromEntries(
      Object.entries(this.#partitions).filter(([pool]) => !gone.includes(pool)),
    );
    for (const pool of gone) this.#forget(pool);
    if (names.length > FEW_POOLS && !this.#cancelLook && !this.#closed) this.#look();
  }

  #forget(pool: string): void {
    this.#octets.delete(pool);
    for (const number of [4, 6]) {
      const labels = { pool, family: number === 4 ? "1" : "2" };
      this.#madeMs.delete(`${pool} ${number}`);
      this.#scope.gauge("meridian_partition_made_timestamp_seconds", undefined, labels);
      this.#scope.gauge("meridian_partition_current", undefined, labels);
    }
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
      const tookMs = this.#scope.clock.nowMs() - startedMs;
      // Half the time at most: others have use for the processor, too.
      return isMade && tookMs === 0 ? 0 : Math.max(SPACING_MS, tookMs);
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
    this.#cancelLook?.();
  }

  /** Said once for failures in a row. */
  #fail({ message }: Error): void {
    if (this.#retryMs === 0) {
      this.#scope.log.error(
        `anycast: partitions cannot be made, every query looks for its own scope: ${message}`,
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

  /** Publishes those of a pool together, so that the answers remembered elsewhere are dropped once. */
  async #makeAll(stale: readonly { pool: string; family: Family }[]): Promise<boolean> {
    this.#makeRoom();
    for (const [pool, some] of Map.groupBy(stale, ({ pool }) => pool)) {
      let made: PoolPartitions = this.#partitions[pool] ?? {};
      for (const one of some) {
        const job = this.#jobOf(one);
        const own = made[one.family], other = made[one.family === 4 ? 6 : 4];
        // After a failure all leaves are read: it may be going by what there was that fails.
        const before = this.#retryMs === 0 ? own ?? other : undefined;
        const partition = job && (this.#fromBefore(job) ?? madeFrom(own, job) ?? madeFrom(other, job) ??
          await this.#builder.make(before ? { ...job, before } : job));
        // Who asked for it may be gone meanwhile.
        if (!partition || this.#closed || !this.#names.includes(pool)) return false;
        made = { ...made, [one.family]: partition };
        this.#madeMs.set(`${pool} ${one.family}`, this.#scope.clock.nowMs());
      }
      this.#partitions = { ...this.#partitions, [pool]: made };
      const octets = [made[4], made[6]].map((partition) => partition ? partitionOctets(partition) : 0);
      this.#octets.set(pool, octets[0]! + octets[1]!);
      this.#scope.fleet.setPartitions({ [pool]: made });
    }
    this.#inherited = [];
    return true;
  }

  /** Lets go of what nobody has asked for in a while and others have not the room for. */
  #makeRoom(): void {
    const wanted = this.#wanted();
    const gone = Object.keys(this.#partitions).filter((pool) => !wanted.includes(pool));
    if (gone.length === 0) return;
    this.#partitions = Object.fromEntries(wanted.flatMap((pool) => {
      const kept = this.#partitions[pool];
      return kept ? [[pool, kept]] : [];
    }));
    this.#scope.fleet.setPartitions(Object.fromEntries(gone.map((pool) => [pool, undefined])));
  }

  /** The pools that are to have partitions, those first that lately were asked for, as far as there is room. */
  #wanted(): readonly string[] {
    const nowS = this.#scope.clock.nowMs() / 1000;
    const known = Math.max(0, ...this.#octets.values());
    const ranked = this.#names.map((pool, i) => {
      const isThere = pool in this.#partitions, askedS = this.#askedS[i]!;
      const isIdle = nowS - askedS > IDLE_S;
      return { pool, askedS, isThere, rank: isIdle ? 2 : isThere ? 0 : 1 };
    }).filter(({ askedS, isThere }) => this.#names.length <= FEW_POOLS || askedS > 0 || isThere);
    ranked.sort((a, b) => a.rank - b.rank || b.askedS - a.askedS);
    let octets = 0;
    return ranked.filter(({ pool }, i) => {
      const more = this.#octets.get(pool) ?? known;
      if (i > 0 && octets + more > ROOM_OCTETS) return false;
      octets += more;
      return true;
    }).map(({ pool }) => pool);
  }

  #look(): void {
    this.#cancelLook = this.#scope.clock.after(LOOK_MS, () => {
      void this.refresh();
      this.#look();
    });
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
    return this.#wanted().flatMap((pool) =>
      ([4, 6] as const).flatMap((family) => {
        const job = this.#jobOf({ pool, family });
        if (!job || !hasNodes(job)) return [];
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

/** Whether any node has an address of the family: otherwise every client gets that there is none. */
function hasNodes({ snapshot: { pools }, pool, family }: PartitionJob): boolean {
  return pools[pool]?.nodes.some(({ ipv4, ipv6 }) => (family === 4 ? ipv4 : ipv6) !== undefined) ?? false;
}
