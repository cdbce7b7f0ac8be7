/**
 * A datagram to an upstream and its reply, over a socket of each query's own. Knows nothing of what a message says.
 *
 * @module
 */

import { formatAddress, parseAddress, sameAddress } from "../../core/plugin.ts";
import { closing, guarded } from "./failure.ts";
import type { Sockets } from "./sockets.ts";
import type { Upstream } from "./upstream.ts";

/** Takes what came back: a value ends the exchange, undefined means that it was not the reply, and waiting goes on. */
export type Accept<T> = (octets: Uint8Array) => T | undefined;

/** Messages other than the reply after which somebody is probably forging. */
export const IGNORED_MAX = 64;

/** What a datagram is sent with. */
export interface UdpOptions {
  readonly sockets: Sockets;
  readonly signal: AbortSignal;
  /** The address of ours to send from; the system chooses where it is absent. */
  readonly sourceAddress?: string;
  /** Hears of each datagram that was not the reply. */
  onIgnored(): void;
}

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
  { sockets, signal, sourceAddress, onIgnored }: UdpOptions,
): Promise<T | undefined> {
  return await guarded(signal, async () => {
    const hostname = sourceAddress ?? (upstream.address.family === 4 ? "0.0.0.0" : "::");
    // Port 0: the system picks one at random, and so makes half of what a forger must guess.
    const socket = sockets.listenDatagram({ transport: "udp", hostname, port: 0 });
    using _ = closing(socket, signal);
    await socket.send(query, {
      transport: "udp",
      hostname: formatAddress(upstream.address),
      port: upstream.port,
    });
    for (let ignored = 0; ignored < IGNORED_MAX; ignored++) {
      const [octets, from] = await socket.receive();
      const accepted = cameFrom(upstream, from as Deno.NetAddr) ? accept(octets) : undefined;
      if (accepted !== undefined) return accepted;
      onIgnored();
    }
    return undefined;
  });
}

function cameFrom({ address, port }: Upstream, from: Deno.NetAddr): boolean {
  const source = parseAddress(from.hostname);
  return from.port === port && source !== undefined && sameAddress(source, address);
}
