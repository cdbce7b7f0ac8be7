/**
 * Makes partitions, and prices, in a worker, so that the control isolate goes on probing meanwhile.
 *
 * @module
 */

import type { PriceJob, Prices } from "./moving.ts";
import type { Partition, PartitionJob } from "./partition.ts";
import { partOf } from "./partition_inputs.ts";
import type { FromPartitionWorker, ToPartitionWorker } from "./partition_worker.ts";
import type { Geography } from "./place.ts";

/** How long a worker may go on when nobody wants anything of it any more. */
const PATIENCE_MS = 5000;

/**
 * How long a worker stays that has nothing to do: nodes that fail together are found out one soon after the other. It has
 * tens of megabytes for what it makes partitions with, who is near to each place of a large geography, which takes it as
 * long to find out again as to make a partition.
 */
const IDLE_MS = 5000;

/** One worker, started when it is needed, ended when it has not been for some seconds. */
export class PartitionBuilder {
  #worker: Worker | undefined;
  /** What the worker has, so that a large geography is sent once. */
  #geography: Geography | undefined;
  #lastId = 0;
  #closed = false;
  readonly #waiting = new Map<number, PromiseWithResolvers<FromPartitionWorker | undefined>>();
  /** Of the last job after close(). */
  readonly #done = Promise.withResolvers<void>();
  readonly #idleMs: number;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(idleMs = IDLE_MS) {
    this.#idleMs = idleMs;
  }

  /** Makes a partition; undefined when there is no such pool, or the builder is closed, before or meanwhile. */
  async make({ geography, ...rest }: PartitionJob): Promise<Partition | undefined> {
    const job = { ...rest, snapshot: partOf(rest.snapshot, rest.pool) };
    return (await this.#ask(geography, (id) => ({ kind: "job", id, job })))?.partition;
  }

  /** Works out prices; undefined when the builder is closed, before or meanwhile. */
  async price({ geography, ...job }: PriceJob): Promise<Prices | undefined> {
    return (await this.#ask(geography, (id) => ({ kind: "prices", id, job })))?.prices;
  }

  #ask(
    geography: Geography,
    message: (id: number) => ToPartitionWorker,
  ): Promise<FromPartitionWorker | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    clearTimeout(this.#idle);
    const worker = this.#worker ??= this.#start();
    const post = (message: ToPartitionWorker) => worker.postMessage(message);
    if (geography !== this.#geography) post({ kind: "geography", geography });
    this.#geography = geography;
    const id = ++this.#lastId, waiting = Promise.withResolvers<FromPartitionWorker | undefined>();
    this.#waiting.set(id, waiting);
    post(message(id));
    return waiting.promise;
  }

  /** Ends the worker, which may do what it is at: one that is ended in the midst of it leaves its memory behind for good. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { resolve } of this.#waiting.values()) resolve(undefined);
    if (this.#waiting.size > 0) {
      const timer = setTimeout(this.#done.resolve, PATIENCE_MS);
      await this.#done.promise;
      clearTimeout(timer);
    }
    this.#end();
  }

  #start(): Worker {
    const worker = new Worker(new URL("./partition_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<FromPartitionWorker>) => {
      this.#waiting.get(data.id)?.resolve(data);
      this.#waiting.delete(data.id);
      if (this.#waiting.size > 0) return;
      if (this.#closed) this.#done.resolve();
      else this.#idle = setTimeout(() => this.#end(), this.#idleMs);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`The partition worker failed: ${event.message}`));
    };
    return worker;
  }

  #end(): void {
    clearTimeout(this.#idle);
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#geography = undefined;
  }

  /** Whoever waits hears of it; the next job starts a new worker. */
  #fail(error: Error): void {
    this.#end();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    if (this.#closed) this.#done.resolve();
  }
}
