/**
 * What one snapshot has that the one before had not: all that a worker needs to be sent. Parts of snapshots are immutable,
 * so one of the same identity is the same. What one plugin publishes may be large, and must not travel whenever another
 * one publishes: so tables are looked into.
 *
 * @module
 */

import { type ByTarget, changedTargets, withTargets } from "../fleet/by_target.ts";
import type { TargetKey } from "../fleet/verdict.ts";
import type { Snapshot } from "../snapshot.ts";

/** The parts in which each plugin, block, pool or target has an entry of its own. */
const TABLES = ["slots", "geographies", "pools", "partitions", "verdicts", "deadlines"] as const;

type Table = (typeof TABLES)[number];

/** What became of a table's entries. */
interface TableChanges {
  readonly entries: Readonly<Record<string, unknown>>;
  /** Keys that it has no more. */
  readonly removed: readonly string[];
}

/** The parts that are others, tables by their entries. Plain data. */
export interface SnapshotChanges {
  readonly parts: Partial<Omit<Snapshot, Table>>;
  readonly tables: Partial<Record<Table, TableChanges>>;
}

/** What changed from one snapshot to another. */
export function changesBetween(before: Snapshot, after: Snapshot): SnapshotChanges {
  const parts: Record<string, unknown> = entriesChanged(before, after);
  const tables: Partial<Record<Table, TableChanges>> = {};
  for (const table of TABLES) {
    if (!(table in parts)) continue;
    delete parts[table];
    if (table === "verdicts" || table === "deadlines") {
      tables[table] = targetChanges<unknown>(before[table], after[table]);
      continue;
    }
    const removed = Object.keys(before[table]).filter((key) => !Object.hasOwn(after[table], key));
    tables[table] = { entries: entriesChanged(before[table], after[table]), removed };
  }
  return { parts, tables };
}

/** The later snapshot, made of the one before and what changed. */
export function withChanges(before: Snapshot, { parts, tables }: SnapshotChanges): Snapshot {
  const changed = Object.entries(tables).map(([name, { entries, removed }]) => {
    if (name === "verdicts" || name === "deadlines") {
      const gone = Object.fromEntries(removed.map((key) => [key, undefined]));
      return [name, withTargets<unknown>(before[name], { ...entries, ...gone })];
    }
    const table: Record<string, unknown> = { ...before[name as Table], ...entries };
    for (const key of removed) delete table[key];
    return [name, table];
  });
  return { ...before, ...parts, ...Object.fromEntries(changed) };
}

/** In the same form as those of other tables. */
function targetChanges<T>(before: ByTarget<T>, after: ByTarget<T>): TableChanges {
  const changes = changedTargets(before, after), removed: TargetKey[] = [];
  for (const key in changes) {
    if (changes[key] !== undefined) continue;
    removed.push(key);
    delete changes[key];
  }
  return { entries: changes, removed };
}

function entriesChanged<T extends object>(before: T, after: T): Record<string, unknown> {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key as keyof T] !== value));
}
