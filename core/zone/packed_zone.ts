/**
 * A zone as octets, so that every isolate reads the same copy: an object for each record would be cloned for each worker,
 * and a large zone would hold up its answers while it is.
 *
 *     buffer:   index (where each name's entry begins, by hash; 0 = none) | entries, one after the other
 *     entry:    flags, the folded name without the zone's origin; the name as spelled, where that differs; RRsets
 *     RRset:    type, TTL, number of records, of each its length and RDATA
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import { type Name, ROOT } from "../dns/name.ts";
import { hashNameText } from "../dns/name_hash.ts";
import { TYPE } from "../dns/types.ts";
import { readRRset, rrsetEnd, uint16, UnreadRRsets } from "./packed_rrsets.ts";
import { each, finish, type Steps } from "./steps.ts";
import { laidOver, type Zone, type ZoneNames, type ZoneNode, type ZoneNodes } from "./zone.ts";

/** Plain data; a structured clone shares what is large. */
export interface PackedZone {
  /** Folded. */
  readonly origin: Name;
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** How many words the index has, a power of two. */
  readonly slots: number;
  /** What hashes of names begin with: nobody who writes names into a zone knows it. */
  readonly seed: number;
  readonly names: number;
  readonly cuts: number;
  /** Seconds; of the SOA in negative answers. */
  readonly negativeTtl: number;
  /** Nodes that take the place of its own, by folded name: those of names that pools answer. */
  readonly laid: ReadonlyMap<Name, ZoneNode>;
}

/** Octets up to which a copy for each isolate is cheaper than to share one. */
const COPIED_MAX = 16_384;

const IS_CUT = 1, IS_SPELLED = 2;

/** {@linkcode packInSteps}, at once. */
export function pack(zone: Zone): PackedZone {
  return finish(packInSteps(zone));
}

/** Writes a zone down. */
export function* packInSteps({ origin, nodes, cuts, negativeSoa }: Zone): Steps<PackedZone> {
  let octets = 0;
  yield* each(nodes, ([folded, node]) => void (octets += entryOctets(folded, node, origin)));
  const slots = 2 ** Math.ceil(Math.log2(Math.max(2, nodes.size * 1.5)));
  const total = 4 * slots + octets;
  const buffer = total > COPIED_MAX ? new SharedArrayBuffer(total) : new ArrayBuffer(total);
  const seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  const index = new Int32Array(buffer, 0, slots), writer = new EntryWriter(buffer, 4 * slots, origin);
  yield* each(nodes, ([folded, node]) => {
    let slot = hashNameText(folded, seed, folded.length - origin.length) & slots - 1;
    while (index[slot] !== 0) slot = slot + 1 & slots - 1;
    index[slot] = writer.at;
    writer.entry(folded, node, cuts.has(folded));
  });
  const counts = { slots, seed, names: nodes.size, cuts: cuts.size };
  return { origin, buffer, ...counts, negativeTtl: negativeSoa.ttl, laid: new Map() };
}

function entryOctets(folded: Name, { name, rrsets }: ZoneNode, origin: Name): number {
  let octets = 4 + folded.length - origin.length + (name === folded ? 0 : 1 + name.length);
  for (const { rdata } of rrsets.values()) {
    octets += 8;
    for (const one of rdata) octets += 2 + one.length;
  }
  return octets;
}

class EntryWriter {
  at: number;
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  readonly #origin: Name;

  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number, origin: Name) {
    this.at = at;
    this.#octets = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#origin = origin;
  }

  entry(folded: Name, { name, rrsets }: ZoneNode, isCut: boolean): void {
    const isSpelled = name !== folded;
    this.#octets[this.at++] = (isCut ? IS_CUT : 0) | (isSpelled ? IS_SPELLED : 0);
    this.#text(folded, folded.length - this.#origin.length);
    if (isSpelled) this.#text(name, name.length);
    this.#uint16(rrsets.size);
    for (const rrset of rrsets.values()) this.#rrset(rrset);
  }

  #text(text: string, length: number): void {
    this.#octets[this.at++] = length;
    for (let i = 0; i < length; i++) this.#octets[this.at++] = text.charCodeAt(i);
  }

  #rrset({ type, ttl, rdata }: RRset): void {
    this.#uint16(type);
    this.#view.setUint32(this.at, ttl);
    this.at += 4;
    this.#uint16(rdata.length);
    for (const one of rdata) {
      this.#uint16(one.length);
      this.#octets.set(one, this.at);
      this.at += one.length;
    }
  }

  #uint16(value: number): void {
    this.#view.setUint16(this.at, value);
    this.at += 2;
  }
}

const opened = new WeakMap<PackedZone, Zone>();

/** The zone to look things up in; the same one whenever it is asked for. */
export function openZone(packed: PackedZone): Zone {
  let zone = opened.get(packed);
  if (!zone) {
    // What was read of other zones may hold on to one that is no more.
    decoded.fill(undefined);
    const nodes = new PackedNodes(packed), { origin, negativeTtl, laid } = packed;
    const soa = nodes.get(origin)!.rrsets.get(TYPE.SOA)!;
    // A copy of its own: it is kept, and what was read lies among much that is not.
    const negativeSoa = { ...soa, rdata: soa.rdata.map((one) => one.slice()), ttl: negativeTtl };
    const cuts = new PackedCuts(nodes, packed.cuts);
    zone = { origin, nodes: laidOver(nodes, laid), cuts, negativeSoa };
    opened.set(packed, zone);
  }
  return zone;
}

/** How many nodes are kept. */
const KEPT_BITS = 12;

/** What was read lately and asked for again, of all zones of this isolate: it is not read once more. */
const decoded: ({ readonly of: PackedNodes; readonly at: number; readonly node: ZoneNode } | undefined)[] =
  new Array(1 << KEPT_BITS).fill(undefined);

/**
 * By the same place, the entry that was asked for last and is not what is kept there. What is asked for once does not push out
 * what is asked for often; and it is garbage soon, where what is kept for a while has the collector copy it.
 */
const passedBy = new Int32Array(1 << KEPT_BITS);

class PackedNodes implements ZoneNodes {
  readonly size: number;
  readonly #origin: Name;
  readonly #seed: number;
  readonly #index: Int32Array;
  readonly #octets: Uint8Array;
  /** What was looked for last, and of wildcards: who asks for a name that is not there asks for one of these next. */
  #lastName: Name = ROOT;
  #lastAt = 0;
  #lastWildcard: Name = ROOT;
  #lastWildcardAt = 0;

  constructor({ buffer, slots, seed, names, origin }: PackedZone) {
    [this.size, this.#origin, this.#seed] = [names, origin, seed];
    this.#index = new Int32Array(buffer, 0, slots);
    this.#octets = new Uint8Array(buffer);
    this.#lastName = origin;
    this.#lastAt = this.#search(origin);
  }

  has(name: Name): boolean {
    return this.#find(name) !== 0;
  }

  get(name: Name): ZoneNode | undefined {
    const at = this.#find(name);
    if (at === 0) return undefined;
    const place = Math.imul(at, 0x9e3779b1) >>> 32 - KEPT_BITS, known = decoded[place];
    if (known?.at === at && known.of === this) {
      passedBy[place] = 0;
      return known.node;
    }
    if (passedBy[place] !== at) {
      passedBy[place] = at;
      return this.#glimpse(at, name);
    }
    const { node } = this.#decode(at, name);
    decoded[place] = { of: this, at, node };
    return node;
  }

  isCut(name: Name): boolean {
    const at = this.#find(name);
    return at !== 0 && (this.#octets[at]! & IS_CUT) !== 0;
  }

  *[Symbol.iterator](): Iterator<[Name, ZoneNode]> {
    let at = 4 * this.#index.length;
    for (let i = 0; i < this.size; i++) {
      const name = this.#nameAt(at), { node, end } = this.#decode(at, name);
      yield [name, node];
      at = end;
    }
  }

  /** Where a name's entry begins; 0 = it has none. What is asked of one name comes together. */
  #find(name: Name): number {
    if (name.charCodeAt(1) === ASTERISK && name.charCodeAt(0) === 1) {
      if (name !== this.#lastWildcard) {
        this.#lastWildcardAt = this.#search(name);
        this.#lastWildcard = name;
      }
      return this.#lastWildcardAt;
    }
    if (name !== this.#lastName) {
      this.#lastAt = this.#search(name);
      this.#lastName = name;
    }
    return this.#lastAt;
  }

  #search(name: Name): number {
    const length = name.length - this.#origin.length, mask = this.#index.length - 1;
    if (length < 0 || !endsIn(name, this.#origin)) return 0;
    for (let slot = hashNameText(name, this.#seed, length) & mask;; slot = slot + 1 & mask) {
      const at = this.#index[slot]! >>> 0;
      if (at === 0 || this.#isNamed(at, name, length)) return at;
    }
  }

  /** Whether the entry at `at` is of the name whose first `length` octets stand before the origin. */
  #isNamed(at: number, name: Name, length: number): boolean {
    const octets = this.#octets;
    if (octets[at + 1] !== length) return false;
    for (let i = 0; i < length; i++) if (octets[at + 2 + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #nameAt(at: number): Name {
    return this.#text(at + 1) + this.#origin as Name;
  }

  #text(at: number): string {
    return String.fromCharCode(...this.#octets.subarray(at + 1, at + 1 + this.#octets[at]!));
  }

  /** The node of `folded`, whose entry begins at `at`, and where that ends. */
  #decode(at: number, folded: Name): { node: ZoneNode; end: number } {
    const name = this.#spelling(at, folded), first = this.#firstRRset(at);
    const rrsets = new Map<number, RRset>(), count = uint16(this.#octets, first);
    let end = first + 2;
    for (let i = 0; i < count; i++) {
      const rrset = readRRset(this.#octets, end, name, (octets, start, end) => octets.slice(start, end));
      rrsets.set(rrset.type, rrset);
      end = rrsetEnd(this.#octets, end);
    }
    return { node: { name, rrsets }, end };
  }

  /** The same, of which no more is read than what is asked of it. */
  #glimpse(at: number, folded: Name): ZoneNode {
    const name = this.#spelling(at, folded);
    const whole = () => this.#decode(at, folded).node.rrsets;
    return { name, rrsets: new UnreadRRsets(this.#octets, this.#firstRRset(at), name, whole) };
  }

  #spelling(at: number, folded: Name): Name {
    const isSpelled = (this.#octets[at]! & IS_SPELLED) !== 0;
    return isSpelled ? this.#text(at + 2 + this.#octets[at + 1]!) as Name : folded;
  }

  /** Where the number of an entry's RRsets stands. */
  #firstRRset(at: number): number {
    const isSpelled = (this.#octets[at]! & IS_SPELLED) !== 0;
    at += 2 + this.#octets[at + 1]!;
    return isSpelled ? at + 1 + this.#octets[at]! : at;
  }
}

const ASTERISK = 0x2a;

/** As `endsWith`, which takes longer to call than a short name takes to look at. */
function endsIn(name: Name, end: Name): boolean {
  const start = name.length - end.length;
  for (let i = 0; i < end.length; i++) if (name.charCodeAt(start + i) !== end.charCodeAt(i)) return false;
  return true;
}

class PackedCuts implements ZoneNames {
  readonly size: number;
  readonly #nodes: PackedNodes;

  constructor(nodes: PackedNodes, size: number) {
    [this.#nodes, this.size] = [nodes, size];
  }

  has(name: Name): boolean {
    return this.size > 0 && this.#nodes.isCut(name);
  }

  *[Symbol.iterator](): Iterator<Name> {
    for (const [name] of this.#nodes) if (this.has(name)) yield name;
  }
}
