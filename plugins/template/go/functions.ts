/**
 * The functions of Go's text/template, and CoreDNS's `parseInt`.
 *
 * @module
 */

/** What a template works with. A method is a function that stands in a field. */
export type GoValue =
  | null
  | string
  | number
  | boolean
  | readonly GoValue[]
  | ReadonlyMap<string, GoValue>
  | Method;

/** A function in the data that a template is given. */
export interface Method {
  readonly call: (...args: readonly GoValue[]) => GoValue;
}

/** A template that came to nothing, for what it was given. */
export class ExecutionError extends Error {
  override readonly name = "ExecutionError";
}

type GoFunction = (...args: readonly GoValue[]) => GoValue;

/** By name. `and` and `or` are looked at before all their arguments are: see execute.ts. */
export const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1) ?? null,
  or: (...args) => args.find(isTrue) ?? args.at(-1) ?? null,
  not: (value = null) => !isTrue(value),
  eq: (first = null, ...others) => others.some((other) => isEqual(first, other)),
  ne: (a = null, b = null) => !isEqual(a, b),
  lt: (a = null, b = null) => compare(a, b) < 0,
  le: (a = null, b = null) => compare(a, b) <= 0,
  gt: (a = null, b = null) => compare(a, b) > 0,
  ge: (a = null, b = null) => compare(a, b) >= 0,
  index: (of = null, ...keys) => keys.reduce<GoValue>(element, of),
  slice: (of = null, from = 0, to) => sliced(of, from, to),
  len: (value = null) => lengthOf(value),
  print: (...args) => args.map(asText).join(""),
  println: (...args) => args.map(asText).join(" ") + "\n",
  printf: (format = "", ...args) => formatted(asText(format), args),
  parseInt: (text = "", base = 10, bits = 64) => parseUnsigned(asText(text), asNumber(base), asNumber(bits)),
};

/** Whether a value counts as true: not for false, 0, nothing, and what is empty. */
export function isTrue(value: GoValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : Boolean(value);
}

/** A value as it is written into the text. */
export function asText(value: GoValue): string {
  if (value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(asText).join(" ")}]`;
  if (value instanceof Map) {
    return `map[${[...value].sort().map(([key, one]) => `${key}:${asText(one)}`).join(" ")}]`;
  }
  if (typeof value === "object") throw new ExecutionError("a method stands where a value was wanted");
  return String(value);
}

/** An element of a list or a map, or an octet of a text. @throws {ExecutionError} */
export function element(of: GoValue, key: GoValue): GoValue {
  if (of instanceof Map) return of.get(asText(key)) ?? "";
  if (!Array.isArray(of) && typeof of !== "string") throw new ExecutionError(`cannot index ${asText(of)}`);
  const at = asNumber(key);
  if (at < 0 || at >= of.length) throw new ExecutionError(`index ${at} of ${of.length}`);
  return typeof of === "string" ? of.charCodeAt(at) : of[at]!;
}

function isEqual(a: GoValue, b: GoValue): boolean {
  if (typeof a !== typeof b && a !== null && b !== null) {
    throw new ExecutionError("values of two kinds are compared");
  }
  return a === b;
}

function compare(a: GoValue, b: GoValue): number {
  if (typeof a !== typeof b || (typeof a !== "string" && typeof a !== "number")) {
    throw new ExecutionError("only two texts or two numbers have an order");
  }
  return a === b ? 0 : a < b! ? -1 : 1;
}

function sliced(of: GoValue, from: GoValue, to: GoValue | undefined): GoValue {
  if (!Array.isArray(of) && typeof of !== "string") throw new ExecutionError(`cannot slice ${asText(of)}`);
  const start = asNumber(from), end = to === undefined ? of.length : asNumber(to);
  if (start < 0 || start > end || end > of.length) {
    throw new ExecutionError(`slice ${start} to ${end} of ${of.length}`);
  }
  return of.slice(start, end);
}

function lengthOf(value: GoValue): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  throw new ExecutionError(`${asText(value)} has no length`);
}

function asNumber(value: GoValue): number {
  if (typeof value === "number") return value;
  throw new ExecutionError(`wanted a number, got ${asText(value)}`);
}

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A whole number without sign, of at most `bits` bits; base 0 goes by the prefix. One too large for a double is a text. */
function parseUnsigned(text: string, base: number, bits: number): GoValue {
  const [prefix, byPrefix] = base !== 0 ? ["", base] as const : prefixedBase(text);
  const digits = text.slice(prefix.length).toLowerCase();
  const known = DIGITS.slice(0, byPrefix);
  if (digits === "" || [...digits].some((digit) => !known.includes(digit))) {
    throw new ExecutionError(`parseInt: '${text}' is no number to base ${base}`);
  }
  const value = [...digits].reduce(
    (sum, digit) => sum * BigInt(byPrefix) + BigInt(DIGITS.indexOf(digit)),
    0n,
  );
  if (value >> BigInt(bits || 64) > 0n) {
    throw new ExecutionError(`parseInt: '${text}' has more than ${bits} bits`);
  }
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}

function prefixedBase(text: string): readonly [prefix: string, base: number] {
  const prefix = /^0[xXoObB]/.exec(text)?.[0] ?? (/^0\d/.test(text) ? "0" : "");
  return [prefix, { x: 16, o: 8, b: 2, "0": 8 }[prefix.at(-1)?.toLowerCase() ?? ""] ?? 10];
}

/** `%s %v %d %x %X %o %b %c %q %t %f %%`, with a width, `-` and `0`, and a precision of `%f`. */
function formatted(format: string, args: readonly GoValue[]): string {
  let next = 0;
  return format.replace(
    /%([-0]*)(\d{0,3})(?:\.(\d{1,2}))?([a-zA-Z%])/g,
    (whole, flags, width, precision, verb) => {
      if (verb === "%") return "%";
      if (next >= args.length) throw new ExecutionError(`printf: nothing is left for ${whole}`);
      const text = formatOne(verb, args[next++]!, precision, whole);
      if (flags.includes("-")) return text.padEnd(Number(width));
      return text.padStart(Number(width), flags.includes("0") ? "0" : " ");
    },
  );
}

function formatOne(verb: string, value: GoValue, precision: string | undefined, whole: string): string {
  switch (verb) {
    case "s":
    case "v":
    case "t":
      return asText(value);
    case "q":
      return JSON.stringify(asText(value));
    case "c":
      return String.fromCodePoint(asNumber(value));
    case "f":
      return asNumber(value).toFixed(Number(precision ?? 6));
    case "x":
    case "X": {
      const hex = typeof value === "string"
        ? new TextEncoder().encode(value).toHex()
        : asNumber(value).toString(16);
      return verb === "X" ? hex.toUpperCase() : hex;
    }
  }
  const base = { d: 10, o: 8, b: 2 }[verb];
  if (!base) throw new ExecutionError(`printf: ${whole} is not known`);
  return Math.trunc(asNumber(value)).toString(base);
}
