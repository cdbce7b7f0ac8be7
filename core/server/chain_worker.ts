/**
 * The chain in a worker, fed by structured clone alone: the configuration once, then of every snapshot what
 * changed. A query that must wait comes back, and the control isolate answers it.
 *
 *     control isolate                         worker
 *     chainInWorker() -- configure, snapshot --> runChainWorker()
 *                     -- query ---------------->
 *                     <-- reply | deferred -----
 *                     <-- log ------------------
 *                     <-- line -----------------   (or in shared memory: see lines.ts)
 *                     <-- cells, places --------   (metrics: see metrics.ts)
 *                     <-- failed ---------------
 *
 * @module
 */

import { emptyAnswer } from "../answer.ts";
import { SYSTEM_CLOCK } from "../clock.ts";
import { RCODE } from "../dns/types.ts";
import type { Log, PluginModule } from "../plugin.ts";
import { withCustomPlugins } from "../custom/module.ts";
import { watchUnhandled } from "../custom/unhandled.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../snapshot.ts";
import { type Answering, makeAnswering } from "./answering.ts";
import type { Arrival, Exchange } from "./arrival.ts";
import type { Configuration } from "./configure.ts";
import { declareMetrics } from "./core_metrics.ts";
import { exchangeOf } from "./exchange.ts";
import { hostAddresses } from "./hosts.ts";
import { type LineRoom, type Lines, lineSink } from "./log.ts";
import { type Attached, Metrics, type Place } from "./metrics.ts";
import type { Server } from "./server.ts";
import { changesBetween, type SnapshotChanges, withChanges } from "./snapshot_changes.ts";

type ToWorker =
  | { readonly kind: "configure"; readonly configuration: Configuration; readonly lines?: LineRoom }
  | { readonly kind: "snapshot"; readonly changes: SnapshotChanges }
  | { readonly kind: "close" }
  | { readonly kind: "query"; readonly id: number; readonly octets: Uint8Array; readonly arrival: Arrival };

type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "reply"; readonly id: number; readonly octets: Uint8Array | undefined }
  | { readonly kind: "deferred"; readonly id: number }
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "cells"; readonly buffer: SharedArrayBuffer }
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "log"; readonly level: keyof Log; readonly message: string };

/** What plugins in a worker may take to close. */
const CLOSE_MS = 2000;

/** How many queries may be in a worker at a time; beyond it they are dropped, as a full socket buffer would. */
const WAITING_MAX = 4096;

interface Waiting {
  readonly octets: Uint8Array;
  readonly arrival: Arrival;
  reply(octets: Uint8Array | undefined): void;
}

/**
 * Puts a server's chain into `worker`, which must run {@linkcode runChainWorker}. When the worker fails, what waits for
 * it and all that comes later is answered here.
 *
 * @throws {Error} When the worker fails before it is ready; it has then been terminated.
 */
export async function chainInWorker(
  worker: Worker,
  server: Server,
  { log, writeLine, openLines }: { log: Log; writeLine(line: string): void; openLines?(): Lines },
): Promise<{ exchange: Exchange; close(): Promise<void> }> {
  const here = exchangeOf(server.answering.examine);
  const answerHere = ({ octets, arrival, reply }: Waiting) =>
    void Promise.resolve(here(octets, arrival)).then(reply);
  const waiting = new Map<number, Waiting>();
  const ready = Promise.withResolvers<void>(), closed = Promise.withResolvers<void>();
  const post = (message: ToWorker) => worker.postMessage(message);
  let runs = true;
  let counted: Attached | undefined;
  const lines = openLines?.();
  const stop = () => {
    runs = false;
    closed.resolve();
    counted?.detach();
    stopSending();
    worker.terminate();
    lines?.close();
    const left = [...waiting.values()];
    waiting.clear();
    return left;
  };
  const fail = (reason: string) => {
    if (!runs) return;
    log.error(`The chain's worker failed, queries are answered without it from now on: ${reason}`);
    server.metrics.count("meridian_worker_failures_total", { worker: "chain" });
    for (const query of stop()) answerHere(query);
    ready.reject(new Error(`The chain's worker failed: ${reason}`));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === "ready") return ready.resolve();
    if (data.kind === "closed") return closed.resolve();
    if (data.kind === "failed") return fail(data.reason);
    if (data.kind === "line") return writeLine(data.text);
    if (data.kind === "log") return log[data.level](data.message);
    if (data.kind === "cells") return void (counted = server.metrics.attach(data.buffer));
    if (data.kind === "place") return counted?.place(data.place);
    const query = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.kind === "reply") query?.reply(data.octets);
    else if (query) answerHere(query);
  };
  const stopSending = sendChanges(server, post);
  try {
    post({ kind: "configure", configuration: server.configuration, ...lines && { lines: lines.room } });
    post({ kind: "snapshot", changes: changesBetween(EMPTY_SNAPSHOT, server.publisher.snapshot) });
    await ready.promise;
  } catch (error) {
    if (runs) stop();
    throw error;
  }
  let lastId = 0;
  return {
    exchange(octets, arrival) {
      if (!runs) return here(octets, arrival);
      return new Promise((reply) => {
        if (waiting.size >= WAITING_MAX) return reply(undefined);
        const id = ++lastId;
        waiting.set(id, { octets, arrival, reply });
        post({ kind: "query", id, octets, arrival });
      });
    },
    async close() {
      if (!runs) return;
      post({ kind: "close" });
      const timer = setTimeout(closed.resolve, CLOSE_MS);
      await closed.promise;
      clearTimeout(timer);
      if (runs) { for (const { reply } of stop()) reply(undefined); }
    },
  };
}

/** Sends what changed of each new snapshot. */
function sendChanges(server: Server, post: (message: ToWorker) => void): () => void {
  let sent = server.publisher.snapshot;
  return server.publisher.onSnapshot((snapshot) => {
    post({ kind: "snapshot", changes: changesBetween(sent, snapshot) });
    sent = snapshot;
  });
}

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromWorker): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
}

/** Runs in the worker: answers what it is posted, with the plugins of ours and those that the configuration names. */
export function runChainWorker(builtIn: readonly PluginModule[]): void {
  const self = globalThis as unknown as WorkerSelf;
  const post = (message: FromWorker) => self.postMessage(message);
  const level = (level: keyof Log) => (message: string) => post({ kind: "log", level, message });
  const log: Log = { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
  const metrics = new Metrics({}, (place) => post({ kind: "place", place }));
  post({ kind: "cells", buffer: metrics.buffer });
  let snapshot: Snapshot = EMPTY_SNAPSHOT;
  let answering: Answering | undefined;
  const configure = async (configuration: Configuration, lines?: LineRoom) => {
    watchUnhandled(() => configuration.globals.customPlugins, {
      log,
      count: (name, labels) => metrics.count(name, labels),
    });
    const modules = await withCustomPlugins(builtIn, configuration.globals.customPlugins);
    declareMetrics(metrics, { configuration, modules });
    return makeAnswering({
      configuration,
      modules,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      log,
      snapshot: () => snapshot,
      writeLine: lines ? lineSink(lines).writeLine : (text) => post({ kind: "line", text }),
      count: (name, labels, by) => metrics.count(name, labels, by),
      observe: (name, value, labels) => metrics.observe(name, value, labels),
      series: (name, labels) => metrics.series(name, labels),
      insteadOfWaiting: () => emptyAnswer(RCODE.NOERROR, { deferred: true }),
      hostAddresses,
    });
  };
  const take = async (message: ToWorker) => {
    if (message.kind === "snapshot") {
      snapshot = withChanges(snapshot, message.changes);
    } else if (message.kind === "configure") {
      answering = await configure(message.configuration, message.lines);
      post({ kind: "ready" });
    } else if (message.kind === "close") {
      await answering?.close();
      post({ kind: "closed" });
    } else {
      const { id } = message;
      const outcome = await answering!.examine(message.octets, message.arrival);
      post(outcome.deferred ? { kind: "deferred", id } : { kind: "reply", id, octets: outcome.octets });
    }
  };
  self.onmessage = ({ data }) =>
    void take(data).catch((error) => post({ kind: "failed", reason: reasonOf(error) }));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
