/**
 * The way out for queries that cannot be answered where they lie: gathered while a batch is answered, and sent off together.
 *
 * @module
 */

import type { Arrival, Endpoint } from "../arrival.ts";
import type { Outcome } from "../exchange.ts";
import type { Budget, FromWorker, WorkerSocket } from "./protocol.ts";
import { packQueries, type WaitingQuery } from "./waiting_queries.ts";

/** One isolate's way out. */
export class Deferral {
  readonly #post: (message: FromWorker) => void;
  readonly #budget: Budget;
  readonly #overload: () => void;
  readonly #promised = new Set<Promise<void>>();
  #sockets: ReadonlyMap<Endpoint, number> = new Map();
  #waiting: WaitingQuery[] = [];

  /** `overload` hears of each query for which nothing is left of the budget. */
  constructor(post: (message: FromWorker) => void, budget: Budget, overload: () => void) {
    [this.#post, this.#budget, this.#overload] = [post, budget, overload];
  }

  /** Where queries come from that are deferred from now on. */
  setSockets(sockets: readonly Pick<WorkerSocket, "id" | "endpoint">[]): void {
    this.#sockets = new Map(sockets.map(({ id, endpoint }) => [endpoint, id]));
  }

  /** Takes a query that must wait, or whose reply has no room where it lay. */
  later(octets: Uint8Array, arrival: Arrival, outcome: Outcome | Promise<Outcome>): void {
    const socket = this.#sockets.get(arrival.server);
    if (socket !== undefined) this.#later(socket, octets, arrival.source, outcome);
  }

  /** Sends off what has been gathered. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#post({ kind: "waiting", packed: packQueries(this.#waiting) });
    this.#waiting = [];
  }

  /** Resolves when nothing is waited for here. */
  async settled(): Promise<void> {
    await Promise.all(this.#promised);
    this.flush();
  }

  #later(
    socket: number,
    octets: Uint8Array,
    source: Endpoint,
    outcome: Outcome | Promise<Outcome>,
  ): void {
    if (outcome instanceof Promise) return this.#await(socket, octets, source, outcome);
    if (outcome.octets) return this.#post({ kind: "late", socket, to: source, octets: outcome.octets });
    if (!outcome.deferred) return;
    if (this.#budget.take(octets.length)) this.#waiting.push({ socket, octets, source });
    else this.#overload();
  }

  #await(socket: number, octets: Uint8Array, source: Endpoint, outcome: Promise<Outcome>): void {
    if (!this.#budget.take(octets.length)) return this.#overload();
    const done = outcome.then((outcome) => {
      this.#promised.delete(done);
      this.#budget.giveBack(octets.length);
      this.#later(socket, octets, source, outcome);
    });
    this.#promised.add(done);
  }
}
