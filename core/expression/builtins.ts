/**
 * The functions that every expression knows: of texts, lists and numbers.
 *
 * @module
 */

import type { Signature, Type, Value } from "./syntax.ts";

/** A function that needs nothing but its arguments, which are of the types that its signature says. */
export interface Builtin extends Signature {
  run(args: readonly any[]): Value;
}

/** A function that asks about each element; `ask` evaluates what stands in the place of the predicate. */
export interface PredicateBuiltin extends Signature {
  readonly predicate: true;
  run(list: readonly Value[], ask: (element: Value) => Value): Value;
}

const text = (run: (...args: any[]) => Value, returns: Type = "string", more: Type[] = []): Builtin => ({
  parameters: ["string", ...more],
  returns,
  run: (args) => run(...args),
});

const number = (run: (value: number) => number): Builtin => ({
  parameters: ["number"],
  returns: "number",
  run: ([value]) => run(value),
});

const list = (run: (list: readonly Value[]) => Value, returns: Type): Builtin => ({
  parameters: ["list"],
  returns,
  run: ([value]) => run(value),
});

const extreme = (pick: (...values: number[]) => number): Builtin => ({
  parameters: ["number"],
  repeats: true,
  returns: "number",
  run: (args) => pick(...args),
});

/** By name. */
export const BUILTINS: Readonly<Record<string, Builtin>> = {
  len: {
    parameters: ["any"],
    returns: "number",
    run([value]) {
      if (typeof value === "string" || Array.isArray(value)) return value.length;
      throw new TypeError("len wants a text or a list");
    },
  },
  upper: text((s: string) => s.toUpperCase()),
  lower: text((s: string) => s.toLowerCase()),
  trim: { ...text((s: string, set?: string) => trimmed(s, set), "string", ["string"]), optional: 1 },
  trimPrefix: text(
    (s: string, prefix: string) => s.startsWith(prefix) ? s.slice(prefix.length) : s,
    "string",
    [
      "string",
    ],
  ),
  trimSuffix: text(
    (s: string, suffix: string) => suffix !== "" && s.endsWith(suffix) ? s.slice(0, -suffix.length) : s,
    "string",
    ["string"],
  ),
  hasPrefix: text((s: string, prefix: string) => s.startsWith(prefix), "boolean", ["string"]),
  hasSuffix: text((s: string, suffix: string) => s.endsWith(suffix), "boolean", ["string"]),
  split: text((s: string, by: string) => s.split(by), "list", ["string"]),
  replace: text((s: string, from: string, to: string) => bounded(s.split(from), to), "string", [
    "string",
    "string",
  ]),
  repeat: text(
    (s: string, count: number) => s.repeat(Math.min(Math.max(0, Math.trunc(count)), REPEAT_MAX)),
    "string",
    ["number"],
  ),
  indexOf: text((s: string, part: string) => s.indexOf(part), "number", ["string"]),
  lastIndexOf: text((s: string, part: string) => s.lastIndexOf(part), "number", ["string"]),
  join: {
    parameters: ["list", "string"],
    optional: 1,
    returns: "string",
    run: ([values, by = ""]) => bounded(values.map(asText), by),
  },
  first: list((values) => values[0] ?? null, "any"),
  last: list((values) => values.at(-1) ?? null, "any"),
  reverse: list((values) => [...values].reverse(), "list"),
  sum: list((values) => values.reduce<number>((sum, value) => sum + asNumber(value), 0), "number"),
  abs: number(Math.abs),
  ceil: number(Math.ceil),
  floor: number(Math.floor),
  round: number(Math.round),
  max: extreme(Math.max),
  min: extreme(Math.min),
  int: { parameters: ["any"], returns: "number", run: ([value]) => Math.trunc(asNumber(value)) },
  float: { parameters: ["any"], returns: "number", run: ([value]) => asNumber(value) },
  string: { parameters: ["any"], returns: "string", run: ([value]) => asText(value) },
};

const predicate = (
  run: PredicateBuiltin["run"],
  returns: Type,
): PredicateBuiltin => ({ parameters: ["list", "any"], predicate: true, returns, run });

/** By name; each takes a list, and what to ask of each element. */
export const PREDICATE_BUILTINS: Readonly<Record<string, PredicateBuiltin>> = {
  all: predicate((values, ask) => values.every((value) => isTrue(ask(value))), "boolean"),
  any: predicate((values, ask) => values.some((value) => isTrue(ask(value))), "boolean"),
  none: predicate((values, ask) => !values.some((value) => isTrue(ask(value))), "boolean"),
  one: predicate((values, ask) => values.filter((value) => isTrue(ask(value))).length === 1, "boolean"),
  count: predicate((values, ask) => values.filter((value) => isTrue(ask(value))).length, "number"),
  filter: predicate((values, ask) => values.filter((value) => isTrue(ask(value))), "list"),
  map: predicate((values, ask) => values.map(ask), "list"),
  find: predicate((values, ask) => values.find((value) => isTrue(ask(value))) ?? null, "any"),
  findIndex: predicate((values, ask) => values.findIndex((value) => isTrue(ask(value))), "number"),
};

/** So that what it gives can be refused for its size before a memory is full of it. */
const REPEAT_MAX = 100_000;

/** Texts with another between each two. @throws {TypeError} When that is too long by far. */
function bounded(pieces: readonly string[], between: string): string {
  const length = pieces.reduce((sum, { length }) => sum + length + between.length, 0);
  if (length > REPEAT_MAX) throw new TypeError(`a text of about ${length}, more than ${REPEAT_MAX}`);
  return pieces.join(between);
}

/** A condition's outcome. @throws {TypeError} When it is neither true nor false. */
export function isTrue(value: Value): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`wanted true or false, got ${asText(value)}`);
}

/** A value as a text, as templates write it. */
export function asText(value: Value): string {
  if (value === null) return "nil";
  return Array.isArray(value) ? `[${value.map(asText).join(" ")}]` : String(value);
}

function asNumber(value: Value): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && !Number.isNaN(number)) return number;
  throw new TypeError(`wanted a number, got ${asText(value)}`);
}

function trimmed(s: string, set: string | undefined): string {
  if (set === undefined) return s.trim();
  let start = 0, end = s.length;
  while (start < end && set.includes(s[start]!)) start++;
  while (end > start && set.includes(s[end - 1]!)) end--;
  return s.slice(start, end);
}
