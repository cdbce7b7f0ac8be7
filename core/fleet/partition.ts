/**
 * The prefixes within which everyone gets the same answer from a pool: decision 0001, "Scopes". A function of the
 * snapshot; made in a worker, since a large geography takes a while.
 *
 * @module
 */

import type { Family } from "../net/address.ts";
import { mergeEqual, networkAt, type NetworkTable } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Consulted, unite } from "./consulted.ts";
import { Numbering } from "./numbering.ts";
import { type Geography, placeAt, SPECIAL_CLASS_FIRST } from "./place.ts";
import { leafHash } from "./rendezvous.ts";
import type { Segment } from "./schedule.ts";
import { type Choice, type Client, isKeyedByLeaf, select, spillPath } from "./select.ts";
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
export function makePartition(
  { snapshot, geography, pool, family, nowMs }: PartitionJob,
): Partition | undefined {
  const views = viewsAt(snapshot, family, nowMs);
  const path = spillPath(views, pool);
  if (path.length === 0) return undefined;
  const answers = new Numbering<string>();
  const looks = new Numbering<readonly Consulted[]>(keyOfConsulted);
  const outcomeOf = outcomes(views, path, geography, { answers, looks });
  const blocks = {
    4: mergeTable(geography.v4, outcomeOf(geography.v4), looks),
    6: mergeTable(geography.v6, outcomeOf(geography.v6), looks),
  };
  return {
    ...{ pool, family, blocks, geographyEpoch: geography.epoch },
    epochs: Object.fromEntries(path.map(({ name, epoch }) => [name, epoch])),
    fromMs: Math.max(...path.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...path.map(({ untilMs }) => untilMs)),
    tailored: answers.count > 1,
    consulted: answers.count > 1 ? looks.values : [unite(looks.values)],
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

/** What stands for an answer: its outcome and the set of its addresses. */
export function answerKey({ outcome, chosen }: Choice): string {
  return outcome === "nodes"
    ? [...new Set(chosen.map(({ member }) => member.address))].sort().join()
    : outcome;
}

/** The numbers of a leaf's answer and of what it looked at. */
interface Outcome {
  readonly answer: number;
  readonly look: number;
}

type OutcomeOfEntry = (entry: number) => Outcome;

/** Chooses for leaves: once for a place, where only the place matters. */
function outcomes(
  views: Views,
  path: readonly PoolView[],
  { places }: Geography,
  { answers, looks }: { answers: Numbering<string>; looks: Numbering<readonly Consulted[]> },
): (table: NetworkTable) => OutcomeOfEntry {
  const byLeaf = path.some(isKeyedByLeaf);
  const byPlace = new Map<number, Outcome>();
  const choose = (client: Client): Outcome => {
    const choice = select(views, path[0]!.name, client);
    return { answer: answers.of(answerKey(choice)), look: looks.of(choice.consulted()) };
  };
  const clientAt = (table: NetworkTable, entry: number, placeId: number): Client => ({
    place: placeId === 0 ? undefined : placeAt(places, placeId),
    placeId,
    leaf: byLeaf ? leafHash(networkAt(table, entry)) : 0,
  });
  return (table) => (entry) => {
    const placeId = isSpecial(table, entry) ? 0 : table.values[entry]!;
    if (byLeaf) return choose(clientAt(table, entry, placeId));
    let outcome = byPlace.get(placeId);
    if (!outcome) byPlace.set(placeId, outcome = choose(clientAt(table, entry, placeId)));
    return outcome;
  };
}

function isSpecial({ values }: NetworkTable, entry: number): boolean {
  return values[entry]! >= SPECIAL_CLASS_FIRST;
}

/** Set in the value of a special-purpose block, so that it equals no neighbour's. */
const UNMERGED = 0x80000000;

/** Merges the leaves of equal answer; the values become those of what all the leaves of a block looked at. */
function mergeTable(
  leaves: NetworkTable,
  outcomeOf: OutcomeOfEntry,
  looks: Numbering<readonly Consulted[]>,
): NetworkTable {
  const lookOf = new Uint32Array(leaves.count);
  const merged = mergeEqual(leaves, (entry) => {
    const { answer, look } = outcomeOf(entry);
    lookOf[entry] = look;
    return isSpecial(leaves, entry) ? answer + UNMERGED : answer;
  }, (value) => value < UNMERGED);
  const values = new Uint32Array(new SharedArrayBuffer(4 * merged.count));
  const unions = new Map<string, number>();
  let leaf = 0;
  for (let block = 0; block < merged.count; block++) {
    const below = new Set<number>();
    while (
      leaf < leaves.count && !(block + 1 < merged.count && startsWith(leaves, leaf, merged, block + 1))
    ) {
      below.add(lookOf[leaf++]!);
    }
    values[block] = uniteNumbered([...below], looks, unions);
  }
  return { ...merged, values };
}

function uniteNumbered(
  below: readonly number[],
  looks: Numbering<readonly Consulted[]>,
  unions: Map<string, number>,
): number {
  if (below.length === 1) return below[0]!;
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
