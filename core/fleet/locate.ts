/**
 * Where an address is.
 *
 * @module
 */

import { Copies } from "../dns/copies.ts";
import type { Address, Prefix } from "../net/address.ts";
import { findNetwork, lengthAt, valueAt } from "../net/network_table.ts";
import { type Geography, type Location, placeAt, SPECIAL_CLASS_FIRST } from "./place.ts";

/** The location of the leaf that holds `address`. */
export function locate(geography: Geography, address: Address): Location {
  const table = address.family === 4 ? geography.v4 : geography.v6;
  const entry = findNetwork(table, address.octets);
  const network = networkOf(address, lengthAt(table, entry)), placeId = valueAt(table, entry);
  if (placeId >= SPECIAL_CLASS_FIRST) {
    const source = geography.specialNames[placeId - SPECIAL_CLASS_FIRST]!;
    return { network, placeId: 0, source, special: true };
  }
  if (placeId === 0) return { network, placeId, source: "no data", special: false };
  const { places } = geography;
  const { name, precision } = places.sourceNames[places.source[placeId]!]!;
  return { network, place: placeAt(places, placeId), placeId, precision, source: name, special: false };
}

/** Every query that has a client makes one: a piece of memory of its own for each would take longer than all the rest. */
const COPIES = new Copies();

/** The network of so many bits that holds an address. */
function networkOf({ family, octets }: Address, length: number): Prefix {
  const network = COPIES.room(octets.length), whole = length >> 3;
  for (let i = 0; i < whole; i++) network[i] = octets[i]!;
  if ((length & 7) !== 0) network[whole] = octets[whole]! & 0xff00 >> (length & 7);
  return { family, octets: network, length };
}
