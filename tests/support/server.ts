/**
 * Starts a whole server from the text of a Corefile, on a free port of loopback, and asks it over real sockets.
 *
 * @module
 */

import { formatProblems } from "../../core/corefile/format.ts";
import { loadCorefile } from "../../core/command/load.ts";
import { encodeClientSubnet } from "../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery, type Message } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { TYPE } from "../../core/dns/types.ts";
import { parsePrefix } from "../../core/net/address.ts";
import type { Log } from "../../core/plugin.ts";
import type { Exchange } from "../../core/server/arrival.ts";
import { Server } from "../../core/server/server.ts";
import type { ServerOptions } from "../../core/server/server_options.ts";
import { plugins } from "../../plugins/mod.ts";
import { startProcess } from "./server_process.ts";

/** A server under test. */
export interface TestServer {
  readonly server: Server;
  readonly port: number;
  /** Lines of the query log. */
  readonly lines: string[];
  /** What was logged otherwise: `warn: …`. */
  readonly logged: string[];
  ask(name: string, type?: keyof typeof TYPE, how?: AskOptions): Promise<Message>;
  close(): Promise<void>;
}

/** How to ask. */
export interface AskOptions {
  readonly subnet?: string;
  readonly transport?: "udp" | "tcp";
  readonly address?: string;
  readonly timeoutMs?: number;
}

/** Every snippet and example says 1053; each server under test has a port of its own. */
const WRITTEN_PORT = /\b1053\b/g;

/** What a server under test may be started with beside the usual. */
export interface StartOptions extends Partial<ServerOptions> {
  /** How many data workers read UDP; none by default, unless `MERIDIAN_WORKERS` says how many. */
  readonly workers?: number;
  /** Where the Corefile stands: its paths are relative to that folder; by default the repository's root. */
  readonly file?: string;
  /** Stands between the sockets and the exchange: sees, counts or alters what goes by. */
  around?(exchange: Exchange): Exchange;
}

/**
 * Starts `corefile`, read as if it stood in the repository's root. Where MERIDIAN_BINARY names a compiled server it is that
 * which is started, unless the options ask for what only the sources can give.
 *
 * @throws When the Corefile has problems.
 */
export async function startServer(corefile: string, options: StartOptions = {}): Promise<TestServer> {
  if (Deno.env.has("MERIDIAN_BINARY") && Object.keys(options).length === 0) {
    return await startProcess(globalsOf(corefile) + corefile);
  }
  const {
    around,
    // What stands around the exchange sees only what is answered in this isolate.
    workers = around ? 0 : Number(Deno.env.get("MERIDIAN_WORKERS") ?? 0),
    file = "Corefile",
    ...more
  } = options;
  const port = freePort();
  const text = `${globalsOf(corefile)}${corefile.replaceAll(WRITTEN_PORT, String(port))}`;
  const loaded = await loadCorefile({ file, text }, more.modules ?? plugins, port);
  const { modules, problems } = loaded;
  if (problems.errors.length > 0) throw new Error(formatProblems(problems, { source: () => text }));
  const lines: string[] = [], logged: string[] = [];
  const note = (level: string) => (message: string) => void logged.push(`${level}: ${message}`);
  const log: Log = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
  const writeLine = (line: string) => void lines.push(line);
  const { blocks, globals } = loaded.configuration;
  const server = await Server.start({
    configuration: { blocks, globals: { ...globals, workers } },
    log,
    writeLine,
    ...around && { wrapExchange: around },
    ...workers > 0 && { makeWorker },
    ...more,
    modules,
  });
  return {
    server,
    port,
    lines,
    logged,
    ask: (name, type = "A", how = {}) => askServer(port, name, type, how),
    async close() {
      await server.close();
      // The server goes on when a worker has failed, and a test with workers would not notice.
      const failed = workers > 0 && logged.find((line) => line.includes("A data worker failed"));
      if (failed) throw new Error(failed);
    },
  };
}

/** A data worker. */
export function makeWorker(): Worker {
  return new Worker(new URL("../../plugins/worker.ts", import.meta.url), { type: "module" });
}

/** Asks a server on loopback one question. */
export async function askServer(
  port: number,
  name: string,
  type: keyof typeof TYPE,
  { subnet, transport = "udp", address = "127.0.0.1", timeoutMs = 20_000 }: AskOptions = {},
): Promise<Message> {
  const query = encodeQuery(name, type, subnet);
  const octets = transport === "udp"
    ? await askUdp(address, port, query, timeoutMs)
    : await askTcp(address, port, query, timeoutMs);
  return decodeMessage(octets);
}

/** A query as octets, with EDNS, and with ECS when `subnet` is given. */
export function encodeQuery(name: string, type: keyof typeof TYPE | number, subnet?: string): Uint8Array {
  const options = subnet === undefined ? [] : [subnetOption(subnet)];
  const id = Math.floor(Math.random() * 65536);
  const number = typeof type === "number" ? type : TYPE[type];
  return encodeMessage(makeQuery(id, parseName(name), number, { recursionDesired: true, edns: { options } }));
}

function subnetOption(subnet: string) {
  const prefix = parsePrefix(subnet);
  if (!prefix) throw new Error(`Cannot read subnet ${subnet}`);
  return encodeClientSubnet({ address: prefix, sourcePrefixLength: prefix.length });
}

async function askUdp(
  address: string,
  port: number,
  query: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  const hostname = address.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const timer = setTimeout(() => socket.close(), timeoutMs);
  try {
    await socket.send(query, { transport: "udp", hostname: address, port });
    const [octets] = await socket.receive();
    return octets;
  } catch (cause) {
    throw new Error(`No reply within ${timeoutMs} ms`, { cause });
  } finally {
    clearTimeout(timer);
    try {
      socket.close();
    } catch { /* the timer closed it */ }
  }
}

async function askTcp(
  address: string,
  port: number,
  query: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  const connection = await Deno.connect({ hostname: address, port });
  const timer = setTimeout(() => connection.close(), timeoutMs);
  try {
    const framed = new Uint8Array(2 + query.length);
    new DataView(framed.buffer).setUint16(0, query.length);
    framed.set(query, 2);
    await connection.write(framed);
    const length = await readExactly(connection, 2);
    return await readExactly(connection, (length[0]! << 8) | length[1]!);
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch { /* the timer closed it */ }
  }
}

async function readExactly(connection: Deno.Conn, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await connection.read(octets.subarray(at));
    if (read === null) throw new Error("The connection was closed");
    at += read;
  }
  return octets;
}

/**
 * A port that nothing listens on, for both transports, and that nobody else is given who asks here, in whatever process:
 * before it is listened on there may be seconds. None of those that systems give to whoever connects, and none with the digits
 * that are replaced where a Corefile says it.
 */
export function freePort(): number {
  for (;;) {
    const port = nextPort();
    if (REPLACED.test(String(port))) continue;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }).close();
      return port;
    } catch { /* taken: another one */ }
  }
}

/** One after the other, for all processes of a user together. */
function nextPort(): number {
  using file = Deno.openSync(LAST_PORT_FILE, { read: true, write: true, create: true });
  file.lockSync(true);
  const octets = new Uint8Array(8), length = file.readSync(octets) ?? 0;
  const last = Number(new TextDecoder().decode(octets.subarray(0, length)));
  const port = last >= FREE_FROM && last < FREE_BELOW - 1 ? last + 1 : FREE_FROM;
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(String(port)));
  return port;
}

/** Ports that stand in texts for others. */
const REPLACED = /105[34]|8443/;

/** Linux gives away 32768 to 60999. All have five digits. */
const FREE_FROM = 10_240, FREE_BELOW = 32_768;

const LAST_PORT_FILE = `/tmp/meridian-last-port-${Deno.uid()}`;

/** Nothing is kept on disk by a server under test, unless its Corefile says so. */
function globalsOf(corefile: string): string {
  return /^\s*(#.*\n\s*)*\{/.test(corefile) ? "" : "{\n    state off\n}\n";
}
