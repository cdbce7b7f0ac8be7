/**
 * DNS over UDP (RFC 1035 section 4.2.1) on one address.
 *
 * One socket an address: a socket bound to the wildcard address would answer from the host's primary address, not from
 * the one that was asked, and no client takes such an answer.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import type { Log } from "../plugin.ts";
import type { Count, Endpoint, Exchange, Serving } from "./arrival.ts";
import { FaultReporter } from "./fault_reporter.ts";
import { pause } from "./pause.ts";
import { enlargeReceiveBuffers } from "./socket_options.ts";

/** What {@linkcode serveUdp} needs. */
export interface UdpOptions {
  readonly address: Address;
  /** The interface of a link-local IPv6 address (RFC 4007 section 11). */
  readonly zone?: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly log: Log;
  readonly count?: Count;
  /** Queries whose answer waits, or has not left yet; what comes beyond is dropped. Default 16384. */
  readonly underWayMax?: number;
  /** Octets of the queries among them whose answer waits. Default 64 MiB. */
  readonly underWayOctetsMax?: number;
  /** How long close() waits for them. Default 5000. */
  readonly drainMs?: number;
  /**
   * Takes the port although another socket has it that lets it be shared. On Linux the kernel gives every datagram from
   * then on to the socket that came last, and the other one keeps what it has.
   */
  readonly takesOver?: boolean;
}

/** Opens a socket and answers on it. @throws What Deno.listenDatagram throws, such as Deno.errors.AddrInUse. */
export function serveUdp(options: UdpOptions): Serving {
  const hostname = formatAddress(options.address) + (options.zone ? `%${options.zone}` : "");
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname,
    port: options.port,
    ...options.takesOver && { reuseAddress: true },
  });
  // At once: where it takes over, all the queries come to it from the moment that it is bound.
  enlargeReceiveBuffers(new Set([(socket.addr as Deno.NetAddr).port]));
  return new UdpServer(socket, options);
}

/** The most that a datagram can carry, and one more. */
const BUFFER_OCTETS = 65_536;

/** How long to leave a socket alone that failed to receive. */
const PAUSE_MS = 100;

/** A socket is empty when so many looks in a row, so far apart, found that nothing had come. */
const QUIET_LOOKS = 5, QUIET_LOOK_MS = 50;

class UdpServer implements Serving {
  readonly endpoint: Endpoint;
  readonly #socket: Deno.DatagramConn;
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  readonly #count: Count;
  readonly #faults: FaultReporter;
  readonly #underWayMax: number;
  readonly #underWayOctetsMax: number;
  readonly #drainMs: number;
  readonly #ended = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #receiving: Promise<void>;
  #underWay = 0;
  #underWayOctets = 0;
  #received = 0;
  #closing = false;

  constructor(socket: Deno.DatagramConn, options: UdpOptions) {
    this.endpoint = Object.freeze({ address: options.address, port: (socket.addr as Deno.NetAddr).port });
    this.#socket = socket;
    this.#exchange = options.exchange;
    this.#clock = options.clock;
    this.#count = options.count ?? (() => {});
    this.#faults = new FaultReporter("udp", options.log, this.#count);
    this.#underWayMax = options.underWayMax ?? 16_384;
    this.#underWayOctetsMax = options.underWayOctetsMax ?? 64 * 1024 * 1024;
    this.#drainMs = options.drainMs ?? 5000;
    this.#receiving = this.#receiveAll();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#ended.resolve();
    if (this.#underWay > 0) await pause(this.#clock, this.#drainMs, this.#drained.promise);
    this.#socket.close();
    // The port is free when the socket's last operation has been given up.
    await this.#receiving;
  }

  async retire(withinMs: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + withinMs;
    for (let quiet = 0; quiet < QUIET_LOOKS && this.#clock.nowMs() < untilMs && !this.#closing; quiet++) {
      const before = this.#received;
      // Between two looks the event loop asks the kernel at least once.
      await pause(this.#clock, QUIET_LOOK_MS, this.#ended.promise);
      if (this.#received !== before) quiet = -1;
    }
    await this.close();
  }

  async #receiveAll(): Promise<void> {
    const buffer = new Uint8Array(BUFFER_OCTETS);
    while (!this.#closing) {
      try {
        const [octets, from] = await this.#socket.receive(buffer);
        this.#received++;
        // A copy of its own, because an exchange that waits reads the message when the buffer holds another one.
        this.#take(octets.slice(), from as Deno.NetAddr);
      } catch (error) {
        if (this.#closing) return;
        this.#faults.report("receive", error);
        await pause(this.#clock, PAUSE_MS, this.#ended.promise);
      }
    }
  }

  #take(octets: Uint8Array, from: Deno.NetAddr): void {
    // Nobody can be reached at port 0: such a source is forged.
    if (from.port === 0) return this.#drop("port");
    if (this.#underWay >= this.#underWayMax || this.#underWayOctets >= this.#underWayOctetsMax) {
      return this.#drop("overload");
    }
    const source = sourceAddress(from.hostname);
    if (!source) return this.#drop("source");
    try {
      const answer = this.#exchange(octets, {
        source: { address: source, port: from.port },
        server: this.endpoint,
        transport: "udp",
      });
      if (answer instanceof Promise) this.#await(answer, octets.length, from);
      else if (answer) this.#send(answer, from);
    } catch (error) {
      this.#faults.report("exchange", error);
    }
  }

  #await(answer: Promise<Uint8Array | undefined>, queryOctets: number, to: Deno.NetAddr): void {
    this.#underWay++;
    this.#underWayOctets += queryOctets;
    answer.then(
      (octets) => octets && this.#send(octets, to),
      (error) => this.#faults.report("exchange", error),
    ).finally(() => {
      this.#underWayOctets -= queryOctets;
      this.#done();
    });
  }

  /** Whether the client is there is not known and not waited for; what fails concerns this answer alone. */
  #send(octets: Uint8Array, to: Deno.NetAddr): void {
    this.#underWay++;
    this.#socket.send(octets, to).then(this.#done, this.#unsent);
  }

  readonly #done = (): void => {
    this.#underWay--;
    if (this.#underWay === 0 && this.#closing) this.#drained.resolve();
  };

  readonly #unsent = (): void => {
    this.#drop("send");
    this.#done();
  };

  #drop(reason: string): void {
    this.#count("meridian_udp_dropped_total", { reason });
  }
}

/** A link-local source comes with its zone; the socket knows the interface by itself. */
function sourceAddress(hostname: string): Address | undefined {
  const zone = hostname.indexOf("%");
  return parseAddress(zone < 0 ? hostname : hostname.slice(0, zone));
}
