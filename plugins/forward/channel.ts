/**
 * The way to one upstream, whatever it is spoken to over: datagrams first where these may be truncated or forged,
 * streams that are kept open, HTTPS.
 *
 * @module
 */

import type { Message } from "../../core/dns/message.ts";
import { type Clock, formatAddress, type Transport } from "../../core/plugin.ts";
import { DohClient, type DohMethod } from "./doh.ts";
import { ExchangeError } from "./failure.ts";
import type { Patience } from "./patience.ts";
import { encodeQuestion, type Question, readReply, TRUNCATED } from "./question.ts";
import type { Sockets } from "./sockets.ts";
import type { StreamQuery } from "./stream.ts";
import { type KeepOptions, StreamPool } from "./stream_pool.ts";
import { readMaterial, type TlsFiles } from "./tls.ts";
import { UdpPorts } from "./udp.ts";
import type { Upstream } from "./upstream.ts";

/** How upstreams of one rule are spoken to. */
export interface ChannelOptions {
  readonly keep: KeepOptions;
  readonly tls: TlsFiles;
  readonly dohMethod: DohMethod;
  readonly sourceAddress?: string;
}

/** What a channel works with. */
export interface ChannelScope {
  readonly clock: Clock;
  readonly sockets: Sockets;
  /** A query found an open connection, or needed a new one. */
  onTaken(how: "hit" | "miss", proto: "tcp" | "tcp-tls"): void;
  /** A message came that was not the reply waited for. */
  onIgnored(): void;
}

/** See the module. */
export class Channel {
  readonly #upstream: Upstream;
  readonly #options: ChannelOptions;
  readonly #scope: ChannelScope;
  readonly #ports: UdpPorts;
  readonly #streams: StreamPool;
  readonly #doh: DohClient | undefined;

  constructor(upstream: Upstream, options: ChannelOptions, scope: ChannelScope) {
    this.#upstream = upstream;
    this.#options = options;
    this.#scope = scope;
    this.#ports = new UdpPorts(upstream, { ...scope, ...options, onIgnored: () => scope.onIgnored() });
    const proto = upstream.protocol === "tls" ? "tcp-tls" : "tcp";
    this.#streams = new StreamPool({
      clock: scope.clock,
      keep: options.keep,
      dial: (signal) => this.#dial(signal),
      onTaken: (how) => scope.onTaken(how, proto),
      onIgnored: () => scope.onIgnored(),
    });
    this.#doh = upstream.protocol === "https"
      ? new DohClient(upstream, {
        tls: options.tls,
        method: options.dohMethod,
        sourceAddress: options.sourceAddress,
        idleMs: options.keep.idleMs,
      })
      : undefined;
  }

  /**
   * Asks. `transport` is for plain DNS: over TCP also where the reply over UDP was truncated, and where somebody sends
   * forgeries.
   *
   * @throws {ExchangeError} When patience ended before the reply, or it is malformed.
   */
  async exchange(question: Question, transport: Transport, patience: Patience): Promise<Message> {
    if (this.#doh) return await this.#overHttps(this.#doh, question, patience.signal);
    const query = queryOf(question);
    if (this.#upstream.protocol === "dns" && transport === "udp") {
      const reply = await this.#ports.exchange(query, patience);
      if (reply && reply !== TRUNCATED) return reply;
    }
    return whole(await this.#streams.exchange(query, patience.signal));
  }

  /** Ends what is idle; queries under way still get their answers. */
  close(): void {
    this.#ports.close();
    this.#streams.close();
    this.#doh?.close();
  }

  async #overHttps(doh: DohClient, question: Question, signal: AbortSignal): Promise<Message> {
    // RFC 8484 section 4.1: the ID is 0, so that equal questions are equal requests.
    const octets = await doh.exchange(encodeQuestion(question, 0), signal);
    const reply = readReply(octets, 0, question);
    if (!reply) throw new ExchangeError("malformed", "replied to another question");
    return whole(reply);
  }

  async #dial(signal: AbortSignal) {
    const { protocol, address, port, serverName } = this.#upstream;
    const { sourceAddress, tls } = this.#options;
    const hostname = formatAddress(address);
    return await this.#scope.sockets.connect({
      hostname,
      port,
      signal,
      ...(sourceAddress !== undefined && { sourceAddress }),
      ...(protocol === "tls" &&
        { tls: { ...await readMaterial(tls), serverName: serverName ?? hostname } }),
    });
  }
}

function queryOf(question: Question): StreamQuery<Message | typeof TRUNCATED> {
  return {
    encode: (id) => encodeQuestion(question, id),
    accept: (octets, id) => readReply(octets, id, question),
  };
}

function whole(reply: Message | typeof TRUNCATED): Message {
  if (reply === TRUNCATED) throw new ExchangeError("malformed", "sent a truncated reply over a stream");
  return reply;
}
