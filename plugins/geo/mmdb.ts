/**
 * Reads MaxMind DB files: https://maxmind.github.io/MaxMind-DB/, version 2.
 *
 *     search tree (nodes of two records) | 16 zeros | data section | marker | metadata
 *
 * @module
 */

import { type Family, familyBits } from "../../core/plugin.ts";
import type { PrefixTree } from "../../core/net/table_algebra.ts";
import { MmdbData, MmdbError, NOWHERE } from "./mmdb_data.ts";

export { MmdbError, NOWHERE } from "./mmdb_data.ts";

/** What a file says of itself. */
export interface MmdbMetadata {
  readonly nodeCount: number;
  /** Bits of one of a node's two records. */
  readonly recordBits: 24 | 28 | 32;
  /** 4: knows no IPv6 address. 6: IPv4 is the part under `::/96`, if any. */
  readonly ipVersion: Family;
  /** `GeoLite2-City`, `city ipv4`, … */
  readonly databaseType: string;
  /** Milliseconds since 1970. */
  readonly builtMs: number;
}

/** A file whose outline is sound. What is in it shows as it is read. */
export interface Mmdb {
  readonly metadata: MmdbMetadata;
  readonly octets: Uint8Array;
  readonly view: DataView;
  readonly data: MmdbData;
}

/** Where a network is, as a record says. */
export interface RecordPlace {
  /** Degrees; absent where the record has none. */
  readonly point?: { readonly latitude: number; readonly longitude: number };
  /** ISO 3166-1 alpha-2, or "". */
  readonly country: string;
  readonly subdivision: string;
}

/** How many octets at the end of a file hold its metadata and the marker. */
export const TAIL_OCTETS_MAX = 128 * 1024;

const MARKER = Uint8Array.from([0xab, 0xcd, 0xef, ...new TextEncoder().encode("MaxMind.com")]);
const SEPARATOR_OCTETS = 16;

/** Opens a file that was read whole. @throws {MmdbError} When it is none or its parts do not fit in it. */
export function openMmdb(octets: Uint8Array): Mmdb {
  const metadata = readMetadata(octets.subarray(-TAIL_OCTETS_MAX), octets.length);
  const data = new MmdbData(octets, treeOctets(metadata) + SEPARATOR_OCTETS, octets.length);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  return { metadata, octets, view, data };
}

/** Reads the metadata from a file's last octets. @throws {MmdbError} As {@linkcode openMmdb} does. */
export function readMetadata(tail: Uint8Array, fileOctets: number): MmdbMetadata {
  const start = lastMarker(tail) + MARKER.length;
  const data = new MmdbData(tail, start, tail.length, fileOctets - tail.length);
  data.endOf(start);
  const field = (name: string) => data.number(data.find(start, name)) ?? 0;
  const metadata = {
    nodeCount: field("node_count"),
    recordBits: oneOf("records of 24, 28 or 32 bits", field("record_size"), [24, 28, 32]),
    ipVersion: oneOf("IP version 4 or 6", field("ip_version"), [4, 6]),
    databaseType: data.text(data.find(start, "database_type")) ?? "",
    builtMs: field("build_epoch") * 1000,
  };
  oneOf("format version 2", field("binary_format_major_version"), [2]);
  const wanted = treeOctets(metadata) + SEPARATOR_OCTETS + MARKER.length;
  if (metadata.nodeCount < 1 || wanted > fileOctets) {
    throw new MmdbError(
      `it is cut short or corrupt: ${metadata.nodeCount} nodes want ${wanted} octets, it has ${fileOctets}`,
    );
  }
  return metadata;
}

function lastMarker(tail: Uint8Array): number {
  for (let at = tail.length - MARKER.length; at >= 0; at--) {
    if (MARKER.every((octet, i) => tail[at + i] === octet)) return at;
  }
  throw new MmdbError("it is no MaxMind DB file, or is cut short: its metadata is missing");
}

function oneOf<const N extends number>(wanted: string, found: number, allowed: readonly N[]): N {
  if ((allowed as readonly number[]).includes(found)) return found as N;
  throw new MmdbError(`it is corrupt or of another kind: wanted ${wanted}, got ${found}`);
}

function treeOctets({ nodeCount, recordBits }: { nodeCount: number; recordBits: number }): number {
  return nodeCount * recordBits / 4;
}

/** Whether a file says anything about addresses of a family. */
export function hasFamily(mmdb: Mmdb, family: Family): boolean {
  return mmdb.metadata.ipVersion === 6 ? family === 6 || rootOfIPv4(mmdb) !== undefined : family === 4;
}

/** Prefixes that are laid over a database, whatever it says of them. */
export interface Laid {
  readonly over: PrefixTree;
  /** Is given what is laid over as {@linkcode walkNetworks} comes to it: in place of the networks that lie under it. */
  put(length: number, value: number): void;
  /** Is given the records of networks that something lies over. */
  hidden(record: number): void;
}

/**
 * Visits the networks of a family in ascending order; together, with what is laid over them, they cover its space. `record`
 * is the offset of the network's data, for {@linkcode placeOf}, or {@linkcode NOWHERE}. A network of which something laid over
 * leaves a part is cut into the fewest prefixes.
 *
 * IPv4 inside an IPv6 tree, `::/96` and whatever else leads to the same node, is one network without data there.
 *
 * @throws {MmdbError} When the tree has a loop or leads out of the file.
 */
export function walkNetworks(
  mmdb: Mmdb,
  family: Family,
  visit: (length: number, record: number) => void,
  laid?: Laid,
): void {
  const { metadata: { nodeCount, ipVersion } } = mmdb;
  const inner = ipVersion === 6 ? rootOfIPv4(mmdb) : undefined;
  const start = family === 4 && ipVersion === 6 ? inner ?? nodeCount : 0;
  const leaf = family === 6 && inner !== undefined && inner < nodeCount ? inner : nodeCount;
  const walk = new Walk(mmdb, familyBits(family), leaf);
  if (laid) walk.beneath(start, 0, laid.over, undefined, visit, laid);
  else walk.networks(start, 0, visit);
}

/** One walk through a search tree. */
class Walk {
  readonly #mmdb: Mmdb;
  readonly #bits: number;
  /** The node that is taken for a network without data; the number of nodes where there is none. */
  readonly #leaf: number;
  /** Upper records that wait until all beneath the lower one has been visited, and their depths. */
  readonly #waiting: Uint32Array;
  readonly #depths: Uint8Array;
  /** Nodes may be shared, as aliases are; yet a tree that branches more often than it has nodes is malformed. */
  #branchings: number;

  constructor(mmdb: Mmdb, bits: number, leaf: number) {
    this.#mmdb = mmdb;
    this.#bits = bits;
    this.#leaf = leaf;
    this.#waiting = new Uint32Array(bits);
    this.#depths = new Uint8Array(bits);
    this.#branchings = 2 * mmdb.metadata.nodeCount;
  }

  /** The networks beneath a record at a depth, with what is laid over them: what is in `branch`, else what is `inherited`. */
  beneath(
    record: number,
    depth: number,
    branch: PrefixTree | undefined,
    inherited: number | undefined,
    visit: (length: number, record: number) => void,
    laid: Laid,
  ): void {
    const value = branch?.value ?? inherited;
    if (branch && (branch[0] || branch[1])) {
      const [lower, upper] = this.#halves(record, depth);
      this.beneath(lower, depth + 1, branch[0], value, visit, laid);
      this.beneath(upper, depth + 1, branch[1], value, visit, laid);
    } else if (value === undefined) {
      this.networks(record, depth, visit);
    } else {
      this.networks(record, depth, (_, record) => laid.hidden(record));
      laid.put(depth, value);
    }
  }

  /** What both halves of a record lead to: a network's are as the network. */
  #halves(record: number, depth: number): [lower: number, upper: number] {
    const { octets, metadata: { nodeCount, recordBits } } = this.#mmdb;
    if (record >= nodeCount || record === this.#leaf) return [record, record];
    if (depth === this.#bits || this.#branchings-- === 0) refuseLoop();
    const read = RECORD_READERS[recordBits];
    return [read(octets, record, 0), read(octets, record, 1)];
  }

  /**
   * The networks beneath a record at a depth. Flat, and with the three forms of a record side by side: city data has
   * fifteen million networks.
   */
  networks(record: number, depth: number, visit: (length: number, record: number) => void): void {
    const { view, metadata: { nodeCount, recordBits } } = this.#mmdb;
    const waiting = this.#waiting, depths = this.#depths, leaf = this.#leaf, bits = this.#bits;
    const toData = treeOctets(this.#mmdb.metadata) - nodeCount;
    const dataFrom = nodeCount + SEPARATOR_OCTETS, dataTo = view.byteLength - toData;
    let waits = 0, branchings = this.#branchings;
    for (;;) {
      if (record < nodeCount && record !== leaf) {
        if (depth === bits || branchings-- === 0) refuseLoop();
        let lower = 0, upper = 0;
        if (recordBits === 32) {
          lower = view.getUint32(record * 8);
          upper = view.getUint32(record * 8 + 4);
        } else if (recordBits === 24) {
          lower = view.getUint32(record * 6) >>> 8;
          upper = view.getUint32(record * 6 + 3) >>> 8;
        } else {
          // The middle octet of seven holds the highest four bits of both.
          const first = view.getUint32(record * 7);
          lower = first >>> 8 | (first & 0xf0) << 20;
          upper = view.getUint32(record * 7 + 3) & 0xfffffff;
        }
        depths[waits] = ++depth;
        waiting[waits++] = upper;
        record = lower;
        continue;
      }
      if (record >= dataFrom && record < dataTo) visit(depth, record + toData);
      else if (record === nodeCount || record === leaf) visit(depth, NOWHERE);
      else refuseOutside(record + toData);
      if (waits === 0) break;
      record = waiting[--waits]!;
      depth = depths[waits]!;
    }
    this.#branchings = branchings;
  }
}

function refuseLoop(): never {
  throw new MmdbError("it is corrupt: its search tree has a loop");
}

function refuseOutside(offset: number): never {
  throw new MmdbError(`it is corrupt: its search tree points to octet ${offset}, where no data is`);
}

/** The record that `::/96` leads to; undefined when the path ends before, so that nothing is said of IPv4. */
function rootOfIPv4({ octets, metadata: { nodeCount, recordBits } }: Mmdb): number | undefined {
  let record = 0;
  for (let depth = 0; depth < 96; depth++) {
    if (record >= nodeCount) return undefined;
    record = RECORD_READERS[recordBits](octets, record, 0);
  }
  return record;
}

/** Record 0 or 1 of a node, by the bits of a record. */
const RECORD_READERS: Record<24 | 28 | 32, (octets: Uint8Array, node: number, side: 0 | 1) => number> = {
  24(octets, node, side) {
    const at = node * 6 + side * 3;
    return octets[at]! << 16 | octets[at + 1]! << 8 | octets[at + 2]!;
  },
  28(octets, node, side) {
    // The middle octet of seven holds the highest four bits of both.
    const at = node * 7 + side * 4, middle = octets[node * 7 + 3]!;
    const high = side === 0 ? middle >> 4 : middle & 15;
    return high << 24 | octets[at]! << 16 | octets[at + 1]! << 8 | octets[at + 2]!;
  },
  32(octets, node, side) {
    const at = node * 8 + side * 4;
    return (octets[at]! << 24 | octets[at + 1]! << 16 | octets[at + 2]! << 8 | octets[at + 3]!) >>> 0;
  },
};

/**
 * The place in a record, in either of the layouts in use: `latitude`, `longitude`, `country_code`, `state1`; or
 * `location.latitude`, `country.iso_code` or `registered_country.iso_code`, `subdivisions[0].iso_code`.
 *
 * @throws {MmdbError} When the record is corrupt.
 */
export function placeOf({ data }: Mmdb, record: number): RecordPlace {
  const at = data.fields(record, FIELDS, found);
  const country = data.text(at[COUNTRY_CODE]!) ?? data.text(data.under(at[COUNTRY]!, "iso_code")) ??
    data.text(data.under(at[REGISTERED_COUNTRY]!, "iso_code")) ?? "";
  const subdivision = data.text(at[STATE1]!) ??
    (at[SUBDIVISIONS] === NOWHERE ? "" : data.text(data.find(at[SUBDIVISIONS]!, 0, "iso_code")) ?? "");
  const point = pointOf(
    data.number(at[LATITUDE]!) ?? data.number(data.under(at[LOCATION]!, "latitude")),
    data.number(at[LONGITUDE]!) ?? data.number(data.under(at[LOCATION]!, "longitude")),
  );
  const known = isCode(country) ? country : "";
  return point ? { point, country: known, subdivision } : { country: known, subdivision };
}

/** The fields that are looked for in a record, all in one go. */
const FIELDS = [
  ...["latitude", "longitude", "location", "country_code", "country", "registered_country"],
  ...["state1", "subdivisions"],
];
const LATITUDE = 0, LONGITUDE = 1, LOCATION = 2, COUNTRY_CODE = 3, COUNTRY = 4, REGISTERED_COUNTRY = 5;
const STATE1 = 6, SUBDIVISIONS = 7;

/** Where they are in the record that was looked at last. */
const found = new Float64Array(FIELDS.length);

/** Whether a text is two capital letters of ASCII. */
function isCode(text: string): boolean {
  return text.length === 2 && isCapital(text.charCodeAt(0)) && isCapital(text.charCodeAt(1));
}

function isCapital(code: number): boolean {
  return code >= 0x41 && code <= 0x5a;
}

function pointOf(latitude: number | undefined, longitude: number | undefined): RecordPlace["point"] {
  if (latitude === undefined || longitude === undefined) return undefined;
  if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) return { latitude, longitude };
  throw new MmdbError(`it is corrupt: no place has latitude ${latitude}, longitude ${longitude}`);
}
