/**
 * What may be said of a pool, in a Corefile and through the interface alike: the words, the bounds, and what holds where
 * nothing is said.
 *
 *     Corefile  --plugins/anycast/options.ts-->  terms  --policyOf-->  policy
 *     JSON      --core/management/pools.ts---->
 *
 * @module
 */

import type { AllDown, PoolPolicy, Strategy, UnknownPolicy } from "./pool.ts";

/** What is said of a pool; what is absent is as {@linkcode policyOf} has it. Plain data. */
export interface PoolTerms {
  readonly select?: PoolPolicy["select"] | undefined;
  readonly answers?: number | undefined;
  readonly strategy?: Strategy | undefined;
  readonly compat?: boolean | undefined;
  readonly bias?: {
    readonly region?: number | undefined;
    readonly country?: number | undefined;
    readonly maxKm?: number | undefined;
  } | undefined;
  readonly maxDistanceKm?: number | undefined;
  readonly ring?: { readonly share: number; readonly km: number } | undefined;
  readonly threshold?: number | undefined;
  readonly unknown?: UnknownPolicy | undefined;
  readonly allDown?: AllDown | undefined;
}

/** A pool that is managed through the interface, as every server of the fleet hears of it. Plain data. */
export interface ManagedPool extends PoolTerms {
  /** As in {@linkcode PoolPolicy}. */
  readonly name: string;
  /** The only nodes it takes, by id; absent = all that have the labels. */
  readonly members?: readonly string[] | undefined;
  /** Names of the checks that decide; absent = as the Corefile says of managed pools. */
  readonly checks?: readonly string[] | undefined;
}

export const STRATEGIES = ["linear", "quadratic", "logarithmic", "stepped"] as const;

/** What a pool may do when nothing of it serves. */
export const ALL_DOWN = ["last-known-good", "fail-open", "nodata", "servfail", "pool"] as const;

/** What a pool may do for clients that nobody knows the place of. */
export const UNKNOWN = ["nearest", "nodes", "all"] as const;

/** What numbers may be, both ends included. */
export const RANGES = {
  answers: { min: 1, max: 16 },
  bias: { min: 0, max: 1 },
  kilometres: { min: 0, max: Infinity },
  ringShare: { min: 0, max: Infinity },
  threshold: { min: 0, max: 1 },
  latitude: { min: -90, max: 90 },
  longitude: { min: -180, max: 180 },
} as const;

/** What the Formation network has where nothing is said. */
const COMPAT_BIAS = 0.8, COMPAT_ANSWERS = 3;

/** The policy of the pool called `name`. */
export function policyOf(name: string, terms: PoolTerms): PoolPolicy {
  const { bias = {}, compat = false, ring } = terms;
  const region = bias.region ?? (compat ? COMPAT_BIAS : 0);
  return {
    name,
    select: terms.select ?? {},
    answers: terms.answers ?? (compat ? COMPAT_ANSWERS : 2),
    strategy: terms.strategy ?? "linear",
    ...compat && { compat },
    bias: { region, country: bias.country ?? region / 2, maxKm: bias.maxKm ?? 1000 },
    maxDistanceKm: terms.maxDistanceKm ?? Infinity,
    ...ring && { ring },
    threshold: terms.threshold ?? 0,
    unknown: terms.unknown ?? { policy: "all" },
    allDown: terms.allDown ?? { policy: "last-known-good" },
  };
}

/** All that there is to be said of a policy. */
export function termsOf(policy: PoolPolicy): PoolTerms {
  const { name: _, maxDistanceKm, ...terms } = policy;
  return { ...terms, ...maxDistanceKm < Infinity && { maxDistanceKm } };
}
