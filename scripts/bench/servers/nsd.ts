/** NSD, which knows no geography. @module */

import { ZONE, zoneFile } from "../fleet.ts";
import type { Kind } from "../server.ts";
import { debianVersion, programPath } from "./debian.ts";

/** NSD. */
export const nsd: Kind = {
  name: "nsd",
  version: () => debianVersion("nsd"),
  async plan({ address, threads }, folder, port) {
    await Deno.writeTextFile(`${folder}/zone`, zoneFile());
    await Deno.writeTextFile(
      `${folder}/nsd.conf`,
      `server:
  ip-address: ${address}@${port}
  server-count: ${threads}
  username: ""
  chroot: ""
  database: ""
  xfrdfile: ""
  xfrdir: "${folder}"
  zonesdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  pidfile: "${folder}/nsd.pid"
  tcp-query-count: 0
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: zone
`,
    );
    return { command: [await programPath("nsd"), "-d", "-c", `${folder}/nsd.conf`] };
  },
};
