/**
 * Fleets by chance, for properties: a pool in every kind of state, with a pool to spill to.
 *
 * @module
 */

import fc from "fast-check";
import { byTarget, targetEntries } from "../../../core/fleet/by_target.ts";
import { UNTOLD } from "../../../core/fleet/deadline.ts";
import type { Node } from "../../../core/fleet/node.ts";
import type { PoolPolicy, PoolState } from "../../../core/fleet/pool.ts";
import { type Opinion, withRegions } from "../../../core/fleet/vantages.ts";
import type { Verdict } from "../../../core/fleet/verdict.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { node, type PlaceText, policy, POOL, pool, snapshot, verdicts } from "./make.ts";

export const SPARE = "spare.example.org.";

/** Few points and near ones, so that ties, rings and equal bonuses come up. */
const point: fc.Arbitrary<PlaceText> = fc.tuple(
  fc.oneof(fc.constantFrom(0, 10, 10.5, 50, -33, 89.9, -90), fc.double({ min: -90, max: 90, noNaN: true })),
  fc.oneof(fc.constantFrom(0, 10, 10.5, 179.9, -179.9), fc.double({ min: -180, max: 180, noNaN: true })),
  fc.constantFrom("", "US", "AU"),
  fc.constantFrom("", "WA", "NY"),
);

/** One node and what is known of it. */
export interface RandomNode {
  readonly at: PlaceText;
  readonly weight: number;
  readonly out: boolean;
  readonly state: "up" | "degraded" | "down" | "unknown";
  readonly ramp: number;
  readonly remembered: boolean;
  /** Whole metres; 0 = none. */
  readonly priceM: number;
  readonly maintenance?: Node["maintenance"];
  /** The region that it stands in; absent = none. */
  readonly region?: string;
  /** What regions say of it that have an opinion of their own. */
  readonly saidIn?: Readonly<Record<string, Pick<RandomNode, "state" | "ramp">>>;
}

const randomNode: fc.Arbitrary<RandomNode> = fc.record({
  at: point,
  weight: fc.constantFrom(1, 1, 2, 0.5),
  out: fc.constantFrom(false, false, false, false, true),
  state: fc.constantFrom("up", "up", "up", "degraded", "down", "unknown"),
  ramp: fc.constantFrom(1, 1, 1, 0.1, 0.5),
  remembered: fc.boolean(),
  priceM: fc.constantFrom(0, 0, 1, 400_000, 5_000_000, 30_000_000),
});

const randomPolicy = (spill: boolean): fc.Arbitrary<Partial<PoolPolicy>> =>
  fc.record({
    answers: fc.integer({ min: 1, max: 4 }),
    strategy: fc.constantFrom("linear", "quadratic", "logarithmic", "stepped"),
    compat: fc.constantFrom(undefined, undefined, undefined, true),
    bias: fc.constantFrom(
      { region: 0, country: 0, maxKm: 1000 },
      { region: 0, country: 0, maxKm: 1000 },
      { region: 0.8, country: 0.4, maxKm: 20000 },
      { region: 0.5, country: 0, maxKm: 3000 },
      { region: 0, country: 0.3, maxKm: 500 },
    ),
    maxDistanceKm: fc.constantFrom(Infinity, Infinity, 9000, 2000),
    ring: fc.constantFrom(undefined, undefined, { share: 0.05, km: 50 }, { share: 1, km: 3000 }),
    threshold: fc.constantFrom(0, 0, 0.3, 0.5, 1),
    unknown: fc.constantFrom<PoolPolicy["unknown"]>(
      { policy: "all" },
      { policy: "nearest", latitude: 10, longitude: 10 },
      { policy: "nodes", nodes: ["n3", "n1", "none"] },
    ),
    allDown: fc.constantFrom<PoolPolicy["allDown"]>(
      { policy: "last-known-good" },
      { policy: "fail-open" },
      ...spill ? [{ policy: "pool", pool: SPARE }] as const : [],
    ),
  }).map(({ ring, compat, ...rest }) => ({ ...rest, ...ring && { ring }, ...compat && { compat } }));

/** A pool by chance: its nodes are n0, n1, … */
export interface RandomPool {
  readonly nodes: readonly RandomNode[];
  readonly policy: Partial<PoolPolicy>;
}

export const randomPool = (spill: boolean, minLength = 1, maxLength = 8): fc.Arbitrary<RandomPool> =>
  fc.record({
    nodes: fc.array(randomNode, { minLength, maxLength, size: "max" }),
    policy: randomPolicy(spill),
    isPriced: fc.constantFrom(false, false, true),
  }).map(({ nodes, policy, isPriced }) => ({
    policy,
    nodes: isPriced ? nodes : nodes.map((node) => ({ ...node, priceM: 0 })),
  }));

const opinion: fc.Arbitrary<Pick<RandomNode, "state" | "ramp">> = fc.record({
  state: fc.constantFrom("up", "up", "degraded", "down", "down"),
  ramp: fc.constantFrom(1, 1, 1, 0.5),
});

const REGIONS = ["eu", "us"] as const;

/** One of which some regions have opinions of their own; and with `all-down nodata`, which then may come to nothing. */
export const regionalPool = (spill: boolean, minLength = 1, maxLength = 8): fc.Arbitrary<RandomPool> =>
  fc.tuple(
    randomPool(spill, minLength, maxLength),
    fc.array(
      fc.record({
        region: fc.constantFrom(...REGIONS, ""),
        eu: fc.option(opinion, { nil: undefined }),
        us: fc.option(opinion, { nil: undefined, freq: 1 }),
      }),
      { minLength: maxLength, maxLength },
    ),
    fc.constantFrom(false, false, true),
    // One that is cut off.
    fc.constantFrom(undefined, undefined, ...REGIONS),
  ).map(([{ nodes, policy }, said, nodata, blind]) => ({
    nodes: nodes.map((node, i) => {
      const { region, ...owns } = { ...said[i]!, ...blind && { [blind]: { state: "down", ramp: 1 } } };
      const saidIn = Object.fromEntries(Object.entries(owns).filter(([, own]) => own !== undefined));
      return { ...node, region, saidIn: saidIn as NonNullable<RandomNode["saidIn"]> };
    }),
    policy: nodata ? { ...policy, allDown: { policy: "nodata" }, maxDistanceKm: Infinity } : policy,
  }));

export const randomPlace: fc.Arbitrary<PlaceText | undefined> = fc.option(point, { nil: undefined, freq: 6 });

/** The pool's nodes as the server has them. */
export function nodesOf({ nodes }: RandomPool): Node[] {
  return nodes.map(({ at, weight, out, maintenance = [], region = "" }, i) =>
    node(`n${i}`, at, { weight, state: out ? "drain" : "up", maintenance, region })
  );
}

/** A snapshot of a pool and the one it may spill to. */
export function snapshotOf(main: RandomPool, spare: RandomPool): Snapshot {
  const made = [withVerdicts(main, POOL), withVerdicts(spare, SPARE)];
  return snapshot(made.map(({ state }) => state), {
    verdicts: byTarget(Object.fromEntries(made.flatMap(({ said }) => targetEntries(said)))),
  });
}

/** With those of regions that say otherwise. */
function verdictOf({ state, ramp, saidIn = {} }: RandomNode): Partial<Verdict> {
  const opinion = (said: Pick<RandomNode, "state" | "ramp">): Opinion => {
    return { verdict: { ...said, sinceMs: 0, reason: "" }, deadline: UNTOLD };
  };
  const owns = new Map(Object.entries(saidIn).map(([region, own]) => [region, opinion(own)]));
  return withRegions(opinion({ state, ramp }), owns).verdict;
}

function withVerdicts(random: RandomPool, name: string): { state: PoolState; said: Snapshot["verdicts"] } {
  const nodes = nodesOf(random);
  const remembered = random.nodes.flatMap(({ remembered }, i) => remembered ? [`n${i}`] : []);
  const said = verdicts(
    nodes,
    Object.fromEntries(random.nodes.map((node, i) => [`n${i}`, verdictOf(node)])),
  );
  // Addresses of the two pools may coincide; their targets must not.
  const renamed = byTarget(
    Object.fromEntries(targetEntries(said).map(([target, verdict]) => [`${name} ${target}`, verdict])),
  );
  const prices = Object.fromEntries(
    random.nodes.flatMap(({ priceM }, i) => priceM > 0 ? [[`n${i}`, priceM]] : []),
  );
  const isPriced = Object.keys(prices).length > 0;
  const state = pool(nodes, { ...random.policy, name }, {
    lastServing: { 4: remembered, 6: [] },
    ...isPriced && { degradation: { regions: ["eu"], prices, mayEndMs: Infinity } },
  });
  const targets = Object.fromEntries(
    Object.entries(state.targets).map((
      [address, targets],
    ) => [address, targets.map((target) => `${name} ${target}`)]),
  );
  return { state: { ...state, policy: policy({ ...random.policy, name }), targets }, said: renamed };
}
