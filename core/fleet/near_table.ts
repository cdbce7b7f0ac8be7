/**
 * Which members of a pool lie nearest to each place: worked out once for a geography and a list of nodes, whatever
 * becomes of their health. Choosing walks a few of them; places with the same ones in the same order make a class.
 *
 * @module
 */

import { chordSquared, EARTH_RADIUS_M, type Vector, vectorMetres, vectorOf } from "./distance.ts";
import { NearCells } from "./near_cells.ts";
import { placeAt, type PlaceTable } from "./place.ts";
import type { Member, PoolView } from "./view.ts";

/** How many members a row has; with more nodes down than that around a place, a choice is made the long way. */
export const NEAR_MAX = 16;

/** How long a beginning classes are made for; choosing for each place is cheaper than telling longer ones apart. */
export const CLASS_LENGTH_MAX = 12;

/** How many more than a row's width are looked at. */
const SPARE = 4;

/** No member: in a row that was not worked out yet. */
const NOBODY = 0xffff;

/** See the module. Rows and classes are worked out when they are first asked for. */
export class NearTable {
  readonly #members: readonly Member[];
  readonly #places: PlaceTable;
  readonly #rows: Uint16Array;
  /** For each length of a row's beginning, from 1, the number of what stands there, by place. */
  readonly #classes: Uint32Array[] = [];
  #classCount = 0;

  /** How long rows are. */
  readonly width: number;

  constructor(members: readonly Member[], places: PlaceTable) {
    this.#members = members;
    this.#places = places;
    this.width = Math.min(NEAR_MAX, members.length);
    this.#rows = new Uint16Array(places.count * this.width).fill(NOBODY);
  }

  /** What the rows take; classes, where they are made, come on top. */
  get octets(): number {
    return this.#rows.byteLength;
  }

  /** Whether a row has every member of the pool. */
  get isWhole(): boolean {
    return this.width === this.#members.length;
  }

  /** Indexes of the nearest members, ascending by distance, then id: exactly as choosing counts these. */
  row(placeId: number): Uint16Array {
    const start = placeId * this.width;
    if (this.#rows[start] === NOBODY) this.#fill(placeId, start);
    return this.#rows.subarray(start, start + this.width);
  }

  /** How far into a place's row `count` of the members marked are found; 0 when the row has fewer. */
  lengthTo(placeId: number, count: number, isMarked: Uint8Array): number {
    const start = placeId * this.width;
    if (this.#rows[start] === NOBODY) this.#fill(placeId, start);
    for (let i = 0, found = 0; i < this.width; i++) {
      if (isMarked[this.#rows[start + i]!] && ++found === count) return i + 1;
    }
    return 0;
  }

  /** A number, from 1, that two places share when their rows begin with the same `length` members. */
  classOf(placeId: number, length: number): number {
    while (this.#classes.length < length) this.#classes.push(this.#classesOfNextLength());
    return this.#classes[length - 1]![placeId]!;
  }

  #fill(placeId: number, start: number): void {
    const near = nearestMembers(this.#members, vectorOf(placeAt(this.#places, placeId)), this.width);
    for (let i = 0; i < this.width; i++) this.#rows[start + i] = near[i]!;
  }

  /** Numbers what stands in the rows up to one member more: by the number of what stood there before, and that member. */
  #classesOfNextLength(): Uint32Array {
    const length = this.#classes.length, shorter = this.#classes[length - 1];
    const numbers = new Map<number, number>();
    return new Uint32Array(this.#places.count).map((_, placeId) => {
      const key = (shorter?.[placeId] ?? 0) * NOBODY + this.row(placeId)[length]!;
      let number = numbers.get(key);
      if (number === undefined) numbers.set(key, number = ++this.#classCount);
      return number;
    });
  }
}

/**
 * Indexes of the `count` members nearest to a point, or of all, ascending by distance, then id: exactly as choosing counts.
 *
 * @param some Indexes of members among whom these are, and some more; by default all.
 */
export function nearestMembers(
  members: readonly Member[],
  from: Vector,
  count: number,
  some?: readonly number[],
): number[] {
  if (count > members.length) count = members.length;
  // Chords tell who is near; whole metres, then ids, tell the order. Some more than are wanted, so that nobody is
  // overlooked who is as many metres away as the last of them, and stands before it by id.
  const short = shortestChords(members, from, count + SPARE, some);
  if (areApart(short.chords, count)) return short.indexes.slice(0, count);
  let nearest = ordered(members, from, short.indexes);
  if (nearest.length > count && nearest.at(-1)!.metres <= nearest[count - 1]!.metres) {
    nearest = ordered(members, from, [...members.keys()]);
  }
  return nearest.slice(0, count).map(({ index }) => index);
}

/** Whether the first `count`, and the one behind them, are apart by more than what whole metres do not tell. */
function areApart(chords: readonly number[], count: number): boolean {
  let last = -1;
  for (let i = 0; i <= count && i < chords.length; i++) {
    const chord = Math.sqrt(chords[i]!);
    if (chord - last < APART) return false;
    last = chord;
  }
  return true;
}

/** A chord of two metres: an arc is never less longer than another than its chord is. */
const APART = 2 / EARTH_RADIUS_M;

/**
 * Indexes of the nearest members up to the last one that an answer of a plain pool has, for a client there; undefined where
 * that takes more of them than {@linkcode NEAR_MAX}, or than a few more than the answer has where these are more.
 */
export function nearestToChosen(view: PoolView, from: Vector): number[] | undefined {
  const { members, serving, policy } = view, wanted = Math.min(policy.answers, serving.length);
  // As a rule few of the nearest are down, and to look for more of them takes longer.
  const few = wanted + DOWN_FEW;
  const some = few + SPARE < members.length ? nearCells(view, few + SPARE).around(from) : undefined;
  for (const count of [few, NEAR_MAX]) {
    const near = nearestMembers(members, from, count, count === few ? some : undefined);
    for (let length = 1, found = 0; length <= near.length; length++) {
      if (members[near[length - 1]!]!.serving && ++found === wanted) {
        near.length = length;
        return near;
      }
    }
  }
  return undefined;
}

/** How many that are down are reckoned with at first. */
const DOWN_FEW = 2;

function ordered(
  members: readonly Member[],
  from: Vector,
  indexes: readonly number[],
): { readonly index: number; readonly metres: number }[] {
  return indexes.map((index) => ({ index, metres: vectorMetres(from, members[index]!.vector) }))
    .sort((a, b) => a.metres - b.metres || a.index - b.index);
}

/** The `count` members at the shortest chords: the squares of these, and their indexes. Good until the next. */
function shortestChords(
  members: readonly Member[],
  from: Vector,
  count: number,
  some: readonly number[] | undefined,
): { readonly chords: readonly number[]; readonly indexes: readonly number[] } {
  const { chords, indexes } = shortest, all = some?.length ?? members.length;
  let found = 0;
  for (let i = 0; i < all; i++) {
    const index = some ? some[i]! : i, chord = chordSquared(from, members[index]!.vector);
    if (found === count && chord >= chords[count - 1]!) continue;
    let at = found < count ? found++ : count - 1;
    for (; at > 0 && chords[at - 1]! > chord; at--) {
      chords[at] = chords[at - 1]!;
      indexes[at] = indexes[at - 1]!;
    }
    chords[at] = chord;
    indexes[at] = index;
  }
  chords.length = indexes.length = found;
  return shortest;
}

/** One room for all: places are many. */
const shortest: { readonly chords: number[]; readonly indexes: number[] } = { chords: [], indexes: [] };

/** Pools whose cells are kept, those asked for last; and how many cells in all. */
const CELLS_POOLS_MAX = 128, CELLS_MAX = 1 << 15;

const keptCells = new Map<string, NearCells>();
const cellsOf = new WeakMap<PoolView, { readonly count: number; readonly cells: NearCells }>();

/** By content, as {@linkcode nearTable}. */
function nearCells(view: PoolView, count: number): NearCells {
  const known = cellsOf.get(view);
  if (known?.count === count) return known.cells;
  const key = `${count}\n${keyOf(view)}`;
  const cells = keptCells.get(key) ?? new NearCells(view.members.map(({ vector }) => vector), count);
  keptCells.delete(key);
  makeRoomForCells();
  keptCells.set(key, cells);
  cellsOf.set(view, { count, cells });
  return cells;
}

function makeRoomForCells(): void {
  let total = 0;
  for (const cells of keptCells.values()) total += cells.size;
  for (const [key, cells] of keptCells) {
    if (total <= CELLS_MAX && keptCells.size < CELLS_POOLS_MAX) return;
    total -= cells.size;
    keptCells.delete(key);
  }
}

/**
 * How many octets the tables of one geography may have together; beyond it the oldest is let go. A pool that changes needs
 * none: its partition is made of the one before.
 */
const KEPT_OCTETS_MAX = 24 << 20;

const kept = new WeakMap<PlaceTable, Map<string, NearTable>>();
const keys = new WeakMap<PoolView, string>();

/** The table of a pool's members for a geography's places: the same one for as long as ids and coordinates are. */
export function nearTable(view: PoolView, places: PlaceTable): NearTable {
  const key = keyOf(view);
  let tables = kept.get(places);
  if (!tables) kept.set(places, tables = new Map());
  let table = tables.get(key);
  if (!table) {
    table = new NearTable(view.members, places);
    makeRoom(tables, table.octets);
    tables.set(key, table);
  }
  return table;
}

/** By content: a list of nodes that came to a worker by structured clone is another object each time. */
function keyOf(view: PoolView): string {
  let key = keys.get(view);
  if (key === undefined) {
    key = view.members.map(({ node: { id, place } }) => `${id} ${place.latitude} ${place.longitude}`).join(
      "\n",
    );
    keys.set(view, key);
  }
  return key;
}

function makeRoom(tables: Map<string, NearTable>, octets: number): void {
  let total = octets;
  for (const table of tables.values()) total += table.octets;
  for (const [key, table] of tables) {
    if (total <= KEPT_OCTETS_MAX) return;
    total -= table.octets;
    tables.delete(key);
  }
}
