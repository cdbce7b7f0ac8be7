/**
 * A name server on loopback that does as it is told: good replies, forged ones, none.
 *
 * @module
 */

import {
  decodeMessage,
  encodeMessage,
  type Message,
  type ResourceRecord,
} from "../../../core/dns/message.ts";
import { parseRdata } from "../../../core/dns/rdata.ts";
import { typeFromText } from "../../../core/dns/types.ts";
import { parseAddress, parseName, sameName } from "../../../core/plugin.ts";
import type { Upstream } from "../../../plugins/forward/upstream.ts";

/** What the fake is asked, and the means to reply. */
export interface Asked {
  readonly query: Message;
  readonly transport: "udp" | "tcp";
  /** The port it came from. */
  readonly port: number;
  /** Sends octets from the right address and port. */
  send(octets: Uint8Array): Promise<unknown>;
  /** Sends octets over UDP from another port of the same address. */
  sendFromElsewhere(octets: Uint8Array): Promise<unknown>;
}

/** What the fake does with a query. */
export type Behaviour = (asked: Asked) => unknown;

/** A name server on 127.0.0.1, over UDP and TCP at one port. */
export class FakeUpstream implements AsyncDisposable {
  /** Replaceable at any time. */
  behaviour: Behaviour;
  /** Every query so far, probes included. */
  readonly asked: Asked[] = [];
  readonly upstream: Upstream;
  readonly #udp: Deno.DatagramConn;
  readonly #elsewhere: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #running: Promise<unknown>;
  #waiting: (() => void)[] = [];

  constructor(behaviour: Behaviour = replyWith("@ 60 A 192.0.2.1")) {
    this.behaviour = behaviour;
    [this.#udp, this.#tcp] = listenOnBoth();
    this.#elsewhere = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    this.upstream = { protocol: "dns", address: parseAddress("127.0.0.1")!, port: this.#tcp.addr.port };
    this.#running = Promise.all([this.#serveUdp(), this.#serveTcp()]);
  }

  /** How many queries came for a name. */
  count(name = "www.example.org"): number {
    return this.asked.filter(({ query }) => sameName(query.questions[0]!.name, parseName(name))).length;
  }

  /** Waits until `count` queries have come in all. */
  async until(count: number): Promise<void> {
    while (this.asked.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#elsewhere.close();
    this.#tcp.close();
    for (const connection of this.#connections) this.#hangUp(connection);
    await this.#running;
  }

  #take(asked: Asked): unknown {
    this.asked.push(asked);
    const done = this.behaviour(asked);
    for (const resolve of this.#waiting.splice(0)) resolve();
    return done;
  }

  async #serveUdp(): Promise<void> {
    for await (const [octets, from] of this.#udp) {
      this.#take({
        query: decodeMessage(octets),
        transport: "udp",
        port: (from as Deno.NetAddr).port,
        send: (octets) => this.#udp.send(octets, from),
        sendFromElsewhere: (octets) => this.#elsewhere.send(octets, from),
      });
    }
  }

  async #serveTcp(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.#connections.add(connection);
      this.#serveConnection(connection).catch(() => {});
    }
  }

  /** One query a connection; it is closed when the behaviour is done with it. */
  async #serveConnection(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(4096);
    const length = await connection.read(buffer) ?? 0;
    if (length < 14) return this.#hangUp(connection);
    await this.#take({
      query: decodeMessage(buffer.slice(2, length)),
      transport: "tcp",
      port: connection.remoteAddr.port,
      send: (octets) => connection.write(Uint8Array.of(octets.length >> 8, octets.length & 255, ...octets)),
      sendFromElsewhere: () => Promise.reject(new Error("not over TCP")),
    });
    this.#hangUp(connection);
  }

  #hangUp(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }
}

/** A reply to `query` with records as zone-file lines, `@` being the question's name; `more` changes anything. */
export function replyTo(query: Message, lines: readonly string[], more: Partial<Message> = {}): Uint8Array {
  return encodeMessage({
    ...query,
    isResponse: true,
    recursionAvailable: true,
    answer: lines.map((line) => recordOf(line, query)),
    edns: { version: 0, payloadSize: 1232, dnssecOk: query.edns?.dnssecOk ?? false, options: [] },
    ...more,
  });
}

/** A behaviour: the right reply with these records. */
export function replyWith(...lines: string[]): Behaviour {
  return ({ query, send }) => send(replyTo(query, lines));
}

/** A record from `NAME TTL TYPE RDATA…`. */
export function recordOf(line: string, query?: Message): ResourceRecord {
  const [owner, ttl, typeText, ...words] = line.split(" ");
  const name = owner === "@" ? query!.questions[0]!.name : parseName(owner!);
  const type = typeFromText(typeText!)!;
  const rdata = parseRdata(type, words.map((text) => ({ text, quoted: false })));
  return { name, type, class: 1, ttl: Number(ttl), rdata };
}

/** A port that is free for both, or an error after a few attempts. */
function listenOnBoth(): [Deno.DatagramConn, Deno.TcpListener] {
  for (let attempt = 0;; attempt++) {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      return [Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: tcp.addr.port }), tcp];
    } catch (error) {
      tcp.close();
      if (attempt === 9) throw error;
    }
  }
}
