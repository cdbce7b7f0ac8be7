/**
 * Pools as the store and the interface have them: what may be said of one, in the bounds of the Corefile's, and who its
 * members are. Those of the Corefile are listed with them, and go first.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { nearest } from "../corefile/nearest.ts";
import { fold, formatName, isWithin, parseName } from "../dns/name.ts";
import type { CorefilePool, PoolTaker } from "../fleet/hub.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import {
  ALL_DOWN,
  degradeProblem,
  type ManagedPool,
  policyOf,
  RANGES,
  STRATEGIES,
  termsOf,
  UNKNOWN,
} from "../fleet/pool_terms.ts";
import { whyEmptiedByDistance, whyNoEnd } from "../fleet/spill.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import { objectIn } from "../state/object_in.ts";
import { labelsSchema, nodeId } from "./nodes.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import type { ResourceKind } from "./resource.ts";
import { oneOf, pointerTo, shown, text, wanted, within } from "./schema.ts";

const NAME = wanted("a whole domain name, as pools have theirs: lower case, with a dot at its end");

/** A pool's name: an owner name in the form in which the Corefile's pools have theirs. */
export const poolName = z.string(NAME).refine((value) => nameOf(value) === value, NAME)
  .openapi({ example: "entry.anycast.example." });

const kilometres = within("kilometres", RANGES.kilometres);

const biasSchema = z.strictObject({
  region: within("a number", RANGES.bias).optional(),
  country: within("a number", RANGES.bias).optional(),
  maxKm: kilometres.optional(),
});

const unknownSchema = z.strictObject({
  policy: oneOf(UNKNOWN),
  latitude: within("degrees", RANGES.latitude).optional(),
  longitude: within("degrees", RANGES.longitude).optional(),
  nodes: z.array(nodeId).min(1, wanted("a node, or more")).optional(),
});

/** A managed pool. */
export const poolSchema = z.strictObject({
  name: poolName,
  description: z.string().max(1000).optional(),
  members: z.array(nodeId).max(10_000).optional()
    .openapi({ description: "the only nodes it takes; all that `select` leaves, when left out" }),
  select: labelsSchema.optional(),
  checks: z.array(text("a check's name", 63)).max(100).optional().openapi({
    description: "names of checks of the server block's `health`: those that decide; all, when left out",
    example: ["tls"],
  }),
  answers: within("a whole number", RANGES.answers).int(wanted("a whole number")).optional().openapi({
    example: 2,
  }),
  strategy: oneOf(STRATEGIES).optional(),
  compat: z.boolean(wanted("true or false")).optional(),
  bias: biasSchema.optional(),
  maxDistanceKm: kilometres.optional().openapi({ example: 5000 }),
  ring: z.strictObject({ share: within("a share", RANGES.ringShare), km: kilometres }).optional(),
  threshold: within("a share", RANGES.threshold).optional().openapi({ example: 0.5 }),
  degrade: z.strictObject({
    below: within("a share", RANGES.threshold).optional(),
    above: within("a share", RANGES.threshold).optional(),
    dwellMs: within("milliseconds", RANGES.dwellMs).optional(),
  }).optional().openapi({
    description:
      "traffic of a region goes elsewhere from below a healthy share of it on, until it has been above another",
    example: { below: 0.6, above: 0.75, dwellMs: 120_000 },
  }),
  unknown: unknownSchema.optional(),
  allDown: z.strictObject({ policy: oneOf(ALL_DOWN), pool: poolName.optional() }).optional(),
  origin: oneOf(["corefile", "api"]).optional()
    .openapi({ description: "a server's Corefile, or this interface", readOnly: true }),
}).openapi("Pool");

/** A managed pool as JSON has it. */
export type PoolValue = z.output<typeof poolSchema>;

/** Who is in a pool. */
export interface Membership {
  readonly name: string;
  /** Labels that a node must have. */
  readonly select: Readonly<Record<string, string>>;
  /** The only nodes it takes; absent = every one with the labels. */
  readonly members?: readonly string[] | undefined;
  /** The nodes that there are for it; absent = all, as far as is known. */
  readonly among?: ReadonlySet<string>;
}

/** What a server's Corefile says of pools. */
export interface CorefilePools {
  readonly pools: readonly CorefilePool[];
  /** Blocks that answer managed ones; absent = none. */
  readonly takers?: readonly PoolTaker[] | undefined;
}

/** What pools are, for {@linkcode Resources}. */
export function poolKind(corefile: () => CorefilePools): ResourceKind<typeof poolSchema> {
  return {
    ...{
      name: "pools",
      singular: "pool",
      schema: poolSchema,
      prefix: PREFIXES.pools,
      key: KEYS.pool,
      id: "name",
    },
    readOnly: ["origin"],
    complete: (value) => ({ ...value, origin: "api" }),
    check: async (value, { before, reader }) => [
      ...poolProblems(value),
      ...placeProblems(value, corefile(), before !== undefined),
      ...await spillProblems(value, corefile(), reader),
    ],
    checkRemoval: async ({ name }, reader) => {
      const user = (await managedPools(reader)).find(({ allDown }) => allDown?.pool === name);
      // Where the Corefile has one of this name, that is the one which is meant.
      if (user && !corefile().pools.some((pool) => pool.name === name)) {
        throw new ProblemError("conflict", `pool ${user.name} spills into ${name} when all of it is down`);
      }
    },
    filters: {
      member: ({ members }, wanted) => members?.includes(wanted) ?? false,
      strategy: ({ strategy }, wanted) => (strategy ?? "linear") === wanted,
      origin: ({ origin }, wanted) => (origin ?? "api") === wanted,
    },
    fixed: () => ({ values: corefile().pools.map(corefileValue), where: "the Corefile", goesFirst: true }),
  };
}

/** A managed pool as servers hear of it. @throws {ProblemError} When it cannot be answered by. */
export function managedPool(value: PoolValue): ManagedPool {
  const problems = poolProblems(value);
  if (problems.length > 0) throw ProblemError.invalid(problems);
  const { description: _, origin: _origin, ...pool } = value;
  return pool as ManagedPool;
}

/** A pool of the Corefile as JSON has it. */
function corefileValue({ name, select, policy, checks }: CorefilePool): PoolValue {
  const terms = policy ? termsOf(policy) : { select };
  return { name, ...terms, ...checks && { checks }, origin: "corefile" } as PoolValue;
}

/** What of a pool no schema can say, and needs nothing besides it. */
function poolProblems({ name, unknown, allDown, ...terms }: PoolValue): FieldProblem[] {
  const problems: FieldProblem[] = [], wrong = degradeProblem(terms);
  if (wrong !== undefined) problems.push({ pointer: "/degrade", detail: wrong });
  if (unknown) {
    const needs = { nearest: ["latitude", "longitude"], nodes: ["nodes"], all: [] }[unknown.policy];
    problems.push(...misfits(unknown, needs, "unknown"));
  }
  if (allDown) problems.push(...misfits(allDown, allDown.policy === "pool" ? ["pool"] : [], "allDown"));
  if (allDown?.pool === name) {
    problems.push({ pointer: "/allDown/pool", detail: "wanted another pool than itself" });
  }
  return problems;
}

/** Fields beside `policy` that it needs and that are missing, and those that it has no use for. */
function misfits(
  value: { readonly policy: string },
  needs: readonly string[],
  where: string,
): FieldProblem[] {
  const fields = Object.entries(value).filter(([, one]) => one !== undefined).map(([key]) => key);
  return [
    ...needs.filter((field) => !fields.includes(field)).map((field) => ({
      pointer: pointerTo(where, field),
      detail: `is missing: policy ${value.policy} needs it`,
    })),
    ...fields.filter((field) => field !== "policy" && !needs.includes(field)).map((field) => ({
      pointer: pointerTo(where, field),
      detail: `policy ${value.policy} has no use for it`,
    })),
  ];
}

/** What is at odds with the block that is to answer it. One that is there already may outlive its block. */
function placeProblems(
  { name, checks = [] }: PoolValue,
  { pools, takers = [] }: CorefilePools,
  isThere: boolean,
): FieldProblem[] {
  const owner = pools.find(({ owners }) => owners?.includes(name));
  if (owner) {
    return [{
      pointer: "/name",
      detail: `pool ${owner.name} of the Corefile answers ${shown(name)} already`,
    }];
  }
  const taker = takers.find((one) => isTakenBy(name, one));
  if (!taker) return isThere ? [] : [{ pointer: "/name", detail: nobodyAnswers(name, takers) }];
  return checks.flatMap((check, i) => {
    if (taker.checks.includes(check)) return [];
    const detail = `there is no check ${shown(check)}, only ${taker.checks.join(", ") || "none"}`;
    return [unknownWord(pointerTo("checks", i), detail, check, taker.checks)];
  });
}

/** Whether a block answers the managed pool of a name. */
export function isTakenBy(name: string, { zones }: PoolTaker): boolean {
  const own = fold(parseName(name));
  return zones.some((zone) => isWithin(own, fold(parseName(zone))));
}

function nobodyAnswers(name: string, takers: readonly PoolTaker[]): string {
  const zones = takers.flatMap(({ zones }) => zones).sort();
  return zones.length === 0
    ? "this server answers no managed pools: want `anycast managed` in a server block of its Corefile"
    : `wanted a name in ${zones.join(" or ")}, where managed pools are answered, got ${shown(name)}`;
}

/** Where pools spill to, this one and all that spill into it. */
async function spillProblems(
  value: PoolValue,
  { pools: corefile }: CorefilePools,
  reader: Reader,
): Promise<FieldProblem[]> {
  if (poolProblems(value).length > 0) return [];
  const others = (await managedPools(reader)).filter(({ name }) => name !== value.name);
  const policies = new Map<string, PoolPolicy>(
    [...others, value].map((pool) => [pool.name, policyOf(pool.name, pool as ManagedPool)]),
  );
  for (const { name, select, policy } of corefile) policies.set(name, policy ?? policyOf(name, { select }));
  const policyNamed = (name: string) => policies.get(name);
  const target = value.allDown?.pool;
  if (target !== undefined && !policies.has(target)) {
    const names = [...policies.keys()].filter((name) => name !== value.name);
    const detail = `there is no pool ${shown(target)}; there are ${names.join(", ") || "none"}`;
    return [unknownWord("/allDown/pool", detail, target, names)];
  }
  const own = policies.get(value.name)!, noEnd = whyNoEnd(own, policyNamed);
  if (noEnd !== undefined) return [{ pointer: "/allDown/pool", detail: noEnd }];
  return [own, ...others.map(({ name }) => policies.get(name)!)].flatMap((policy) => {
    const why = whyEmptiedByDistance(policy, policyNamed);
    const isAbout = policy === own || why?.includes(value.name);
    return why !== undefined && isAbout ? [{ pointer: "/allDown/policy", detail: why }] : [];
  }).slice(0, 1);
}

async function managedPools(reader: Reader): Promise<PoolValue[]> {
  const { entries } = await reader.list(PREFIXES.pools);
  return entries.flatMap(({ value }) => (objectIn(value) ?? []) as PoolValue | []);
}

function unknownWord(pointer: string, detail: string, word: string, words: readonly string[]): FieldProblem {
  const meant = nearest(word, words);
  return meant === undefined
    ? { pointer, detail }
    : { pointer, detail: `${detail}; did you mean '${meant}'?`, nearest: meant };
}

/** A name as the Corefile's pools have theirs; undefined where it is none. */
function nameOf(text: string): string | undefined {
  try {
    return formatName(fold(parseName(text)));
  } catch {
    return undefined;
  }
}
