/**
 * The control isolate's writer of snapshots: gathers what plugins publish, makes one new immutable snapshot of it, and
 * tells whoever listens. It is the only place where a snapshot is made.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { FleetHub, PoolNodes } from "../fleet/hub.ts";
import type { Override } from "../fleet/node.ts";
import type { Geography } from "../fleet/place.ts";
import type { PoolState } from "../fleet/pool.ts";
import { LastServing } from "../fleet/last_serving.ts";
import { nextScheduleChangeMs, servingIds } from "../fleet/serving.ts";
import type { TargetKey, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../snapshot.ts";

/** What a publisher is given. */
export interface PublisherOptions {
  readonly clock: Clock;
  /** The nodes that served last, by pool, as an earlier process kept them. */
  readonly lastServing?: Readonly<Record<string, PoolState["lastServing"]>>;
}

type Listener = (snapshot: Snapshot) => void;

/** Gathers changes and publishes them, one snapshot a turn of the event loop. */
export class Publisher implements FleetHub {
  readonly #clock: Clock;
  readonly #remembered: Readonly<Record<string, PoolState["lastServing"]>>;
  readonly #listeners: Listener[] = [];
  readonly #poolListeners: ((pools: readonly PoolNodes[]) => void)[] = [];
  readonly #pools = new Map<string, PoolNodes>();
  readonly #targets = new Map<string, Pick<PoolState, "targets" | "failingShare">>();
  readonly #memories = new Map<string, { readonly 4: LastServing; readonly 6: LastServing }>();
  readonly #changedPools = new Set<string>();
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #pending: Snapshot = EMPTY_SNAPSHOT;
  #answersChanged = false;
  #scheduled = false;
  #cancelTimer: () => void = () => {};

  constructor({ clock, lastServing = {} }: PublisherOptions) {
    this.#clock = clock;
    this.#remembered = lastServing;
  }

  /** The newest snapshot. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Calls back after each new snapshot; the function that comes back ends that. */
  onSnapshot(listener: Listener): () => void {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  /** Puts plain data under a plugin's key. */
  publish(key: string, value: unknown): void {
    this.#change({ slots: { ...this.#pending.slots, [key]: value } });
  }

  /** Replaces a block's geography. */
  publishGeography(block: string, geography: Geography): void {
    this.#change({ geographies: { ...this.#pending.geographies, [block]: geography } });
  }

  setNodes(pool: PoolNodes): void {
    this.#pools.set(pool.policy.name, pool);
    this.#changedPools.add(pool.policy.name);
    for (const listener of this.#poolListeners) listener([...this.#pools.values()]);
    this.#change({});
  }

  onPools(listener: (pools: readonly PoolNodes[]) => void): void {
    this.#poolListeners.push(listener);
    listener([...this.#pools.values()]);
  }

  setTargets(pool: string, targets: PoolState["targets"], failingShare: number): void {
    this.#targets.set(pool, { targets, failingShare });
    this.#changedPools.add(pool);
    this.#change({});
  }

  setVerdicts(verdicts: Readonly<Record<TargetKey, Verdict | undefined>>): void {
    const changed = new Set(Object.keys(verdicts));
    for (const [pool, { targets }] of this.#targets) {
      if (Object.values(targets).some((keys) => keys.some((key) => changed.has(key)))) {
        this.#changedPools.add(pool);
      }
    }
    this.#change({ verdicts: patched(this.#pending.verdicts, verdicts) });
  }

  /** Replaced on the spot and without an epoch: a countdown that went on changes no answer. */
  setDeadlines(deadlines: Readonly<Record<TargetKey, VerdictDeadline | undefined>>): void {
    this.#pending = { ...this.#pending, deadlines: patched(this.#pending.deadlines, deadlines) };
    this.#schedule();
  }

  setOverrides(overrides: readonly Override[]): void {
    for (const pool of this.#pools.keys()) this.#changedPools.add(pool);
    this.#change({ overrides });
  }

  /** Publishes what has been gathered now rather than at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    if (this.#pending === this.#snapshot) return;
    if (this.#answersChanged) this.#advanceEpochs();
    this.#answersChanged = false;
    this.#snapshot = this.#pending;
    for (const listener of [...this.#listeners]) listener(this.#snapshot);
  }

  /** Stops the timers. */
  close(): void {
    this.#cancelTimer();
    this.#listeners.length = 0;
    this.#poolListeners.length = 0;
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
    const pools = { ...this.#pending.pools };
    for (const name of this.#changedPools) {
      const pool = this.#poolState(name);
      if (pool) pools[name] = pool;
    }
    this.#changedPools.clear();
    this.#pending = { ...this.#pending, pools, epoch: this.#snapshot.epoch + 1, publishedMs: nowMs };
    this.#rememberServing(nowMs);
    this.#wakeAtNextSchedule(nowMs);
  }

  #poolState(name: string): PoolState | undefined {
    const pool = this.#pools.get(name);
    if (!pool) return undefined;
    const before = this.#pending.pools[name];
    return {
      epoch: (before?.epoch ?? 0) + 1,
      policy: pool.policy,
      nodes: pool.nodes,
      targets: this.#targets.get(name)?.targets ?? {},
      failingShare: this.#targets.get(name)?.failingShare ?? 0,
      lastServing: before?.lastServing ?? this.#remembered[name] ?? { 4: [], 6: [] },
    };
  }

  /** Keeps, for the day when nothing serves, which nodes did. Not a change of answers, so no epoch. */
  #rememberServing(nowMs: number): void {
    const pools = { ...this.#pending.pools };
    for (const [name, pool] of Object.entries(pools)) {
      const memory = this.#memoryOf(name, pool);
      const lastServing = {
        4: memory[4].update(servingIds(this.#pending, pool, pool.policy, 4, nowMs), nowMs),
        6: memory[6].update(servingIds(this.#pending, pool, pool.policy, 6, nowMs), nowMs),
      };
      if (lastServing[4] === pool.lastServing[4] && lastServing[6] === pool.lastServing[6]) continue;
      pools[name] = { ...pool, lastServing };
    }
    this.#pending = { ...this.#pending, pools };
  }

  #memoryOf(name: string, { lastServing }: PoolState) {
    let memory = this.#memories.get(name);
    if (!memory) {
      memory = { 4: new LastServing(lastServing[4]), 6: new LastServing(lastServing[6]) };
      this.#memories.set(name, memory);
    }
    return memory;
  }

  /** A maintenance window or an override that starts or ends changes answers although nothing was published. */
  #wakeAtNextSchedule(nowMs: number): void {
    this.#cancelTimer();
    const atMs = nextScheduleChangeMs(this.#pending, nowMs);
    if (atMs === Infinity) return;
    this.#cancelTimer = this.#clock.after(atMs - nowMs, () => {
      for (const pool of this.#pools.keys()) this.#changedPools.add(pool);
      this.#change({});
    });
  }
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
