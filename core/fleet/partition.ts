/**
 * The prefixes within which everyone gets the same answer from a pool: decision 0001, "Scopes". A function of the
 * snapshot; made in a worker, since a large geography takes a while.
 *
 * @module
 */

import type { Family } from "../net/address.ts";
import { type NetworkCursor, type NetworkTable, octetsOf } from "../net/network_table.ts";
import { APART, mapValues, mergeEqual } from "../net/table_algebra.ts";
import { tableBuilder } from "../net/table_builder.ts";
import type { Snapshot } from "../snapshot.ts";
import { type PartitionRows, partitionRows, rowsOctets } from "./client_table.ts";
import type { Consulted } from "./consulted.ts";
import { Numbering } from "./numbering.ts";
import { Outcomes } from "./partition_outcomes.ts";
import { type Geography, SPECIAL_CLASS_FIRST } from "./place.ts";
import { updatedFrom } from "./partition_update.ts";
import { type PlainBasis, plainBasis } from "./plain_basis.ts";
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
  /** What the answers anywhere in a block looked at. Where nothing is tailored, only one: of all answers. */
  readonly consulted: readonly (readonly Consulted[])[];
  /** Absent where each leaf draws for itself, and where all clients get the very same. */
  readonly rows?: PartitionRows;
  /** Where each leaf draws for itself: the blocks. */
  readonly blocks?: Blocks;
  /** Where it goes on telling scopes after a change, for most clients. */
  readonly basis?: PlainBasis;
}

/** By the client's family: the blocks. A value is an index into {@linkcode Partition.consulted}. */
export interface Blocks {
  readonly 4: NetworkTable;
  readonly 6: NetworkTable;
}

/** What a partition is made from: the parts of a snapshot that it needs, at an instant. */
export interface PartitionJob {
  readonly snapshot: Snapshot;
  readonly geography: Geography;
  readonly pool: string;
  readonly family: Family;
  readonly nowMs: number;
  /** What there was of the pool, to go on from. */
  readonly before?: Partition;
}

/** Makes the partition of a pool; undefined when there is no such pool. */
export function makePartition(job: PartitionJob): Partition | undefined {
  const updated = job.before && updatedFrom(job.before, job);
  if (updated) return updated;
  const made = make(job);
  return made && published(job, made);
}

/** How many octets a partition takes, what is looked at aside. */
export function partitionOctets({ rows, blocks }: Partition): number {
  const ofBlocks = blocks ? [blocks[4], blocks[6]].map(octetsOf) : [];
  return (rows ? rowsOctets(rows) : 0) + ofBlocks.reduce((sum, octets) => sum + octets, 0);
}

/** Memory in which partitions are made one after the other. */
export class Workspace {
  readonly builders = { 4: tableBuilder(4), 6: tableBuilder(6) };
  readonly #outcomes: { 4?: Uint32Array; 6?: Uint32Array } = {};

  /** Room for the outcome of each entry of a table. */
  outcomes({ family, count }: NetworkTable): Uint32Array {
    const room = this.#outcomes[family];
    return room && room.length >= count ? room : this.#outcomes[family] = new Uint32Array(count);
  }
}

/** A partition with what it was merged from. */
export interface TracedPartition {
  readonly partition: Omit<Partition, "rows"> & { readonly blocks: Blocks };
  /** The number of the answer of the leaf at which a cursor over a table of the geography stands. */
  answerOf(leaf: NetworkCursor): number;
  /** What stands for each answer: see {@linkcode answerKey}. */
  readonly answerKeys: readonly string[];
}

/** As {@linkcode makePartition}, for those who want to check it; good until another is made in the same workspace. */
export function makeTraced(job: PartitionJob, workspace: Workspace): TracedPartition | undefined {
  const made = make(job, workspace);
  if (!made) return undefined;
  const { outcomes, merged } = made;
  return {
    partition: withBlocks(made),
    answerOf: (leaf) => {
      const { noted } = merged[leaf.family];
      return outcomes.answerOf(noted ? noted[leaf.entry]! : outcomes.read(leaf));
    },
    answerKeys: outcomes.answerKeys,
  };
}

/** What answers need of it: rows tell all that blocks do, and the order of nodes. */
function published({ geography }: PartitionJob, made: Made): Partition {
  const { outcomes, merged, common } = made, { tailored } = common;
  if (outcomes.drawsByLeaf) {
    return tailored ? withBlocks(made) : { ...common, consulted: [outcomes.uniteAll()] };
  }
  const looks = new Looks(outcomes);
  const rows = partitionRows(geography, {
    blocks: { 4: merged[4].blocks, 6: merged[6].blocks },
    tailored,
    choiceAt: (placeId) => outcomes.choiceOf(placeId),
    lookAt: (value) => looks.at(value),
  });
  const consulted = tailored ? looks.consulted() : [outcomes.uniteAll()];
  return rows ? { ...common, consulted, rows } : { ...common, consulted };
}

/** With what each block consulted as its value. */
function withBlocks({ outcomes, merged, common }: Made): TracedPartition["partition"] {
  if (!common.tailored) {
    const blocks = { 4: merged[4].blocks, 6: merged[6].blocks };
    return { ...common, blocks, consulted: [outcomes.uniteAll()] };
  }
  const looks = new Looks(outcomes);
  const relabelled = ({ blocks }: Merged) => mapValues(blocks, (value) => looks.at(value));
  const blocks = { 4: relabelled(merged[4]), 6: relabelled(merged[6]) };
  return { ...common, blocks, consulted: looks.consulted() };
}

/** What blocks consulted, numbered as it comes up. */
class Looks {
  readonly #outcomes: Outcomes;
  readonly #numbering = new Numbering<number>();
  readonly #byOutcome: number[] = [];

  constructor(outcomes: Outcomes) {
    this.#outcomes = outcomes;
  }

  /** The number of what a merged block consulted, by its value. */
  at(value: number): number {
    const outcome = (value & ~UNMERGED) >>> 0;
    return this.#byOutcome[outcome] ??= this.#numbering.of(this.#outcomes.lookOf(outcome));
  }

  /** By number. */
  consulted(): readonly (readonly Consulted[])[] {
    return this.#numbering.values.map((look) => this.#outcomes.consulted[look]!);
  }
}

/** Blocks whose values are numbers of outcomes, those of special-purpose blocks marked. */
interface Merged {
  readonly blocks: NetworkTable;
  readonly noted: Uint32Array | undefined;
}

interface Made {
  readonly outcomes: Outcomes;
  readonly merged: { readonly 4: Merged; readonly 6: Merged };
  readonly common: Omit<Partition, "consulted" | "rows" | "blocks">;
}

function make(
  { snapshot, geography, pool, family, nowMs }: PartitionJob,
  workspace?: Workspace,
): Made | undefined {
  const views = viewsAt(snapshot, family, nowMs);
  const path = spillPath(views, pool);
  if (path.length === 0) return undefined;
  const outcomes = new Outcomes(views, path, geography);
  const merged = {
    4: mergeLeaves(geography.v4, outcomes, workspace),
    6: mergeLeaves(geography.v6, outcomes, workspace),
  };
  const basis = plainBasis(path[0]!);
  return {
    outcomes,
    merged,
    common: {
      ...{ pool, family, geographyEpoch: geography.epoch, tailored: outcomes.answerKeys.length > 1 },
      epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
      fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
      untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
      ...basis && { basis },
    },
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
): Merged {
  // Where a leaf's outcome takes a draw, it is noted for those who want it again.
  const noted = workspace && outcomes.drawsByLeaf ? workspace.outcomes(leaves) : undefined;
  const valueOf = (at: NetworkCursor): number => {
    const outcome = outcomes.read(at);
    if (noted) noted[at.entry] = outcome;
    return at.value >= SPECIAL_CLASS_FIRST ? outcome + UNMERGED : outcome;
  };
  const join = (lower: number, upper: number): number =>
    lower >= UNMERGED || upper >= UNMERGED ? APART : outcomes.join(lower, upper) ?? APART;
  const blocks = mergeEqual(leaves, valueOf, join, workspace?.builders[leaves.family]);
  return { blocks, noted };
}
