/**
 * Pools as the store and the interface have them: what of a pool's policy is managed there, in the place of what the
 * Corefile says of it, and who its members are. What a managed pool does not say is as in the Corefile.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { fold, formatName, parseName } from "../dns/name.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import { labelsSchema, nodeId } from "./nodes.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { ResourceKind } from "./resource.ts";
import { numberFrom, oneOf, pointerTo, shown, wanted } from "./schema.ts";

const share = (what: string) => numberFrom(`${what}, from 0 to 1`, 0, 1);
const NAME = wanted("a whole domain name, as it stands in the Corefile: lower case, with a dot at its end");

/** A pool's name: an owner name in the form in which the Corefile's pools have theirs. */
export const poolName = z.string(NAME).refine((value) => nameOf(value) === value, NAME)
  .openapi({ example: "entry.anycast.example." });

const allDownSchema = z.strictObject({
  policy: oneOf(["last-known-good", "fail-open", "nodata", "servfail", "pool"]),
  pool: poolName.optional(),
});

const unknownSchema = z.strictObject({
  policy: oneOf(["nearest", "nodes", "all"]),
  latitude: numberFrom("degrees from -90 to 90", -90, 90).optional(),
  longitude: numberFrom("degrees from -180 to 180", -180, 180).optional(),
  nodes: z.array(nodeId).min(1).optional(),
});

/** A managed pool. */
export const poolSchema = z.strictObject({
  name: poolName,
  description: z.string().max(1000).optional(),
  members: z.array(nodeId).max(10_000).optional()
    .openapi({ description: "the only nodes it takes; all that `select` leaves, when left out" }),
  select: labelsSchema.optional(),
  answers: numberFrom("a number from 1 to 32", 1, 32).int(wanted("a whole number")).optional().openapi({
    example: 2,
  }),
  strategy: oneOf(["linear", "quadratic", "logarithmic", "stepped"]).optional(),
  compat: z.boolean(wanted("true or false")).optional(),
  bias: z.strictObject({
    region: share("a share"),
    country: share("a share"),
    maxKm: numberFrom("kilometres", 0, 40_000),
  }).optional(),
  maxDistanceKm: numberFrom("kilometres above 0", Number.MIN_VALUE, 40_000).optional().openapi({
    example: 5000,
  }),
  ring: z.strictObject({ share: share("a share"), km: numberFrom("kilometres", 0, 40_000) }).optional(),
  threshold: share("a share").optional().openapi({ example: 0.5 }),
  unknown: unknownSchema.optional(),
  allDown: allDownSchema.optional(),
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
}

/** What pools are, for {@linkcode Resources}. `corefile`: the names of those in the Corefile; other ones answer nothing. */
export function poolKind(corefile?: () => readonly string[]): ResourceKind<typeof poolSchema> {
  return {
    ...{
      name: "pools",
      singular: "pool",
      schema: poolSchema,
      prefix: PREFIXES.pools,
      key: KEYS.pool,
      id: "name",
    },
    readOnly: [],
    check: (value, { before }) => [
      ...poolProblems(value),
      // One that the Corefile has lost may still be changed.
      ...before || !corefile || corefile().includes(value.name) ? [] : [unknownPool(value.name, corefile())],
    ],
    checkRemoval: async ({ name }, reader) => {
      const { entries } = await reader.list(PREFIXES.pools);
      const user = entries.map(({ value }) => JSON.parse(value) as PoolValue)
        .find(({ allDown }) => allDown?.pool === name);
      if (user) {
        throw new ProblemError("conflict", `pool ${user.name} spills into ${name} when all of it is down`);
      }
    },
    filters: {
      member: ({ members }, wanted) => members?.includes(wanted) ?? false,
      strategy: ({ strategy }, wanted) => strategy === wanted,
    },
  };
}

/** A pool's policy, as the Corefile has it, with what is managed in its place. */
export function managedPolicy(policy: PoolPolicy, managed: PoolValue | undefined): PoolPolicy {
  if (!managed) return policy;
  const { select, answers, strategy, compat, bias, maxDistanceKm, ring, threshold, unknown, allDown } =
    managed;
  const said = { select, answers, strategy, compat, bias, maxDistanceKm, ring, threshold, unknown, allDown };
  const present = Object.entries(said).filter(([, value]) => value !== undefined);
  return { ...policy, ...Object.fromEntries(present) as Partial<PoolPolicy> };
}

function poolProblems({ name, unknown, allDown }: PoolValue): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const say = (pointer: string, detail: string) => void problems.push({ pointer, detail });
  if (unknown) {
    const needs = { nearest: ["latitude", "longitude"], nodes: ["nodes"], all: [] }[unknown.policy];
    problems.push(...misfits(unknown, needs, "unknown"));
  }
  if (allDown) problems.push(...misfits(allDown, allDown.policy === "pool" ? ["pool"] : [], "allDown"));
  if (allDown?.pool === name) say("/allDown/pool", "wanted another pool than itself");
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

function unknownPool(name: string, known: readonly string[]): FieldProblem {
  const detail = `the Corefile has no pool ${shown(name)}; there are ${known.join(", ") || "none"}`;
  return { pointer: "/name", detail };
}

/** A name as the Corefile's pools have theirs; undefined where it is none. */
function nameOf(text: string): string | undefined {
  try {
    return formatName(fold(parseName(text)));
  } catch {
    return undefined;
  }
}
