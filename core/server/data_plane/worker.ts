/**
 * A data worker: reads UDP sockets that the control isolate opened, and answers what needs no waiting, with the chains of the
 * configuration and snapshots that it is handed. It opens nothing and knows of no other worker.
 *
 * Its loop blocks the isolate, so messages are not waited for: a counter in shared memory tells that there are some, and
 * they are taken before the next batch is answered. No answer is older than the last snapshot posted before its query was
 * looked at.
 *
 * @module
 */

import { receiveMessageOnPort } from "node:worker_threads";
import { emptyAnswer } from "../../answer.ts";
import { SYSTEM_CLOCK } from "../../clock.ts";
import { watchUnhandled } from "../../custom/unhandled.ts";
import { RCODE } from "../../dns/types.ts";
import type { Log } from "../../plugin.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../snapshot.ts";
import { formatAddress } from "../../net/address.ts";
import { type Answering, type Loan, makeAnswering } from "../answering.ts";
import { type AnsweringModules, loadAnswering } from "../answering_modules.ts";
import type { Endpoint } from "../arrival.ts";
import { BATCH_MAX, PacketLoop } from "../batch/packet_loop.ts";
import { declareMetrics } from "../core_metrics.ts";
import { hostAddresses } from "../hosts.ts";
import { lineSink } from "../log.ts";
import { Memo } from "../memo/memo.ts";
import { Metrics } from "../metrics.ts";
import { type SnapshotChanges, withChanges } from "../snapshot_changes.ts";
import { Deferral } from "./deferral.ts";
import { PacketCounters } from "./packet_counters.ts";
import { rehearse } from "./rehearsal.ts";
import { takeLongSlices, takeShortSlices } from "./time_slice.ts";
import {
  BEATS,
  Budget,
  type Configure,
  type Envelope,
  type FromWorker,
  PACKETS,
  POSTED,
  TAKEN,
  type ToWorker,
  type WorkerSocket,
} from "./protocol.ts";

/** For so long at most the event loop has no turn while packets come. */
const TURN_EVERY_MS = 4;

/** How often what was counted aside is added up, at least. */
const HARVEST_MS = 100;

/** How long a worker without sockets waits for a message before it gives the event loop a turn. */
const WAIT_MS = 50;

/** After so many waits in vain, a second, a worker looks up less often: so often. */
const DOZE_AFTER = 20, DOZE_MS = 250;

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<Configure>) => void) | null;
}

/** Runs in the worker: becomes what the first message says, with those of our plugins and of others that it names. */
export function runDataWorker(builtIn: AnsweringModules): void {
  const self = globalThis as unknown as WorkerSelf;
  const post = (message: FromWorker) => self.postMessage(message);
  self.onmessage = ({ data }) => {
    self.onmessage = null;
    new DataWorker(data, post).run(builtIn).catch((error) =>
      post({ kind: "failed", reason: error instanceof Error ? error.stack ?? error.message : String(error) })
    );
  };
}

class DataWorker {
  readonly #configure: Configure;
  readonly #post: (message: FromWorker) => void;
  readonly #words: Int32Array;
  readonly #packets: Float64Array;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #deferral: Deferral;
  readonly #counters: PacketCounters;
  readonly #endpoints = new Map<string, Endpoint>();
  #snapshot: Snapshot;
  #answering!: Answering;
  #memo!: Memo;
  #loop: PacketLoop | undefined;
  /** How many messages of those posted have been taken. */
  #taken = 0;
  /** What is to be read from the next step on. */
  #wanted: Extract<ToWorker, { kind: "sockets" }> | undefined;
  #closing = false;
  #harvestedMs = 0;
  /** Waits in vain, in a row. */
  #idle = 0;

  constructor(configure: Configure, post: (message: FromWorker) => void) {
    this.#configure = configure;
    this.#post = post;
    this.#words = new Int32Array(configure.cells);
    this.#packets = new Float64Array(configure.cells);
    const level = (level: keyof Log) => (message: string) => post({ kind: "log", level, message });
    this.#log = { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
    this.#metrics = new Metrics({}, (place) => post({ kind: "place", place }));
    this.#snapshot = withChanges(EMPTY_SNAPSHOT, configure.changes);
    this.#counters = new PacketCounters(this.#metrics, this.#log);
    const overload = () => this.#metrics.count("meridian_udp_dropped_total", { reason: "overload" });
    this.#deferral = new Deferral(post, new Budget(configure.budget), overload);
  }

  /** Until it is told to close. @throws What ends it before. */
  async run(builtIn: AnsweringModules): Promise<void> {
    const { rehearses } = this.#configure;
    // Those who answer meanwhile are woken up at once; where they want a whole processor they still have half of it.
    if (rehearses) takeLongSlices();
    this.#post({ kind: "cells", buffer: this.#metrics.buffer });
    this.#answering = await this.#makeAnswering(builtIn);
    if (rehearses) this.#rehearse();
    takeShortSlices();
    this.#memo = new Memo({
      answering: this.#answering,
      slots: BATCH_MAX,
      later: (...query) => this.#deferral.later(...query),
    });
    this.#post({ kind: "ready" });
    await this.#serve();
    await this.#deferral.settled();
    await this.#answering.close();
    this.#harvest();
    this.#configure.port.close();
    this.#post({ kind: "closed" });
  }

  #rehearse(): void {
    const beganMs = performance.now(), { configuration } = this.#configure;
    try {
      const asked = rehearse({ configuration, answering: this.#answering, addressesOf: hostAddresses });
      const tookMs = Math.round(performance.now() - beganMs);
      this.#log.debug(`a data worker has rehearsed ${asked} questions in ${tookMs} ms`);
    } catch (error) {
      // It can answer all the same.
      this.#log.warn(`a data worker could not rehearse: ${error instanceof Error ? error.stack : error}`);
    }
  }

  async #makeAnswering(builtIn: AnsweringModules): Promise<Answering> {
    const { configuration, lines } = this.#configure;
    const metrics = this.#metrics, log = this.#log;
    const { customPlugins } = configuration.globals;
    watchUnhandled(() => customPlugins, { log, count: (name, labels) => metrics.count(name, labels) });
    const modules = await loadAnswering(configuration, builtIn);
    declareMetrics(metrics, { configuration, modules });
    return makeAnswering({
      configuration,
      modules,
      log,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      snapshot: () => this.#snapshot,
      ...lines ? lineSink(lines) : { writeLine: (text: string) => this.#post({ kind: "line", text }) },
      count: (name, labels, by) => metrics.count(name, labels, by),
      observe: (name, value, labels) => metrics.observe(name, value, labels),
      series: (name, labels) => metrics.series(name, labels),
      insteadOfWaiting: () => emptyAnswer(RCODE.NOERROR, { deferred: true }),
      hostAddresses,
    });
  }

  async #serve(): Promise<void> {
    let turnedMs = performance.now();
    while (!this.#closing) {
      this.#words[BEATS]!++;
      const hasWorked = this.#step();
      const nowMs = performance.now();
      if (!hasWorked || nowMs - this.#harvestedMs >= HARVEST_MS) {
        this.#harvest();
        this.#harvestedMs = nowMs;
      }
      if (hasWorked && nowMs - turnedMs < TURN_EVERY_MS) continue;
      await (hasWorked ? aTurn() : aRest());
      turnedMs = performance.now();
    }
  }

  /** Waits, answers what has come, and looks for messages. @returns Whether any packet came. */
  #step(): boolean {
    const hasWorked = this.#loop ? this.#waitForPackets(this.#loop) : this.#waitForMessage();
    this.#idle = hasWorked ? 0 : this.#idle + 1;
    this.#look();
    this.#deferral.flush();
    if (this.#loop) this.#packets[PACKETS] = this.#counters.packets(this.#loop.counts);
    if (this.#wanted) this.#take(this.#wanted);
    return hasWorked;
  }

  /** What wakes an idle worker up costs more than what it then does; news is looked at before any answer all the same. */
  #waitForPackets(loop: PacketLoop): boolean {
    const mayDoze = this.#idle >= DOZE_AFTER && this.#configure.configuration.globals.spinMs === 0;
    return (!mayDoze || loop.doze(DOZE_MS)) && loop.step();
  }

  #waitForMessage(): boolean {
    Atomics.wait(this.#words, POSTED, this.#taken, WAIT_MS);
    return false;
  }

  /** Takes what has been posted, all of it. */
  #look(): void {
    if (Atomics.load(this.#words, POSTED) === this.#taken) return;
    for (;;) {
      const received = receiveMessageOnPort(this.#configure.port as never);
      if (!received) return;
      this.#words[TAKEN] = this.#taken = (this.#taken + 1) | 0;
      const message = (received.message as Envelope).get("message")!;
      if (message.kind === "snapshot") this.#change(message.changes);
      else if (message.kind === "loans") this.#borrow(message.loans);
      else if (message.kind === "sockets") this.#wanted = message;
      else this.#closing = true;
    }
  }

  /** Others are at work: what they lend comes in quick succession, and is not kept waiting so long that it is no longer posted. */
  #borrow(loans: readonly Loan[]): void {
    this.#idle = 0;
    for (const loan of loans) this.#answering.borrow(loan);
  }

  #change(changes: SnapshotChanges): void {
    this.#memo.dropFor(changes, this.#snapshot);
    this.#snapshot = withChanges(this.#snapshot, changes);
  }

  /** Reads other sockets than before; what those had waiting is there for whoever reads them next. */
  #take({ sockets, turn }: Extract<ToWorker, { kind: "sockets" }>): void {
    this.#wanted = undefined;
    if (this.#loop) this.#counters.harvest(this.#loop.counts, true);
    this.#loop = sockets.length > 0 ? this.#makeLoop(sockets) : undefined;
    this.#post({ kind: "took", turn });
  }

  #makeLoop(told: readonly WorkerSocket[]): PacketLoop {
    const { spinMs } = this.#configure.configuration.globals;
    const sockets = told.map((socket) => ({ ...socket, endpoint: this.#known(socket.endpoint) }));
    this.#deferral.setSockets(sockets);
    return new PacketLoop({
      sockets: sockets.map(({ descriptor, endpoint }) => ({ fd: descriptor, endpoint, isWildcard: false })),
      inPlace: this.#memo,
      nowMs: Date.now,
      beforeBatch: () => this.#look(),
      fault: (kind, error) => this.#counters.fault(kind, error),
      spinMicroseconds: spinMs * 1000,
    });
  }

  /** The same object for an address and port, however often it is told. */
  #known(endpoint: Endpoint): Endpoint {
    const key = `${formatAddress(endpoint.address)} ${endpoint.port}`;
    let known = this.#endpoints.get(key);
    if (!known) this.#endpoints.set(key, known = Object.freeze(endpoint));
    return known;
  }

  #harvest(): void {
    this.#memo.harvest();
    this.#counters.harvestMemo(this.#memo);
    if (this.#loop) this.#counters.harvest(this.#loop.counts);
  }
}

/**
 * Comes back a millisecond or two later: sockets of plugins, as dnstap's, get on only while the event loop rests, and when
 * nothing came for a while there is time for that.
 */
function aRest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** Comes back when the event loop has had a turn: in microseconds, where a timer takes a millisecond or two. */
function aTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
