/**
 * What is known by target, in many small records: there may be tens of thousands of targets, of which a probe changes one,
 * and nobody is to wait while all are copied. Immutable plain data; equal parts of two versions are the same objects.
 *
 * @module
 */

import type { TargetKey } from "./verdict.ts";

/** See the module. Read it by {@linkcode ofTarget}. */
export type ByTarget<T> = readonly Readonly<Record<TargetKey, T>>[];

/** How many records there are, a power of two: a change copies the records that it is in. */
const RECORDS = 4096;

const EMPTY_RECORD = Object.freeze({});

/** Nothing about any target. */
export const NO_TARGETS: ByTarget<never> = Object.freeze([]);

/** What is known of a target. */
export function ofTarget<T>(table: ByTarget<T>, key: TargetKey): T | undefined {
  return table[recordOf(key)]?.[key];
}

/** The table with some entries replaced, and those given as undefined left out. */
export function withTargets<T>(
  table: ByTarget<T>,
  changes: Readonly<Record<TargetKey, T | undefined>>,
): ByTarget<T> {
  const records: Record<TargetKey, T>[] = table.length > 0
    ? table.slice()
    : new Array(RECORDS).fill(EMPTY_RECORD);
  const own = new Set<number>();
  for (const key in changes) {
    const at = recordOf(key), value = changes[key];
    if (!own.has(at)) {
      own.add(at);
      records[at] = { ...records[at] };
    }
    if (value === undefined) delete records[at]![key];
    else records[at]![key] = value;
  }
  return records;
}

/** A table of what stands in one record. */
export function byTarget<T>(record: Readonly<Record<TargetKey, T>>): ByTarget<T> {
  return withTargets<T>(NO_TARGETS, record);
}

/** All of a table. */
export function targetEntries<T>(table: ByTarget<T>): [TargetKey, T][] {
  const entries: [TargetKey, T][] = [];
  for (const record of table) for (const key in record) entries.push([key, record[key]!]);
  return entries;
}

/** What {@linkcode withTargets} makes one table of the other with. */
export function changedTargets<T>(before: ByTarget<T>, after: ByTarget<T>): Record<TargetKey, T | undefined> {
  const changes: Record<TargetKey, T | undefined> = {};
  for (let at = 0; at < Math.max(before.length, after.length); at++) {
    const old: Readonly<Record<TargetKey, T>> = before[at] ?? EMPTY_RECORD,
      now: typeof old = after[at] ?? EMPTY_RECORD;
    if (old === now) continue;
    for (const key in old) if (!(key in now)) changes[key] = undefined;
    for (const key in now) if (old[key] !== now[key]) changes[key] = now[key];
  }
  return changes;
}

/** FNV-1a, of 32 bit. */
function recordOf(key: TargetKey): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ hash >>> 15) & (RECORDS - 1);
}
