/**
 * The prefixes within which everyone gets the same answer from a pool: decision 0001, "Scopes". A function of the
 * snapshot; made in a worker, since a large geography takes a while.
 *
 * @module
 */

import type { Family } from "../net/address.ts";
import { APART, mergeEqual, type NetworkTable } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
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

/** By the client's family, entry by entry: the number of each leaf's answer. */
export interface Trace {
  readonly 4: Uint32Array;
  readonly 6: Uint32Array;
}

/** A partition with what stands for each answer: see {@linkcode answerKey}. */
export interface TracedPartition {
  readonly partition: Partition;
  readonly answerKeys: readonly string[];
}

/** As {@linkcode makePartition}, for those who want to check it: `trace`, as long as the tables, is filled in. */
export function makeTraced(job: PartitionJob, trace: Trace): TracedPartition | undefined {
  return make(job, trace);
}

function make(
  { snapshot, geography, pool, family, nowMs }: PartitionJob,
  trace?: Trace,
): TracedPartition | undefined {
  const views = viewsAt(snapshot, family, nowMs);
  const path = spillPath(views, pool);
  if (path.length === 0) return undefined;
  const outcomes = new Outcomes(views, path, geography);
  const blocks = {
    4: mergeLeaves(geography.v4, outcomes, trace?.[4]),
    6: mergeLeaves(geography.v6, outcomes, trace?.[6]),
  };
  const tailored = outcomes.answerKeys.length > 1;
  const partition: Partition = {
    ...{ pool, family, blocks, geographyEpoch: geography.epoch, tailored },
    epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
    fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
    consulted: tailored ? relabel([blocks[4], blocks[6]], outcomes) : [outcomes.uniteAll()],
  };
  return { partition, answerKeys: outcomes.answerKeys };
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
function mergeLeaves(leaves: NetworkTable, outcomes: Outcomes, trace: Uint32Array | undefined): NetworkTable {
  const outcomeOf = outcomes.reader(leaves);
  const { values } = leaves;
  const valueOf = (entry: number): number => {
    const outcome = outcomeOf(entry);
    if (trace) trace[entry] = outcomes.answerOf(outcome);
    return values[entry]! >= SPECIAL_CLASS_FIRST ? outcome + UNMERGED : outcome;
  };
  const join = (lower: number, upper: number): number =>
    lower >= UNMERGED || upper >= UNMERGED ? APART : outcomes.join(lower, upper) ?? APART;
  return mergeEqual(leaves, valueOf, join);
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
