/**
 * Where gdnsd's datacenters are: by the coordinates of a map, or else by the parts of the world that it gives them.
 *
 * @module
 */

import { COUNTRY_POINTS } from "../fleet/country_points.ts";
import { parsePrefix } from "../net/address.ts";
import { besides, type Findings, type ImportSource } from "./imported.ts";
import { at, entriesOf, itemsOf, numberOf, readVscf, type Vscf, wordOf, wordsOf } from "./vscf.ts";

/** A point of the earth, in degrees. */
export interface Spot {
  readonly latitude: number;
  readonly longitude: number;
}

/** MaxMind's continents, and where most who live there are. */
export const CONTINENT_SPOTS: Readonly<Record<string, Spot>> = {
  AF: { latitude: 6.5, longitude: 20 },
  AN: { latitude: -82.86, longitude: 135 },
  AS: { latitude: 28, longitude: 95 },
  EU: { latitude: 50, longitude: 10 },
  NA: { latitude: 39, longitude: -93 },
  OC: { latitude: -30, longitude: 147 },
  SA: { latitude: -17, longitude: -57 },
};

/** The place of each datacenter of a map, by its name. What is only guessed is a finding. */
export function placesOf(name: string, map: Vscf | undefined, findings: Findings): Map<string, Spot> {
  const places = new Map<string, Spot>();
  const coordinates = at(map, "auto_dc_coords");
  for (const [dc, pair] of entriesOf(coordinates)) {
    const [latitude, longitude] = itemsOf(pair).map(numberOf);
    if (latitude !== undefined && longitude !== undefined) places.set(dc, { latitude, longitude });
  }
  const table = at(map, "map");
  if (table) {
    const why =
      "the nearest datacenter is taken; networks.yaml can move clients, `bias country` keep them in a country";
    findings.leftOut(table.at, `map ${name}: order by continent and country`, why);
  }
  const guessed = guesses(table);
  for (const dc of wordsOf(at(map, "datacenters"))) {
    if (places.has(dc) || !map) continue;
    const guess = guessed.get(dc);
    places.set(dc, guess?.spot ?? { latitude: 0, longitude: 0 });
    const where = guess
      ? `in ${guess.where}, where the map puts it first`
      : "at 0 0, for want of anything better";
    findings.differs(
      map.at,
      `map ${name}: datacenter ${dc} without coordinates`,
      `placed ${where}: put it right in nodes.yaml`,
    );
  }
  const limit = at(map, "auto_dc_limit");
  if (limit) {
    findings.differs(
      limit.at,
      `map ${name}: auto_dc_limit`,
      "every datacenter can stand in, however far it is",
    );
  }
  return places;
}

/** The first part of the world that has a datacenter in front, continents before countries. */
function guesses(table: Vscf | undefined): Map<string, { where: string; spot: Spot }> {
  const found = new Map<string, { where: string; spot: Spot }>();
  const note = (dc: string | undefined, where: string, spot: Spot | undefined) => {
    if (dc !== undefined && spot && !found.has(dc)) found.set(dc, { where, spot });
  };
  const first = (value: Vscf) => wordsOf(value.kind === "table" ? at(value, "default") : value)[0];
  for (const [continent, value] of entriesOf(table)) {
    note(first(value), continent, CONTINENT_SPOTS[continent]);
  }
  for (const [, value] of entriesOf(table)) {
    for (const [country, inside] of entriesOf(value)) {
      note(first(inside), country, COUNTRY_POINTS.get(country));
    }
  }
  return found;
}

/** A network and where its clients are to be. */
export interface PlacedNetwork extends Spot {
  readonly prefix: string;
}

/** The networks that a map sends somewhere, as clients that are at their first datacenter. */
export function networksOf(
  name: string,
  map: Vscf | undefined,
  places: ReadonlyMap<string, Spot>,
  source: ImportSource,
  findings: Findings,
): PlacedNetwork[] {
  const nets = at(map, "nets");
  const file = wordOf(nets);
  const table = nets && file !== undefined
    ? readVscf(besides(`${folderOfMap(nets)}/geoip/x`, file), source)
    : nets;
  return entriesOf(table).flatMap(([prefix, value]) => {
    const [first, ...others] = wordsOf(value);
    const place = first === undefined ? undefined : places.get(first);
    if (!place || !parsePrefix(prefix)) {
      findings.leftOut(
        value.at,
        `map ${name}: ${prefix}`,
        place ? "it is no network here" : "it has no datacenter",
      );
      return [];
    }
    if (others.length > 0) {
      findings.differs(
        value.at,
        `map ${name}: ${prefix}`,
        `placed at ${first}: after it come those nearest to it`,
      );
    }
    return { prefix, ...place };
  });
}

/** gdnsd looks for such files in `geoip` beside its main file. */
function folderOfMap({ at: { file } }: Vscf): string {
  const slash = file.lastIndexOf("/");
  return slash < 0 ? "." : file.slice(0, slash);
}
