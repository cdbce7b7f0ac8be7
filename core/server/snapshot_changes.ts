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
  /** Keys of entries that have those properties only which are others than before. */
  readonly partial?: readonly string[];
  /** By key and property: the maps that an entry lacks, for only some of what is in them is another. */
  readonly maps?: Readonly<Record<string, Readonly<Record<string, MapChanges>>>>;
}

/** What became of a large map's entries. */
interface MapChanges {
  readonly entries: ReadonlyMap<unknown, unknown>;
  readonly removed: readonly unknown[];
}

/** Maps of fewer entries travel whole. */
const MAP_MIN = 32;

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
    const entries = entriesChanged(before[table], after[table]);
    const maps = table === "slots" ? takeMaps(before.slots, entries) : {};
    const partial = table === "pools" ? takeSame(before.pools, entries) : [];
    tables[table] = {
      ...{ entries, removed },
      ...partial.length > 0 && { partial },
      ...Object.keys(maps).length > 0 && { maps },
    };
  }
  return { parts, tables };
}

/** The later snapshot, made of the one before and what changed. */
export function withChanges(before: Snapshot, { parts, tables }: SnapshotChanges): Snapshot {
  const changed = Object.entries(tables).map(([name, { entries, removed, partial = [], maps = {} }]) => {
    if (name === "verdicts" || name === "deadlines") {
      const gone = Object.fromEntries(removed.map((key) => [key, undefined]));
      return [name, withTargets<unknown>(before[name], { ...entries, ...gone })];
    }
    const table: Record<string, unknown> = { ...before[name as Table], ...entries };
    for (const key of removed) delete table[key];
    for (const key of partial) {
      table[key] = { ...(before[name as Table] as Properties)[key]!, ...entries[key] as Properties };
    }
    for (const key in maps) table[key] = withMaps(table[key], before.slots[key], maps[key]!);
    return [name, table];
  });
  return { ...before, ...parts, ...Object.fromEntries(changed) };
}

type Properties = Readonly<Record<string, unknown>>;

/**
 * Takes what is the same out of some pools: of a flip that is its nodes, and what a worker knows of these it keeps with them.
 *
 * @returns The pools that some was taken of.
 */
function takeSame(before: Properties, entries: Record<string, unknown>): string[] {
  return Object.keys(entries).filter((key) => {
    const was = before[key] as Properties | undefined, is = entries[key] as Properties;
    if (!was || Object.keys(was).some((name) => !(name in is))) return false;
    entries[key] = entriesChanged(was, is);
    return true;
  });
}

/** Takes large maps out of what some slots have now, and keeps what changed in them. */
function takeMaps(before: Properties, entries: Record<string, unknown>): NonNullable<TableChanges["maps"]> {
  const all: Record<string, Record<string, MapChanges>> = {};
  for (const key in entries) {
    const was = before[key], is = entries[key];
    if (!isPlain(was) || !isPlain(is)) continue;
    const large = Object.keys(is).filter((name) =>
      was[name] instanceof Map && is[name] instanceof Map && is[name].size >= MAP_MIN
    );
    if (large.length === 0) continue;
    entries[key] = Object.fromEntries(Object.entries(is).filter(([name]) => !large.includes(name)));
    all[key] = Object.fromEntries(
      large.map((
        name,
      ) => [name, mapChanges(was[name] as Map<unknown, unknown>, is[name] as Map<unknown, unknown>)]),
    );
  }
  return all;
}

function isPlain(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function mapChanges(before: ReadonlyMap<unknown, unknown>, after: ReadonlyMap<unknown, unknown>): MapChanges {
  const entries = new Map([...after].filter(([key, value]) => before.get(key) !== value));
  return { entries, removed: [...before.keys()].filter((key) => !after.has(key)) };
}

function withMaps(value: unknown, before: unknown, maps: Readonly<Record<string, MapChanges>>): Properties {
  const made: Record<string, unknown> = { ...value as Properties };
  for (const name in maps) {
    const { entries, removed } = maps[name]!;
    const map = new Map((before as Record<string, ReadonlyMap<unknown, unknown>>)[name]);
    for (const key of removed) map.delete(key);
    for (const [key, one] of entries) map.set(key, one);
    made[name] = map;
  }
  return made;
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
