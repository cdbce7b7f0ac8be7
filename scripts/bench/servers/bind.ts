/** BIND 9 as an authoritative server. @module */

import { ZONE, zoneFile } from "../fleet.ts";
import type { Kind } from "../server.ts";
import { debianVersion, programPath } from "./debian.ts";

/** BIND 9. */
export const bind: Kind = {
  name: "bind",
  version: () => debianVersion("bind9"),
  async plan({ threads }, folder, port) {
    await Deno.writeTextFile(`${folder}/zone`, zoneFile());
    await Deno.writeTextFile(
      `${folder}/named.conf`,
      `options {
  directory "${folder}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  minimal-responses yes;
  notify no;
  querylog no;
};
controls { };
zone "${ZONE}" { type primary; file "zone"; };
`,
    );
    return {
      command: [await programPath("named"), "-f", "-c", `${folder}/named.conf`, "-n", String(threads)],
    };
  },
};
