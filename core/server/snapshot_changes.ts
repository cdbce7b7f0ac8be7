/**
 * What one snapshot has that the one before had not: all that a worker needs to be sent. Parts of snapshots are immutable,
 * so one of the same identity is the same. What one plugin publishes may be large, and must not travel whenever another
 * one publishes: so tables are looked into.
 *
 * @module
 */

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
    const removed = Object.keys(before[table]).filter((key) => !Object.hasOwn(after[table], key));
    tables[table] = { entries: entriesChanged(before[table], after[table]), removed };
  }
  return { parts, tables };
}

/** The later snapshot, made of the one before and what changed. */
export function withChanges(before: Snapshot, { parts, tables }: SnapshotChanges): Snapshot {
  const changed = Object.entries(tables).map(([name, { entries, removed }]) => {
    const table: Record<string, unknown> = { ...before[name as Table], ...entries };
    for (const key of removed) delete table[key];
    return [name, table];
  });
  return { ...before, ...parts, ...Object.fromEntries(changed) };
}

function entriesChanged<T extends object>(before: T, after: T): Record<string, unknown> {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key as keyof T] !== value));
}
