/**
 * What a query is answered from: one immutable value, replaced whole. Plain data, so that a structured clone
 * carries it to any worker.
 *
 * @module
 */

import type { Override } from "./fleet/node.ts";
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
  readonly verdicts: Verdicts;
  readonly overrides: readonly Override[];
  /** What else plugins published, each under its own instance's key. */
  readonly slots: Readonly<Record<string, unknown>>;
  /** Kept beside, so that a probe that changes nothing but a countdown makes no new epoch. */
  readonly deadlines: VerdictDeadlines;
}

/** The snapshot before anything was published. */
export const EMPTY_SNAPSHOT: Snapshot = Object.freeze({
  epoch: 0,
  publishedMs: 0,
  geographies: {},
  pools: {},
  verdicts: {},
  overrides: [],
  slots: {},
  deadlines: {},
});
