/**
 * Octets to an upstream and back, over a socket of each query's own. Knows nothing of what a message says.
 *
 * @module
 */

import { type Clock, formatAddress, parseAddress, sameAddress } from "../../core/plugin.ts";
import { formatUpstream, type Upstream } from "./config.ts";

/** What opens sockets. */
export interface Sockets {
  listenDatagram(options: { transport: "udp"; hostname: string; port: number }): Deno.DatagramConn;
  connect(options: { hostname: string; port: number; signal: AbortSignal }): Promise<Deno.Conn>;
}

/** The machine's own. */
export const SYSTEM_SOCKETS: Sockets = {
  listenDatagram: (options) => Deno.listenDatagram(options),
  connect: (options) => Deno.connect(options),
};

/** An exchange that failed. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly kind: "timeout" | "network" | "malformed";

  constructor(upstream: Upstream, kind: ExchangeError["kind"], message: string) {
    super(`${formatUpstream(upstream)} ${message}`);
    this.kind = kind;
  }
}

/** Takes what came back: a value ends the exchange, undefined means that it was not the reply, and waiting goes on. */
export type Accept<T> = (octets: Uint8Array) => T | undefined;

/** Datagrams other than the reply after which somebody is probably forging. */
export const IGNORED_MAX = 64;

/**
 * Sends a datagram and waits for its reply. Only datagrams from the upstream's own address and port reach `accept`.
 *
 * @returns Undefined after {@linkcode IGNORED_MAX} other datagrams.
 * @throws {ExchangeError} When `signal` aborts first or the system refuses.
 */
export async function overUdp<T>(
  upstream: Upstream,
  query: Uint8Array,
  accept: Accept<T>,
  { sockets, signal, onIgnored }: { sockets: Sockets; signal: AbortSignal; onIgnored(): void },
): Promise<T | undefined> {
  return await guarded(upstream, signal, async () => {
    // Port 0: the system picks one at random, and so makes half of what a forger must guess.
    const hostname = upstream.address.family === 4 ? "0.0.0.0" : "::";
    const socket = sockets.listenDatagram({ transport: "udp", hostname, port: 0 });
    using _ = closing(socket, signal);
    await socket.send(query, { transport: "udp", ...endpointOf(upstream) });
    for (let ignored = 0; ignored < IGNORED_MAX; ignored++) {
      const [octets, from] = await socket.receive();
      const accepted = cameFrom(upstream, from as Deno.NetAddr) ? accept(octets) : undefined;
      if (accepted !== undefined) return accepted;
      onIgnored();
    }
    return undefined;
  });
}

/**
 * Sends a message over a connection of its own and waits for its reply (RFC 7766 section 8).
 *
 * @throws {ExchangeError} When `signal` aborts first, the connection fails or ends, or what comes is not the reply.
 */
export async function overTcp<T>(
  upstream: Upstream,
  query: Uint8Array,
  accept: Accept<T>,
  { sockets, signal }: { sockets: Sockets; signal: AbortSignal },
): Promise<T> {
  return await guarded(upstream, signal, async () => {
    const connection = await sockets.connect({ ...endpointOf(upstream), signal });
    using _ = closing(connection, signal);
    const framed = new Uint8Array(2 + query.length);
    new DataView(framed.buffer).setUint16(0, query.length);
    framed.set(query, 2);
    await writeAll(connection, framed);
    const [high, low] = await readExactly(connection, 2);
    const accepted = accept(await readExactly(connection, high! << 8 | low!));
    if (accepted === undefined) throw new ExchangeError(upstream, "malformed", "replied to another question");
    return accepted;
  });
}

/** A signal that aborts after `delayMs` of the clock, or when `also` does. Disposing of it stops the clock. */
export function expiring(
  clock: Clock,
  delayMs: number,
  also?: AbortSignal,
): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const cancel = clock.after(delayMs, () => controller.abort());
  const signal = also ? AbortSignal.any([also, controller.signal]) : controller.signal;
  return { signal, [Symbol.dispose]: cancel };
}

/** Whatever the system throws is an ExchangeError; after an abort it is a timeout, for that closed the socket. */
async function guarded<T>(upstream: Upstream, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    if (signal.aborted) throw new ExchangeError(upstream, "timeout", "timed out");
    return await work();
  } catch (error) {
    if (error instanceof ExchangeError) throw error;
    if (signal.aborted) throw new ExchangeError(upstream, "timeout", "timed out");
    throw new ExchangeError(upstream, "network", error instanceof Error ? error.message : String(error));
  }
}

/** Closes `resource` when disposed of, or when `signal` aborts: once. */
function closing(resource: { close(): void }, signal: AbortSignal): Disposable {
  const close = () => {
    signal.removeEventListener("abort", close);
    resource.close();
  };
  if (signal.aborted) resource.close();
  else signal.addEventListener("abort", close);
  return {
    [Symbol.dispose]: () => {
      if (!signal.aborted) close();
    },
  };
}

function endpointOf({ address, port }: Upstream): { hostname: string; port: number } {
  return { hostname: formatAddress(address), port };
}

function cameFrom({ address, port }: Upstream, from: Deno.NetAddr): boolean {
  const source = parseAddress(from.hostname);
  return from.port === port && source !== undefined && sameAddress(source, address);
}

async function writeAll(connection: Deno.Conn, octets: Uint8Array): Promise<void> {
  for (let at = 0; at < octets.length;) at += await connection.write(octets.subarray(at));
}

async function readExactly(connection: Deno.Conn, length: number): Promise<Uint8Array> {
  const octets = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(octets.subarray(at));
    if (count === null) throw new Error("closed the connection");
    at += count;
  }
  return octets;
}
