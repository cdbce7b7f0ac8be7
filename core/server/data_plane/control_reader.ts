/**
 * Reads sockets in the control isolate, which may not be blocked: where there is no data worker to do it. Slower than one, but
 * nothing is left unanswered.
 *
 * @module
 */

import type { Log } from "../../plugin.ts";
import type { Arrival, Endpoint, Exchange } from "../arrival.ts";
import { PacketLoop } from "../batch/packet_loop.ts";
import type { InPlace } from "../in_place.ts";
import type { Metrics } from "../metrics.ts";
import { Deferral } from "./deferral.ts";
import { PacketCounters } from "./packet_counters.ts";
import { plainInPlace } from "./plain.ts";
import type { PlaneSocket } from "./plane_socket.ts";
import { Budget } from "./protocol.ts";

/** How long the event loop has for everything else, when nothing came and when something did. */
const IDLE_MS = 2, BUSY_MS = 0;

/** What a reader works with. */
export interface ControlReaderOptions {
  readonly exchange: Exchange;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Sends a reply that was not ready at once. */
  send(socket: number, octets: Uint8Array, to: Endpoint): void;
}

/** Reads until it is told otherwise. */
export class ControlReader {
  readonly #deferral: Deferral;
  readonly #counters: PacketCounters;
  readonly #log: Log;
  readonly #inPlace: InPlace;
  #sockets: readonly PlaneSocket[] = [];
  #loop: PacketLoop | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ exchange, metrics, log, send }: ControlReaderOptions) {
    this.#log = log;
    this.#counters = new PacketCounters(metrics, log);
    const overload = () => metrics.count("meridian_udp_dropped_total", { reason: "overload" });
    this.#deferral = new Deferral(
      (message) => message.kind === "late" && send(message.socket, message.octets, message.to),
      Budget.share(1),
      overload,
    );
    const examine = (octets: Uint8Array, arrival: Arrival) => {
      const reply = exchange(octets, arrival);
      return reply instanceof Promise ? reply.then((octets) => ({ octets })) : { octets: reply };
    };
    this.#inPlace = plainInPlace(examine, (...query) => this.#deferral.later(...query));
  }

  /** How many packets it has taken. */
  get packets(): number {
    return this.#loop ? this.#counters.packets(this.#loop.counts) : 0;
  }

  /** Reads these from now on and no others. */
  read(sockets: readonly PlaneSocket[]): void {
    const isSame = sockets.length === this.#sockets.length &&
      sockets.every((one, i) => one === this.#sockets[i]);
    if (isSame) return;
    this.#stop();
    this.#sockets = sockets;
    if (sockets.length === 0) return;
    this.#deferral.setSockets(sockets);
    this.#loop = new PacketLoop({
      sockets: sockets.map(({ descriptor, endpoint }) => ({ fd: descriptor, endpoint, isWildcard: false })),
      inPlace: this.#inPlace,
      nowMs: Date.now,
      fault: (kind, error) => this.#counters.fault(kind, error),
    });
    this.#goOn(BUSY_MS);
  }

  close(): void {
    this.read([]);
  }

  #goOn(afterMs: number): void {
    this.#timer = setTimeout(() => {
      try {
        this.#goOn(this.#step() ? BUSY_MS : IDLE_MS);
      } catch (error) {
        this.#log.error(`udp: cannot read its sockets any more: ${error}`);
      }
    }, afterMs);
  }

  /** One batch of each socket. */
  #step(): boolean {
    const hasWorked = this.#loop!.stepAtOnce();
    this.#counters.harvest(this.#loop!.counts);
    return hasWorked;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    if (this.#loop) this.#counters.harvest(this.#loop.counts, true);
    this.#loop = undefined;
  }
}
