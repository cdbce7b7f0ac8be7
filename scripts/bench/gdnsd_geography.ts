/**
 * Teaches gdnsd the geography of Meridian's example, so that both have the same to do: every network of the embedded
 * country database, mapped to the two nodes nearest to its country.
 *
 * @module
 */

import { metresBetween, type Point } from "../../core/fleet/distance.ts";
import type { Node } from "../../core/fleet/node.ts";
import { placeAt, type PlaceTable, SPECIAL_CLASS_FIRST } from "../../core/fleet/place.ts";
import { formatPrefix } from "../../core/net/address.ts";
import { networkAt } from "../../core/net/network_table.ts";
import { build } from "../../plugins/geo/build.ts";
import { embeddedDatabase } from "../../plugins/geo/embedded.ts";
import { exampleNodes } from "../example.ts";

/** Pieces of gdnsd's configuration (gdnsd-plugin-geoip(8)). A datacenter is a pair of nodes. */
export interface GdnsdGeography {
  readonly datacenters: readonly string[];
  /** The entries of `dcmap`. */
  readonly addresses: string;
  /** The contents of a `nets` file. */
  readonly networks: string;
}

/** Where Corefile.example takes clients to be that no database can place. */
const UNKNOWN: Point = { latitude: 50.11, longitude: 8.68 };

/** The pieces, with the nodes of the example. */
export async function gdnsdGeography(): Promise<GdnsdGeography> {
  const outcome = build({ databases: [embeddedDatabase()], epoch: 1, loadedMs: Date.now() });
  if (!("geography" in outcome)) throw new Error(`${outcome.refused.path}: ${outcome.refused.reason}`);
  const { v4, places } = outcome.geography, nodes = await exampleNodes();
  const pairs = pairsByPlace(places, nodes);
  const networks: string[] = [];
  for (let entry = 0; entry < v4.count; entry++) {
    const value = v4.values[entry]!;
    if (value === 0 || value >= SPECIAL_CLASS_FIRST) continue;
    networks.push(`${formatPrefix(networkAt(v4, entry))} => [ ${nameOf(pairs[value]!)} ]`);
  }
  // The first datacenter answers those of whom nothing is known.
  const distinct = new Map(
    [nearestTwo(UNKNOWN, nodes), ...pairs.slice(1)].map((pair) => [nameOf(pair), pair]),
  );
  const addresses = [...distinct].map(([name, pair]) =>
    `${name} => [ ${pair.map(({ ipv4 }) => ipv4).join(", ")} ]`
  );
  return {
    datacenters: [...distinct.keys()],
    addresses: addresses.join("\n"),
    networks: `${networks.join("\n")}\n`,
  };
}

/** By place id, the two nodes nearest to it. */
function pairsByPlace(places: PlaceTable, nodes: readonly Node[]): Node[][] {
  return Array.from(
    { length: places.count },
    (_, id) => id === 0 ? [] : nearestTwo(placeAt(places, id), nodes),
  );
}

function nearestTwo(place: Point, nodes: readonly Node[]): Node[] {
  return nodes.toSorted((a, b) => metresBetween(place, a.place) - metresBetween(place, b.place)).slice(0, 2);
}

function nameOf(pair: readonly Node[]): string {
  return pair.map(({ id }) => id).join("-");
}
