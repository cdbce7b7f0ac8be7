/**
 * Follows a fleet along a record of all its probes, so that the model can be asked how things stood at any instant,
 * and what brought each change about.
 *
 * @module
 */

import { type Fleet, type FleetNode, type FleetPool, knownToServe } from "./deadlines.ts";
import {
  isSteady,
  type ModelOutcome,
  type ModelTarget,
  type ModelTiming,
  type ModelWatch,
  newTarget,
  passed,
  probed,
  rampOf,
  wakesMs,
} from "./health.ts";

/** A probe that was made. */
export interface ProbeRecord {
  startMs: number;
  endMs: number;
  outcome: ModelOutcome;
}

/** A node as it is set up; its targets are keys of the record. */
export interface PlannedNode extends Omit<FleetNode, "watches" | "stale"> {
  targets: string[];
}

export interface Plan {
  startMs: number;
  pools: Record<string, { policy: FleetPool["policy"]; nodes: readonly PlannedNode[] }>;
  timing: ModelTiming;
  failing: number;
}

/** Something that may change answers, and since when there were signs of it: a probe that counted towards it, or that it
 * was set for a time. */
export interface Cause {
  pool: string;
  atMs: number;
  signMs: number;
}

/** Deadlines that only moved away may be shown so much later. */
const RELAXED_MS = 500;

interface Followed {
  pool: string;
  target: ModelTarget;
  records: ProbeRecord[];
  /** How many of them have ended. */
  ended: number;
  /** Since when it has not been steady; Infinity = it is. */
  unsteadyMs: number;
  superseded: { watch: ModelWatch; atMs: number }[];
}

export class Replay {
  readonly causes: Cause[] = [];
  readonly #plan: Plan;
  readonly #followed: Map<string, Followed>;
  readonly #histories = new Map<string, FleetPool["history"]>();
  #nowMs: number;

  constructor(plan: Plan, records: ReadonlyMap<string, ProbeRecord[]>) {
    this.#plan = plan;
    this.#nowMs = plan.startMs;
    const targets = Object.entries(plan.pools).flatMap(([pool, { nodes }]) =>
      nodes.flatMap(({ targets }) => targets).map((key) => ({ pool, key }))
    );
    this.#followed = new Map(
      targets.map(({ pool, key }) => [key, {
        ...{ pool, target: newTarget(), records: records.get(key) ?? [], ended: 0 },
        ...{ unsteadyMs: plan.startMs, superseded: [] },
      }]),
    );
    for (const name of Object.keys(plan.pools)) {
      this.#histories.set(name, [{ fromMs: plan.startMs, ids: undefined }]);
    }
    this.#remember();
  }

  /** Goes on to `atMs`, that instant included. */
  advanceTo(atMs: number): void {
    for (let next = this.#nextMs(); next <= atMs; next = this.#nextMs()) this.#happen(next);
    this.#nowMs = atMs;
  }

  /** How things stand. With `stale`, with what a reader may still be shown of how they stood. */
  fleet(stale = false): Fleet {
    const { pools, timing, failing } = this.#plan;
    return {
      timing,
      failing,
      pools: Object.fromEntries(
        Object.entries(pools).map(([name, { policy, nodes }]) => [name, {
          policy,
          history: this.#histories.get(name)!,
          nodes: nodes.map(({ targets, ...node }) => ({
            ...node,
            watches: targets.map((key) => this.#watch(this.#followed.get(key)!)),
            ...stale && { stale: targets.map((key) => this.#stale(this.#followed.get(key)!)) },
          })),
        }]),
      ),
    };
  }

  #watch({ target, records, ended }: Followed): ModelWatch {
    return { target, startMs: records[ended]?.startMs ?? Infinity };
  }

  #stale({ superseded }: Followed): ModelWatch[] {
    return superseded.filter(({ atMs }) => this.#nowMs - atMs < RELAXED_MS).map(({ watch }) => watch);
  }

  /** The next instant after now at which anything happens. */
  #nextMs(): number {
    let next = Infinity;
    for (const { target, records, ended } of this.#followed.values()) {
      next = Math.min(next, records[ended]?.endMs ?? Infinity);
      const wakeMs = wakesMs(target, this.#nowMs, this.#plan.timing);
      if (wakeMs > this.#nowMs) next = Math.min(next, Math.ceil(wakeMs));
    }
    for (const { nodes } of Object.values(this.#plan.pools)) {
      for (const { fromMs, untilMs } of nodes.flatMap(({ calendar }) => calendar)) {
        for (const instant of [fromMs, untilMs]) if (instant > this.#nowMs) next = Math.min(next, instant);
      }
    }
    return next;
  }

  #happen(atMs: number): void {
    const before = this.#nowMs;
    this.#nowMs = atMs;
    const causes = this.causes.length;
    for (const followed of this.#followed.values()) this.#follow(followed, before);
    for (const [pool, { nodes }] of Object.entries(this.#plan.pools)) {
      const isDue = nodes.some(({ calendar }) =>
        calendar.some(({ fromMs, untilMs }) => fromMs === atMs || untilMs === atMs)
      );
      if (isDue) this.causes.push({ pool, atMs, signMs: -Infinity });
    }
    if (this.causes.length > causes) this.#remember();
  }

  #follow(followed: Followed, beforeMs: number): void {
    const atMs = this.#nowMs, { timing } = this.#plan;
    const before = followed.target;
    followed.target = passed(before, atMs, timing);
    for (
      let record = followed.records[followed.ended];
      record && record.endMs <= atMs;
      record = followed.records[followed.ended]
    ) {
      followed.superseded = [
        { watch: this.#watch(followed), atMs },
        ...followed.superseded.filter((one) => atMs - one.atMs < RELAXED_MS),
      ];
      followed.target = probed(followed.target, record.outcome, atMs, timing);
      followed.ended++;
    }
    const { target, pool } = followed;
    if (target.state !== before.state) this.causes.push({ pool, atMs, signMs: followed.unsteadyMs });
    else if (rampOf(target, atMs, timing) !== rampOf(target, beforeMs, timing)) {
      this.causes.push({ pool, atMs, signMs: target.roseMs });
    }
    if (isSteady(target)) followed.unsteadyMs = Infinity;
    else if (target.state !== before.state) followed.unsteadyMs = atMs;
    else followed.unsteadyMs = Math.min(followed.unsteadyMs, atMs);
  }

  #remember(): void {
    const fleet = this.fleet();
    for (const [name, pool] of Object.entries(fleet.pools)) {
      const history = this.#histories.get(name)!;
      const ids = knownToServe(pool, this.#nowMs, fleet);
      if (history.at(-1)!.ids?.join() !== ids?.join()) history.push({ fromMs: this.#nowMs, ids });
    }
  }
}
