/**
 * gdnsd: the other server that answers by place and health. Its `geoip` plugin ranks the fifty by coordinates, and its
 * `tcp_connect` probes them, as Meridian does.
 *
 * @module
 */

import { FALLBACK, SITES, ZONE, zoneFile } from "../fleet.ts";
import { Listeners } from "../../listeners.ts";
import type { Kind } from "../server.ts";
import { debianVersion, programPath } from "./debian.ts";

/** gdnsd. */
export const gdnsd: Kind = {
  name: "gdnsd",
  version: () => debianVersion("gdnsd"),
  async plan({ address, threads, isGeographic, city }, folder, port) {
    for (const name of ["zones", "geoip", "run", "state"]) await Deno.mkdir(`${folder}/${name}`);
    const listeners = isGeographic ? Listeners.open(SITES.map(({ address }) => address), 8443) : undefined;
    await Deno.writeTextFile(
      `${folder}/zones/${ZONE}`,
      zoneFile(isGeographic ? "entry 60 DYNA geoip!entry" : ""),
    );
    await Deno.writeTextFile(
      `${folder}/config`,
      `options => {
  listen => "${address.includes(":") ? `[${address}]` : address}:${port}"
  udp_threads => ${threads}
  tcp_threads => ${threads}
  run_dir => ${folder}/run
  state_dir => ${folder}/state
  zones_default_ttl => 3600
}
${listeners ? geography(city.database, listeners.port) : ""}`,
    );
    return {
      command: [await programPath("gdnsd"), "-c", folder, "start"],
      cleanUp: () => listeners?.close(),
    };
  },
};

/** The first datacenter is for clients that nobody can place. */
function geography(database: string, port: number): string {
  const sites = [FALLBACK, ...SITES.filter((site) => site !== FALLBACK)];
  return `service_types => {
  connects => { plugin => tcp_connect, port => ${port}, interval => 10, timeout => 3 }
}
plugins => { geoip => {
  maps => { world => {
    geoip2_db => ${database}
    datacenters => [ ${sites.map(({ id }) => id).join(", ")} ]
    auto_dc_coords => {
${sites.map(({ id, latitude, longitude }) => `      ${id} => [ ${latitude}, ${longitude} ]`).join("\n")}
    }
  } }
  resources => { entry => {
    map => world
    service_types => connects
    dcmap => {
${sites.map(({ id, address }) => `      ${id} => ${address}`).join("\n")}
    }
  } }
} }
`;
}
