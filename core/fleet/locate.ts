/**
 * Where an address is.
 *
 * @module
 */

import type { Address } from "../net/address.ts";
import { findNetwork, networkAt, valueAt } from "../net/network_table.ts";
import { type Geography, type Location, placeAt, SPECIAL_CLASS_FIRST } from "./place.ts";

/** The location of the leaf that holds `address`. */
export function locate(geography: Geography, { family, octets }: Address): Location {
  const table = family === 4 ? geography.v4 : geography.v6;
  const entry = findNetwork(table, octets);
  const network = networkAt(table, entry), placeId = valueAt(table, entry);
  if (placeId >= SPECIAL_CLASS_FIRST) {
    const source = geography.specialNames[placeId - SPECIAL_CLASS_FIRST]!;
    return { network, placeId: 0, source, special: true };
  }
  if (placeId === 0) return { network, placeId, source: "no data", special: false };
  const { places } = geography;
  const { name, precision } = places.sourceNames[places.source[placeId]!]!;
  return { network, place: placeAt(places, placeId), placeId, precision, source: name, special: false };
}
