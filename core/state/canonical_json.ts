/**
 * One text for one value, so that equal values have equal hashes: JSON with the keys of objects sorted and nothing
 * between tokens (as RFC 8785 has it; numbers and strings are written as JavaScript does, which it builds on).
 *
 * @module
 */

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | {
  readonly [key: string]: Json | undefined;
};

/** The text. @throws {TypeError} A number that JSON does not have. */
export function canonicalJson(value: Json): string {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`Cannot write ${value} as JSON`);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one) => canonicalJson(one as Json)).join(",")}]`;
  const pairs = Object.entries(value).filter(([, one]) => one !== undefined).toSorted(([a], [b]) =>
    a < b ? -1 : 1
  );
  return `{${pairs.map(([key, one]) => `${JSON.stringify(key)}:${canonicalJson(one as Json)}`).join(",")}}`;
}
