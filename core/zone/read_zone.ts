/**
 * Zone files as they are served from, each read once for as long as it stays the same and somebody has what was read: a
 * configuration is looked over before it is served by, and a reload mostly finds the same zones again.
 *
 * @module
 */

import type { Name } from "../dns/name.ts";
import { stampOf } from "../files.ts";
import { type Loaded, loadZoneInSteps } from "./load.ts";
import { type PackedZone, packInSteps } from "./packed_zone.ts";
import { finish, type Steps } from "./steps.ts";

/** What a zone file came to, its records written down. */
export interface ReadZone extends Omit<Loaded, "zone" | "records"> {
  /** Absent when there are errors. */
  readonly zone?: PackedZone;
  /** What its files were like when they were read: see {@linkcode stampOf}. */
  readonly stamp: string;
}

/** By path and origin; what nobody holds any more is forgotten. */
const known = new Map<string, WeakRef<ReadZone>>();

const forgotten = new FinalizationRegistry<string>((key) => {
  if (!known.get(key)?.deref()) known.delete(key);
});

/** {@linkcode readZoneInSteps}, at once. */
export function readZone(path: string, origin: Name): ReadZone {
  return finish(readZoneInSteps(path, origin));
}

/** Reads the zone `origin` from a file, unless it has been read as it is. What is wrong comes back as errors. */
export function* readZoneInSteps(path: string, origin: Name): Steps<ReadZone> {
  const key = `${origin}${path}`, before = known.get(key)?.deref();
  if (before && stampOf(...before.files) === before.stamp) return before;
  // The stamp is taken first: a file that changes while it is read is read again.
  const files = before?.files ?? [path], stamp = stampOf(...files), nowMs = Date.now();
  const { zone, records: _, ...loaded } = yield* loadZoneInSteps(path, origin);
  const isSame = loaded.files.join("\n") === files.join("\n");
  const packed = zone && (yield* packInSteps(zone));
  const read = { ...loaded, ...packed && { zone: packed }, stamp: isSame ? stamp : stampOf(...loaded.files) };
  if (packed && isOlder(read.files, nowMs)) {
    known.set(key, new WeakRef(read));
    forgotten.register(read, key);
  }
  return read;
}

/** File systems count time in ticks: what was written twice in one has the same stamp. */
const TICK_MS = 100;

function isOlder(files: readonly string[], nowMs: number): boolean {
  return files.every((file) => {
    try {
      return (Deno.statSync(file).mtime?.getTime() ?? Infinity) < nowMs - TICK_MS;
    } catch {
      return false;
    }
  });
}
