/**
 * Within which TTLs what a pool fills is given out.
 *
 * @module
 */

/** Seconds: what a deadline that comes soon makes a TTL, at least; and what it is where nothing stirs. */
export interface TtlBounds {
  readonly min: number;
  readonly max: number;
}

/** By a pool's name. */
export type TtlsByPool = Readonly<Record<string, TtlBounds>>;

/** Bounds that have both. */
export function widest(a: TtlBounds | undefined, b: TtlBounds): TtlBounds {
  return a ? { min: Math.max(a.min, b.min), max: Math.max(a.max, b.max) } : b;
}
