/**
 * Overrides: what a person wants nodes to be, whatever checks say and lists have, for a while and for a reason. One that
 * begins in the future is scheduled maintenance.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { nearest } from "../corefile/nearest.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import { canonicalJson } from "../state/canonical.ts";
import { objectIn } from "../state/object_in.ts";
import type { Management } from "./change.ts";
import { labelsSchema, nodeId } from "./nodes.ts";
import type { FieldProblem } from "./problem.ts";
import type { Made, ResourceKind } from "./resource.ts";
import { instant, instantMs, numberFrom, oneOf, pointerTo, shown, text } from "./schema.ts";

/** The kinds of targets, the most specific first. */
export const TARGETS = ["node", "labels", "pool", "region"] as const;

/** How long an override may last. */
export const LASTING_MS_MAX = 366 * 86_400_000;

/** How long one that has ended is kept, for people to look at. */
export const ENDED_KEPT_MS = 7 * 86_400_000;

const targetSchema = z.strictObject({
  node: nodeId.optional(),
  labels: labelsSchema.optional(),
  pool: text("a pool's name", 255).optional().openapi({ example: "entry.anycast.example." }),
  region: text("a region", 64).optional().openapi({ example: "eu-central" }),
}).openapi("OverrideTarget", {
  description: "One of the four. A node with all of the labels; for a pool, its nodes in that pool alone.",
});

const drainedSchema = z.object({
  state: z.enum(["spreading", "expiring", "drained"]).openapi({
    description:
      "some servers may still name it; none does, and answers that did may be kept; those have expired",
  }),
  waitingFor: z.array(z.string()).optional()
    .openapi({ description: "servers that have not said yet that they answer by it", example: ["waw"] }),
  drainedAt: instant.optional().openapi({ description: "when the last answer that named it has expired" }),
  unheard: z.array(z.string()).optional()
    .openapi({ description: "servers that nobody hears and that have not left: they may still name it" }),
  exceptNodes: z.array(z.string()).optional()
    .openapi({ description: "nodes that another override keeps in answers" }),
  emptyPools: z.array(z.string()).optional()
    .openapi({ description: "pools that have no other node: `all-down` may name those it takes out" }),
}).openapi("Drained", {
  readOnly: true,
  description: "how far it is, of one that takes nodes out of answers",
});

/** An override. */
export const overrideSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/).optional().openapi({ example: "h5s2k9" }),
  target: targetSchema,
  state: oneOf(["up", "drain", "down"]).optional(),
  weight: numberFrom("a number above 0", Number.MIN_VALUE, Number.MAX_VALUE).optional()
    .openapi({ example: 0.5, description: "instead of the state: the weight, the state being as it is" }),
  from: instant.optional().openapi({ description: "now, when left out" }),
  until: instant,
  reason: text("a reason").openapi({ example: "kernel update" }),
  actor: z.string().optional().openapi({ readOnly: true, example: "token:anna" }),
  created: instant.optional().openapi({ readOnly: true }),
  drained: drainedSchema.optional(),
}).openapi("Override");

/** An override as the body of a request has it. */
export type OverrideBody = z.output<typeof overrideSchema>;

/** An override as it lies in the store. */
export type OverrideValue =
  & Omit<OverrideBody, "id" | "from" | "actor" | "created" | "drained">
  & Readonly<Record<"id" | "from" | "actor" | "created", string>>;

/** An override as it lies in the store, to be read. */
export const storedOverrideSchema = overrideSchema.required({
  id: true,
  from: true,
  actor: true,
  created: true,
});

/** What there is to be overridden; what is absent is not checked. */
export interface KnownTargets {
  readonly nodes?: readonly string[];
  readonly pools?: readonly string[];
  readonly regions?: readonly string[];
}

/** What overrides are, for {@linkcode Resources}. `known`: targets that there are. */
export function overrideKind(known: () => KnownTargets = () => ({})): ResourceKind<typeof overrideSchema> {
  return {
    ...{ name: "overrides", singular: "override", schema: overrideSchema, prefix: PREFIXES.overrides },
    ...{ key: KEYS.override, id: "id", readOnly: ["actor", "created"] },
    // Answers, explain and status name who wanted it as it is now.
    changed: (value, actor) => ({ ...value, actor }),
    complete: completeOverride,
    check: (value, { before, nowMs }) => [
      ...targetProblems(value.target, known()),
      ...effectProblems(value),
      ...spanProblems(value, before, nowMs),
    ],
    filters: {
      node: ({ target }, wanted) => target.node === wanted,
      pool: ({ target }, wanted) => target.pool === wanted,
      region: ({ target }, wanted) => target.region === wanted,
      actor: ({ actor }, wanted) => actor === wanted,
      state: ({ state }, wanted) => state === wanted,
    },
  };
}

/** An override with what the server adds; also of one that is only looked at beforehand. */
export function completeOverride(
  value: OverrideBody,
  { id, actor, nowMs }: Made,
  before?: OverrideBody,
): OverrideValue {
  const now = new Date(nowMs).toISOString(), { drained: _, ...kept } = value;
  return { ...kept, id: value.id ?? id, from: value.from ?? before?.from ?? now, actor, created: now };
}

function targetProblems(target: OverrideBody["target"], known: KnownTargets): FieldProblem[] {
  const said = TARGETS.filter((kind) => target[kind] !== undefined);
  if (said.length !== 1) {
    const found = said.length === 0 ? "none" : said.join(" and ");
    return [{ pointer: "/target", detail: `wanted one of ${TARGETS.join(", ")}, got ${found}` }];
  }
  if (target.labels && Object.keys(target.labels).length === 0) {
    return [{ pointer: "/target/labels", detail: "wanted at least one label: none would be every node" }];
  }
  return [
    ...unknownTarget("node", target.node, known.nodes),
    ...unknownTarget("pool", target.pool, known.pools),
    ...unknownTarget("region", target.region, known.regions),
  ];
}

function unknownTarget(
  kind: string,
  name: string | undefined,
  known: readonly string[] | undefined,
): FieldProblem[] {
  if (name === undefined || !known || known.includes(name)) return [];
  const meant = nearest(name, known), detail = `there is no ${kind} ${shown(name)}`;
  const pointer = pointerTo("target", kind);
  return [
    meant ? { pointer, detail: `${detail}; did you mean '${meant}'?`, nearest: meant } : { pointer, detail },
  ];
}

function effectProblems({ state, weight }: OverrideBody): FieldProblem[] {
  if ((state === undefined) !== (weight === undefined)) return [];
  const found = state === undefined ? "neither" : "both";
  return [{ pointer: "/state", detail: `wanted a state or a weight, got ${found}` }];
}

function spanProblems(
  { from, until }: OverrideBody,
  before: OverrideBody | undefined,
  nowMs: number,
): FieldProblem[] {
  const fromMs = from === undefined ? nowMs : instantMs(from), untilMs = instantMs(until);
  const pointer = "/until";
  if (untilMs <= fromMs) return [{ pointer, detail: "wanted an instant later than from" }];
  if (untilMs - fromMs > LASTING_MS_MAX) {
    return [{ pointer, detail: "wanted an end within 366 days of from" }];
  }
  // One that has ended may still be given another reason.
  if (untilMs <= nowMs && until !== before?.until) {
    return [{ pointer, detail: "wanted an instant that is still to come" }];
  }
  return [];
}

/** Takes away overrides that ended long ago, each with its record; how many. To be run now and then by any server. */
export async function sweepOverrides({ store, ledger, clock }: Management, server: string): Promise<number> {
  const { entries } = await store.list(PREFIXES.overrides);
  let swept = 0;
  for (const { key, value, revision } of entries) {
    const override = objectIn(value) as OverrideValue | undefined;
    // What cannot be read is for people to take away.
    if (!instant.safeParse(override?.until).success) continue;
    if (!override || clock.nowMs() - instantMs(override.until) < ENDED_KEPT_MS) continue;
    const event = {
      ...{ actor: `server:${server}`, action: "override.expire", subject: `overrides/${override.id}` },
      before: JSON.parse(canonicalJson(override)),
    };
    if ((await ledger.write([event], [{ remove: key }], [{ key, revision }])).succeeded) swept++;
  }
  return swept;
}
