/**
 * All that there is of a kind, in the store and in files, to be read one by one: of ten thousand nodes a page has a hundred.
 *
 * @module
 */

import { digestOf, type Json } from "../state/canonical.ts";
import { objectIn } from "../state/object_in.ts";
import type { Entry } from "../state/store.ts";
import { etagOf } from "./etag.ts";

/** What there is of one key. */
export interface Listed<T> {
  readonly key: string;
  /** In the store. */
  readonly entry?: Entry;
  /** In a file. */
  readonly fixed?: T;
}

/** Ascending by key. `entries` are, too. @param goesFirst Whether the store says nothing where a file does. */
export function listedOf<T>(
  entries: readonly Entry[],
  fixed: readonly (readonly [key: string, value: T])[],
  { goesFirst = false }: { readonly goesFirst?: boolean },
): readonly Listed<T>[] {
  const stored = entries.map((entry): Listed<T> => ({ key: entry.key, entry }));
  if (fixed.length === 0) return stored;
  const all = new Map(stored.map((listed) => [listed.key, listed]));
  for (const [key, value] of fixed) all.set(key, { ...!goesFirst && all.get(key), key, fixed: value });
  return [...all.values()].sort((a, b) => a.key < b.key ? -1 : 1);
}

/** It, with its tag. What cannot be read is told of in the log, and hides nothing else: then undefined, or what a file says. */
export function readListed<T>({ entry, fixed }: Listed<T>): { value: T; etag: string } | undefined {
  const stored = entry && objectIn(entry.value) as T | undefined;
  if (stored) return { value: stored, etag: etagOf(entry.revision) };
  return fixed === undefined ? undefined : { value: fixed, etag: `"${digestOf(fixed as unknown as Json)}"` };
}
