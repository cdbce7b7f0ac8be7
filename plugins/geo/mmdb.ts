/**
 * Reads MaxMind DB files: https://maxmind.github.io/MaxMind-DB/, version 2.
 *
 *     search tree (nodes of two records) | 16 zeros | data section | marker | metadata
 *
 * @module
 */

import { type Family, familyBits } from "../../core/plugin.ts";
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
  return { metadata, octets, data };
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

/**
 * Visits the networks of a family in ascending order; together they cover its space. `record` is the offset of the
 * network's data, for {@linkcode placeOf}, or {@linkcode NOWHERE}.
 *
 * IPv4 inside an IPv6 tree, `::/96` and whatever else leads to the same node, is one network without data there.
 *
 * @throws {MmdbError} When the tree has a loop or leads out of the file.
 */
export function walkNetworks(
  mmdb: Mmdb,
  family: Family,
  visit: (length: number, record: number) => void,
): void {
  const { octets, metadata: { nodeCount, recordBits, ipVersion } } = mmdb;
  const read = RECORD_READERS[recordBits], bits = familyBits(family);
  const inner = ipVersion === 6 ? rootOfIPv4(mmdb) : undefined;
  const start = family === 4 && ipVersion === 6 ? inner ?? nodeCount : 0;
  const leaf = family === 6 && inner !== undefined && inner < nodeCount ? inner : NOWHERE;
  /** The upper record of each node on the way down from the root, until it was taken. */
  const upper = new Float64Array(bits).fill(NOWHERE);
  // Nodes may be shared, as aliases are; yet a tree that branches more often than it has nodes is malformed.
  let branchings = 2 * nodeCount;
  let depth = 0, record = start;
  for (;;) {
    while (record < nodeCount && record !== leaf) {
      if (depth === bits || branchings-- === 0) {
        throw new MmdbError("it is corrupt: its search tree has a loop");
      }
      upper[depth++] = read(octets, record, 1);
      record = read(octets, record, 0);
    }
    visit(depth, record === leaf ? NOWHERE : dataOffset(mmdb, record));
    do depth--; while (depth >= 0 && upper[depth] === NOWHERE);
    if (depth < 0) return;
    record = upper[depth]!;
    upper[depth++] = NOWHERE;
  }
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

function dataOffset({ octets, metadata }: Mmdb, record: number): number {
  if (record === metadata.nodeCount) return NOWHERE;
  const offset = treeOctets(metadata) + record - metadata.nodeCount;
  if (record >= metadata.nodeCount + SEPARATOR_OCTETS && offset < octets.length) return offset;
  throw new MmdbError(`it is corrupt: its search tree points to octet ${offset}, where no data is`);
}

/**
 * The place in a record, in either of the layouts in use: `latitude`, `longitude`, `country_code`, `state1`; or
 * `location.latitude`, `country.iso_code` or `registered_country.iso_code`, `subdivisions[0].iso_code`.
 *
 * @throws {MmdbError} When the record is corrupt.
 */
export function placeOf({ data }: Mmdb, record: number): RecordPlace {
  const number = (name: string) =>
    data.number(data.find(record, name)) ?? data.number(data.find(record, "location", name));
  const country = data.text(data.find(record, "country_code")) ??
    data.text(data.find(record, "country", "iso_code")) ??
    data.text(data.find(record, "registered_country", "iso_code")) ?? "";
  const subdivision = data.text(data.find(record, "state1")) ??
    data.text(data.find(record, "subdivisions", 0, "iso_code")) ?? "";
  const point = pointOf(number("latitude"), number("longitude"));
  return { ...point && { point }, country: /^[A-Z]{2}$/.test(country) ? country : "", subdivision };
}

function pointOf(latitude: number | undefined, longitude: number | undefined): RecordPlace["point"] {
  if (latitude === undefined || longitude === undefined) return undefined;
  if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) return { latitude, longitude };
  throw new MmdbError(`it is corrupt: no place has latitude ${latitude}, longitude ${longitude}`);
}
