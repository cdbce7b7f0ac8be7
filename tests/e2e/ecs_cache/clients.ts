/**
 * Client networks to ask from, in many countries: neighbours that are due different answers, or may be.
 *
 * @module
 */

import { type Geography, placeAt, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import { type Family, formatPrefix, type Prefix, prefixOf } from "../../../core/net/address.ts";
import { findNetwork, networkAt, type NetworkTable, valueAt } from "../../../core/net/network_table.ts";
import type { Random } from "../../differential/random.ts";

/** A leaf of the geography. */
export interface ClientNetwork {
  readonly network: Prefix;
  /** ISO 3166-1 alpha-2; "" where the geography knows none. */
  readonly country: string;
}

/**
 * In `countries` countries one leaf of each family, taken at random, and beside each the nearest one that is due another
 * answer now, and the nearest one in another country, that may be due another when nodes break: a scope that is too
 * short by a bit makes one of a pair get the other's.
 */
export function chooseClients(
  geography: Geography,
  countries: number,
  answerTo: (client: string) => string,
  random: Random,
): ClientNetwork[] {
  return [geography.v4, geography.v6].flatMap((table) => {
    const byCountry = entriesByCountry(table, geography);
    const countryAt = (entry: number) => countryOf(table, entry, geography);
    const answerAt = (entry: number) => answerTo(formatPrefix(networkAt(table, entry)));
    const chosen = random.some([...byCountry.keys()].sort(), countries).flatMap((country) => {
      const entry = random.pick(byCountry.get(country)!);
      return [entry, neighbourOf(table, entry, answerAt), neighbourOf(table, entry, countryAt)];
    });
    return [...new Set(chosen)].filter((entry) => entry !== undefined)
      .map((entry) => ({ network: networkAt(table, entry), country: countryAt(entry) }));
  });
}

/** Source prefix lengths that clients send, more often those that resolvers do. */
const SOURCE_LENGTHS: Readonly<Record<Family, readonly number[]>> = {
  4: [24, 24, 24, 24, 24, 24, 32, 32, 32, 32, 32, 32, 32, 32, 28, 25, 22, 20],
  6: [56, 56, 56, 56, 56, 56, 56, 56, 64, 64, 64, 64, 64, 128, 128, 128, 48, 40],
};

/** The ECS of a random client in a network. Where the source is shorter than the network, it reaches beyond. */
export function randomClient({ network }: ClientNetwork, random: Random): string {
  const octets = network.octets.map((octet, i) => {
    const fixed = 0xff00 >> Math.min(8, Math.max(0, network.length - 8 * i)) & 0xff;
    return (octet & fixed) | (random.below(256) & ~fixed);
  });
  return formatPrefix(
    prefixOf({ family: network.family, octets }, random.pick(SOURCE_LENGTHS[network.family])),
  );
}

function entriesByCountry(table: NetworkTable, geography: Geography): Map<string, number[]> {
  const byCountry = new Map<string, number[]>();
  for (let entry = 0; entry < table.count; entry++) {
    const country = countryOf(table, entry, geography);
    if (country === "") continue;
    const entries = byCountry.get(country);
    if (entries) entries.push(entry);
    else byCountry.set(country, [entry]);
  }
  return byCountry;
}

function countryOf(table: NetworkTable, entry: number, { places }: Geography): string {
  const placeId = valueAt(table, entry);
  return placeId === 0 || placeId >= SPECIAL_CLASS_FIRST ? "" : placeAt(places, placeId).country;
}

/** Of some leaves that differ from an entry in what `of` tells, the one that shares the most leading bits with it. */
function neighbourOf(table: NetworkTable, entry: number, of: (entry: number) => string): number | undefined {
  const network = networkAt(table, entry);
  const own = of(entry);
  for (let length = network.length; length > 0; length--) {
    const sibling = siblingOf(prefixOf(network, length));
    const from = findNetwork(table, sibling.octets), to = findNetwork(table, lastAddress(sibling));
    for (const other of spread(from, to)) if (of(other) !== own) return other;
  }
  return undefined;
}

/** At most nine whole numbers from `from` to `to`, the ends among them. */
function spread(from: number, to: number): Set<number> {
  return new Set(Array.from({ length: 9 }, (_, i) => from + Math.round((to - from) * i / 8)));
}

function siblingOf({ family, octets, length }: Prefix): Prefix {
  const other = octets.slice();
  other[(length - 1) >> 3]! ^= 0x80 >> ((length - 1) & 7);
  return { family, octets: other, length };
}

function lastAddress({ octets, length }: Prefix): Uint8Array {
  return octets.map((octet, i) => octet | 0xff >> Math.min(8, Math.max(0, length - 8 * i)));
}
