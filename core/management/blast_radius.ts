/**
 * How much a change would move: a pure count over client networks, each with who answers it now and who would then.
 *
 * @module
 */

/** One client network, or several that are alike. */
export interface MovingLeaf {
  /** How many networks it counts for, or addresses: the unit of {@linkcode BlastRadius.movedNetworks} is its own. */
  readonly weight: number;
  /** What it asks for, in the unit of nodes' capacities; at least 0. */
  readonly demand: number;
  /** The nodes of the answer now, and then; none = no answer from the pool's nodes. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Kilometres to the nearest of them; NaN where that is not known. */
  readonly kmBefore: number;
  readonly kmAfter: number;
}

/** A node that would be asked for more than it can do. */
export interface Overload {
  readonly node: string;
  readonly demand: number;
  readonly capacity: number;
  /** Whether it is now, too. */
  readonly isAlready: boolean;
}

/** What a change would move. Shares are from 0 to 1. */
export interface BlastRadius {
  /** Of networks: those whose answer would have other nodes. */
  readonly movedNetworks: number;
  readonly movedDemand: number;
  /** Of demand: those who would get no answer any more. */
  readonly lostDemand: number;
  /** Kilometres that demand would go farther, as a mean over all of it; below 0 = nearer. */
  readonly addedKmMean: number;
  /** The same, over what moves. */
  readonly addedKmMovedMean: number;
  readonly addedKmMax: number;
  /** What each node is asked for, now and then; of those where it is not the same. Ascending by id. */
  readonly nodes: readonly { readonly node: string; readonly before: number; readonly after: number }[];
  /** By how much they would be asked for too much, the worst first. */
  readonly overloads: readonly Overload[];
}

/**
 * Counts. What a leaf asks for is divided among the nodes of its answer alike.
 *
 * @param capacities Of nodes; 0 or none = not stated.
 */
export function blastRadius(
  leaves: Iterable<MovingLeaf>,
  capacities: ReadonlyMap<string, number> = new Map(),
): BlastRadius {
  const asked = { before: new Map<string, number>(), after: new Map<string, number>() };
  const sums = {
    weight: 0,
    demand: 0,
    movedWeight: 0,
    movedDemand: 0,
    lost: 0,
    km: 0,
    kmDemand: 0,
    movedKmDemand: 0,
  };
  let addedKmMax = 0;
  for (const leaf of leaves) {
    const { weight, demand, before, after } = leaf;
    sums.weight += weight;
    sums.demand += demand;
    divide(demand, before, asked.before);
    divide(demand, after, asked.after);
    const isMoved = !isSameSet(before, after), added = leaf.kmAfter - leaf.kmBefore;
    if (!Number.isNaN(added)) sums.kmDemand += demand;
    if (!isMoved) continue;
    sums.movedWeight += weight;
    sums.movedDemand += demand;
    if (after.length === 0) sums.lost += demand;
    if (Number.isNaN(added)) continue;
    sums.movedKmDemand += demand;
    sums.km += added * demand;
    addedKmMax = Math.max(addedKmMax, added);
  }
  return {
    movedNetworks: share(sums.movedWeight, sums.weight),
    movedDemand: share(sums.movedDemand, sums.demand),
    lostDemand: share(sums.lost, sums.demand),
    addedKmMean: share(sums.km, sums.kmDemand),
    addedKmMovedMean: share(sums.km, sums.movedKmDemand),
    addedKmMax,
    nodes: differences(asked.before, asked.after),
    overloads: overloadsOf(asked.before, asked.after, capacities),
  };
}

function divide(demand: number, nodes: readonly string[], asked: Map<string, number>): void {
  for (const node of nodes) asked.set(node, (asked.get(node) ?? 0) + demand / nodes.length);
}

/** Order is none of an answer's. */
function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function differences(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return ids.map((node) => ({ node, before: before.get(node) ?? 0, after: after.get(node) ?? 0 }))
    // Sums of the same parts in another order differ in their last digits.
    .filter(({ before, after }) => Math.abs(after - before) > 1e-9 * Math.max(before, after));
}

function overloadsOf(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  capacities: ReadonlyMap<string, number>,
): Overload[] {
  return [...after].flatMap(([node, demand]) => {
    const capacity = capacities.get(node) ?? 0;
    if (capacity === 0 || demand <= capacity) return [];
    return [{ node, demand, capacity, isAlready: (before.get(node) ?? 0) > capacity }];
  }).sort((a, b) => b.demand / b.capacity - a.demand / a.capacity || (a.node < b.node ? -1 : 1));
}
