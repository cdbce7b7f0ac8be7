/**
 * PowerDNS with its geoip backend. It knows no distances: each country is given the node nearest to its middle.
 *
 * @module
 */

import { FALLBACK, hostAddress, hostLabel, NAMES, nearestSite, POOL_NAME, ZONE } from "../fleet.ts";
import type { Kind } from "../server.ts";
import { debianVersion, programPath } from "./debian.ts";

/** PowerDNS. */
export const pdns: Kind = {
  name: "pdns",
  version: () => debianVersion("pdns-server", "pdns-backend-geoip"),
  async plan({ address, threads, city }, folder, port) {
    await Deno.writeTextFile(`${folder}/zones.yaml`, await zones(city.countries));
    await Deno.writeTextFile(
      `${folder}/pdns.conf`,
      `launch=geoip
geoip-database-files=mmdb:${city.database}
geoip-zones-file=${folder}/zones.yaml
edns-subnet-processing=yes
local-address=${address}
local-port=${port}
receiver-threads=${threads}
distributor-threads=1
socket-dir=${folder}
daemon=no
guardian=no
disable-syslog=yes
loglevel=2
security-poll-suffix=
`,
    );
    return { command: [await programPath("pdns_server"), `--config-dir=${folder}`] };
  },
};

async function zones(path: string): Promise<string> {
  const middles = Object.entries(JSON.parse(await Deno.readTextFile(path)));
  const records = [
    `${ZONE}: [{ soa: "ns1.${ZONE} hostmaster.${ZONE} 1 7200 1800 1209600 300" }, { ns: "ns1.${ZONE}" }]`,
    `ns1.${ZONE}: [{ a: 127.0.0.1 }]`,
    ...Array.from({ length: NAMES }, (_, i) => `${hostLabel(i)}.${ZONE}: [{ a: ${hostAddress(i)} }]`),
    ...middles.map(([code, middle]) =>
      `${code.toLowerCase()}.cc.${ZONE}: [{ a: ${
        nearestSite(middle as { latitude: number; longitude: number }).address
      } }]`
    ),
    `unknown.cc.${ZONE}: [{ a: ${FALLBACK.address} }]`,
  ];
  return `domains:
- domain: ${ZONE}
  ttl: 60
  records:
${records.map((record) => `    ${record}`).join("\n")}
  services:
    ${POOL_NAME}: "%cc.cc.${ZONE}"
`;
}
