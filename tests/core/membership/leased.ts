/**
 * Nodes that live by their leases: a store with so many of them, and what is told of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ManualClock } from "../../../core/clock.ts";
import { NewsGatherer } from "../../../core/membership/news.ts";
import type { News } from "../../../core/membership/protocol.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Entry } from "../../../core/state/store.ts";

/** How long a node may be silent. */
export const LEASE_MS = 30_000;

/** What else may be said of a store. */
export interface LeasedOptions {
  onNews?(news: News): void;
  /** In how many buckets who was heard lies. Default 1. */
  readonly buckets?: number;
  /** Hears that what lies in a bucket is read. */
  onRead?(): void;
}

/** A gatherer of a store with so many nodes that registered with fra, each of which was heard at an instant. */
export function gathererOf(
  clock: ManualClock,
  count: number,
  heardMs: (i: number) => number,
  { onNews, buckets = 1, onRead }: LeasedOptions = {},
) {
  const told: News[] = [], ids = Array.from({ length: count }, (_, i) => `n${i}`);
  const entries = new Map<string, Entry>();
  const put = (key: string, value: object, onRead?: () => void): Entry => {
    const text = JSON.stringify(value);
    const entry = {
      ...{ key, revision: 1, version: 1 },
      get value() {
        onRead?.();
        return text;
      },
    };
    entries.set(key, entry);
    return entry;
  };
  ids.forEach((id, i) => {
    const node = { id, origin: "registry", addresses: [`192.0.${2 + (i >> 8)}.${i & 255}`] };
    put(KEYS.node(id), { ...node, location: { latitude: i / 100, longitude: 0 } });
    put(KEYS.registration(id), { registeredMs: 0, server: "fra", said: "" });
  });
  /** Of a server's clock that is so much behind, as it seems. */
  const fra = (heardMs: (i: number) => number, behindMs = 0) => {
    const nowMs = clock.nowMs() - behindMs, all = ids.map((id, i) => [id, heardMs(i)] as const);
    const heardIn = (bucket: number) => Object.fromEntries(all.filter((_, i) => i % buckets === bucket));
    return [
      ...Array.from(
        { length: buckets },
        (_, bucket) => put(KEYS.alive("fra", bucket), { atMs: nowMs, heard: heardIn(bucket) }, onRead),
      ),
      put(KEYS.server("fra"), { nowMs, notedMs: nowMs }),
    ];
  };
  let listener: (differences: readonly { key: string; after?: Entry }[]) => void = () => {};
  const start = (behindMs = 0) => {
    fra(heardMs, behindMs);
    gatherer.start();
  };
  const gatherer = new NewsGatherer({
    server: "fra",
    replica: {
      get: (key: string) => entries.get(key),
      *below(prefix: string): Generator<Entry> {
        for (const entry of entries.values()) if (entry.key.startsWith(prefix)) yield entry;
      },
      onChange(one) {
        listener = one as typeof listener;
        return () => {};
      },
      revision: 1,
      confirmedMs: clock.nowMs(),
      fault: undefined,
    },
    clock,
    log: { error: (message) => assert.fail(message) },
    tell(news) {
      told.push(news);
      onNews?.(structuredClone(news));
    },
  });
  /** All of them are heard anew. */
  const hear = (heardMs: (i: number) => number, behindMs = 0) =>
    listener(fra(heardMs, behindMs).map((after) => ({ key: after.key, after })));
  /** A node is no more, or is there again. */
  const remove = (id: string) => listener([{ key: KEYS.node(id) }]);
  const putBack = (id: string) => listener([{ key: KEYS.node(id), after: entries.get(KEYS.node(id))! }]);
  return { told, gatherer, hear, start, remove, putBack };
}
