/**
 * What may be said of a pool, in a Corefile and through the interface alike: the words, the bounds, and what holds where
 * nothing is said.
 *
 *     Corefile  --plugins/anycast/options.ts-->  terms  --policyOf-->  policy
 *     JSON      --core/management/pools.ts---->
 *
 * @module
 */

import type { AllDown, DegradePolicy, PoolPolicy, Strategy, UnknownPolicy } from "./pool.ts";

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
  readonly degrade?: DegradeTerms | undefined;
  readonly unknown?: UnknownPolicy | undefined;
  readonly allDown?: AllDown | undefined;
}

/** What is said of when a region is degraded. */
export interface DegradeTerms {
  readonly below?: number | undefined;
  readonly above?: number | undefined;
  readonly dwellMs?: number | undefined;
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
  dwellMs: { min: 1000, max: 86_400_000 },
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
    ...terms.degrade && { degrade: degradeOf(terms.degrade) },
    unknown: terms.unknown ?? { policy: "all" },
    allDown: terms.allDown ?? { policy: "last-known-good" },
  };
}

/** Where nothing else is said: from below 60 % on, until it has been 75 % for two minutes. */
const DEGRADE = { below: 0.6, gap: 0.15, dwellMs: 120_000 } as const;

function degradeOf({ below = DEGRADE.below, above, dwellMs = DEGRADE.dwellMs }: DegradeTerms): DegradePolicy {
  return { below, above: above ?? Math.min(1, below + DEGRADE.gap), dwellMs };
}

/** What is at odds in a policy: where it is said, and why it cannot be. */
export function degradeProblem({ degrade, compat }: PoolTerms): string | undefined {
  if (!degrade) return undefined;
  if (compat) return "degrade cannot go with compat: what is compatible knows no prices";
  const { below, above } = degradeOf(degrade), percent = (share: number) => `${+(100 * share).toFixed(3)} %`;
  if (above >= below) return undefined;
  return `degrade above ${percent(above)} cannot be less than below, which is ${percent(below)}`;
}

/** All that there is to be said of a policy. */
export function termsOf(policy: PoolPolicy): PoolTerms {
  const { name: _, maxDistanceKm, ...terms } = policy;
  return { ...terms, ...maxDistanceKm < Infinity && { maxDistanceKm } };
}
