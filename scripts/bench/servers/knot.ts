/**
 * Knot DNS. Its geoip module knows no distances and no health: each country is given the node nearest to its middle, which
 * is less than Meridian has to do.
 *
 * @module
 */

import { FALLBACK, nearestSite, ZONE, zoneFile } from "../fleet.ts";
import type { Kind } from "../server.ts";
import { debianVersion, programPath } from "./debian.ts";

/** Knot DNS. */
export const knot: Kind = {
  name: "knot",
  version: () => debianVersion("knot", "knot-module-geoip"),
  async plan({ address, threads, isGeographic, city }, folder, port) {
    await Deno.writeTextFile(
      `${folder}/zone`,
      zoneFile(isGeographic ? `entry 60 A ${FALLBACK.address}` : ""),
    );
    if (isGeographic) await Deno.writeTextFile(`${folder}/countries`, await countries(city.countries));
    await Deno.writeTextFile(
      `${folder}/knot.conf`,
      `server:
  listen: ${address}@${port}
  rundir: ${folder}
  udp-workers: ${threads}
  tcp-workers: ${threads}
  background-workers: 1
  edns-client-subnet: ${isGeographic ? "on" : "off"}
control:
  listen: ${folder}/knot.sock
database:
  storage: ${folder}
${isGeographic ? geographyOf(folder, city.database) : ""}
zone:
- domain: ${ZONE}
  file: ${folder}/zone
  journal-content: none
  zonefile-sync: -1
${isGeographic ? "  module: mod-geoip/places" : ""}
`,
    );
    return { command: [await programPath("knotd"), "-c", `${folder}/knot.conf`] };
  },
};

function geographyOf(folder: string, database: string): string {
  return `mod-geoip:
- id: places
  config-file: ${folder}/countries
  ttl: 60
  mode: geodb
  geodb-file: ${database}
  geodb-key: country/iso_code
`;
}

async function countries(path: string): Promise<string> {
  const middles = Object.entries(JSON.parse(await Deno.readTextFile(path)));
  const entries = middles.map(([code, middle]) =>
    `- geo: "${code}"\n  A: ${nearestSite(middle as { latitude: number; longitude: number }).address}\n`
  );
  return `entry.${ZONE}.:\n${entries.join("")}`;
}
