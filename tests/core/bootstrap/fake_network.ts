/**
 * A network of which a test says who answers what, and when: with a clock that is turned by hand, so that nothing is waited for.
 *
 * @module
 */

import type { BootstrapIo, DatagramSocket, Sockets } from "../../../core/bootstrap/io.ts";
import { ManualClock } from "../../../core/clock.ts";
import { decodeMessage, encodeMessage, type Message } from "../../../core/dns/message.ts";
import { fold, formatName } from "../../../core/dns/name.ts";
import { typeToText } from "../../../core/dns/types.ts";
import { recordOf } from "../../plugins/forward/fake_upstream.ts";

/** What a resolver does with a query: a reply, or silence. */
export type Dns = (query: Message, resolver: string) => Partial<Message> | Uint8Array | undefined;

/** Records of a zone as lines `OWNER TTL TYPE RDATA`; NXDOMAIN where an owner has none. */
export function zoneOf(...lines: string[]): Dns {
  const records = lines.map((line) => recordOf(line));
  return ({ questions: [question] }) => {
    const owned = records.filter(({ name }) => fold(name) === fold(question!.name));
    const answer = owned.filter(({ type }) => type === question!.type || type === 5);
    return { rcode: owned.length > 0 ? 0 : 3, answer };
  };
}

/** See the module. */
export class FakeNetwork {
  readonly clock = new ManualClock();
  /** By `ADDRESS:PORT`: after how many milliseconds it takes connections, or the error; who is not here is silent. */
  readonly hosts: Record<string, number | string> = {};
  /** After how many milliseconds a resolver answers. */
  dnsLatencyMs = 5;
  dns: Dns;
  readonly files: Record<string, string> = { "/etc/resolv.conf": "nameserver 192.0.2.53\n" };
  /** `AAAA www.example.org. to 192.0.2.53:53`. */
  readonly queries: string[] = [];
  /** When who was connected to, milliseconds from the start. */
  readonly connected: [to: string, atMs: number][] = [];
  /** What the next HTTPS reply says. */
  status = 200;
  readonly requests: string[] = [];
  /** Sockets that are open. */
  open = 0;
  readonly #startMs = this.clock.nowMs();
  #random = 1;

  constructor(dns: Dns) {
    this.dns = dns;
  }

  /** Turns the clock from event to event until `promise` is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = promise.finally(() => settled = true);
    done.catch(() => {});
    for (;;) {
      // Whatever can go on without the clock does so first.
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
      if (settled) return await done;
      const { nextMs } = this.clock;
      if (nextMs === Infinity) throw new Error("Nothing will happen any more");
      this.clock.advanceTo(nextMs);
    }
  }

  get io(): BootstrapIo {
    return {
      clock: this.clock,
      elapsedMs: () => this.clock.nowMs() - this.#startMs,
      // A linear congruential generator: the same numbers every time.
      random32: () => this.#random = Math.imul(this.#random, 1_664_525) + 1_013_904_223 >>> 0,
      sockets: this.#sockets,
      files: {
        read: (path) => Promise.resolve(this.files[path]),
        write: (path, text) => {
          this.files[path] = text;
          return Promise.resolve();
        },
      },
    };
  }

  readonly #sockets: Sockets = {
    datagram: () => this.#datagram(),
    connect: async (address, port, signal) => {
      await this.#reach(address, port, signal);
      this.open++;
      return {
        read: () => Promise.resolve(null),
        write: ({ length }) => Promise.resolve(length),
        close: () => void this.open--,
      };
    },
    https: async ({ address, port, host, path }, signal) => {
      this.requests.push(`https://${host}:${port}${path} at ${address}`);
      await this.#reach(address, port, signal);
      return this.status;
    },
  };

  #reach(address: string, port: number, signal: AbortSignal): Promise<void> {
    const to = `${address}:${port}`, latency = this.hosts[to];
    this.connected.push([to, this.clock.nowMs() - this.#startMs]);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      if (typeof latency === "string") reject(new Error(latency));
      else if (latency !== undefined) this.clock.after(latency, resolve);
    });
  }

  #datagram(): DatagramSocket {
    const arrived: { octets: Uint8Array; address: string; port: number }[] = [];
    let wake = () => {}, closed = false;
    this.open++;
    return {
      send: (octets, address, port) => {
        const query = decodeMessage(octets), { name, type } = query.questions[0]!;
        this.queries.push(`${typeToText(type)} ${formatName(fold(name))} to ${address}:${port}`);
        const reply = this.dns(query, `${address}:${port}`);
        if (reply) {
          this.clock.after(this.dnsLatencyMs, () => {
            arrived.push({ octets: replyOctets(query, reply), address, port });
            wake();
          });
        }
        return Promise.resolve();
      },
      receive: async () => {
        while (arrived.length === 0) {
          await new Promise<void>((resolve) => wake = resolve);
          if (closed) throw new Error("closed");
        }
        return arrived.shift()!;
      },
      close: () => {
        this.open--;
        closed = true;
        wake();
      },
    };
  }
}

function replyOctets(query: Message, reply: Partial<Message> | Uint8Array): Uint8Array {
  if (reply instanceof Uint8Array) return reply;
  return encodeMessage({ ...query, isResponse: true, recursionAvailable: true, ...reply });
}
