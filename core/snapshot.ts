/**
 * What a query is answered from: one immutable value, replaced whole. Plain data, so that a structured clone
 * carries it to any worker.
 *
 * @module
 */

import { NO_TARGETS } from "./fleet/by_target.ts";
import type { Override } from "./fleet/node.ts";
import type { Partition } from "./fleet/partition.ts";
import type { Geography } from "./fleet/place.ts";
import type { PoolState } from "./fleet/pool.ts";
import type { VerdictDeadlines, Verdicts } from "./fleet/verdict.ts";

/** The state behind all answers. */
export interface Snapshot {
  /** Grows whenever an answer could differ. */
  readonly epoch: number;
  /** When it was published, milliseconds since 1970. */
  readonly publishedMs: number;
  /** By the key of the server block whose geo made it. */
  readonly geographies: Readonly<Record<string, Geography>>;
  /** By pool name. */
  readonly pools: Readonly<Record<string, PoolState>>;
  /** By pool name, then family of the answer; what is old or not there is worked out query by query. */
  readonly partitions: Readonly<Record<string, PoolPartitions>>;
  readonly verdicts: Verdicts;
  readonly overrides: readonly Override[];
  /** What else plugins published, each under its own instance's key. */
  readonly slots: Readonly<Record<string, unknown>>;
  /** Kept beside, so that a probe that changes nothing but a countdown makes no new epoch; read by `asItStands`. */
  readonly deadlines: VerdictDeadlines;
}

/** A pool's partitions, by family of the answer. */
export interface PoolPartitions {
  readonly 4?: Partition;
  readonly 6?: Partition;
}

/** The snapshot before anything was published. */
export const EMPTY_SNAPSHOT: Snapshot = Object.freeze({
  epoch: 0,
  publishedMs: 0,
  geographies: {},
  pools: {},
  partitions: {},
  verdicts: NO_TARGETS,
  overrides: [],
  slots: {},
  deadlines: NO_TARGETS,
});
