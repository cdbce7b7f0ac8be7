/**
 * Who served when a pool's partition was made: so that the partition goes on telling scopes where a node that no longer
 * serves, or does again, was not looked at.
 *
 * Only of pools where nothing but the order of the nearest nodes matters. There an answer looks at the nodes that it has
 * and at those before them that do not serve. Whatever becomes of all others, it stays, and so does what it looked at. A
 * block that looked at none that changed is still sound; it may be one that could now be joined to its neighbour.
 *
 * @module
 */

import type { Consulted } from "./consulted.ts";
import { Numbering } from "./numbering.ts";
import { isBiased } from "./score.ts";
import { isKeyedByLeaf } from "./select.ts";
import type { PoolView } from "./view.ts";

/** See the module. Plain data. */
export interface PlainBasis {
  /**
   * The pool's members and its policy, as far as a choice goes by them, written out. Of addresses it has which are the
   * same: so both families of a pool have one and the same, where each node has an address of each.
   */
  readonly members: string;
  /** By member: 1 = it served. */
  readonly serving: Uint8Array;
}

/** The basis of a pool's partition; undefined where more matters. */
export function plainBasis(view: PoolView): PlainBasis | undefined {
  if (!isPlain(view)) return undefined;
  let basis = bases.get(view);
  if (!basis) {
    const serving = Uint8Array.from(view.members, ({ serving }) => Number(serving));
    bases.set(view, basis = { members: membersOf(view), serving });
  }
  return basis;
}

const bases = new WeakMap<PoolView, PlainBasis>();

/** Whether no more than the order of the nearest nodes, and which of them serve, matters to a choice. */
export function isPlain(view: PoolView): boolean {
  const { policy, allDown, regional, isPriced } = view;
  return !allDown && !regional && !isPriced && !isKeyedByLeaf(view) && !isBiased(policy) &&
    policy.maxDistanceKm === Infinity &&
    policy.threshold === 0;
}

function membersOf({ policy: { answers, unknown }, members }: PoolView): string {
  const addresses = new Numbering<string>();
  return JSON.stringify([
    answers,
    unknown,
    members.map((
      { node: { id, place: { latitude, longitude } }, address },
    ) => [id, addresses.of(address), latitude, longitude]),
  ]);
}

/** Indexes of the members that serve and did not, or did and do not; undefined where more has changed. */
export function changedSince(basis: PlainBasis, view: PoolView): readonly number[] | undefined {
  let known = changes.get(view);
  if (known?.basis === basis) return known.indexes;
  const now = plainBasis(view);
  const indexes = now?.members === basis.members
    ? [...now.serving.keys()].filter((index) => now.serving[index] !== basis.serving[index])
    : undefined;
  changes.set(view, known = { basis, indexes });
  return indexes;
}

interface Change {
  readonly basis: PlainBasis;
  readonly indexes: readonly number[] | undefined;
}

/** Each query asks. */
const changes = new WeakMap<PoolView, Change>();

/** Whether any of some members was looked at, in the one pool that a plain choice looks at. */
export function looksAtAny(consulted: readonly Consulted[], indexes: readonly number[]): boolean {
  return consulted.some(({ looks }) => indexes.some((index) => looks[index] !== 0));
}
