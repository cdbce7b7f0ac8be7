/**
 * Which names a zone has, for answers that stand for all the others: see {@linkcode DecidedAt}.
 *
 * Names that are merely mentioned count as there. A reply may point from a name in its records to the one in its question,
 * as to the mailbox in an SOA: such a reply is that question's alone.
 *
 * @module
 */

import { fold, isWithin, type Name, parent } from "../dns/name.ts";
import { NameSet } from "../dns/name_set.ts";
import { rdataNames } from "../dns/rdata.ts";
import { compressedNames } from "../dns/rdata_layouts.ts";
import { TYPE } from "../dns/types.ts";
import type { Zone, ZoneNode } from "./zone.ts";

/** A set on its way: a large zone is not looked through while a query waits. */
interface Growing {
  readonly names: NameSet;
  readonly rest: Iterator<[Name, ZoneNode]>;
  isWhole: boolean;
}

const sets = new WeakMap<Zone, Growing>();

/** How many nodes are looked at each time: well under a millisecond. */
const NODES_A_TIME = 250;

/** The names of a zone; undefined until it has been asked for often enough for all of them to be gathered. */
export function existingNames(zone: Zone): NameSet | undefined {
  let growing = sets.get(zone);
  if (!growing) {
    growing = {
      names: new NameSet([], zone.nodes.size),
      rest: zone.nodes[Symbol.iterator](),
      isWhole: false,
    };
    sets.set(zone, growing);
  }
  if (!growing.isWhole) gather(growing, zone);
  return growing.isWhole ? growing.names : undefined;
}

function gather(growing: Growing, zone: Zone): void {
  for (let i = 0; i < NODES_A_TIME; i++) {
    const { value, done } = growing.rest.next();
    if (done) {
      growing.isWhole = true;
      return;
    }
    const [name, node] = value;
    growing.names.add(name);
    addMentioned(growing.names, node, zone);
  }
}

function addMentioned(names: NameSet, { rrsets }: ZoneNode, zone: Zone): void {
  for (const { type, rdata } of rrsets.values()) {
    if (!isMentioning(type)) continue;
    for (const octets of rdata) {
      for (const name of rdataNames(type, octets)) addWithAncestors(names, fold(name), zone);
    }
  }
}

/** Types whose names are compressed, and SRV, whose host may stand in the additional section. */
function isMentioning(type: number): boolean {
  return compressedNames(type) !== undefined || type === TYPE.SRV;
}

function addWithAncestors(names: NameSet, mentioned: Name, { nodes, origin }: Zone): void {
  if (!isWithin(mentioned, origin)) return;
  for (let name = mentioned; name !== origin && !nodes.has(name); name = parent(name)) names.add(name);
}
