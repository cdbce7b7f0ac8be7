/**
 * What is told of a request that cannot be done: problem details for HTTP (RFC 9457), with every field at fault.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { StoreRefusedError, StoreUnavailableError } from "../state/store.ts";
import type { LastChange } from "./last_change.ts";

/** One field that is not as it should be. */
export interface FieldProblem {
  /** Where in the body it stands (RFC 6901): `/location/latitude`; "" = the whole. */
  readonly pointer: string;
  /** What was found and what was wanted. */
  readonly detail: string;
  /** The known word that was probably meant. */
  readonly nearest?: string;
}

/** Problem details (RFC 9457). */
export interface Problem {
  /** Relative to where the interface is: `/problems/invalid`. */
  readonly type: string;
  readonly title: string;
  /** Of HTTP. */
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly FieldProblem[];
  /** Who changed last what was to be changed. */
  readonly changed?: LastChange;
  /** Pools that would be left with nobody. */
  readonly pools?: readonly string[];
}

/** Kinds of problems: status and title, by the last part of the type. */
export const PROBLEMS = {
  malformed: [400, "The request cannot be understood"],
  "not-found": [404, "There is no such thing"],
  exists: [409, "It is there already"],
  fixed: [409, "It cannot be changed here"],
  conflict: [409, "It does not fit what is there"],
  "would-empty-pool": [409, "A pool would be left with nobody"],
  changed: [412, "Somebody has changed it since"],
  "too-large": [413, "It is too large"],
  invalid: [422, "Some fields are not right"],
  "key-reused": [422, "The idempotency key was another request's"],
  refused: [500, "The store refuses"],
  unavailable: [503, "The store cannot be reached"],
} as const satisfies Record<string, readonly [number, string]>;

/** The last part of a problem's type. */
export type ProblemKind = keyof typeof PROBLEMS;

/** Thrown by operations. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;

  constructor(
    kind: ProblemKind,
    detail: string,
    more: Pick<Problem, "errors" | "changed" | "pools"> = {},
  ) {
    super([detail, ...(more.errors ?? []).map((one) => `${one.pointer}: ${one.detail}`)].join("; "));
    const [status, title] = PROBLEMS[kind];
    this.problem = { type: `/problems/${kind}`, title, status, detail, ...more };
  }

  /** Fields that are not right; of one or more. */
  static invalid(errors: readonly FieldProblem[]): ProblemError {
    const detail = errors.length === 1 ? "one field is not right" : `${errors.length} fields are not right`;
    return new ProblemError("invalid", detail, { errors });
  }
}

/** What an error is to whoever asked; undefined of one that is nobody's but ours. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof StoreUnavailableError) {
    const detail = "whether it was done is not known: ask again, with the same idempotency key";
    return new ProblemError("unavailable", detail).problem;
  }
  if (error instanceof StoreRefusedError) return new ProblemError("refused", error.message).problem;
  return undefined;
}

/** {@linkcode Problem}, for the description of the interface. */
export const problemSchema = z.object({
  type: z.string().openapi({ example: "/problems/invalid" }),
  title: z.string().openapi({ example: PROBLEMS.invalid[1] }),
  status: z.number().int().openapi({ example: 422 }),
  detail: z.string().openapi({ example: "one field is not right" }),
  errors: z.array(z.object({
    pointer: z.string().openapi({ example: "/location/latitude" }),
    detail: z.string().openapi({ example: "wanted degrees from -90 to 90, got 100" }),
    nearest: z.string().optional(),
  })).optional(),
  changed: z.object({
    actor: z.string().openapi({ example: "token:anna" }),
    at: z.string().openapi({ example: "2026-12-01T02:00:00.000Z" }),
    record: z.string().openapi({ example: "fra/17" }),
  }).optional(),
  pools: z.array(z.string()).optional(),
}).openapi("Problem");
