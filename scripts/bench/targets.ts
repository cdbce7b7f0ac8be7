/**
 * What is measured: Meridian, servers that others wrote, and an echo. Each is a process in the foreground on a port of
 * 127.0.0.1, on processor 0, with a folder of its own.
 *
 * @module
 */

import { askServer, freePort } from "../../tests/support/server.ts";
import { commandPath, ensurePackages } from "../packages.ts";
import { copyExample, exampleNodes } from "../example.ts";
import { Listeners } from "../listeners.ts";
import { gdnsdGeography } from "./gdnsd_geography.ts";
import type { Pin } from "./process.ts";
import { EXPECTED, type Expected, EXPECTED_OF_ECHO, type LoadName, LOADS, STATIC_NAME } from "./queries.ts";

/** Something to put load on. */
export interface Target {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly loads: readonly LoadName[];
  expected(load: LoadName): Expected;
  /** Whether its process is gone though nobody stopped it. */
  hasEnded(): boolean;
  stop(): Promise<void>;
}

/** The servers of others that can be measured beside ours. */
export const PEERS = ["nsd", "knot", "gdnsd"] as const;

/** One of them; the name is also that of its Debian package. */
export type PeerName = typeof PEERS[number];

const ZONE = "anycast.example";

/** Starts Meridian from Corefile.example without its query log, all nodes of the example up. */
export async function startMeridian(pin: Pin): Promise<Target> {
  const port = freePort();
  const addresses = (await exampleNodes()).flatMap(({ ipv4 }) => ipv4 ?? []);
  const listeners = Listeners.open([...addresses, "::1"], 8443);
  const example = await copyExample({
    "    log\n": "",
    ":1053": `:${port}`,
    "bind 127.0.0.1 ::1": "bind 127.0.0.1",
    "tcp 8443": `tcp ${listeners.port}`,
  });
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const command = [
    Deno.execPath(),
    "run",
    "-A",
    "--no-check",
    main,
    "serve",
    "-quiet",
    "-conf",
    example.corefile,
  ];
  return await start({ name: "meridian", command, port, folder: example.folder, loads: LOADS, pin }, () => {
    listeners.close();
    return example.remove();
  });
}

/** Starts the echo, which is asked for what a server of static data is asked for. */
export function startEcho(pin: Pin): Promise<Target> {
  const port = freePort(), script = new URL("./echo.ts", import.meta.url).pathname;
  const command = [Deno.execPath(), "run", "-A", "--no-check", script, String(port)];
  return startIn((folder) => ({ name: "echo", command, port, folder, loads: ["static"], pin }));
}

/** Starts a server of others, one worker, with the zone of the example. @throws {Error} When it cannot be installed. */
export async function startPeer(name: PeerName, pin: Pin): Promise<Target> {
  await ensurePackages([name]);
  const port = freePort();
  const program = await commandPath(name === "knot" ? "knotd" : name);
  if (program === undefined) throw new Error(`${name} is not installed`);
  const zone = await Deno.readTextFile(new URL(`../../zones/${ZONE}.zone`, import.meta.url));
  return await startIn(async (folder) => {
    const { args, loads } = await CONFIGURE[name](folder, port, zone);
    return { name, command: [program, ...args], port, folder, loads, pin };
  });
}

interface Configured {
  readonly args: readonly string[];
  readonly loads: readonly LoadName[];
}

/** Writes a server's configuration into a folder. */
const CONFIGURE: Record<PeerName, (folder: string, port: number, zone: string) => Promise<Configured>> = {
  async nsd(folder, port, zone) {
    await Deno.writeTextFile(`${folder}/zone`, zone);
    await Deno.writeTextFile(
      `${folder}/nsd.conf`,
      `server:
  ip-address: 127.0.0.1@${port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  xfrdfile: ""
  xfrdir: "${folder}"
  zonesdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  pidfile: "${folder}/nsd.pid"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: zone
`,
    );
    return { args: ["-d", "-c", `${folder}/nsd.conf`], loads: ["static", "nxdomain"] };
  },

  async knot(folder, port, zone) {
    await Deno.writeTextFile(`${folder}/zone`, zone);
    await Deno.writeTextFile(
      `${folder}/knot.conf`,
      `server:
  listen: 127.0.0.1@${port}
  rundir: ${folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: ${folder}/knot.sock
database:
  storage: ${folder}
zone:
- domain: ${ZONE}
  file: ${folder}/zone
  journal-content: none
  zonefile-sync: -1
`,
    );
    return { args: ["-c", `${folder}/knot.conf`], loads: ["static", "nxdomain"] };
  },

  async gdnsd(folder, port, zone) {
    const geography = await gdnsdGeography();
    for (const name of ["zones", "geoip", "run", "state"]) await Deno.mkdir(`${folder}/${name}`);
    // It knows no HTTPS records.
    const known = zone.replaceAll(/^.*\bHTTPS\b.*\n/gm, "");
    await Deno.writeTextFile(`${folder}/zones/${ZONE}`, `${known}entry 60 DYNA geoip!pairs\n`);
    await Deno.writeTextFile(`${folder}/geoip/networks`, geography.networks);
    await Deno.writeTextFile(
      `${folder}/config`,
      `options => {
  listen => 127.0.0.1:${port}
  udp_threads => 1
  tcp_threads => 1
  run_dir => ${folder}/run
  state_dir => ${folder}/state
  zones_default_ttl => 3600
}
plugins => { geoip => {
  maps => { world => { datacenters => [ ${geography.datacenters.join(", ")} ], nets => networks } }
  resources => { pairs => { map => world, dcmap => {
${geography.addresses}
  } } }
} }
`,
    );
    return { args: ["-c", folder, "start"], loads: LOADS };
  },
};

/** A server to start, which must answer for the zone of the example. */
export interface Startable {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  readonly folder: string;
  readonly loads: readonly LoadName[];
  readonly pin: Pin;
}

/** Starts what `prepare` describes in a new folder, which goes when it stops. */
export async function startIn(prepare: (folder: string) => Startable | Promise<Startable>): Promise<Target> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-bench-" });
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    return await start(await prepare(folder), remove);
  } catch (error) {
    await remove().catch(() => {});
    throw error;
  }
}

async function start(startable: Startable, cleanUp: () => Promise<void>): Promise<Target> {
  const { name, port, folder, loads } = startable;
  const [program, ...args] = startable.pin(0, startable.command);
  const log = await Deno.open(`${folder}/log`, { write: true, create: true });
  const child = new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const logged = child.stderr.pipeTo(log.writable).catch(() => {});
  let ended = false;
  const end = child.status.then(() => void (ended = true));
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= (async () => {
      if (!ended) child.kill("SIGTERM");
      await end;
      await logged;
      await cleanUp();
    })();
  for (let tries = 0; !await answers(port); tries++) {
    if (!ended && tries < STARTING_TRIES_MAX) continue;
    const said = await Deno.readTextFile(`${folder}/log`);
    await stop();
    throw new Error(`${name} does not answer: ${said.trim() || "it said nothing"}`);
  }
  const expected = (load: LoadName) => name === "echo" ? EXPECTED_OF_ECHO : EXPECTED[load];
  return { name, port, pid: child.pid, loads, expected, stop, hasEnded: () => ended };
}

/** Each takes 100 ms. */
const STARTING_TRIES_MAX = 300;

/** Whether something replies; the port of a server that still loads may refuse. */
async function answers(port: number): Promise<boolean> {
  const begunMs = performance.now();
  try {
    await askServer(port, STATIC_NAME, "A", { timeoutMs: 100 });
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, begunMs + 100 - performance.now())));
    return false;
  }
}
