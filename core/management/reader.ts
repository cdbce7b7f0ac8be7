/**
 * Where what is asked for is read: the store itself, or this server's copy of it, which is there when the store is not.
 *
 * @module
 */

import type { Replica } from "../state/replica.ts";
import type { Entry, Store } from "../state/store.ts";

/** What reads a key, and what lies below a prefix. */
export type Reader = Pick<Store, "get" | "list">;

/** Reads a copy. */
export function readerOf(replica: Pick<Replica, "get" | "below" | "revision">): Reader {
  return {
    get: (key) => Promise.resolve(replica.get(key)),
    list: (prefix) => {
      const entries = [...replica.below(prefix)].sort(byKey);
      return Promise.resolve({ revision: replica.revision, entries });
    },
  };
}

/** Ascending by key. */
export function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
