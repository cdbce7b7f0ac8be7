/** Servers that ask another one and remember what it said: Unbound, and dnsdist with a packet cache. @module */

import type { Kind } from "../server.ts";
import { debianVersion, programPath } from "./debian.ts";

/** Unbound, forwarding everything. */
export const unbound: Kind = {
  name: "unbound",
  version: () => debianVersion("unbound"),
  async plan({ threads, upstreamPort }, folder, port) {
    await Deno.writeTextFile(
      `${folder}/unbound.conf`,
      `server:
  interface: 127.0.0.1@${port}
  num-threads: ${threads}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  so-rcvbuf: 4m
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstreamPort}
remote-control:
  control-enable: no
`,
    );
    return { command: [await programPath("unbound"), "-d", "-c", `${folder}/unbound.conf`] };
  },
};

/** dnsdist, with one upstream. */
export const dnsdist: Kind = {
  name: "dnsdist",
  version: () => debianVersion("dnsdist"),
  async plan({ upstreamPort }, folder, port) {
    await Deno.writeTextFile(
      `${folder}/dnsdist.conf`,
      `setSecurityPollSuffix("")
setLocal("127.0.0.1:${port}")
newServer({address="127.0.0.1:${upstreamPort}"})
getServer(0):setUp()
getPool(""):setCache(newPacketCache(10000))
`,
    );
    return {
      command: [
        await programPath("dnsdist"),
        "--supervised",
        "--disable-syslog",
        "-C",
        `${folder}/dnsdist.conf`,
      ],
    };
  },
};
