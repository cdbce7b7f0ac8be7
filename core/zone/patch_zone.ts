/**
 * Changes some RRsets of a zone in place: for a large zone of which one name is another, a hundredth of the work of making
 * it anew. What reaches below its owner, such as a delegation, is left to {@linkcode makeZone}.
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import { isWithin, type Name, parent } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { makeZone } from "./make_zone.ts";
import { soaMinimum, type ZoneRecord } from "./master_file.ts";
import { addEmptyNonTerminals, type Zone, type ZoneNode } from "./zone.ts";

/** A zone whose nodes may be written to. */
export interface ChangingZone extends Zone {
  readonly nodes: Map<Name, ZoneNode>;
}

/** What is to become of an RRset. */
export interface RRsetChange {
  /** The owner, folded. */
  readonly owner: Name;
  readonly type: number;
  /** Absent = it goes. Its name is spelled as it is to be. */
  readonly after?: Omit<RRset, "pool">;
}

/** So many names may go at once: whether one has others below it is seen by looking through all of them. */
const GOING_MAX = 16;

/** A zone of its own to write to. */
export function changing(zone: Zone): ChangingZone {
  return { ...zone, nodes: new Map(zone.nodes) };
}

/**
 * The zone after the changes; it is the same one that was handed in, which is written to.
 *
 * @returns Undefined where it has to be made anew, which may show that it cannot be: what was handed in is then no good any more.
 */
export function patchZone(zone: ChangingZone, changes: Iterable<RRsetChange>): ChangingZone | undefined {
  const byOwner = Map.groupBy(changes, ({ owner }) => owner), gone: Name[] = [];
  for (const [owner, some] of byOwner) {
    if (!isWithin(owner, zone.origin) || some.some((change) => !isLocal(zone, change))) return undefined;
    const rrsets = changed(zone.nodes.get(owner)?.rrsets, some);
    if (rrsets.length === 0) {
      if (owner === zone.origin) return undefined;
      if (zone.nodes.has(owner) && gone.push(owner) > GOING_MAX) return undefined;
      continue;
    }
    const node = nodeOf(zone, owner, rrsets);
    if (!node) return undefined;
    zone.nodes.set(owner, node);
    addEmptyNonTerminals(zone.nodes, owner, zone.origin, zone.nodes);
  }
  for (const owner of gone) takeAway(zone, owner);
  const soa = zone.nodes.get(zone.origin)!.rrsets.get(TYPE.SOA)!;
  return { ...zone, negativeSoa: { ...soa, ttl: Math.min(soa.ttl, soaMinimum(soa.rdata[0]!)) } };
}

/** Whether a change has to do with its owner alone: nothing there or above hides or forbids what lies below. */
function isLocal({ origin, nodes, cuts }: Zone, { owner, type }: RRsetChange): boolean {
  if (type === TYPE.DNAME || (type === TYPE.NS && owner !== origin)) return false;
  for (let name = owner;; name = parent(name)) {
    if (cuts.has(name) || nodes.get(name)?.rrsets.has(TYPE.DNAME)) return false;
    if (name === origin) return true;
  }
}

/** By type, so that the order in which changes were made shows nowhere. */
function changed(
  before: ReadonlyMap<number, RRset> | undefined,
  changes: readonly RRsetChange[],
): readonly RRset[] {
  const rrsets = new Map(before);
  for (const { type, after } of changes) {
    if (after) rrsets.set(type, after);
    else rrsets.delete(type);
  }
  return [...rrsets.values()].sort((a, b) => a.type - b.type);
}

/** What makeZone() makes of an owner's RRsets; undefined where they cannot stand together. */
function nodeOf({ origin, nodes }: Zone, owner: Name, rrsets: readonly RRset[]): ZoneNode | undefined {
  const apex = nodes.get(origin)!.rrsets;
  const needed = owner === origin ? [] : [apex.get(TYPE.SOA)!, apex.get(TYPE.NS)!];
  return makeZone(origin, [...needed, ...rrsets].flatMap(recordsOf)).zone?.nodes.get(owner);
}

function recordsOf({ name, type, ttl, rdata }: RRset): ZoneRecord[] {
  return rdata.map((octets) => ({ name, type, ttl, rdata: octets, at: NOWHERE }));
}

const NOWHERE = { file: "", line: 1, column: 1 };

/** Takes a name away, and those above it that were there for its sake alone (RFC 4592 section 2.2.2). */
function takeAway({ origin, nodes }: ChangingZone, owner: Name): void {
  const spelled = nodes.get(owner)?.name ?? owner;
  if (hasBelow(nodes, owner)) {
    nodes.set(owner, { name: spelled, rrsets: new Map() });
    return;
  }
  nodes.delete(owner);
  for (let above = owner; above !== origin;) {
    above = parent(above);
    if (above === origin || nodes.get(above)!.rrsets.size > 0 || hasBelow(nodes, above)) return;
    nodes.delete(above);
  }
}

function hasBelow(nodes: ReadonlyMap<Name, ZoneNode>, above: Name): boolean {
  for (const name of nodes.keys()) if (name.length > above.length && isWithin(name, above)) return true;
  return false;
}
