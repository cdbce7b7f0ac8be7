/**
 * Counts what changes would move in a worker, so that neither probes nor answers wait meanwhile: started when it is needed,
 * ended when it has not been for some seconds.
 *
 * @module
 */

import type { MovesJob, PoolMoves } from "./moves.ts";
import type { FromMovesWorker, ToMovesWorker } from "./moves_worker.ts";

/** How long a worker stays that has nothing to do: who looks at a preview often looks at another one. */
const IDLE_MS = 5000;

/** So many may wait: each is seconds of work. */
const WAITING_MAX = 4;

/** See the module. */
export class MovesCounter {
  #worker: Worker | undefined;
  #lastId = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  readonly #waiting = new Map<number, PromiseWithResolvers<readonly PoolMoves[]>>();

  /** @throws {Error} Too many wait already, or the worker failed, or this was closed meanwhile. */
  count(job: MovesJob): Promise<readonly PoolMoves[]> {
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new Error(`${WAITING_MAX} changes are being looked at already`));
    }
    clearTimeout(this.#idle);
    const worker = this.#worker ??= this.#start();
    const id = ++this.#lastId, waiting = Promise.withResolvers<readonly PoolMoves[]>();
    this.#waiting.set(id, waiting);
    worker.postMessage({ id, job } satisfies ToMovesWorker);
    return waiting.promise;
  }

  close(): void {
    this.#end(new Error("the server is being stopped"));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./moves_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { id, moves, error } }: MessageEvent<FromMovesWorker>) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (moves) waiting?.resolve(moves);
      else waiting?.reject(new Error(error));
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => this.close(), IDLE_MS);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(`what counts moves failed: ${event.message}`));
    };
    return worker;
  }

  #end(why: Error): void {
    clearTimeout(this.#idle);
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }
}
