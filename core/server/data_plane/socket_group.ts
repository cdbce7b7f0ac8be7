/**
 * UDP on one address: one socket for each data worker, among which the kernel spreads the queries. The sockets are the
 * process's; whose workers read them changes with each reload.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import type { Address } from "../../net/address.ts";
import type { Log } from "../../plugin.ts";
import type { Count, Endpoint, Serving } from "../arrival.ts";
import { openBatchSockets } from "../batch/batch_socket.ts";
import { pause } from "../pause.ts";
import { spread } from "../socket_options.ts";
import type { DataWorkers } from "./data_workers.ts";
import { PlaneSocket } from "./plane_socket.ts";

/** What {@linkcode serveUdpByWorkers} needs; as {@linkcode UdpOptions}. */
export interface SocketGroupOptions {
  readonly address: Address;
  readonly zone?: string;
  readonly port: number;
  readonly workers: DataWorkers;
  readonly clock: Clock;
  readonly log: Log;
  readonly count?: Count;
  readonly drainMs?: number;
  readonly takesOver?: boolean;
}

/** Opens the sockets of an address and has workers read them. @throws As {@linkcode openBatchSockets} does. */
export function serveUdpByWorkers(options: SocketGroupOptions): SocketGroup {
  const { address, zone, port, takesOver = false, workers } = options;
  const shares = Math.max(1, workers.count);
  const sockets = openBatchSockets({ address, port, takesOver, ...zone && { zone } }, shares)
    .map((socket, share) => new PlaneSocket(socket, share, shares));
  if (shares > 1 && !spread(sockets.map(({ descriptor }) => descriptor), address.family)) {
    options.log.warn("udp: the kernel chooses by itself among the sockets of an address");
  }
  return new SocketGroup(sockets, options);
}

/** So many looks in a row, so far apart, must find nothing before sockets are taken to be empty. */
const QUIET_LOOKS = 5, QUIET_LOOK_MS = 50;

/** How often to look whether the last answers have left. */
const DRAIN_LOOK_MS = 10;

/** The sockets of one address and port. */
export class SocketGroup implements Serving {
  readonly endpoint: Endpoint;
  readonly #sockets: readonly PlaneSocket[];
  readonly #clock: Clock;
  readonly #drainMs: number;
  readonly #ended = Promise.withResolvers<void>();
  /** What is done to who reads them, one thing after the other. */
  #moved: Promise<void>;
  #workers: DataWorkers;
  #closing = false;

  constructor(sockets: readonly PlaneSocket[], { workers, clock, drainMs = 5000 }: SocketGroupOptions) {
    this.endpoint = sockets[0]!.endpoint;
    this.#sockets = sockets;
    this.#clock = clock;
    this.#drainMs = drainMs;
    this.#workers = workers;
    this.#moved = workers.take(sockets);
  }

  /** How many datagrams the kernel has dropped since this was asked before. */
  takeDropped(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.takeDropped(), 0);
  }

  /** Resolves when these workers read them and no others: the last answer of those before has left by then. */
  answerBy(workers: DataWorkers): Promise<void> {
    return this.#moved = this.#moved.then(async () => {
      if (workers === this.#workers || this.#closing) return;
      const before = this.#workers;
      this.#workers = workers;
      await before.release(this.#sockets);
      await workers.take(this.#sockets);
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#ended.resolve();
    await this.#moved;
    await this.#workers.release(this.#sockets);
    await this.#drain();
    for (const socket of this.#sockets) socket.close();
  }

  async retire(withinMs: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + withinMs;
    for (let quiet = 0; quiet < QUIET_LOOKS && this.#clock.nowMs() < untilMs && !this.#closing; quiet++) {
      await pause(this.#clock, QUIET_LOOK_MS, this.#ended.promise);
      if (!this.#sockets.every(({ isEmpty }) => isEmpty)) quiet = -1;
    }
    await this.close();
  }

  /** Waits for answers under way. */
  async #drain(): Promise<void> {
    const untilMs = this.#clock.nowMs() + this.#drainMs;
    const never = new Promise<void>(() => {});
    while (this.#sockets.some(({ underWay }) => underWay > 0) && this.#clock.nowMs() < untilMs) {
      await pause(this.#clock, DRAIN_LOOK_MS, never);
    }
  }
}
