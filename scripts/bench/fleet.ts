/**
 * What every server under test serves: a zone of 500 names, and one name whose address is that of the nearest of 50
 * nodes, which listen on loopback.
 *
 * @module
 */

import { metresBetween, type Point } from "../../core/fleet/distance.ts";

/** The zone. */
export const ZONE = "bench.example";

/** The name that is answered by place. */
export const POOL_NAME = `entry.${ZONE}`;

/** Names with an address each: `w000` and so on. */
export const NAMES = 500;

/** A node: its id, where it is, and its address. */
export interface Site extends Point {
  readonly id: string;
  readonly country: string;
  readonly address: string;
}

/** Where the fifty are: the first column names, the second the country, then degrees. */
const CITIES = `
ams NL 52.37 4.90    ath GR 37.98 23.73   atl US 33.75 -84.39   akl NZ -36.85 174.76  bkk TH 13.76 100.50
blr IN 12.97 77.59   bog CO 4.71 -74.07   bom IN 19.08 72.88    bos US 42.36 -71.06   bue AR -34.60 -58.38
cai EG 30.04 31.24   chi US 41.88 -87.63  cph DK 55.68 12.57    cpt ZA -33.92 18.42   dal US 32.78 -96.80
den US 39.74 -104.99 del IN 28.61 77.21   dub IE 53.35 -6.26    dxb AE 25.20 55.27    fra DE 50.11 8.68
hel FI 60.17 24.94   hkg HK 22.32 114.17  iad US 39.04 -77.49   ist TR 41.01 28.98    jkt ID -6.21 106.85
jnb ZA -26.20 28.05  kix JP 34.69 135.50  lax US 34.05 -118.24  lim PE -12.05 -77.04  lon GB 51.51 -0.13
los NG 6.52 3.38     mad ES 40.42 -3.70   man PH 14.60 120.98   mel AU -37.81 144.96  mex MX 19.43 -99.13
mia US 25.76 -80.19  mil IT 45.46 9.19    nbo KE -1.29 36.82    nyc US 40.71 -74.01   par FR 48.86 2.35
per AU -31.95 115.86 sao BR -23.55 -46.63 scl CL -33.45 -70.67  sea US 47.61 -122.33  sel KR 37.57 126.98
sfo US 37.77 -122.42 sin SG 1.35 103.82   sto SE 59.33 18.07    syd AU -33.87 151.21  tyo JP 35.68 139.69`;

/** The fifty nodes. */
export const SITES: readonly Site[] = [
  ...CITIES.matchAll(/([a-z]{3}) ([A-Z]{2}) (\S+) (\S+)/g).map(([, id, country, latitude, longitude], i) => ({
    ...{ id: id!, country: country!, latitude: Number(latitude), longitude: Number(longitude) },
    address: `127.80.0.${i + 1}`,
  })),
];

/** Where clients are taken to be that no database can place: where gdnsd takes its first datacenter. */
export const FALLBACK = SITES.find(({ id }) => id === "fra")!;

/** The node that is nearest to a place. */
export function nearestSite(place: Point): Site {
  return SITES.reduce((best, site) => metresBetween(place, site) < metresBetween(place, best) ? site : best);
}

/** The node list, as `anycast` reads it. */
export function nodesYaml(): string {
  const nodes = SITES.map(({ id, address, latitude, longitude, country }) =>
    `  - { id: ${id}, addresses: [${address}], location: { latitude: ${latitude}, longitude: ${longitude}, country: ${country} } }`
  );
  return `nodes:\n${nodes.join("\n")}\n`;
}

/** The zone, as a master file (RFC 1035 section 5), with something in place of the pool's name. */
export function zoneFile(pool = ""): string {
  const names = Array.from({ length: NAMES }, (_, i) => `${hostLabel(i)} IN A ${hostAddress(i)}`);
  return `$ORIGIN ${ZONE}.
$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 1800 1209600 300
@ IN NS ns1
ns1 IN A 127.0.0.1
${names.join("\n")}
${pool}
`;
}

/** The label of the i-th name. */
export function hostLabel(i: number): string {
  return `w${String(i).padStart(3, "0")}`;
}

/** Its address, of a block for documentation (RFC 5737). */
export function hostAddress(i: number): string {
  return `192.0.2.${i & 255}`;
}
