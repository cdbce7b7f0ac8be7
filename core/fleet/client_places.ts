/**
 * Where clients ask from, and how much: what each place of a geography asks for, from a map of demand by client network or,
 * without one, from how many addresses there are. So that whoever weighs clients counts them alike.
 *
 * @module
 */

import { type Family, parsePrefix, type Prefix } from "../net/address.ts";
import { findNetwork, lengthAt, NetworkCursor, type NetworkTable, valueAt } from "../net/network_table.ts";
import { degreesAt, type Geography, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";

/** Client networks and what each asks for, in any unit: as {@linkcode packDemand} makes it. Plain data, in shared memory. */
export interface ClientDemand {
  /** Addresses, 16 octets each; those of IPv4 have theirs in front. */
  readonly octets: Uint8Array;
  readonly families: Uint8Array;
  readonly lengths: Uint8Array;
  readonly demand: Float64Array;
}

/** Places with what they ask for, as columns. */
export interface ClientPlaces {
  /** Degrees, north and east positive. */
  readonly latitude: Float64Array;
  readonly longitude: Float64Array;
  /** More than 0. */
  readonly demand: Float64Array;
}

/** Packs networks, such as 198.51.100.0/24, with what each asks for. What is no network, or asks for nothing, is left out. */
export function packDemand(networks: ReadonlyMap<string, number>): ClientDemand {
  const packed: { prefix: Prefix; demand: number }[] = [];
  for (const [text, demand] of networks) {
    const prefix = parsePrefix(text);
    if (prefix && demand > 0 && Number.isFinite(demand)) packed.push({ prefix, demand });
  }
  const { length } = packed;
  const made = {
    octets: new Uint8Array(new SharedArrayBuffer(16 * length)),
    families: new Uint8Array(new SharedArrayBuffer(length)),
    lengths: new Uint8Array(new SharedArrayBuffer(length)),
    demand: new Float64Array(new SharedArrayBuffer(8 * length)),
  };
  packed.forEach(({ prefix, demand }, i) => {
    made.octets.set(prefix.octets, 16 * i);
    made.families[i] = prefix.family;
    made.lengths[i] = prefix.length;
    made.demand[i] = demand;
  });
  return made;
}

/**
 * What the clients of each place ask for, by the place's number; at 0, of those whose place nobody knows, private and
 * special-use ones among them.
 *
 * Without a demand every IPv4 address counts one, and IPv6 nothing: there most of a database's space is nobody's yet and
 * stands at the seats of registries, so that of /48s in DB-IP's, 85 % are at one village. Where no IPv4 address has a
 * place, /48s count all the same. A network of the demand that has several leaves is divided among them by their size;
 * networks that overlap add up.
 */
export function demandByPlace(geography: Geography, demand?: ClientDemand): Float64Array {
  const byPlace = new Float64Array(geography.places.count);
  if (demand) addDemand(byPlace, geography, demand);
  else {
    addAddresses(byPlace, geography.v4);
    if (byPlace.every((asked, placeId) => placeId === 0 || asked === 0)) addAddresses(byPlace, geography.v6);
  }
  return byPlace;
}

/** How many places there are at most: to put so many at their nodes takes a second or so. */
export const PLACES_MAX = 100_000;

/**
 * The places that ask for anything. Where these are more than `most`, those of a square of the map go together, to the
 * middle of what they ask for; squares are as small as it takes.
 */
export function clientPlaces(
  places: PlaceTable,
  byPlace: Float64Array,
  most = PLACES_MAX,
): ClientPlaces {
  const ids: number[] = [];
  for (let id = 1; id < byPlace.length; id++) if (byPlace[id]! > 0) ids.push(id);
  if (ids.length <= most) {
    return {
      latitude: Float64Array.from(ids, (id) => degreesAt(places.latitude, id)),
      longitude: Float64Array.from(ids, (id) => degreesAt(places.longitude, id)),
      demand: Float64Array.from(ids, (id) => byPlace[id]!),
    };
  }
  for (let step = STEP_FIRST;; step *= 2) {
    const gathered = gather(places, byPlace, ids, step, most);
    if (gathered) return gathered;
  }
}

/** The side of the smallest squares, degrees: some five kilometres. */
const STEP_FIRST = 0.05;

function addAddresses(byPlace: Float64Array, table: NetworkTable): void {
  const whole = UNIT_LENGTHS[table.family], leaf = new NetworkCursor(table);
  do byPlace[placeOf(leaf.value)]! += 2 ** (whole - leaf.length); while (leaf.next());
}

/** The length of a network that counts one. */
const UNIT_LENGTHS: Readonly<Record<Family, number>> = { 4: 32, 6: 48 };

function addDemand(
  byPlace: Float64Array,
  { v4, v6 }: Geography,
  { octets, families, lengths, demand }: ClientDemand,
): void {
  for (let i = 0; i < demand.length; i++) {
    const isIPv4 = families[i] === 4, table = isIPv4 ? v4 : v6, length = lengths[i]!;
    const network = octets.subarray(16 * i, 16 * i + (isIPv4 ? 4 : 16)), first = findNetwork(table, network);
    if (lengthAt(table, first) <= length) byPlace[placeOf(valueAt(table, first))]! += demand[i]!;
    else {
      const leaf = new NetworkCursor(table, first), last = findNetwork(table, lastOf(network, length));
      do byPlace[placeOf(leaf.value)]! += demand[i]! * 2 ** (length - leaf.length); while (
        leaf.entry < last && leaf.next()
      );
    }
  }
}

/** The last address of a network. */
function lastOf(octets: Uint8Array, length: number): Uint8Array {
  return octets.map((octet, i) => octet | 0xff >> Math.min(8, Math.max(0, length - 8 * i)));
}

function placeOf(leafClass: number): number {
  return leafClass >= SPECIAL_CLASS_FIRST ? 0 : leafClass;
}

/** By squares of `step` degrees; undefined where these are more than `most`. */
function gather(
  { latitude, longitude }: PlaceTable,
  byPlace: Float64Array,
  ids: readonly number[],
  step: number,
  most: number,
): ClientPlaces | undefined {
  const numbers = new Map<number, number>(), columns = Math.ceil(360 / step) + 1;
  const sums = { latitude: new Float64Array(most), longitude: new Float64Array(most) };
  const demand = new Float64Array(most);
  for (const id of ids) {
    const north = degreesAt(latitude, id), east = degreesAt(longitude, id), asked = byPlace[id]!;
    const square = Math.floor((north + 90) / step) * columns + Math.floor((east + 180) / step);
    let number = numbers.get(square);
    if (number === undefined) {
      if (numbers.size === most) return undefined;
      numbers.set(square, number = numbers.size);
    }
    sums.latitude[number]! += north * asked;
    sums.longitude[number]! += east * asked;
    demand[number]! += asked;
  }
  const count = numbers.size;
  return {
    latitude: sums.latitude.slice(0, count).map((sum, i) => sum / demand[i]!),
    longitude: sums.longitude.slice(0, count).map((sum, i) => sum / demand[i]!),
    demand: demand.slice(0, count),
  };
}
