/**
 * A name server on loopback that is spoken to over TCP or TLS, keeps its connections open, and does as it is told.
 *
 * @module
 */

import { decodeMessage, type Message } from "../../../core/dns/message.ts";
import { parseAddress } from "../../../core/plugin.ts";
import type { Upstream } from "../../../plugins/forward/upstream.ts";
import { replyTo } from "./fake_upstream.ts";

/** One query over one of its connections. */
export interface StreamAsked {
  readonly query: Message;
  /** Connections are numbered from 1 in the order in which they came. */
  readonly connection: number;
  /** The address it came from. */
  readonly from: string;
  send(octets: Uint8Array): Promise<unknown>;
  hangUp(): void;
}

/** What it does with a query. */
export type StreamBehaviour = (asked: StreamAsked) => unknown;

/** Replies with an address. */
export const replyAtOnce: StreamBehaviour = ({ query, send }) => send(replyTo(query, ["@ 60 A 192.0.2.1"]));

/** See the module. */
export class FakeStream implements AsyncDisposable {
  behaviour: StreamBehaviour;
  readonly asked: StreamAsked[] = [];
  readonly upstream: Upstream;
  /** How many connections there were. */
  connections = 0;
  readonly #listener: Deno.Listener<Deno.TcpConn>;
  readonly #open = new Set<Deno.Conn>();
  readonly #running: Promise<void>;
  #waiting: (() => void)[] = [];

  constructor(behaviour: StreamBehaviour = replyAtOnce, tls?: { cert: string; key: string }) {
    this.behaviour = behaviour;
    const where = { hostname: "127.0.0.1", port: 0 };
    this.#listener = tls
      ? Deno.listenTls({ ...where, ...tls }) as unknown as Deno.Listener<Deno.TcpConn>
      : Deno.listen(where);
    const { port } = this.#listener.addr as Deno.NetAddr;
    this.upstream = { protocol: tls ? "tls" : "dns", address: parseAddress("127.0.0.1")!, port };
    this.#running = this.#accept();
  }

  /** How many connections are open. */
  get open(): number {
    return this.#open.size;
  }

  /** Waits until `condition` holds, looking whenever something happens. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Ends every connection from this side. */
  hangUpAll(): void {
    for (const connection of this.#open) this.#close(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.hangUpAll();
    await this.#running;
  }

  async #accept(): Promise<void> {
    for (;;) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        continue;
      }
      this.#open.add(connection);
      this.#serve(connection, ++this.connections).catch(() => {}).finally(() => this.#close(connection));
    }
  }

  async #serve(connection: Deno.Conn, number: number): Promise<void> {
    for (;;) {
      const [high, low] = await readExactly(connection, 2);
      this.#take({
        query: decodeMessage(await readExactly(connection, high! << 8 | low!)),
        connection: number,
        from: (connection.remoteAddr as Deno.NetAddr).hostname,
        send: (octets) => connection.write(Uint8Array.of(octets.length >> 8, octets.length & 255, ...octets)),
        hangUp: () => this.#close(connection),
      });
    }
  }

  #take(asked: StreamAsked): void {
    this.asked.push(asked);
    void Promise.resolve(this.behaviour(asked)).catch(() => {});
    this.#happened();
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
    this.#happened();
  }

  #happened(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

async function readExactly(connection: Deno.Conn, length: number): Promise<Uint8Array> {
  const octets = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(octets.subarray(at));
    if (count === null) throw new Error("closed");
    at += count;
  }
  return octets;
}
