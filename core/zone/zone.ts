/**
 * A zone as plain data: what its records say, checked, and laid out for lookup.
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import { formatName, isWithin, type Name, NAME_OCTETS_MAX, parent, prepend } from "../dns/name.ts";
import { TYPE, typeToText } from "../dns/types.ts";

/** An owner name with its RRsets; none at an empty non-terminal. */
export interface ZoneNode {
  /** As the zone file spells it. */
  readonly name: Name;
  /** By type. */
  readonly rrsets: ReadonlyMap<number, RRset>;
}

/** What there is at names, by folded name, as in a ReadonlyMap. */
export interface ZoneNodes extends Iterable<[Name, ZoneNode]> {
  readonly size: number;
  has(name: Name): boolean;
  get(name: Name): ZoneNode | undefined;
}

/** Folded names, as in a ReadonlySet. */
export interface ZoneNames extends Iterable<Name> {
  readonly size: number;
  has(name: Name): boolean;
}

/** Everything at and below an apex, down to and with the delegations. */
export interface Zone {
  /** Folded. */
  readonly origin: Name;
  /**
   * By folded name. Empty non-terminals are here, and glue. What a delegation hides is not: at and below one there
   * is nothing but NS, DS and addresses.
   */
  readonly nodes: ZoneNodes;
  /** The delegations: folded names. */
  readonly cuts: ZoneNames;
  /** The SOA as negative answers carry it: its TTL is the least of its own and MINIMUM (RFC 2308 section 5). */
  readonly negativeSoa: RRset;
}

/** A name that something other than zone data answers. */
export interface PoolName {
  /** Folded. May be a wildcard. */
  readonly name: Name;
  readonly types: readonly number[];
  readonly pool: string;
}

/** A name of a pool that cannot stand beside the zone's data. */
export interface OwnedNameConflict {
  /** What is wrong, in words. */
  readonly message: string;
  /** The record of the zone that stands in the way, its name folded; undefined when another pool does. */
  readonly record?: { readonly name: Name; readonly type: number };
}

/**
 * The same zone in which the names that pools answer exist: for each type a placeholder RRset without RDATA, its TTL
 * 0. Names outside the zone are left out; one that cannot stand beside the zone's data is a conflict. `errors` are
 * the messages of `conflicts`.
 */
export function withOwnedNames(
  zone: Zone,
  owned: readonly PoolName[],
): {
  readonly zone: Zone;
  readonly errors: readonly string[];
  readonly conflicts: readonly OwnedNameConflict[];
} {
  const { laid, conflicts } = layOwnedNames(zone, owned);
  const nodes = laidOver(zone.nodes, laid);
  return { zone: { ...zone, nodes }, errors: conflicts.map(({ message }) => message), conflicts };
}

/** What {@linkcode withOwnedNames} lays over a zone: nodes that take the place of its own, by folded name. */
export function layOwnedNames(
  zone: Zone,
  owned: readonly PoolName[],
): { readonly laid: ReadonlyMap<Name, ZoneNode>; readonly conflicts: readonly OwnedNameConflict[] } {
  const conflicts: OwnedNameConflict[] = [];
  const laid = new Map<Name, ZoneNode>(), nodes = new LaidOver(zone.nodes, laid);
  for (const own of owned) {
    if (!isWithin(own.name, zone.origin)) continue;
    const conflict = conflictOf(zone, nodes, own);
    if (conflict) {
      const message = `${formatName(own.name)} is of pool ${own.pool}, but ${conflict.message}`;
      conflicts.push({ ...conflict, message });
    } else {
      laid.set(own.name, withPlaceholders(nodes.get(own.name), own));
      addEmptyNonTerminals(nodes, own.name, zone.origin, laid);
    }
  }
  return { laid, conflicts };
}

/** Nodes, some of which others take the place of. */
export function laidOver(nodes: ZoneNodes, laid: ReadonlyMap<Name, ZoneNode>): ZoneNodes {
  return laid.size > 0 ? new LaidOver(nodes, laid) : nodes;
}

/** Up to so many names are looked through: what a map knows a new string by takes longer to work out. */
const FEW = 4;

class LaidOver implements ZoneNodes {
  readonly #nodes: ZoneNodes;
  readonly #laid: ReadonlyMap<Name, ZoneNode>;
  /** The same names, where they are few: a map takes longer to go through. */
  readonly #names: Name[] = [];

  constructor(nodes: ZoneNodes, laid: ReadonlyMap<Name, ZoneNode>) {
    [this.#nodes, this.#laid] = [nodes, laid];
  }

  get size(): number {
    let size = this.#nodes.size;
    for (const name of this.#laid.keys()) if (!this.#nodes.has(name)) size++;
    return size;
  }

  has(name: Name): boolean {
    return this.#laid.has(name) || this.#nodes.has(name);
  }

  get(name: Name): ZoneNode | undefined {
    return this.#laidAt(name) ?? this.#nodes.get(name);
  }

  #laidAt(name: Name): ZoneNode | undefined {
    const laid = this.#laid, names = this.#names;
    if (laid.size > FEW) return laid.get(name);
    // Names are added, and none is taken away.
    if (names.length !== laid.size) names.splice(0, names.length, ...laid.keys());
    for (let i = 0; i < names.length; i++) if (names[i] === name) return laid.get(name);
    return undefined;
  }

  *[Symbol.iterator](): Iterator<[Name, ZoneNode]> {
    for (const entry of this.#nodes) if (!this.#laid.has(entry[0])) yield entry;
    yield* this.#laid;
  }
}

/** The serial of a zone's SOA (RFC 1035 section 3.3.13). */
export function soaSerial({ negativeSoa }: Zone): number {
  const rdata = negativeSoa.rdata[0]!;
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(rdata.length - 20);
}

/** A zone of nothing but an apex, for pools without zone data: its SOA and NS are made up, its serial is 1. */
export function synthesizeZone(origin: Name): Zone {
  const ns = madeUpName("ns", origin);
  const mailbox = madeUpName("hostmaster", origin);
  const soa: RRset = {
    name: origin,
    type: TYPE.SOA,
    ttl: 3600,
    rdata: [octets(ns + mailbox, [1, 7200, 3600, 1209600, 60])],
  };
  const nameServers: RRset = { name: origin, type: TYPE.NS, ttl: 3600, rdata: [octets(ns, [])] };
  const apex = { name: origin, rrsets: new Map([[TYPE.SOA, soa], [TYPE.NS, nameServers]]) };
  return { origin, nodes: new Map([[origin, apex]]), cuts: new Set(), negativeSoa: { ...soa, ttl: 60 } };
}

/** Gives every name between a node and the apex a node: it exists, if only to have others below it (RFC 4592 section 2.2.2). */
export function addEmptyNonTerminals(
  nodes: ZoneNodes,
  folded: Name,
  origin: Name,
  added: Map<Name, ZoneNode>,
): void {
  if (folded === origin) return;
  let [above, spelled] = [parent(folded), parent(nodes.get(folded)!.name)];
  while (above !== origin && !nodes.has(above)) {
    added.set(above, { name: spelled, rrsets: new Map() });
    [above, spelled] = [parent(above), parent(spelled)];
  }
}

/** The highest delegation or DNAME owner strictly above a name, which hides what the zone holds there. */
export function hiddenBy(
  name: Name,
  origin: Name,
  hides: (above: Name) => boolean,
): Name | undefined {
  let highest: Name | undefined;
  for (let above = name; above !== origin;) {
    above = parent(above);
    if (hides(above)) highest = above;
  }
  return highest;
}

/** What keeps a pool from answering a name. */
function conflictOf(
  zone: Zone,
  nodes: ZoneNodes,
  { name, types }: PoolName,
): OwnedNameConflict | undefined {
  const hider = zone.cuts.has(name) ? name : hiddenBy(
    name,
    zone.origin,
    (above) => zone.cuts.has(above) || nodes.get(above)?.rrsets.has(TYPE.DNAME) === true,
  );
  if (hider !== undefined) {
    const type = zone.cuts.has(hider) ? TYPE.NS : TYPE.DNAME;
    const hides = type === TYPE.NS ? "delegates" : "has a DNAME at";
    return { message: `the zone ${hides} ${formatName(hider)}`, record: { name: hider, type } };
  }
  const rrsets = nodes.get(name)?.rrsets;
  const type = [TYPE.CNAME, ...types].find((type) => rrsets?.has(type));
  if (type === undefined) return undefined;
  const { pool } = rrsets!.get(type)!;
  if (pool !== undefined) return { message: `pool ${pool} answers ${typeToText(type)} there` };
  return { message: `the zone has ${typeToText(type)} there`, record: { name, type } };
}

function withPlaceholders(found: ZoneNode | undefined, { name, types, pool }: PoolName): ZoneNode {
  const node = found ?? { name, rrsets: new Map() };
  const placeholders = types.map((type): [number, RRset] => [
    type,
    { name: node.name, type, ttl: 0, rdata: [], pool },
  ]);
  return { ...node, rrsets: new Map([...node.rrsets, ...placeholders]) };
}

/** `label` below `origin`, or `origin` itself where there is no room for it. */
function madeUpName(label: string, origin: Name): Name {
  return origin.length + label.length + 1 > NAME_OCTETS_MAX ? origin : prepend(label, origin);
}

function octets(names: string, numbers: readonly number[]): Uint8Array {
  const rdata = new Uint8Array(names.length + 4 * numbers.length);
  for (let i = 0; i < names.length; i++) rdata[i] = names.charCodeAt(i);
  const view = new DataView(rdata.buffer);
  numbers.forEach((number, i) => view.setUint32(names.length + 4 * i, number));
  return rdata;
}
