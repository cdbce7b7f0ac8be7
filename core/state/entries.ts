/**
 * Entries by key, so that all below a prefix are found without a look at those of another kind: an audit log has a
 * hundred times as many as all the rest.
 *
 * @module
 */

import type { Entry } from "./store.ts";

/** See the module. */
export class Entries {
  /** By the part of the key before its first `/`. */
  readonly #kinds = new Map<string, Map<string, Entry>>();

  get(key: string): Entry | undefined {
    return this.#kinds.get(kindOf(key))?.get(key);
  }

  set(entry: Entry): void {
    const kind = kindOf(entry.key), entries = this.#kinds.get(kind) ?? new Map<string, Entry>();
    this.#kinds.set(kind, entries);
    entries.set(entry.key, entry);
  }

  delete(key: string): void {
    this.#kinds.get(kindOf(key))?.delete(key);
  }

  /** What lies below a prefix, in no order. */
  *below(prefix: string): Generator<Entry> {
    if (!prefix.includes("/")) {
      for (const entry of this.values()) if (entry.key.startsWith(prefix)) yield entry;
      return;
    }
    for (const entry of this.#kinds.get(kindOf(prefix))?.values() ?? []) {
      if (entry.key.startsWith(prefix)) yield entry;
    }
  }

  *values(): Generator<Entry> {
    for (const entries of this.#kinds.values()) yield* entries.values();
  }
}

function kindOf(key: string): string {
  const end = key.indexOf("/");
  return end < 0 ? key : key.slice(0, end);
}
