/**
 * The data workers of one server: they read the process's UDP sockets while it answers, each some of them. One that fails is
 * replaced, and until then the others read what it had, or the control isolate: a descriptor outlives who reads it, and
 * what has come meanwhile waits in the kernel.
 *
 * @module
 */

import type { Log } from "../../plugin.ts";
import type { Snapshot } from "../../snapshot.ts";
import type { Loan } from "../answering.ts";
import type { Endpoint, Exchange } from "../arrival.ts";
import type { Configuration } from "../configure.ts";
import type { Lines } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Publisher } from "../publisher.ts";
import { hasDescriptors } from "../socket_options.ts";
import { changesBetween } from "../snapshot_changes.ts";
import { ControlReader } from "./control_reader.ts";
import { Lending } from "./lending.ts";
import type { PlaneSocket } from "./plane_socket.ts";
import { WorkerHandle } from "./worker_handle.ts";

/** What data workers work with. */
export interface DataWorkersOptions {
  /** How many; 0 = the control isolate reads. */
  readonly count: number;
  makeWorker(): Worker;
  /** Whether another server answers until they are ready. */
  readonly takesOver: boolean;
  readonly configuration: Configuration;
  readonly publisher: Publisher;
  readonly metrics: Metrics;
  readonly log: Log;
  writeLine(line: string): void;
  openLines?(): Lines;
  /** Answers what must wait. */
  readonly exchange: Exchange;
  /** How often to look whether each still comes round. Default 1000. */
  readonly watchMs?: number;
}

/** What a worker is about. Plain data. */
export interface WorkerStatus {
  readonly state: "starting" | "serving" | "resting";
  /** Packets that it took, its predecessors' included. */
  readonly packets: number;
  readonly failures: number;
}

/** How many looks in a row may find a worker standing still. */
const STILL_MAX = 5;

/** What a worker may take to become ready. */
const START_MS = 60_000;

/** Failures within so long count together: the first is mended at once, each further one later. */
const FAILURES_WITHIN_MS = 60_000;

/** How long a place that a worker failed in rests, by how many did so lately. */
const RESTS_MS = [0, 1000, 2000, 5000, 60_000];

/** One worker's place: who has it, and who had. */
interface Place {
  handle: WorkerHandle | undefined;
  isServing: boolean;
  /** What the handle was told to read last. */
  reads: readonly PlaneSocket[];
  packets: number;
  failures: number;
  failedAtMs: number[];
  timer?: ReturnType<typeof setTimeout>;
}

/** How many descriptors a worker takes, its threads' and its own, and how many stay free for what comes meanwhile. */
const DESCRIPTORS = 12, DESCRIPTORS_SPARE = 20;

/** A thread that finds no descriptor left ends the process. @throws {Error} */
function checkDescriptors(workers: number): void {
  const count = workers * DESCRIPTORS + (workers && DESCRIPTORS_SPARE);
  if (hasDescriptors(count)) return;
  throw new Error(
    `${workers} data workers take ${count} file descriptors, and there are not so many left: see ulimit -n`,
  );
}

/** The workers of one server. */
export class DataWorkers {
  readonly #options: DataWorkersOptions;
  readonly #places: readonly Place[];
  readonly #reader: ControlReader;
  readonly #sockets = new Set<PlaneSocket>();
  /** Every socket they ever read: answers may still be on their way. */
  readonly #known = new Map<number, PlaneSocket>();
  readonly #stops: (() => void)[] = [];
  readonly #lending = new Lending((loans) => this.#post(loans));
  #sharing: Promise<void> | undefined;
  #closing = false;

  private constructor(options: DataWorkersOptions) {
    this.#options = options;
    const { exchange, metrics, log } = options;
    const send = (socket: number, octets: Uint8Array, to: Endpoint) => this.#send(socket, octets, to);
    this.#reader = new ControlReader({ exchange, metrics, log, send });
    this.#places = Array.from({ length: options.count }, () => ({
      ...{ handle: undefined, isServing: false, reads: [] },
      ...{ packets: 0, failures: 0, failedAtMs: [] },
    }));
  }

  /** Starts them, all. @throws {Error} When one cannot do its work; those that can are ended. */
  static async start(options: DataWorkersOptions): Promise<DataWorkers> {
    const workers = new DataWorkers(options);
    checkDescriptors(options.count);
    workers.#stops.push(workers.#followSnapshots(), workers.#watch());
    try {
      await Promise.all(workers.#places.map((place) => workers.#fill(place)));
    } catch (error) {
      await workers.close();
      throw error;
    }
    return workers;
  }

  /** How many there are to be. */
  get count(): number {
    return this.#places.length;
  }

  get status(): readonly WorkerStatus[] {
    return this.#places.map(({ handle, isServing, packets, failures }) => ({
      state: isServing ? "serving" : handle ? "starting" : "resting",
      packets: packets + (handle?.packets ?? 0),
      failures,
    }));
  }

  /** Has them read these as well; resolves when they do. */
  async take(sockets: readonly PlaneSocket[]): Promise<void> {
    for (const socket of sockets) {
      this.#sockets.add(socket);
      this.#known.set(socket.id, socket);
    }
    await this.#share();
  }

  /** Resolves when none of them reads these any more. */
  async release(sockets: readonly PlaneSocket[]): Promise<void> {
    for (const socket of sockets) this.#sockets.delete(socket);
    await this.#share();
  }

  /** Hands a loan of about so many octets to all that are there, soon, or not at all. @returns Whether it may come. */
  lend(make: () => Loan, octets: number): boolean {
    return this.#places.some(({ isServing }) => isServing) && this.#lending.take(make, octets);
  }

  /** Ends them, once they have answered what they have. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#reader.close();
    this.#lending.close();
    await Promise.all(this.#places.map(async ({ handle, timer }) => {
      clearTimeout(timer);
      await handle?.close();
    }));
  }

  /** Once for all that changes in one turn; resolves when it is so. */
  #share(): Promise<void> {
    return this.#sharing ??= Promise.resolve().then(() => {
      this.#sharing = undefined;
      return this.#shareNow();
    });
  }

  /** Gives each socket to a worker that is there, or reads it here. Each worker has some, be there ever so few sockets. */
  async #shareNow(): Promise<void> {
    const serving = this.#places.filter(({ isServing }) => isServing);
    const sockets = [...this.#sockets];
    this.#readHere(serving.length === 0 ? sockets : []);
    await Promise.all(serving.map(async (place, i) => {
      const reads = sockets.filter(({ share, shares }) =>
        share % serving.length === i || (i >= shares && share === i % shares)
      );
      if (reads.length === place.reads.length && reads.every((one, i) => one === place.reads[i])) return;
      place.reads = reads;
      await place.handle?.take(reads);
    }));
  }

  /** Where even that cannot be done, what has come waits for the next worker. */
  #readHere(sockets: readonly PlaneSocket[]): void {
    try {
      this.#reader.read(sockets);
    } catch (error) {
      // So that it is tried anew when they are shared out again.
      this.#reader.close();
      this.#options.log.error(`Nobody reads UDP until a data worker is there: ${error}`);
    }
  }

  /** Starts a worker in a place; resolves when it serves. @throws {Error} When it fails before. */
  async #fill(place: Place): Promise<void> {
    checkDescriptors(1);
    const handle = place.handle = this.#makeHandle(place);
    const timer = setTimeout(() => handle.fail(`not ready after ${START_MS / 1000} s`), START_MS);
    try {
      await handle.ready;
    } finally {
      clearTimeout(timer);
    }
    place.isServing = true;
    await this.#share();
  }

  #makeHandle(place: Place): WorkerHandle {
    const { makeWorker, takesOver, configuration, publisher, metrics, log, writeLine, openLines } =
      this.#options;
    return new WorkerHandle({
      ...{ makeWorker, configuration, metrics, log, writeLine, ...openLines && { openLines } },
      workers: this.count,
      // Of one that failed, too, others have the queries.
      rehearses: takesOver || this.#places.some(({ isServing }) => isServing),
      snapshot: publisher.snapshot,
      onFailure: (reason) => this.#failed(place, reason),
      onWaiting: (socket, octets, source, done) => this.#answer(socket, octets, source, done),
      onLate: (socket, octets, to) => this.#send(socket, octets, to),
    });
  }

  /** What it read is read by others at once; in its place comes another, later the more often that has happened. */
  #failed(place: Place, reason: string): void {
    const { log, metrics } = this.#options;
    const wasServing = place.isServing || place.failures > 0;
    place.packets += place.handle?.packets ?? 0;
    [place.handle, place.isServing, place.reads] = [undefined, false, []];
    place.failures++;
    metrics.count("meridian_worker_failures_total", { worker: "data" });
    const nowMs = performance.now();
    place.failedAtMs = [...place.failedAtMs.filter((atMs) => nowMs - atMs < FAILURES_WITHIN_MS), nowMs];
    const restMs = RESTS_MS[Math.min(place.failedAtMs.length, RESTS_MS.length) - 1]!;
    const readBy = this.#places.some(({ isServing }) => isServing) ? "the others" : "the control isolate";
    log.error(
      `A data worker failed, its queries are answered by ${readBy} until another one is there${
        restMs > 0 ? ` (in ${restMs / 1000} s)` : ""
      }: ${reason}`,
    );
    if (this.#closing || !wasServing) return;
    void this.#share();
    place.timer = setTimeout(() => void this.#refill(place), restMs);
  }

  /** Starts one in a place that has rested; where not even that can be done, it rests on. */
  async #refill(place: Place): Promise<void> {
    const { failures } = place;
    try {
      await this.#fill(place);
    } catch (error) {
      // One that failed once it was there has been told of, and is seen to.
      if (place.failures === failures) {
        this.#failed(place, error instanceof Error ? error.message : `${error}`);
      }
    }
  }

  #followSnapshots(): () => void {
    const { publisher } = this.#options;
    let sent: Snapshot = publisher.snapshot;
    return publisher.onSnapshot((snapshot) => {
      const changes = changesBetween(sent, snapshot);
      sent = snapshot;
      for (const { handle } of this.#places) handle?.post({ kind: "snapshot", changes });
    });
  }

  #post(loans: readonly Loan[]): void {
    for (const { handle, isServing } of this.#places) {
      if (isServing && !handle?.isBehind) handle?.post({ kind: "loans", loans });
    }
  }

  #watch(): () => void {
    const timer = setInterval(() => {
      for (const { handle, isServing } of this.#places) {
        if (isServing && handle && handle.countStill() >= STILL_MAX) handle.fail("its loop stands still");
      }
    }, this.#options.watchMs ?? 1000);
    return () => clearInterval(timer);
  }

  /** Answers a query that a worker could not. */
  #answer(id: number, octets: Uint8Array, source: Endpoint, done: () => void): void {
    const socket = this.#known.get(id);
    if (!socket) return done();
    const finish = (reply: Uint8Array | undefined) => {
      done();
      socket.underWay--;
      if (reply) this.#send(id, reply, source);
    };
    socket.underWay++;
    try {
      const reply = this.#options.exchange(octets, { source, server: socket.endpoint, transport: "udp" });
      if (reply instanceof Promise) reply.then(finish, () => finish(undefined));
      else finish(reply);
    } catch (error) {
      this.#options.log.error(`udp: exchange failed: ${error}`);
      finish(undefined);
    }
  }

  #send(id: number, octets: Uint8Array, to: Endpoint): void {
    if (this.#known.get(id)?.send(octets, to)) return;
    this.#options.metrics.count("meridian_udp_dropped_total", { reason: "send" });
  }
}
