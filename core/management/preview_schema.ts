/**
 * A preview as JSON has it.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";

const standing = z.object({ state: z.string(), weight: z.number() });
const share = (of: string) =>
  z.number().openapi({ description: `a share of ${of}, from 0 to 1`, example: 0.23 });
const km = (what: string) => z.number().openapi({ description: `kilometres: ${what}`, example: 410 });

/** What would move of a pool. */
const poolMovesSchema = z.object({
  pool: z.string().openapi({ example: "entry.anycast.example." }),
  types: z.array(z.enum(["A", "AAAA"])).openapi({
    description: "of answers: those that move alike, together",
  }),
  movedNetworks: share("the networks whose place is known: those that would be answered by other nodes"),
  movedDemand: share("what they ask for"),
  lostDemand: share("what they ask for that would get no answer"),
  addedKmMean: km("how much farther it would be, over all that is asked for; below 0 = nearer"),
  addedKmMovedMean: km("the same over what moves"),
  addedKmMax: km("the most that it would be farther for anybody"),
  nodes: z.array(z.object({ node: z.string(), before: z.number(), after: z.number() }))
    .openapi({ description: "what nodes are asked for, now and then, where that is not the same" }),
  overloads: z.array(z.object({
    ...{ node: z.string(), demand: z.number(), capacity: z.number() },
    isAlready: z.boolean().openapi({ description: "whether it is above its capacity now, too" }),
  })).openapi({
    description: "nodes above their capacity, the worst first; nothing without a map of demand",
  }),
  counted: z.object({ networks: share("all networks"), demand: share("all that is asked for") }).openapi({
    description: "how much was counted in the time there was; shares are of that",
  }),
  isSampled: z.boolean().openapi({
    description:
      "not every network that draws was asked: their share is an estimate, and without a map of demand that of " +
      "what they ask for",
  }),
}).openapi("PoolMoves");

/** See the module. */
export const previewSchema = z.object({
  at: z.string().openapi({ format: "date-time", description: "the instant that was looked at" }),
  changes: z.array(z.object({
    ...{ node: z.string(), pool: z.string().optional() },
    ...{ before: standing.optional(), after: standing.optional() },
  })).openapi({ description: "nodes that would be something else; without `pool` wherever no pool is told" }),
  pools: z.array(z.object({
    pool: z.string(),
    ...{ members: z.number().int(), before: z.number().int(), after: z.number().int() },
  })).openapi({ description: "how many nodes would serve pools in which these would be others" }),
  emptied: z.array(z.string()).openapi({
    description: "pools that would be left with nobody: it is refused unless these are acknowledged",
  }),
  moves: z.array(poolMovesSchema).optional().openapi({ description: "absent where it cannot be told" }),
  movesUnknown: z.string().optional().openapi({ description: "why that is" }),
  weighedBy: z.object({
    by: z.enum(["addresses", "demand"]),
    number: z.number().int().optional().openapi({ description: "the version of demand" }),
    source: z.enum(["logs", "given"]).optional(),
  }).openapi({
    description: "what networks ask for: a map of demand, or without one as much as they have IPv4 addresses",
  }),
  approval: z.object({
    isWanted: z.boolean(),
    critical: z.array(z.string()).openapi({
      example: ["leaves 1 of 3 nodes of pool entry.example. in answers"],
    }),
  }).openapi({ description: "whether it would wait for a second person, and why" }),
}).openapi("Preview");

/** A preview as JSON has it. */
export type PreviewJson = z.output<typeof previewSchema>;
