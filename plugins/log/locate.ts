/**
 * Where an address is, by a block's geography.
 *
 * @module
 */

import { type Geography, type Location, placeAt, SPECIAL_CLASS_FIRST } from "../../core/fleet/place.ts";
import { findNetwork, networkAt } from "../../core/net/network_table.ts";
import type { Address } from "../../core/plugin.ts";

/** The location of the leaf that holds `address`; undefined without geo data. */
export function locateIn(geography: Geography | undefined, address: Address): Location | undefined {
  if (!geography) return undefined;
  const table = address.family === 4 ? geography.v4 : geography.v6;
  const entry = findNetwork(table, address.octets);
  const network = networkAt(table, entry), value = table.values[entry]!;
  if (value >= SPECIAL_CLASS_FIRST) {
    const source = geography.specialNames[value - SPECIAL_CLASS_FIRST]!;
    return { network, placeId: 0, source, special: true };
  }
  if (value === 0) return { network, placeId: 0, source: "", special: false };
  const { name: source, precision } = geography.places.sourceNames[geography.places.source[value]!]!;
  return {
    network,
    placeId: value,
    place: placeAt(geography.places, value),
    precision,
    source,
    special: false,
  };
}
