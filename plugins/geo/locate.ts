/**
 * Looks addresses up in a geography.
 *
 * @module
 */

import { type Geography, type Location, placeAt, SPECIAL_CLASS_FIRST } from "../../core/fleet/place.ts";
import { findNetwork, networkAt } from "../../core/net/network_table.ts";
import { type Address, formatPrefix } from "../../core/plugin.ts";

/** Where an address is. */
export function locate(geography: Geography, { family, octets }: Address): Location {
  const table = family === 4 ? geography.v4 : geography.v6;
  const entry = findNetwork(table, octets);
  const placeId = table.values[entry]!;
  const network = networkAt(table, entry);
  if (placeId >= SPECIAL_CLASS_FIRST) {
    const source = geography.specialNames[placeId - SPECIAL_CLASS_FIRST]!;
    return { network, placeId: 0, source, special: true };
  }
  if (placeId === 0) return { network, placeId, source: "no data", special: false };
  const { places } = geography;
  const { name, precision } = places.sourceNames[places.source[placeId]!]!;
  return { network, place: placeAt(places, placeId), placeId, precision, source: name, special: false };
}

/** A location as a person reads it: `192.0.2.0/24, FR 48.86 2.35, city precision, from …`. */
export function describeLocation({ network, place, precision, source, special }: Location): string {
  const where = formatPrefix(network);
  if (!place) {
    return special ? `${where}, special-purpose (${source}), without a place` : `${where}, no place known`;
  }
  const { country, subdivision, latitude, longitude } = place;
  const area = [country, subdivision].filter((text) => text !== "").join(" ");
  const point = `${latitude.toFixed(2)} ${longitude.toFixed(2)}`;
  return `${where}, ${area === "" ? point : `${area}, ${point}`}, ${precision} precision, from ${source}`;
}
