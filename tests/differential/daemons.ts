/**
 * NSD and Knot DNS in the foreground on loopback, each with a folder and a port of its own.
 *
 * @module
 */

import { commandPath } from "../../scripts/packages.ts";
import { freePort } from "../support/server.ts";

/** A server that others wrote. */
export interface Daemon {
  readonly name: "nsd" | "knot";
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts NSD with one zone. */
export function startNsd(folder: string, origin: string, zoneFile: string): Promise<Daemon> {
  const port = freePort();
  const config = `server:
  ip-address: 127.0.0.1@${port}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  zonelistfile: "${folder}/nsd.zones"
  xfrdfile: ""
  xfrdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  server-count: 1
  refuse-any: no
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  hide-version: yes
remote-control:
  control-enable: no
zone:
  name: "${origin}"
  zonefile: "${zoneFile}"
`;
  return start("nsd", "nsd", folder, config, (file) => ["-d", "-c", file], port);
}

/** Starts Knot DNS with one zone. */
export function startKnot(folder: string, origin: string, zoneFile: string): Promise<Daemon> {
  const port = freePort();
  const config = `server:
  rundir: "${folder}"
  pidfile: "${folder}/knot.pid"
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
- target: stderr
  any: warning
database:
  storage: "${folder}"
control:
  listen: "${folder}/knot.sock"
zone:
- domain: "${origin}"
  file: "${zoneFile}"
  journal-content: none
  zonefile-sync: -1
`;
  return start("knot", "knotd", folder, config, (file) => ["-c", file], port);
}

async function start(
  name: Daemon["name"],
  command: string,
  folder: string,
  config: string,
  args: (file: string) => string[],
  port: number,
): Promise<Daemon> {
  const file = `${folder}/${name}.conf`;
  await Deno.writeTextFile(file, config);
  const log = await Deno.open(`${folder}/${name}.log`, { write: true, create: true });
  const child = new Deno.Command((await commandPath(command))!, {
    args: args(file),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const logged = child.stderr.pipeTo(log.writable).catch(() => {});
  let ended = false;
  child.status.then(() => ended = true);
  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    await child.status;
    await logged;
  };
  for (let waitedMs = 0; !await answers(port); waitedMs += 50) {
    if (ended || waitedMs > 60_000) {
      await stop();
      throw new Error(`${name} does not answer:\n${await Deno.readTextFile(`${folder}/${name}.log`)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { name, port, stop };
}

/** Whether something takes TCP connections there: both servers bind UDP before. */
async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
