/**
 * The control isolate's writer of snapshots: gathers what plugins publish, makes one new immutable snapshot of it, and
 * tells whoever listens. It is the only place where a snapshot is made.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Family } from "../net/address.ts";
import type { FleetHub, PoolNodes } from "../fleet/hub.ts";
import type { Override } from "../fleet/node.ts";
import { withTargets } from "../fleet/by_target.ts";
import type { Geography } from "../fleet/place.ts";
import type { Degradation, PoolState } from "../fleet/pool.ts";
import { LastServing, type ServingMemory } from "../fleet/last_serving.ts";
import { overridesByNode, type Segment, segmentOfAll } from "../fleet/schedule.ts";
import { TargetPools } from "../fleet/target_pools.ts";
import { servingIds } from "../fleet/serving.ts";
import type { TargetKey, ToldDeadline, Verdict } from "../fleet/verdict.ts";
import { holdsAt } from "../fleet/view.ts";
import type { Log } from "../plugin.ts";
import { EMPTY_SNAPSHOT, type PoolPartitions, type Snapshot } from "../snapshot.ts";

/** What a publisher is given. */
export interface PublisherOptions {
  readonly clock: Clock;
  /** Told when a listener throws. */
  readonly log: Pick<Log, "error">;
  /** The nodes that served last, by pool, as an earlier process kept them. */
  readonly lastServing?: Readonly<Record<string, PoolState["lastServing"]>>;
  /** What the publisher that this one replaces leaves behind. */
  readonly legacy?: PublisherLegacy;
}

/** What the next publisher goes on from: epochs only ever grow. Plain data. */
export interface PublisherLegacy {
  readonly epoch: number;
  /** By pool. */
  readonly poolEpochs: Readonly<Record<string, number>>;
  /** By pool and family. */
  readonly serving: Readonly<Record<string, { readonly 4: ServingMemory; readonly 6: ServingMemory }>>;
}

type Listener = (snapshot: Snapshot) => void;

/** Gathers changes and publishes them, one snapshot a turn of the event loop. */
export class Publisher implements FleetHub {
  readonly #clock: Clock;
  readonly #log: Pick<Log, "error">;
  readonly #remembered: Readonly<Record<string, PoolState["lastServing"]>>;
  readonly #legacy: PublisherLegacy | undefined;
  readonly #listeners: Listener[] = [];
  readonly #poolListeners: ((pools: readonly PoolNodes[]) => void)[] = [];
  readonly #pools = new Map<string, PoolNodes>();
  readonly #targets = new Map<string, Pick<PoolState, "targets" | "failingShare">>();
  readonly #degradations = new Map<string, Degradation>();
  readonly #poolsByTarget = new TargetPools();
  readonly #memories = new Map<string, { readonly 4: LastServing; readonly 6: LastServing }>();
  readonly #changedPools = new Set<string>();
  /** By pool, the time for which its newest state stands. */
  readonly #segments = new Map<string, Segment>();
  /** No new pool's epochs begin below: one of its name may have been there. */
  #leastPoolEpoch = 0;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #pending: Snapshot = EMPTY_SNAPSHOT;
  #answersChanged = false;
  #scheduled = false;
  #cancelTimer: () => void = () => {};

  constructor({ clock, log, lastServing = {}, legacy }: PublisherOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#remembered = lastServing;
    this.#legacy = legacy;
    if (legacy) this.#snapshot = this.#pending = { ...EMPTY_SNAPSHOT, epoch: legacy.epoch };
  }

  /** What the publisher that replaces this one is to go on from. */
  get legacy(): PublisherLegacy {
    const { epoch, pools } = this.#snapshot;
    const inherited = this.#legacy;
    const memories = [...this.#memories].map(([name, memory]) => //
    [name, { 4: memory[4].memory, 6: memory[6].memory }]);
    const epochs = Object.entries(pools).map(([name, { epoch }]) => [name, epoch]);
    return {
      epoch,
      // A pool that is away for a while comes back with what was known of it.
      poolEpochs: { ...inherited?.poolEpochs, ...Object.fromEntries(epochs) },
      serving: { ...inherited?.serving, ...Object.fromEntries(memories) },
    };
  }

  /** A pool as it was handed over; undefined where there is none of that name. */
  poolNamed(name: string): PoolNodes | undefined {
    return this.#pools.get(name);
  }

  /** The newest snapshot. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Calls back after each new snapshot; the function that comes back ends that. */
  onSnapshot(listener: Listener): () => void {
    this.#listeners.push(listener);
    return () => {
      const at = this.#listeners.indexOf(listener);
      if (at >= 0) this.#listeners.splice(at, 1);
    };
  }

  /** Puts plain data under a plugin's key. */
  publish(key: string, value: unknown): void {
    this.#own("slots")[key] = value;
    this.#change({});
  }

  /** Replaces a block's geography. */
  publishGeography(block: string, geography: Geography): void {
    this.#own("geographies")[block] = geography;
    this.#change({});
  }

  setNodes(pool: PoolNodes): void {
    this.setPools([pool], []);
  }

  setPools(pools: readonly PoolNodes[], gone: readonly string[]): void {
    for (const name of gone) this.#drop(name);
    for (const pool of pools) {
      this.#pools.set(pool.policy.name, pool);
      this.#changedPools.add(pool.policy.name);
    }
    this.#tell(this.#poolListeners, [...this.#pools.values()]);
    this.#change({});
  }

  onPools(listener: (pools: readonly PoolNodes[]) => void): void {
    this.#poolListeners.push(listener);
    listener([...this.#pools.values()]);
  }

  #drop(name: string): void {
    this.#pools.delete(name);
    this.#targets.delete(name);
    this.#degradations.delete(name);
    this.#poolsByTarget.set(name, undefined);
    this.#changedPools.add(name);
    this.#change({ partitions: patched(this.#pending.partitions, { [name]: undefined }) });
  }

  setPartitions(partitions: Readonly<Record<string, PoolPartitions | undefined>>): void {
    this.#change({ partitions: patched(this.#pending.partitions, partitions) });
  }

  setTargets(pool: string, targets: PoolState["targets"], failingShare: number): void {
    this.#poolsByTarget.set(pool, targets);
    this.#targets.set(pool, { targets, failingShare });
    this.#changedPools.add(pool);
    this.#change({});
  }

  setDegradation(pool: string, degradation: Degradation | undefined): void {
    if (degradation) this.#degradations.set(pool, degradation);
    else if (!this.#degradations.delete(pool)) return;
    this.#changedPools.add(pool);
    this.#change({});
  }

  setVerdicts(verdicts: Readonly<Record<TargetKey, Verdict | undefined>>): void {
    for (const key in verdicts) {
      for (const pool of this.#poolsByTarget.of(key)) this.#changedPools.add(pool);
    }
    this.#change({ verdicts: withTargets(this.#pending.verdicts, verdicts) });
  }

  /** Replaced on the spot and without an epoch: a countdown that went on changes no answer. */
  setDeadlines(deadlines: Readonly<Record<TargetKey, ToldDeadline | undefined>>): void {
    this.#pending = { ...this.#pending, deadlines: withTargets(this.#pending.deadlines, deadlines) };
    this.#schedule();
  }

  setOverrides(overrides: readonly Override[]): void {
    const nodeIds = changedNodeIds(this.#pending.overrides, overrides);
    for (const [pool, { nodes }] of this.#pools) {
      if (nodes.some(({ id }) => nodeIds.has(id))) this.#changedPools.add(pool);
    }
    this.#change({ overrides });
  }

  /** Publishes what has been gathered now rather than at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    if (this.#pending === this.#snapshot) return;
    if (this.#answersChanged) this.#advanceEpochs();
    this.#answersChanged = false;
    this.#snapshot = this.#pending;
    this.#tell(this.#listeners, this.#snapshot);
  }

  /** One that throws keeps nothing from the others. */
  #tell<T>(listeners: readonly ((value: T) => void)[], value: T): void {
    for (const listener of [...listeners]) {
      try {
        listener(value);
      } catch (error) {
        const text = error instanceof Error ? error.stack ?? error.message : String(error);
        this.#log.error(`A bug, in what listens for news of the fleet: ${text}`);
      }
    }
  }

  /** Stops the timers. */
  close(): void {
    this.#cancelTimer();
    this.#listeners.length = 0;
    this.#poolListeners.length = 0;
  }

  /** A table that may be written to, copied once a turn: ten thousand blocks publish in one. */
  #own<T extends "slots" | "geographies">(table: T): { -readonly [K in keyof Snapshot[T]]: Snapshot[T][K] } {
    if (this.#pending[table] === this.#snapshot[table]) {
      this.#pending = { ...this.#pending, [table]: { ...this.#pending[table] } };
    }
    return this.#pending[table];
  }

  #change(change: Partial<Snapshot>): void {
    this.#pending = { ...this.#pending, ...change };
    this.#answersChanged = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#scheduled && this.flush());
  }

  #advanceEpochs(): void {
    const nowMs = this.#clock.nowMs();
    this.#markScheduled(nowMs);
    const pools = { ...this.#pending.pools };
    const forced = overridesByNode(this.#pending.overrides);
    for (const name of this.#changedPools) {
      const pool = this.#poolState(name);
      if (!pool) {
        this.#forget(name, pools);
        continue;
      }
      pools[name] = pool;
      this.#segments.set(name, segmentOfAll(pool.nodes, forced, nowMs));
    }
    this.#pending = { ...this.#pending, pools, epoch: this.#snapshot.epoch + 1, publishedMs: nowMs };
    this.#rememberServing(nowMs);
    this.#changedPools.clear();
    this.#wakeAtNextSchedule(nowMs);
  }

  /** Marks the pools in whose nodes' calendars something started or ended since their newest state. */
  #markScheduled(nowMs: number): void {
    for (const [name, segment] of this.#segments) {
      if (!holdsAt(segment, nowMs)) this.#changedPools.add(name);
    }
  }

  /** Takes away what there is of a pool that is no more. */
  #forget(name: string, pools: Record<string, PoolState>): void {
    if (!(name in pools)) return;
    delete pools[name];
    this.#segments.delete(name);
    this.#memories.delete(name);
    this.#leastPoolEpoch = this.#snapshot.epoch + 1;
  }

  #poolState(name: string): PoolState | undefined {
    const pool = this.#pools.get(name);
    if (!pool) return undefined;
    const before = this.#pending.pools[name], degradation = this.#degradations.get(name);
    return {
      epoch: (before?.epoch ?? Math.max(this.#legacy?.poolEpochs[name] ?? 0, this.#leastPoolEpoch)) + 1,
      policy: pool.policy,
      nodes: pool.nodes,
      targets: this.#targets.get(name)?.targets ?? {},
      failingShare: this.#targets.get(name)?.failingShare ?? 0,
      lastServing: before?.lastServing ?? this.#servedBefore(name),
      ...degradation && { degradation },
    };
  }

  #servedBefore(name: string): PoolState["lastServing"] {
    const serving = this.#legacy?.serving[name];
    if (serving) return { 4: serving[4].ids, 6: serving[6].ids };
    return this.#remembered[name] ?? { 4: [], 6: [] };
  }

  /** Keeps, for the day when nothing serves, which nodes did. Not a change of answers, so no epoch. */
  #rememberServing(nowMs: number): void {
    const pools = { ...this.#pending.pools };
    for (const [name, pool] of Object.entries(pools)) {
      const memory = this.#memoryOf(name, pool);
      const hasChanged = this.#changedPools.has(name);
      const remember = (family: Family) =>
        hasChanged
          ? memory[family].update(servingIds(this.#pending, pool, pool.policy, family, nowMs), nowMs)
          : memory[family].keepOn(nowMs);
      const lastServing = { 4: remember(4), 6: remember(6) };
      if (lastServing[4] === pool.lastServing[4] && lastServing[6] === pool.lastServing[6]) continue;
      pools[name] = { ...pool, lastServing };
    }
    this.#pending = { ...this.#pending, pools };
  }

  #memoryOf(name: string, { lastServing }: PoolState) {
    let memory = this.#memories.get(name);
    if (!memory) {
      const before = this.#legacy?.serving[name];
      memory = {
        4: new LastServing(lastServing[4], before?.[4]),
        6: new LastServing(lastServing[6], before?.[6]),
      };
      this.#memories.set(name, memory);
    }
    return memory;
  }

  /** A maintenance window or an override that starts or ends changes answers although nothing was published. */
  #wakeAtNextSchedule(nowMs: number): void {
    this.#cancelTimer();
    const atMs = Math.min(...Array.from(this.#segments.values(), ({ untilMs }) => untilMs));
    if (atMs === Infinity) return;
    this.#cancelTimer = this.#clock.after(atMs - nowMs, () => {
      const nowMs = this.#clock.nowMs();
      this.#markScheduled(nowMs);
      // A timer may be early by a fraction of a millisecond.
      if (this.#changedPools.size > 0) this.#change({});
      else this.#wakeAtNextSchedule(nowMs);
    });
  }
}

/** The nodes of which two lists of overrides do not say the same. */
function changedNodeIds(before: readonly Override[], after: readonly Override[]): Set<string> {
  const [old, now] = [overridesByNode(before), overridesByNode(after)];
  const ids = [...old.keys(), ...now.keys()];
  return new Set(ids.filter((id) => JSON.stringify(old.get(id)) !== JSON.stringify(now.get(id))));
}

/** `base` with some entries replaced, and those given as undefined left out. */
function patched<T>(base: Readonly<Record<string, T>>, changes: Readonly<Record<string, T | undefined>>) {
  const result: Record<string, T> = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete result[key];
    else result[key] = value;
  }
  return result;
}
