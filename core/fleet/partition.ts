/**
 * The prefixes within which everyone gets the same answer from a pool: decision 0001, "Scopes". A function of the
 * snapshot; made in a worker, since a large geography takes a while.
 *
 * @module
 */

import type { ClientTable } from "../answer.ts";
import type { Family } from "../net/address.ts";
import { APART, mergeEqual, type NetworkTable, tableBuilder } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
import { clientTable } from "./client_table.ts";
import type { Consulted } from "./consulted.ts";
import { Numbering } from "./numbering.ts";
import { Outcomes } from "./partition_outcomes.ts";
import { type Geography, SPECIAL_CLASS_FIRST } from "./place.ts";
import type { Segment } from "./schedule.ts";
import { spillPath } from "./select.ts";
import { holdsAt, viewsAt } from "./view.ts";

export { answerKey } from "./partition_outcomes.ts";

/** What a pool's answers depend on, network by network. Plain data. Stands from `fromMs` to before `untilMs`. */
export interface Partition extends Segment {
  readonly pool: string;
  /** Of the answer, not of the client. */
  readonly family: Family;
  /** The epochs of every pool that an answer may have come by. */
  readonly epochs: Readonly<Record<string, number>>;
  readonly geographyEpoch: number;
  /** False: every client of either family gets one and the same answer, and scopes are 0. */
  readonly tailored: boolean;
  /** By the client's family: the blocks. A value is an index into `consulted`. */
  readonly blocks: { readonly 4: NetworkTable; readonly 6: NetworkTable };
  /** What the answers anywhere in a block looked at. Where nothing is tailored, only one: of all answers. */
  readonly consulted: readonly (readonly Consulted[])[];
  /** Tells clients apart whose replies differ in anything. Absent where all get the same, or each leaf draws for itself. */
  readonly clients?: ClientTable;
}

/** What a partition is made from: the parts of a snapshot that it needs, at an instant. */
export interface PartitionJob {
  readonly snapshot: Snapshot;
  readonly geography: Geography;
  readonly pool: string;
  readonly family: Family;
  readonly nowMs: number;
}

/** Makes the partition of a pool; undefined when there is no such pool. */
export function makePartition(job: PartitionJob): Partition | undefined {
  return make(job)?.partition;
}

/** Memory in which partitions are made one after the other, each over the one before. */
export class Workspace {
  readonly builders = { 4: tableBuilder(4, 0), 6: tableBuilder(6, 0) };
  readonly #outcomes: { 4?: Uint32Array; 6?: Uint32Array } = {};

  /** Room for the outcome of each entry of a table. */
  outcomes({ family, count }: NetworkTable): Uint32Array {
    const room = this.#outcomes[family];
    return room && room.length >= count ? room : this.#outcomes[family] = new Uint32Array(count);
  }
}

/** A partition with what it was merged from. */
export interface TracedPartition {
  readonly partition: Partition;
  /** The number of a leaf's answer, by the client's family and the entry of the geography's table. */
  readonly answerOf: { readonly 4: (leaf: number) => number; readonly 6: (leaf: number) => number };
  /** What stands for each answer: see {@linkcode answerKey}. */
  readonly answerKeys: readonly string[];
}

/** As {@linkcode makePartition}, for those who want to check it; good until another is made in the same workspace. */
export function makeTraced(job: PartitionJob, workspace: Workspace): TracedPartition | undefined {
  return make(job, workspace);
}

function make(
  { snapshot, geography, pool, family, nowMs }: PartitionJob,
  workspace?: Workspace,
): TracedPartition | undefined {
  const views = viewsAt(snapshot, family, nowMs);
  const path = spillPath(views, pool);
  if (path.length === 0) return undefined;
  const outcomes = new Outcomes(views, path, geography);
  const merged = {
    4: mergeLeaves(geography.v4, outcomes, workspace),
    6: mergeLeaves(geography.v6, outcomes, workspace),
  };
  const blocks = { 4: merged[4].blocks, 6: merged[6].blocks };
  const tailored = outcomes.answerKeys.length > 1;
  const consulted = tailored ? relabel([blocks[4], blocks[6]], outcomes) : [outcomes.uniteAll()];
  const clients = workspace || outcomes.drawsByLeaf
    ? undefined
    : clientTable(geography, { blocks, tailored, choiceAt: (placeId) => outcomes.choiceOf(placeId) });
  const partition: Partition = {
    ...{ pool, family, blocks, geographyEpoch: geography.epoch, tailored },
    epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
    fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
    consulted,
    ...clients && { clients },
  };
  const answerOf = (outcomeOf: (leaf: number) => number) => (leaf: number) =>
    outcomes.answerOf(outcomeOf(leaf));
  return {
    partition,
    answerOf: { 4: answerOf(merged[4].outcomeOf), 6: answerOf(merged[6].outcomeOf) },
    answerKeys: outcomes.answerKeys,
  };
}

/** Whether a partition still says what the snapshot would. */
export function isCurrent(
  partition: Partition,
  { pools }: Snapshot,
  geographyEpoch: number,
  nowMs: number,
): boolean {
  if (partition.geographyEpoch !== geographyEpoch || !holdsAt(partition, nowMs)) return false;
  for (const name in partition.epochs) {
    if (pools[name]?.epoch !== partition.epochs[name]) return false;
  }
  return true;
}

/** Set in the value of a special-purpose block, so that it is joined to no neighbour. */
const UNMERGED = 0x80000000;

/** Merges the leaves of equal answer; the values are numbers of outcomes. */
function mergeLeaves(
  leaves: NetworkTable,
  outcomes: Outcomes,
  workspace: Workspace | undefined,
): { blocks: NetworkTable; outcomeOf: (leaf: number) => number } {
  const { values } = leaves, read = outcomes.reader(leaves);
  // Where a leaf's outcome takes a draw, it is noted for those who want it again.
  const noted = workspace && outcomes.drawsByLeaf ? workspace.outcomes(leaves) : undefined;
  const valueOf = (entry: number): number => {
    const outcome = read(entry);
    if (noted) noted[entry] = outcome;
    return values[entry]! >= SPECIAL_CLASS_FIRST ? outcome + UNMERGED : outcome;
  };
  const join = (lower: number, upper: number): number =>
    lower >= UNMERGED || upper >= UNMERGED ? APART : outcomes.join(lower, upper) ?? APART;
  const blocks = mergeEqual(leaves, valueOf, join, workspace?.builders[leaves.family]);
  return { blocks, outcomeOf: noted ? (leaf) => noted[leaf]! : read };
}

/** Makes the values of blocks, numbers of outcomes, those of what was looked at. @returns That, by its numbers. */
function relabel(blocks: readonly NetworkTable[], outcomes: Outcomes): readonly (readonly Consulted[])[] {
  const looks = new Numbering<number>();
  for (const { values } of blocks) {
    for (let block = 0; block < values.length; block++) {
      values[block] = looks.of(outcomes.lookOf((values[block]! & ~UNMERGED) >>> 0));
    }
  }
  return looks.values.map((look) => outcomes.consulted[look]!);
}
