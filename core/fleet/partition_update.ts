/**
 * A partition made of the one before it, where nodes of a pool went down or came back: leaves that looked at none of them
 * are what they were, and most do not. What comes out says the same of every client as one made from all leaves.
 *
 * Only of plain pools: see plain_basis.ts. Clients of equal replies may have two rows then, that of a block which stays and
 * one for blocks that changed: sound, as no row has clients of different replies, and whoever remembers replies by row misses
 * more often.
 *
 * @module
 */

import { DEEP_ROW } from "../net/network_rows.ts";
import { markValues, NetworkCursor, type NetworkTable, valueAt } from "../net/network_table.ts";
import { TablePatch } from "../net/table_patch.ts";
import { type PartitionRows, precisionNumber } from "./client_table.ts";
import type { Partition, PartitionJob } from "./partition.ts";
import type { Geography, PlaceTable } from "./place.ts";
import { changedSince, plainBasis } from "./plain_basis.ts";
import { spillPath } from "./select.ts";
import { type RowsBefore, UpdatedBlocks } from "./updated_blocks.ts";
import { UpdatedOutcomes } from "./updated_outcomes.ts";
import { viewsAt } from "./view.ts";

/** Of more nodes at once, and of tables that have grown so far, all is worked out again. */
const CHANGED_MAX = 8, GROWN_MAX = 1.5;

/** What a job would make, from what the pool's partition was; undefined where that has to be worked out from all leaves. */
export function updatedFrom(before: Partition, job: PartitionJob): Partition | undefined {
  const { snapshot, geography, pool, family, nowMs } = job;
  const views = viewsAt(snapshot, family, nowMs), path = spillPath(views, pool), view = path[0];
  const { basis, rows, tailored, consulted } = before;
  if (!view || !basis || !rows || !tailored || before.geographyEpoch !== geography.epoch) return undefined;
  const changed = changedSince(basis, view);
  if (!changed || changed.length > CHANGED_MAX) return undefined;
  if (consulted.length >= LOOKS_MAX) return undefined;
  const isOld = rowsLookingAt(changed, before);
  const outcomes = new UpdatedOutcomes(views, view, geography.places, consulted, staying(rows, isOld));
  const updated = updateRows(rows, isOld, outcomes, geography);
  // Joining makes numbers too. Past this some keys of rows may have been the same: all is let go.
  if (outcomes.consulted.length > LOOKS_MAX) return undefined;
  if (updated.clients[4].count + updated.clients[6].count > GROWN_MAX * rows.networks) return undefined;
  if (!areAnswersSeveral(updated, outcomes)) return undefined;
  return {
    ...{ pool, family, geographyEpoch: geography.epoch, tailored },
    epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
    fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
    basis: plainBasis(view)!,
    consulted: outcomes.consulted,
    rows: updated,
  };
}

/** By row: 1 = its blocks looked at some of these members, or nobody is in it. */
function rowsLookingAt(members: readonly number[], { rows, consulted }: Partition): Uint8Array {
  const looks = consulted.map(([one]) => members.some((index) => one!.looks[index] !== 0));
  return rowsInUse(rows!).map((isUsed, row) => Number(isUsed === 0 || looks[rows!.consulted[row]!]!));
}

/** By row: 1 = some network has it. */
function rowsInUse({ clients, scopes }: PartitionRows): Uint8Array {
  const used = new Uint8Array(scopes.length);
  markValues(clients[4], used);
  markValues(clients[6], used);
  return used;
}

/** By the number of what is looked at: 1 = a row that stays has it. @param isOld By row: 1 = it does not stay. */
export function staying({ consulted }: Pick<PartitionRows, "consulted">, isOld: Uint8Array): Uint8Array {
  // Rows are more than a call can have arguments.
  let most = 0;
  for (const look of consulted) if (look > most) most = look;
  const stay = new Uint8Array(most + 1);
  consulted.forEach((look, row) => isOld[row] === 0 && (stay[look] = 1));
  return stay;
}

/** Where all clients get the same, scopes are 0: that there are special-purpose blocks divides nothing then. */
function areAnswersSeveral(rows: PartitionRows, outcomes: UpdatedOutcomes): boolean {
  const answers = new Set<number>(),
    meet = (row: number) => answers.add(outcomes.answerOf(rows.consulted[row]!));
  // Some here and there tell it, as a rule.
  for (const table of [rows.clients[4], rows.clients[6]]) {
    for (let i = 0; i < SAMPLES; i++) {
      const row = valueAt(table, Math.floor(i * (table.count - 1) / (SAMPLES - 1)));
      if (row !== DEEP_ROW) meet(row);
    }
  }
  if (answers.size <= 1) rowsInUse(rows).forEach((isUsed, row) => isUsed && meet(row));
  return answers.size > 1;
}

const SAMPLES = 16;

function updateRows(
  rows: PartitionRows,
  isOld: Uint8Array,
  outcomes: UpdatedOutcomes,
  { v4, v6, places }: Geography,
): PartitionRows {
  const numbers = new UpdatedRows(rows, isOld, outcomes, places);
  const update = (leaves: NetworkTable, table: NetworkTable) => {
    const { scopes, consulted } = rows, before: RowsBefore = { table, scopes, consulted, isOld };
    return patched(leaves, table, new UpdatedBlocks(leaves, before, outcomes), numbers);
  };
  const clients = { 4: update(v4, rows.clients[4]), 6: update(v6, rows.clients[6]) };
  return {
    clients,
    scopes: Uint8Array.from(numbers.scopes),
    consulted: Uint32Array.from(numbers.consulted),
    networks: rows.networks,
  };
}

/** The rows of a family with those of some blocks replaced. */
function patched(
  leaves: NetworkTable,
  table: NetworkTable,
  { firsts, lasts, lengths, looks, areaFirsts, areaEnds, areaBlocks }: UpdatedBlocks,
  numbers: UpdatedRows,
): NetworkTable {
  const patch = new TablePatch(table), leaf = new NetworkCursor(leaves);
  let block = 0;
  for (let area = 0; area < areaFirsts.length; area++) {
    patch.keepTo(areaFirsts[area]!);
    leaf.moveTo(firsts[block]!);
    for (; block < areaBlocks[area]!; block++) {
      const last = lasts[block]!, length = lengths[block]!, look = looks[block]!;
      let lastClass = -1, row = 0;
      for (;;) {
        const { value } = leaf;
        if (value !== lastClass) row = numbers.of(lastClass = value, length, look);
        patch.put(leaf.start, leaf.length, leaf.length > 64 ? DEEP_ROW : row);
        const isLast = leaf.entry === last;
        leaf.next();
        if (isLast) break;
      }
    }
    patch.skipTo(areaEnds[area]!);
  }
  return patch.finish();
}

/** Rows, those of blocks that are others than before in the place of such as nobody is in any more. */
class UpdatedRows {
  /** By row. */
  readonly scopes: number[];
  readonly consulted: number[];
  readonly #free: number[];
  readonly #outcomes: UpdatedOutcomes;
  readonly #places: PlaceTable;
  readonly #numbers = new Map<number, number>();
  /** Found lately: maps take several times as long, and leaves are many. */
  readonly #latelyKeys = new Float64Array(1 << LATELY_BITS).fill(-1);
  readonly #latelyRows = new Uint32Array(1 << LATELY_BITS);

  constructor(
    { scopes, consulted }: PartitionRows,
    isOld: Uint8Array,
    outcomes: UpdatedOutcomes,
    places: PlaceTable,
  ) {
    this.scopes = [...scopes];
    this.consulted = [...consulted];
    this.#free = [...isOld.keys()].filter((row) => isOld[row] === 1).reverse();
    this.#outcomes = outcomes;
    this.#places = places;
  }

  /** The row of a leaf. @param look Of its block, as {@linkcode UpdatedBlocks.looks} has it. */
  of(leafClass: number, scope: number, look: number): number {
    if (look < 0) look = -1 - look;
    const rest = scope * 8 + precisionNumber(this.#places, leafClass);
    const key = (this.#outcomes.choiceOf(leafClass) * LOOKS_MAX + look) * RESTS + rest;
    const at = (Math.imul(look * 31 + rest, 0x9e3779b1) ^ Math.imul(leafClass, 0x297a2d39)) >>>
      32 - LATELY_BITS;
    if (this.#latelyKeys[at] === key) return this.#latelyRows[at]!;
    let row = this.#numbers.get(key);
    if (row === undefined) {
      this.#numbers.set(key, row = this.#free.pop() ?? this.scopes.length);
      this.scopes[row] = scope;
      this.consulted[row] = look;
    }
    this.#latelyKeys[at] = key;
    return this.#latelyRows[at] = row;
  }
}

const LATELY_BITS = 14;

/** More sets of what is looked at are not told apart; and more than scopes by eight. */
const LOOKS_MAX = 2 ** 20, RESTS = 2048;
