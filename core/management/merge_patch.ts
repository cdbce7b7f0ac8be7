/** Changes to a JSON value, told as the value they lead to (RFC 7396). @module */

import type { Json } from "../state/canonical.ts";

/** What becomes of `target` by `patch`: members that are null go, objects are patched, all else takes its place. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  // Deno has no `__proto__` setter: a member of that name is one like any other.
  const result: Record<string, Json> = {};
  for (const [key, value] of Object.entries(isObject(target) ? target : {})) result[key] = value!;
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete result[key];
    else result[key] = mergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value);
  }
  return result;
}

/** Whether a value is an object, neither a list nor null. */
export function isObject(value: Json | undefined): value is { readonly [key: string]: Json | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
