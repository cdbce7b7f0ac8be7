/** What tests of sockets share: messages, clients on loopback, a log that remembers. @module */

import { Metrics } from "../../../core/server/metrics.ts";
import type { Endpoint } from "../../../core/server/arrival.ts";
import { framed } from "../../../core/server/framing.ts";
import { formatAddress, parseAddress } from "../../../core/net/address.ts";
import type { Log } from "../../../core/plugin.ts";

export const LOOPBACK = parseAddress("127.0.0.1")!;

/** A message with an ID, padded to `length` octets; sockets look at no more. */
export function messageOf(id: number, length = 20): Uint8Array {
  const octets = new Uint8Array(length);
  octets[0] = id >> 8;
  octets[1] = id;
  octets[length - 1] = 0x55;
  return octets;
}

/** The ID of a message. */
export function idOf(octets: Uint8Array): number {
  return octets[0]! << 8 | octets[1]!;
}

/** A log whose lines can be looked at. */
export function memoryLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const level = (name: string) => (message: string) => void lines.push(`${name} ${message}`);
  return { lines, debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
}

/** Counters, and the function that feeds them. */
export function memoryCounters() {
  const counters = new Metrics();
  return {
    count: (name: string, labels?: Readonly<Record<string, string>>) => counters.count(name, labels),
    of: (series: string) => counters.snapshot()[series] ?? 0,
  };
}

/** A promise and what settles it. */
export function deferred<T>() {
  return Promise.withResolvers<T>();
}

/** Waits until something holds. @throws {Error} When it does not within two minutes. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const startMs = Date.now(); !condition();) {
    if (Date.now() - startMs > 120_000) throw new Error(`never came to be: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A UDP client on the loopback address of the family. */
export class UdpClient implements Disposable {
  readonly #socket: Deno.DatagramConn;

  constructor(hostname = "127.0.0.1") {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async send(octets: Uint8Array, { address, port }: Endpoint): Promise<void> {
    await this.#socket.send(octets, { transport: "udp", hostname: formatAddress(address), port });
  }

  /** The next reply and where it came from. */
  async receive(): Promise<{ octets: Uint8Array; from: Deno.NetAddr }> {
    const [octets, from] = await this.#socket.receive(new Uint8Array(65_536));
    return { octets, from: from as Deno.NetAddr };
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A TCP client. */
export class TcpClient implements Disposable {
  readonly #socket: Deno.TcpConn;
  #received = new Uint8Array();

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  static async connect({ address, port }: Endpoint): Promise<TcpClient> {
    const socket = await Deno.connect({ hostname: formatAddress(address), port });
    socket.setNoDelay(true);
    return new TcpClient(socket);
  }

  /** Sends octets as they stand. */
  async write(octets: Uint8Array): Promise<void> {
    for (let sent = 0; sent < octets.length;) sent += await this.#socket.write(octets.subarray(sent));
  }

  /** Sends messages, each behind its length, in one write. */
  async ask(...messages: Uint8Array[]): Promise<void> {
    await this.write(framed(messages));
  }

  /** Says that no more will be asked. */
  async finish(): Promise<void> {
    await this.#socket.closeWrite();
  }

  /** The next reply; undefined when the server has closed, or reset, the connection. */
  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      const length = this.#received.length < 2 ? Infinity : idOf(this.#received);
      if (this.#received.length >= 2 + length) {
        const message = this.#received.slice(2, 2 + length);
        this.#received = this.#received.slice(2 + length);
        return message;
      }
      const buffer = new Uint8Array(65_536);
      const count = await this.#socket.read(buffer).catch(() => null);
      if (count === null) return undefined;
      const joined = new Uint8Array(this.#received.length + count);
      joined.set(this.#received);
      joined.set(buffer.subarray(0, count), this.#received.length);
      this.#received = joined;
    }
  }

  /** The IDs of the next replies. */
  async receiveIds(count: number): Promise<number[]> {
    const ids: number[] = [];
    while (ids.length < count) {
      const message = await this.receive();
      if (!message) break;
      ids.push(idOf(message));
    }
    return ids;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
