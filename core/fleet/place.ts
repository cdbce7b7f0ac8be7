/**
 * Where clients and nodes are.
 *
 * @module
 */

import type { Prefix } from "../net/address.ts";
import type { NetworkTable } from "../net/network_table.ts";

/** A point on the earth with what it lies in. */
export interface Place {
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  /** ISO 3166-1 alpha-2, upper case; "" where not known. */
  readonly country: string;
  /** The country's subdivision as the data has it (ISO 3166-2 without the country, or a name); "" where not known. */
  readonly subdivision: string;
}

/** How exact a location is. `operator`: from the operator's own networks. */
export type Precision = "operator" | "city" | "country";

/** Where a client network is. */
export interface Location {
  /** The leaf: the client network as the geo data first cuts it, before any collapse. */
  readonly network: Prefix;
  /** Absent where no source knows the network, or where it is private or of special use. */
  readonly place?: Place;
  /** The place's number in its geography; 0 = no place. */
  readonly placeId: number;
  readonly precision?: Precision;
  /** What said so: a database's type and file name, `networks`, or the special-purpose block's name. */
  readonly source: string;
  /** Private or special-use (RFC 6890): gets the default answer, with the scope of its whole block. */
  readonly special: boolean;
}

/**
 * All that a query needs to know where clients are; plain data, made once by geo, shared by every worker.
 *
 * A leaf's value in `v4` and `v6` is its class: 0 = unknown; from {@linkcode SPECIAL_CLASS_FIRST} on, a
 * special-purpose block each of its own, named in `specialNames`; else an index into `places`.
 */
export interface Geography {
  /** Grows with each new geography. */
  readonly epoch: number;
  readonly v4: NetworkTable;
  readonly v6: NetworkTable;
  readonly places: PlaceTable;
  readonly specialNames: readonly string[];
  readonly sources: readonly GeographySource[];
}

/** Class values from here on are special-purpose blocks: value − SPECIAL_CLASS_FIRST is the block's number. */
export const SPECIAL_CLASS_FIRST = 0xffff0000;

/**
 * Degrees, or as integers ten-thousandths of degrees: of 32 bits where every one of a column is exactly what the data has,
 * whose numbers either are of 32 bits or have so many decimals. Read by {@linkcode degreesAt}.
 */
export type Coordinates = Float64Array | Float32Array | Int32Array;

/** Distinct places as columns. Row 0 is not used: 0 means no place. */
export interface PlaceTable {
  /** Rows, row 0 counted. */
  readonly count: number;
  readonly latitude: Coordinates;
  readonly longitude: Coordinates;
  /** Index into `countries`. */
  readonly country: Uint16Array;
  /** Index into `subdivisions`. */
  readonly subdivision: Uint16Array;
  /** Index into `sourceNames`. */
  readonly source: Uint8Array;
  readonly countries: readonly string[];
  readonly subdivisions: readonly string[];
  /** What said so, with its precision. */
  readonly sourceNames: readonly { readonly name: string; readonly precision: Precision }[];
}

/** One file behind a geography. */
export interface GeographySource {
  readonly name: string;
  readonly precision: Precision;
  /** When the data was built, milliseconds since 1970. */
  readonly builtMs: number;
  /** SHA-256 of what is in it, in hexadecimal: whatever the file is called, and whenever it was written. */
  readonly content: string;
  /** When this file was taken, milliseconds since 1970. */
  readonly loadedMs: number;
  /** What went wrong with a newer one that was refused. */
  readonly refused?: string;
}

/** Of integers so many are a degree. What has up to four decimals is, divided again, the very number that it was. */
const PER_DEGREE = 10_000;

/** The degrees in row `id` of a column. */
export function degreesAt(column: Coordinates, id: number): number {
  return column instanceof Int32Array ? column[id]! / PER_DEGREE : column[id]!;
}

/** A column of degrees in shared memory, in the smallest form that is exact. */
export function coordinatesOf(degrees: Float64Array): Coordinates {
  const { length } = degrees;
  if (degrees.every((number) => Math.fround(number) === number)) {
    return filled(new Float32Array(new SharedArrayBuffer(length * 4)), (id) => degrees[id]!);
  }
  if (degrees.every((number) => Math.round(number * PER_DEGREE) / PER_DEGREE === number)) {
    return filled(
      new Int32Array(new SharedArrayBuffer(length * 4)),
      (id) => Math.round(degrees[id]! * PER_DEGREE),
    );
  }
  return filled(new Float64Array(new SharedArrayBuffer(length * 8)), (id) => degrees[id]!);
}

/** In place: what map() makes lies in memory that is not shared. */
function filled<T extends Coordinates>(column: T, at: (id: number) => number): T {
  for (let id = 0; id < column.length; id++) column[id] = at(id);
  return column;
}

/** Row `id` of the places. */
export function placeAt(places: PlaceTable, id: number): Place {
  return {
    latitude: degreesAt(places.latitude, id),
    longitude: degreesAt(places.longitude, id),
    country: places.countries[places.country[id]!]!,
    subdivision: places.subdivisions[places.subdivision[id]!]!,
  };
}
