/**
 * Answers packets by a chain where they lie, and brings those that it cannot answer at once to where they can be: gathered
 * while a batch is answered, and sent off together.
 *
 * @module
 */

import type { Address } from "../../net/address.ts";
import { BATCH_MAX } from "../batch/packet_loop.ts";
import type { Arrival, Endpoint } from "../arrival.ts";
import type { Examine, Outcome } from "../exchange.ts";
import { type InPlace, LATER, type PacketSource, SILENT, SLOT_OCTETS } from "../in_place.ts";
import type { Budget, FromWorker, WaitingQuery, WorkerSocket } from "./protocol.ts";

/** A worker's way out for what must wait. */
export class Deferral {
  readonly #post: (message: FromWorker) => void;
  readonly #budget: Budget;
  readonly #overload: () => void;
  readonly #promised = new Set<Promise<void>>();
  #waiting: WaitingQuery[] = [];

  /** `overload` hears of each query for which nothing is left of the budget. */
  constructor(post: (message: FromWorker) => void, budget: Budget, overload: () => void) {
    [this.#post, this.#budget, this.#overload] = [post, budget, overload];
  }

  /** Answers what comes to `sockets` by a chain. */
  inPlace(examine: Examine, sockets: readonly WorkerSocket[]): InPlace {
    const octets = new Uint8Array(new ArrayBuffer(BATCH_MAX * SLOT_OCTETS));
    const ids = new Map<Endpoint, number>(sockets.map(({ id, endpoint }) => [endpoint, id]));
    return {
      octets,
      answer: (at, length, source) => {
        const query = octets.slice(at, at + length);
        const arrival = arrivalOf(source);
        const outcome = examine(query, arrival);
        if (outcome instanceof Promise || outcome.deferred) {
          this.#later(ids.get(source.server)!, query, arrival, outcome);
          return LATER;
        }
        const reply = outcome.octets;
        if (!reply) return SILENT;
        if (reply.length > SLOT_OCTETS) {
          this.#send(ids.get(source.server)!, arrival.source, reply);
          return LATER;
        }
        octets.set(reply, at);
        return reply.length;
      },
    };
  }

  /** Sends off what has been gathered. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#post({ kind: "waiting", queries: this.#waiting });
    this.#waiting = [];
  }

  /** Resolves when nothing is waited for here. */
  async settled(): Promise<void> {
    await Promise.all(this.#promised);
    this.flush();
  }

  #later(socket: number, octets: Uint8Array, arrival: Arrival, outcome: Outcome | Promise<Outcome>): void {
    if (!this.#budget.take(octets.length)) return this.#overload();
    if (!(outcome instanceof Promise)) {
      this.#waiting.push({ socket, octets, source: arrival.source });
      return;
    }
    const done = outcome.then((outcome) => {
      this.#promised.delete(done);
      this.#budget.giveBack(octets.length);
      if (outcome.deferred) this.#later(socket, octets, arrival, outcome);
      else if (outcome.octets) this.#send(socket, arrival.source, outcome.octets);
    });
    this.#promised.add(done);
  }

  #send(socket: number, to: Endpoint, octets: Uint8Array): void {
    this.#post({ kind: "late", socket, to, octets });
  }
}

function arrivalOf({ family, words, port, server }: PacketSource): Arrival {
  return { source: { address: addressOfWords(family, words), port }, server, transport: "udp" };
}

function addressOfWords(family: 4 | 6, words: Uint32Array): Address {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(octets.buffer);
  for (let i = 0; i * 4 < octets.length; i++) view.setUint32(i * 4, words[i]!);
  return { family, octets };
}
