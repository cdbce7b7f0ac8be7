/**
 * Who asks in the show, and the names of the cities that answer.
 *
 * @module
 */

import type { Point } from "../../core/fleet/distance.ts";

/** An imaginary client: someone in a city, behind a resolver that sends the network along (ECS). */
export interface Client extends Point {
  readonly city: string;
  readonly country: string;
  /** Held in that country; that it is all in one city is imagined. */
  readonly network: string;
}

/** The first is the one that is watched when Frankfurt changes. */
export const CLIENTS: readonly Client[] = [
  { city: "Berlin", country: "DE", network: "80.128.0.0/16", latitude: 52.52, longitude: 13.4 },
  { city: "Zurich", country: "CH", network: "178.192.0.0/16", latitude: 47.38, longitude: 8.54 },
  { city: "Warsaw", country: "PL", network: "83.0.0.0/16", latitude: 52.23, longitude: 21.01 },
  { city: "Dublin", country: "IE", network: "86.40.0.0/16", latitude: 53.35, longitude: -6.26 },
  { city: "New York", country: "US", network: "71.160.0.0/16", latitude: 40.71, longitude: -74.01 },
  { city: "Seattle", country: "US", network: "73.11.0.0/16", latitude: 47.61, longitude: -122.33 },
  { city: "Bogotá", country: "CO", network: "181.48.0.0/16", latitude: 4.71, longitude: -74.07 },
  { city: "Lagos", country: "NG", network: "105.112.0.0/16", latitude: 6.52, longitude: 3.38 },
  { city: "Dubai", country: "AE", network: "94.200.0.0/16", latitude: 25.2, longitude: 55.27 },
  { city: "Jakarta", country: "ID", network: "36.64.0.0/16", latitude: -6.21, longitude: 106.85 },
  { city: "Seoul", country: "KR", network: "211.32.0.0/16", latitude: 37.57, longitude: 126.98 },
  { city: "Auckland", country: "NZ", network: "122.56.0.0/16", latitude: -36.85, longitude: 174.76 },
];

/** Where the nodes of nodes.yaml are, by id. */
export const NODE_CITIES: Readonly<Record<string, string>> = {
  fra1: "Frankfurt",
  lon1: "London",
  iad1: "Ashburn",
  sfo1: "San Francisco",
  gru1: "São Paulo",
  jnb1: "Johannesburg",
  bom1: "Mumbai",
  sin1: "Singapore",
  nrt1: "Tokyo",
  syd1: "Sydney",
};

/** The clients' cities as entries for networks.yaml. */
export function networkEntries(): string {
  return CLIENTS.map(({ network, latitude, longitude, country }) =>
    `  - { prefix: ${network}, latitude: ${latitude}, longitude: ${longitude}, country: ${country} }\n`
  ).join("");
}
