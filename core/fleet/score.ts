/**
 * What a distance is worth, and what a shared country or subdivision adds to it: decision 0001, "Selection".
 *
 * @module
 */

import type { Place } from "./place.ts";
import type { PoolPolicy, Strategy } from "./pool.ts";

/** What being `km` away is worth, from 1 (here) down to 0. */
export function strategyScore(strategy: Strategy, km: number): number {
  return STRATEGIES[strategy](km);
}

const STRATEGIES: Readonly<Record<Strategy, (km: number) => number>> = {
  linear: (km) => 1 - Math.min(km / 20_000, 1),
  quadratic: (km) => (1 - Math.min(km / 20_000, 1)) * (1 - Math.min(km / 20_000, 1)),
  logarithmic: (km) => km < 1 ? 1 : 1 - Math.min(Math.max(Math.log(km) / 10, 0), 1),
  stepped: (km) => km < 100 ? 1 : km < 500 ? 0.8 : km < 2000 ? 0.6 : km < 5000 ? 0.4 : 0.2,
};

/** Subdivisions are compared within their country: Western Australia is not Washington. */
export function bonusOf(bias: PoolPolicy["bias"], client: Place, node: Place): number {
  if (client.country === "" || client.country !== node.country) return 0;
  return client.subdivision !== "" && client.subdivision === node.subdivision ? bias.region : bias.country;
}

/** What a pool's bias orders by: the greater, the better. */
export function biasedScore(
  { strategy, bias }: Pick<PoolPolicy, "strategy" | "bias">,
  distanceM: number,
  bonus: number,
): number {
  return strategyScore(strategy, distanceM / 1000) * (1 - bias.region) + bonus;
}

/** What a node is worth to a client in a pool, whose objective that is where it has a bias or is compat. */
export function scoreOf(
  policy: ScoringPolicy,
  client: Place,
  node: Place,
  distanceM: number,
): { readonly bonus: number; readonly score: number } {
  const bonus = policy.compat ? compatBonusOf(policy.bias, client, node) : bonusOf(policy.bias, client, node);
  const isTooFar = policy.compat && distanceM > policy.maxDistanceKm * 1000;
  return { bonus, score: isTooFar ? 0 : biasedScore(policy, distanceM, bonus) };
}

/** Decision 0001, "Compat": subdivisions of different countries are one where their codes are the same. */
export function compatBonusOf(bias: PoolPolicy["bias"], client: Place, node: Place): number {
  if (client.subdivision !== "" && client.subdivision === node.subdivision) return bias.region;
  return client.country !== "" && client.country === node.country ? bias.country : 0;
}

/** What of a policy scores go by. */
type ScoringPolicy = Pick<PoolPolicy, "strategy" | "bias" | "compat" | "maxDistanceKm">;

/** Whether a pool prefers anything to being near. */
export function isBiased({ bias, compat }: Pick<PoolPolicy, "bias" | "compat">): boolean {
  return compat === true || bias.region > 0 || bias.country > 0;
}

/** How far from a client a node may be and still be a candidate, kilometres: in a compat pool being far costs its score alone. */
export function reachKm({ compat, maxDistanceKm }: Pick<PoolPolicy, "compat" | "maxDistanceKm">): number {
  return compat ? Infinity : maxDistanceKm;
}
