/**
 * The prefixes within which everyone gets the same answer from a pool: decision 0001, "Scopes". A function of the
 * snapshot; made in a worker, since a large geography takes a while.
 *
 * @module
 */

import type { Family } from "../net/address.ts";
import { APART, mergeEqual, networkAt, type NetworkTable } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Consulted, unite } from "./consulted.ts";
import { Numbering } from "./numbering.ts";
import { CLASS_LENGTH_MAX, nearTable } from "./near_table.ts";
import { type Geography, placeAt, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";
import { leafHash } from "./rendezvous.ts";
import { isBiased } from "./score.ts";
import type { Segment } from "./schedule.ts";
import { type Choice, isKeyedByLeaf, select, spillPath } from "./select.ts";
import { holdsAt, type PoolView, type Views, viewsAt } from "./view.ts";

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
  return makeTraced(job)?.partition;
}

/** A partition with what it was merged from. */
export interface TracedPartition {
  readonly partition: Partition;
  /** By the client's family: the number of each leaf's answer, {@linkcode UNMERGED} added in special-purpose blocks. */
  readonly answers: { readonly 4: Uint32Array; readonly 6: Uint32Array };
  /** What stands for each answer: see {@linkcode answerKey}. */
  readonly answerKeys: readonly string[];
}

/** As {@linkcode makePartition}, for those who want to check it. */
export function makeTraced(
  { snapshot, geography, pool, family, nowMs }: PartitionJob,
): TracedPartition | undefined {
  const views = viewsAt(snapshot, family, nowMs);
  const path = spillPath(views, pool);
  if (path.length === 0) return undefined;
  const answers = new Numbering<string>();
  const looks = new Numbering<readonly Consulted[]>(keyOfConsulted);
  const outcomesOf = outcomes(views, path, geography, { answers, looks });
  const outcomes4 = outcomesOf(geography.v4), outcomes6 = outcomesOf(geography.v6);
  const blocks = {
    4: mergeTable(geography.v4, outcomes4, looks),
    6: mergeTable(geography.v6, outcomes6, looks),
  };
  const partition: Partition = {
    ...{ pool, family, blocks, geographyEpoch: geography.epoch },
    epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
    fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
    tailored: answers.count > 1,
    consulted: answers.count > 1 ? looks.values : [unite(looks.values)],
  };
  return { partition, answers: { 4: outcomes4.answer, 6: outcomes6.answer }, answerKeys: answers.values };
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

/** What stands for an answer: its outcome and the set of its addresses. */
export function answerKey({ outcome, chosen }: Choice): string {
  return outcome === "nodes"
    ? [...new Set(chosen.map(({ member }) => member.address))].sort().join()
    : outcome;
}

/** Numbers of answers and of what they looked at, entry by entry of a table. */
interface Outcomes {
  readonly answer: Uint32Array;
  look(entry: number): number;
}

interface Numberings {
  readonly answers: Numbering<string>;
  readonly looks: Numbering<readonly Consulted[]>;
}

/** Chooses for leaves: once for a place where only the place matters, once for a class where only who is near does. */
function outcomes(
  views: Views,
  path: readonly PoolView[],
  { places, v4, v6 }: Geography,
  numberings: Numberings,
): (table: NetworkTable) => Outcomes {
  const choose = (placeId: number, leaf: number): Choice =>
    select(views, path[0]!.name, {
      place: placeId === 0 ? undefined : placeAt(places, placeId),
      placeId,
      leaf,
      places,
    });
  const make = path.some(isKeyedByLeaf)
    ? outcomesByLeaf(choose, numberings)
    : outcomesByPlace((placeId) => choose(placeId, 0), classesOf(path[0]!, places), places.count, numberings);
  return (table) => {
    if (table !== v4 && table !== v6) throw new RangeError("Cannot partition a table of another geography");
    return make(table);
  };
}

function outcomesByLeaf(
  choose: (placeId: number, leaf: number) => Choice,
  { answers, looks }: Numberings,
): (table: NetworkTable) => Outcomes {
  return (table) => {
    const answer = new Uint32Array(table.count), look = new Uint32Array(table.count);
    for (let entry = 0; entry < table.count; entry++) {
      const choice = choose(placeOf(table, entry), leafHash(networkAt(table, entry)));
      answer[entry] = answers.of(answerKey(choice)) + (isSpecial(table, entry) ? UNMERGED : 0);
      look[entry] = looks.of(choice.consulted());
    }
    return { answer, look: (entry) => look[entry]! };
  };
}

function outcomesByPlace(
  choose: (placeId: number) => Choice,
  classOf: ((placeId: number) => number) | undefined,
  placeCount: number,
  { answers, looks }: Numberings,
): (table: NetworkTable) => Outcomes {
  // Numbers from 1, by place, worked out for the places that some leaf has: the others have no say.
  const answerAt = new Uint32Array(placeCount), lookAt = new Uint32Array(placeCount);
  const placeOfClass = new Map<number, number>();
  const work = (placeId: number) => {
    const near = classOf?.(placeId) ?? 0;
    const other = near === 0 ? undefined : placeOfClass.get(near);
    if (other !== undefined) {
      [answerAt[placeId], lookAt[placeId]] = [answerAt[other]!, lookAt[other]!];
      return;
    }
    const choice = choose(placeId);
    answerAt[placeId] = answers.of(answerKey(choice)) + 1;
    lookAt[placeId] = looks.of(choice.consulted());
    if (near > 0) placeOfClass.set(near, placeId);
  };
  return (table) => {
    const { count, values } = table;
    const answer = new Uint32Array(count);
    for (let entry = 0; entry < count; entry++) {
      const value = values[entry]!;
      const placeId = value >= SPECIAL_CLASS_FIRST ? 0 : value;
      if (answerAt[placeId] === 0) work(placeId);
      answer[entry] = answerAt[placeId]! - 1 + (value >= SPECIAL_CLASS_FIRST ? UNMERGED : 0);
    }
    return { answer, look: (entry) => lookAt[placeOf(table, entry)]! };
  };
}

/**
 * A number that places share when a pool's choice for them must be the same, 0 where that cannot be told; undefined when
 * more than the order of the nearest nodes matters, or may come to matter.
 */
export function classesOf(view: PoolView, places: PlaceTable): ((placeId: number) => number) | undefined {
  const { policy, members, serving, allDown } = view;
  const isPlain = !isKeyedByLeaf(view) && !isBiased(policy) && policy.maxDistanceKm === Infinity &&
    policy.threshold === 0;
  if (!isPlain || allDown) return undefined;
  const table = nearTable(view, places);
  const serves = Uint8Array.from(members, ({ serving }) => Number(serving));
  return (placeId) => {
    if (placeId === 0) return 0;
    const length = table.lengthTo(placeId, Math.min(policy.answers, serving.length), serves);
    return length === 0 || length > CLASS_LENGTH_MAX ? 0 : table.classOf(placeId, length);
  };
}

/** The place of an entry; 0, no place, for a special-purpose block. */
function placeOf({ values }: NetworkTable, entry: number): number {
  return values[entry]! >= SPECIAL_CLASS_FIRST ? 0 : values[entry]!;
}

function isSpecial({ values }: NetworkTable, entry: number): boolean {
  return values[entry]! >= SPECIAL_CLASS_FIRST;
}

/** Set in the value of a special-purpose block, so that it equals no neighbour's. */
export const UNMERGED = 0x80000000;

/** Merges the leaves of equal answer; the values become those of what all the leaves of a block looked at. */
function mergeTable(
  leaves: NetworkTable,
  { answer, look }: Outcomes,
  looks: Numbering<readonly Consulted[]>,
): NetworkTable {
  const merged = mergeEqual(leaves, (entry) => answer[entry]!, (a, b) => a === b && a < UNMERGED ? a : APART);
  const values = new Uint32Array(new SharedArrayBuffer(4 * merged.count));
  const unions = new Map<string, number>();
  let leaf = 0;
  for (let block = 0; block < merged.count; block++) {
    const first = look(leaf);
    let others: Set<number> | undefined;
    do {
      const other = look(leaf++);
      if (other !== first) (others ??= new Set([first])).add(other);
    } while (
      leaf < leaves.count && !(block + 1 < merged.count && startsWith(leaves, leaf, merged, block + 1))
    );
    values[block] = others ? uniteNumbered([...others], looks, unions) : first;
  }
  return { ...merged, values };
}

function uniteNumbered(
  below: readonly number[],
  looks: Numbering<readonly Consulted[]>,
  unions: Map<string, number>,
): number {
  const key = below.toSorted((a, b) => a - b).join();
  let union = unions.get(key);
  if (union === undefined) unions.set(key, union = looks.of(unite(below.map((look) => looks.values[look]!))));
  return union;
}

/** Whether entry `i` of `a` starts at the same address as entry `j` of `b`. */
function startsWith(a: NetworkTable, i: number, b: NetworkTable, j: number): boolean {
  const words = a.family === 4 ? 1 : 4;
  for (let word = 0; word < words; word++) {
    if (a.starts[i * words + word] !== b.starts[j * words + word]) return false;
  }
  return true;
}

function keyOfConsulted(consulted: readonly Consulted[]): string {
  return consulted.map(({ pool, looks }) => `${pool} ${String.fromCharCode(...looks)}`).join("\n");
}
