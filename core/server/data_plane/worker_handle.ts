/**
 * A data worker as the control isolate has it, from its start to its end.
 *
 * @module
 */

import { afterTurns, SYSTEM_CLOCK } from "../../clock.ts";
import type { Log } from "../../plugin.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../snapshot.ts";
import type { Configuration } from "../configure.ts";
import type { Lines } from "../log.ts";
import type { Attached, Metrics } from "../metrics.ts";
import { changesBetween } from "../snapshot_changes.ts";
import type { PlaneSocket } from "./plane_socket.ts";
import {
  BEATS,
  Budget,
  type Configure,
  type FromWorker,
  makeCells,
  PACKETS,
  POSTED,
  sealed,
  TAKEN,
  type ToWorker,
} from "./protocol.ts";
import { unpackQueries } from "./waiting_queries.ts";

/** What a worker is made of. */
export interface HandleOptions {
  makeWorker(): Worker;
  /** How many there are. */
  readonly workers: number;
  readonly configuration: Configuration;
  /** Whether others answer clients until it is ready. */
  readonly rehearses: boolean;
  readonly snapshot: Snapshot;
  readonly metrics: Metrics;
  readonly log: Log;
  writeLine(line: string): void;
  openLines?(): Lines;
  /** Told once, when it can do nothing more. */
  onFailure(reason: string): void;
  /** A query that is to be answered here; `done` is called when it has been. */
  onWaiting(socket: number, octets: Uint8Array, source: PlaneSocket["endpoint"], done: () => void): void;
  /** A reply to be sent from here. */
  onLate(socket: number, octets: Uint8Array, to: PlaneSocket["endpoint"]): void;
}

/** What plugins in a worker may take to close, and its loop to come round. */
const CLOSE_MS = 2000;

/** What a worker may take to begin reading other sockets: it answers a batch, or has waited for 50 ms. */
const TAKE_MS = 5000;

/** A message that took so long to write takes so many times as long to read, at the most. */
const READ_FACTOR = 20;

/** How many messages may lie in its port before it is behind. */
const BEHIND_MAX = 4;

/** One worker. */
export class WorkerHandle {
  /** Resolves when it can be given sockets. */
  readonly ready: Promise<void>;
  readonly #options: HandleOptions;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #cells = makeCells();
  readonly #words = new Int32Array(this.#cells);
  readonly #budget: Budget;
  readonly #lines: Lines | undefined;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #turns = new Map<number, () => void>();
  #counted: Attached | undefined;
  #isRunning = true;
  #turn = 0;
  #beats = 0;
  #still = 0;
  #busyUntilMs = 0;

  constructor(options: HandleOptions) {
    const { configuration, rehearses, snapshot, workers } = options;
    this.#options = options;
    this.#budget = Budget.share(workers);
    this.ready = this.#ready.promise;
    // Whoever made it hears of a failure by itself.
    this.ready.catch(() => {});
    this.#lines = options.openLines?.();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = options.makeWorker();
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.fail(event.message);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    const configure: Configure = {
      kind: "configure",
      configuration,
      rehearses,
      changes: changesBetween(EMPTY_SNAPSHOT, snapshot),
      cells: this.#cells,
      budget: this.#budget.buffer,
      ...this.#lines && { lines: this.#lines.room },
      port: port2,
    };
    this.#worker.postMessage(configure, [port2]);
  }

  /** How many packets it has taken. */
  get packets(): number {
    return new Float64Array(this.#cells)[PACKETS]!;
  }

  /** Sends it what it is to look at before it answers anything more. */
  post(message: ToWorker): void {
    if (!this.#isRunning) return;
    const beganMs = performance.now();
    this.#port.postMessage(sealed(message));
    const endedMs = performance.now();
    this.#busyUntilMs = Math.max(this.#busyUntilMs, endedMs + READ_FACTOR * (endedMs - beganMs));
    Atomics.add(this.#words, POSTED, 1);
    Atomics.notify(this.#words, POSTED);
  }

  /** Whether it has yet to take several messages: what need not come to it is better not posted. */
  get isBehind(): boolean {
    return Atomics.load(this.#words, POSTED) - Atomics.load(this.#words, TAKEN) > BEHIND_MAX;
  }

  /** Has it read these and no others; resolves when it does, or will never do anything any more. */
  async take(sockets: readonly PlaneSocket[]): Promise<void> {
    if (!this.#isRunning) return;
    const turn = ++this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turns.set(turn, resolve);
    this.post({ kind: "sockets", sockets: sockets.map(({ plain }) => plain), turn });
    const giveUp = () => this.fail(`its loop has not come round for ${TAKE_MS} ms`);
    const cancel = afterTurns(SYSTEM_CLOCK, TAKE_MS, giveUp);
    await promise;
    cancel();
  }

  /** Asked once in a while: for how many times in a row its loop has stood still, and not for a message that is large. */
  countStill(): number {
    const beats = this.#words[BEATS]!;
    const isStill = beats === this.#beats && performance.now() > this.#busyUntilMs;
    this.#still = isStill ? this.#still + 1 : 0;
    this.#beats = beats;
    return this.#still;
  }

  /** Ends it where it stands. */
  fail(reason: string): void {
    if (!this.#isRunning) return;
    this.#end();
    this.#ready.reject(new Error(`a data worker failed: ${reason}`));
    this.#options.onFailure(reason);
  }

  /** Ends it once it has answered what it has. */
  async close(): Promise<void> {
    if (!this.#isRunning) return;
    this.post({ kind: "close" });
    const cancel = afterTurns(SYSTEM_CLOCK, CLOSE_MS, this.#closed.resolve);
    await this.#closed.promise;
    cancel();
    this.#end();
  }

  #hear(message: FromWorker): void {
    if (!this.#isRunning) return;
    const { metrics, log, writeLine, onWaiting, onLate } = this.#options;
    if (message.kind === "ready") return this.#ready.resolve();
    if (message.kind === "closed") return this.#closed.resolve();
    if (message.kind === "failed") return this.fail(message.reason);
    if (message.kind === "line") return writeLine(message.text);
    if (message.kind === "log") return log[message.level](message.message);
    if (message.kind === "cells") return void (this.#counted = metrics.attach(message.buffer));
    if (message.kind === "place") return this.#counted?.place(message.place);
    if (message.kind === "late") return onLate(message.socket, message.octets, message.to);
    if (message.kind === "took") return this.#took(message.turn);
    for (const { socket, octets, source } of unpackQueries(message.packed)) {
      onWaiting(socket, octets, source, () => this.#budget.giveBack(octets.length));
    }
  }

  /** What was wanted meanwhile has taken the place of what was wanted before. */
  #took(turn: number): void {
    for (const [earlier, resolve] of this.#turns) {
      if (earlier > turn) continue;
      this.#turns.delete(earlier);
      resolve();
    }
  }

  #end(): void {
    this.#isRunning = false;
    this.#closed.resolve();
    for (const resolve of this.#turns.values()) resolve();
    this.#turns.clear();
    this.#counted?.detach();
    this.#worker.terminate();
    this.#port.close();
    this.#lines?.close();
  }
}
