/**
 * Unbound in the foreground on loopback, as a resolver that sends and caches ECS (RFC 7871).
 *
 * @module
 */

import { commandPath } from "../../scripts/packages.ts";
import { freePort } from "./server.ts";

/** How a resolver is to be. */
export interface UnboundOptions {
  /** The zone, and the port of 127.0.0.1 at which it is served. */
  readonly zone: string;
  readonly serverPort: number;
  /** Seconds for which it keeps everything at the least, whatever the TTL says. */
  readonly cacheMinTtl?: number;
}

/** A resolver that runs. */
export interface Unbound {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts it; when this returns, it takes queries. @throws {Error} With what it logged, when it does not. */
export async function startUnbound(options: UnboundOptions): Promise<Unbound> {
  const port = freePort();
  const folder = await Deno.makeTempDir({ prefix: "meridian-unbound-" });
  await Deno.writeTextFile(`${folder}/unbound.conf`, configurationOf(options, port, folder));
  const child = new Deno.Command((await commandPath("unbound"))!, {
    args: ["-d", "-c", `${folder}/unbound.conf`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const logged = new Response(child.stderr).text();
  let ended = false;
  const status = child.status.then(() => ended = true);
  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    await status;
    await logged;
    await Deno.remove(folder, { recursive: true });
  };
  for (let waitedMs = 0; !await takesConnections(port); waitedMs += 50) {
    if (ended || waitedMs > 60_000) {
      await stop();
      throw new Error(`Unbound does not answer:\n${await logged}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port, stop };
}

/**
 * It sends from 127.0.0.1 alone, so nothing can leave this machine, and asks the one server for every name, so nothing
 * tries to. Of ECS it cuts nothing, and it keeps as many networks as there are: by default it would keep 100.
 */
function configurationOf(
  { zone, serverPort, cacheMinTtl = 0 }: UnboundOptions,
  port: number,
  folder: string,
) {
  return `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  do-ip6: no
  interface: 127.0.0.1@${port}
  outgoing-interface: 127.0.0.1
  do-not-query-localhost: no
  module-config: "subnetcache iterator"
  send-client-subnet: 127.0.0.1
  client-subnet-always-forward: yes
  max-client-subnet-ipv4: 32
  max-client-subnet-ipv6: 128
  max-ecs-tree-size-ipv4: 100000
  max-ecs-tree-size-ipv6: 100000
  cache-min-ttl: ${cacheMinTtl}
  prefetch: no
  serve-expired: no
  qname-minimisation: no
  # A server on a machine that stands still for a while is neither given up nor left alone for a minute.
  outbound-msg-retry: 32
  infra-cache-min-rtt: 500
  infra-cache-max-rtt: 3000
stub-zone:
  name: "${zone}"
  stub-addr: 127.0.0.1@${serverPort}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${serverPort}
remote-control:
  control-enable: no
`;
}

async function takesConnections(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
