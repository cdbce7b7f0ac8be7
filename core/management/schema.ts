/**
 * Reads values by their schemas, so that whoever sent one hears of everything in it that is not right, at once: where it
 * stands, what was found, what was wanted, and which known word a mistyped one was probably meant to be.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { nearest } from "../corefile/nearest.ts";
import { parseInstantMs } from "../fleet/instant.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";

/** Stands between a message and the word that was probably meant. */
const MEANT = "\0";

/** What a schema says of a value that it does not take; `words`: those it does, where there are few. */
export function wanted(what: string, words: readonly string[] = []) {
  return {
    error: ({ code, input }: { readonly code?: string; readonly input?: unknown }) => {
      // Which keys there are is better known below.
      if (code === "unrecognized_keys") return undefined;
      return input === undefined
        ? `is missing: wanted ${what}`
        : meaning(`wanted ${what}, got ${shown(input)}`, String(input), words);
    },
  };
}

/** One of some words. */
export function oneOf<const W extends string>(words: readonly [W, ...W[]]) {
  return z.enum(words, wanted(words.join(", "), words));
}

/** Text that says something, of at most so many characters. */
export function text(what: string, max = 1000) {
  const told = wanted(`${what}, of 1 to ${max} characters`);
  return z.string(told).max(max, told).refine((value) => value.trim() !== "", told);
}

/** A number within bounds. */
export function numberFrom(what: string, min: number, max: number) {
  const told = wanted(what);
  return z.number(told).min(min, told).max(max, told);
}

/** The same, told by its bounds. A number that may be as large as one likes has no upper one. */
export function within(what: string, { min, max }: { readonly min: number; readonly max: number }) {
  const told = wanted(max < Infinity ? `${what} from ${min} to ${max}` : `${what}, at least ${min}`);
  const number = z.number(told).min(min, told);
  return max < Infinity ? number.max(max, told) : number;
}

const INSTANT = wanted("an instant such as 2026-12-01T02:00:00Z");

/** An instant, as text. */
export const instant = z.string(INSTANT).refine((value) => parseInstantMs(value) !== undefined, INSTANT)
  .openapi({ format: "date-time", example: "2026-12-01T02:00:00Z" });

/** Milliseconds since 1970 of an instant that the schema has taken. */
export function instantMs(value: string): number {
  return parseInstantMs(value)!;
}

/** What a value is by a schema. @throws {ProblemError} `invalid`, with every field at fault. */
export function readAs<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const known = new Map<readonly string[], readonly string[]>();
  const parsed = schema.safeParse(value, {
    error: (issue) => {
      const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape;
      if (issue.code === "unrecognized_keys") known.set(issue.keys, Object.keys(shape ?? {}));
      if (issue.code !== "invalid_type") return undefined;
      return issue.input === undefined
        ? `is missing: wanted ${issue.expected}`
        : `wanted ${issue.expected}, got ${shown(issue.input)}`;
    },
  });
  if (parsed.success) return parsed.data;
  throw ProblemError.invalid(parsed.error.issues.flatMap((issue) => fieldProblems(issue, known)));
}

/** A pointer to what lies at a path (RFC 6901). */
export function pointerTo(...path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** A value, for a message. */
export function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}

function fieldProblems(
  issue: z.core.$ZodIssue,
  known: ReadonlyMap<readonly string[], readonly string[]>,
): FieldProblem[] {
  if (issue.code !== "unrecognized_keys") {
    const [detail, meant] = issue.message.split(MEANT);
    return [{ pointer: pointerTo(...issue.path), detail: detail!, ...meant && { nearest: meant } }];
  }
  const words = known.get(issue.keys) ?? [];
  return issue.keys.map((key) => unknownKey(pointerTo(...issue.path, key), key, words));
}

/** The problem of a word that nobody knows. */
export function unknownKey(pointer: string, key: string, words: readonly string[]): FieldProblem {
  const meant = nearest(key, words);
  return meant === undefined
    ? { pointer, detail: `unknown key '${key}'; there are ${words.join(", ")}` }
    : { pointer, detail: `unknown key '${key}'; did you mean '${meant}'?`, nearest: meant };
}

function meaning(message: string, word: string, words: readonly string[]): string {
  const meant = nearest(word, words);
  return meant === undefined ? message : `${message}; did you mean '${meant}'?${MEANT}${meant}`;
}
