/**
 * Asks one server over UDP, many questions at a time, and notes when.
 *
 * @module
 */

import { formatAddress } from "../../../core/net/address.ts";
import { decodeMessage, type Message } from "../../../core/dns/message.ts";
import { RCODE } from "../../../core/dns/types.ts";

/** What came back, and when; milliseconds on the monotonic clock. */
export interface Reply {
  /** The first time, if it was sent more than once. */
  readonly sentMs: number;
  readonly receivedMs: number;
  /** RCODE and addresses, ascending: equal for equal answers. */
  readonly answer: string;
  /** The least of the answer's records; 0 when there are none. */
  readonly ttl: number;
}

/** A query that nothing came back to is sent again: a socket's buffer may have been full. */
const PATIENCE_MS = 2000;
const TRIES = 60;

/** A socket with the questions that are under way. */
export class Asker {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #waiting = new Map<number, (octets: Uint8Array) => void>();
  readonly #to: Deno.NetAddr;
  readonly #asksOn: boolean;
  #lastId = 0;

  /** @param asksOn Whether it asks again who says SERVFAIL: a resolver does that while it takes its server for lost. */
  constructor(port: number, { asksOn = false } = {}) {
    this.#asksOn = asksOn;
    this.#to = { transport: "udp", hostname: "127.0.0.1", port };
    this.#receive();
  }

  /** The port it asks from. */
  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  get underWay(): number {
    return this.#waiting.size;
  }

  /** Sends a query, under an ID of its own. @throws {Error} When nothing comes back. */
  async ask(query: Uint8Array): Promise<Reply> {
    const id = this.#lastId = (this.#lastId + 1) & 0xffff;
    query.set([id >> 8, id & 0xff]);
    const sentMs = performance.now();
    try {
      const message = await this.#sendUntil(id, query);
      return { sentMs, receivedMs: performance.now(), answer: answerOf(message), ttl: ttlOf(message) };
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #sendUntil(id: number, query: Uint8Array): Promise<Message> {
    for (let tries = 0; tries < TRIES; tries++) {
      const { promise: replied, resolve } = Promise.withResolvers<Uint8Array>();
      this.#waiting.set(id, resolve);
      await this.#socket.send(query, this.#to);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const impatient = new Promise<void>((resolve) => timer = setTimeout(resolve, PATIENCE_MS));
      const reply = await Promise.race([replied, impatient]);
      const message = reply && decodeMessage(reply);
      if (message && !(this.#asksOn && message.rcode === RCODE.SERVFAIL)) {
        clearTimeout(timer);
        return message;
      }
      await impatient;
    }
    throw new Error(`No reply to ${TRIES} queries in ${TRIES * PATIENCE_MS} ms`);
  }

  close(): void {
    this.#socket.close();
  }

  async #receive(): Promise<void> {
    for await (const [octets] of this.#socket) {
      this.#waiting.get(octets[0]! << 8 | octets[1]!)?.(octets);
    }
  }
}

/** The answer of a message as {@linkcode Reply} has it. */
export function answerOf({ rcode, answer }: Message): string {
  const addresses = answer.map(({ rdata }) =>
    formatAddress({ family: rdata.length === 4 ? 4 : 6, octets: rdata })
  );
  return [rcode, ...addresses.sort()].join(" ");
}

function ttlOf({ answer }: Message): number {
  return answer.length === 0 ? 0 : Math.min(...answer.map(({ ttl }) => ttl));
}
