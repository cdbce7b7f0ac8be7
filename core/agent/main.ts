/**
 * Runs an agent as a program: files, sockets, signals.
 *
 * @module
 */

import { cpus } from "node:os";
import { SYSTEM_CLOCK } from "../clock.ts";
import { UsageError } from "../command/flags.ts";
import { formatPosition, Problems } from "../corefile/directive.ts";
import type { Log } from "../plugin.ts";
import { Agent, type AgentStatus } from "./agent.ts";
import { Client } from "./client.ts";
import { type AgentConfig, originOf, readAgentConfig } from "./config.ts";
import { healthResponse } from "./health.ts";
import { openKeyFile } from "./key_file.ts";
import { either, LoadMeter, type LoadSource, procSource } from "./load.ts";
import { PeerMeter } from "./peers.ts";
import { ServerList } from "./servers.ts";

/** What stands on the command line. */
export interface AgentFlags {
  readonly config: string;
  /** Beside those of the file. */
  readonly server?: string;
  readonly joinToken?: string;
  readonly once: boolean;
  readonly json: boolean;
}

/** Runs one until it has left. @returns The exit code. @throws {UsageError} The configuration is wrong. */
export async function runAgent(flags: AgentFlags): Promise<number> {
  const config = await readConfig(flags), log = logTo(flags.json);
  await Deno.mkdir(config.state, { recursive: true, mode: 0o700 });
  const key = await openKeyFile(`${config.state}/node.key`).catch((error) => {
    throw new UsageError(error.message);
  });
  const keptFile = `${config.state}/servers.json`;
  const servers = new ServerList(config.servers, await readKept(keptFile));
  const http = await makeHttpClient(config);
  const peers = new PeerMeter(config.peers, config.peerIntervalMs, {
    ...{ clock: SYSTEM_CLOCK, preciseMs: () => performance.now() },
    connect: connectTcp,
  });
  const meter = new LoadMeter(either(procSource(readProc), SYSTEM), () => performance.now());
  const agent = new Agent({
    ...{ node: config.node, key, servers, log, peers, drainMs: config.drainMs, clock: SYSTEM_CLOCK },
    client: new Client((url, init) => fetch(url, { ...init, client: http }), SYSTEM_CLOCK),
    random: Math.random,
    joinToken: () => readJoinToken(config.joinTokenFile),
    load: () => meter.sample(),
    keep: (told) => keep(keptFile, told, log),
  });
  try {
    if (flags.once) return await runOnce(agent, flags.json);
    return await runUntilLeft(agent, config, peers, log);
  } finally {
    peers.close();
    http.close();
  }
}

async function runOnce(agent: Agent, json: boolean): Promise<number> {
  const isHeard = await agent.once();
  console.log(json ? JSON.stringify(agent.status, null, 2) : statusLine(agent.status));
  return isHeard ? 0 : 1;
}

async function runUntilLeft(agent: Agent, config: AgentConfig, peers: PeerMeter, log: Log): Promise<number> {
  const { health } = config;
  const server = health && Deno.serve(
    {
      ...{ hostname: health.listen.host || "0.0.0.0", port: health.listen.port },
      onListen: ({ hostname, port }) => log.info(`health is told at ${hostname}:${port}${health.path}`),
    },
    (request) => healthResponse(request, health, agent.status, agent.isDraining),
  );
  const told = Promise.withResolvers<void>();
  let count = 0;
  const onSignal = () => {
    if (++count === 1) told.resolve();
    // Whoever says it twice means it.
    else Deno.exit(1);
  };
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  agent.start();
  if (config.peers.length > 0 || config.peerIntervalMs > 0) peers.start();
  await told.promise;
  const hasLeft = await agent.drain();
  for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
  await server?.shutdown();
  return hasLeft ? 0 : 1;
}

async function readConfig(flags: AgentFlags): Promise<AgentConfig> {
  const problems = new Problems();
  const text = await Deno.readTextFile(flags.config);
  const read = readAgentConfig(text, flags.config, problems);
  if (!read) {
    throw new UsageError(
      problems.errors.map(({ at, message }) => `${formatPosition(at)}: ${message}`).join("\n") ||
        `${flags.config} has no configuration`,
    );
  }
  const server = flags.server === undefined ? undefined : originOf(flags.server);
  if (flags.server !== undefined && server === undefined) {
    throw new UsageError(`-server must be a URL such as https://fra.example.org:8443: got ${flags.server}`);
  }
  return {
    ...read,
    ...server !== undefined && { servers: [server, ...read.servers.filter((one) => one !== server)] },
    ...flags.joinToken !== undefined && { joinTokenFile: flags.joinToken },
  };
}

async function makeHttpClient({ tls: { ca, certificate, key } }: AgentConfig): Promise<Deno.HttpClient> {
  return Deno.createHttpClient({
    ...ca !== undefined && { caCerts: [await Deno.readTextFile(ca)] },
    ...certificate !== undefined && key !== undefined && {
      cert: await Deno.readTextFile(certificate),
      key: await Deno.readTextFile(key),
    },
  });
}

async function readJoinToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await Deno.readTextFile(file)).trim() || undefined;
  } catch (error) {
    // It is taken away after the first time, as it should be.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What was learnt in an earlier life; nothing where that cannot be read. */
async function readKept(file: string): Promise<string[]> {
  try {
    const kept = JSON.parse(await Deno.readTextFile(file));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

function keep(file: string, servers: readonly string[], log: Log): void {
  const write = async () => {
    await Deno.writeTextFile(`${file}.new`, `${JSON.stringify(servers)}\n`, { mode: 0o600 });
    await Deno.rename(`${file}.new`, file);
  };
  write().catch((error) => log.warn(`Cannot keep the servers that are known: ${error.message}`));
}

async function connectTcp(hostname: string, port: number, timeoutMs: number): Promise<void> {
  const connection = await Deno.connect({ hostname, port, signal: AbortSignal.timeout(timeoutMs) });
  connection.close();
}

/** Only who may do everything may read /proc. */
function readProc(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** What the runtime tells where /proc does not; nothing where that is not allowed either. */
const SYSTEM: LoadSource = {
  cpu: () =>
    allowed(() => {
      let busy = 0, idle = 0;
      for (const { times } of cpus()) {
        busy += times.user + times.nice + times.sys + times.irq;
        idle += times.idle;
      }
      return { busy, total: busy + idle };
    }),
  memory: () =>
    allowed(() => {
      const { total, available } = Deno.systemMemoryInfo();
      return total > 0 ? 1 - available / total : undefined;
    }),
  octets: () => undefined,
  connections: () => undefined,
};

function allowed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function statusLine({ node, state, server, problem }: AgentStatus): string {
  return `${node} is ${state} (${server})${problem ? `: ${problem}` : ""}`;
}

/** Lines on standard error, or objects. */
function logTo(json: boolean): Log {
  const line = (level: string) => (message: string) =>
    json
      ? console.error(JSON.stringify({ time: new Date().toISOString(), level, message }))
      : console.error(`[${level.toUpperCase()}] ${message}`);
  return { debug: () => {}, info: line("info"), warn: line("warning"), error: line("error") };
}
