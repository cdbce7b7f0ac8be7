/**
 * Where a node stands: what the Corefile says of its region, where a node list has it, where geo data has its address, or
 * where the region's name says.
 *
 * @module
 */

import type { Place } from "../../core/fleet/place.ts";
import { FormationProblem } from "./json.ts";
import type { ListedNode } from "./shapes.ts";

/** A place, as geo data have it. */
export interface Located {
  readonly place: Place;
  readonly isCity: boolean;
}

/** What there is to tell a place by. */
export interface PlaceSources {
  /** `region NAME …` of the Corefile. */
  readonly regions: Readonly<Record<string, Place>>;
  /** Of a node list. */
  listed(id: string): Place | undefined;
  /** Of geo data; undefined = they have none. */
  locate(address: string): Promise<Located | undefined>;
}

/** The regions that the wizard of Formation offers: a large place in the middle of each one's traffic. */
export const WIZARD_REGIONS: Readonly<Record<string, Place>> = {
  "us-east": { latitude: 39.04, longitude: -77.49, country: "US", subdivision: "VA" },
  "us-west": { latitude: 37.34, longitude: -121.89, country: "US", subdivision: "CA" },
  "us-central": { latitude: 41.26, longitude: -95.86, country: "US", subdivision: "IA" },
  "eu-west": { latitude: 53.35, longitude: -6.26, country: "IE", subdivision: "L" },
  "eu-central": { latitude: 50.11, longitude: 8.68, country: "DE", subdivision: "HE" },
  "asia-east": { latitude: 35.68, longitude: 139.69, country: "JP", subdivision: "13" },
  "asia-southeast": { latitude: 1.35, longitude: 103.82, country: "SG", subdivision: "" },
};

/** @throws {FormationProblem} Where nobody can tell: a node without a place is nearest to nobody. */
export async function placeOfNode(
  { id, region, addresses }: ListedNode,
  { regions, listed, locate }: PlaceSources,
): Promise<Place> {
  const said = ownOf(regions, region) ?? listed(id);
  if (said) return said;
  const found = (await Promise.all(addresses.map(locate))).filter((one) => one !== undefined);
  const [known] = [...found.filter(({ isCity }) => isCity)];
  const place = known?.place ?? ownOf(WIZARD_REGIONS, region) ?? found[0]?.place;
  if (place) return place;
  const where = region === "" ? "it names no region" : `nothing is known of region ${region}`;
  throw new FormationProblem(
    `node ${id}: nobody can tell where it stands: ${where}, and geo data do not have ${
      addresses.join(", ")
    }; ` +
      "say it by `region NAME LATITUDE LONGITUDE`",
  );
}

function ownOf(places: Readonly<Record<string, Place>>, region: string): Place | undefined {
  return Object.hasOwn(places, region) ? places[region] : undefined;
}
