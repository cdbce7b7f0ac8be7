/**
 * The chain in a worker, fed by structured clone alone: the configuration once, then every part of the snapshot
 * that changed. A query that must wait comes back, and the control isolate answers it.
 *
 *     control isolate                         worker
 *     chainInWorker() -- configure, snapshot --> runChainWorker()
 *                     -- query ---------------->
 *                     <-- reply | deferred -----
 *                     <-- line, count, log -----
 *
 * @module
 */

import { emptyAnswer } from "../answer.ts";
import { SYSTEM_CLOCK } from "../clock.ts";
import type { Log, PluginModule } from "../plugin.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../snapshot.ts";
import { type Answering, makeAnswering } from "./answering.ts";
import type { Arrival, Exchange } from "./arrival.ts";
import type { Configuration } from "./configure.ts";
import { exchangeOf } from "./exchange.ts";
import { boundAddresses, type Server } from "./server.ts";

type ToWorker =
  | {
    readonly kind: "configure";
    readonly configuration: Configuration;
    readonly boundTo: Map<string, readonly string[]>;
  }
  | { readonly kind: "snapshot"; readonly changes: Partial<Snapshot> }
  | { readonly kind: "query"; readonly id: number; readonly octets: Uint8Array; readonly arrival: Arrival };

type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "reply"; readonly id: number; readonly octets: Uint8Array | undefined }
  | { readonly kind: "deferred"; readonly id: number }
  | { readonly kind: "line"; readonly text: string }
  | {
    readonly kind: "count";
    readonly name: string;
    readonly labels: Readonly<Record<string, string>> | undefined;
  }
  | { readonly kind: "log"; readonly level: keyof Log; readonly message: string };

/** How many queries may be in a worker at a time; beyond it they are dropped, as a full socket buffer would. */
const WAITING_MAX = 4096;

/** Puts a server's chain into `worker`, which must run {@linkcode runChainWorker}. */
export async function chainInWorker(
  worker: Worker,
  server: Server,
  { log, writeLine }: { log: Log; writeLine(line: string): void },
): Promise<{ exchange: Exchange; close(): Promise<void> }> {
  const here = exchangeOf(server.answering.examine);
  const waiting = new Map<
    number,
    { octets: Uint8Array; arrival: Arrival; reply(octets: Uint8Array | undefined): void }
  >();
  const ready = Promise.withResolvers<void>();
  const post = (message: ToWorker) => worker.postMessage(message);
  worker.onerror = (event) => {
    event.preventDefault();
    log.error(`The chain's worker failed: ${event.message}`);
    ready.reject(new Error(event.message));
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === "ready") return ready.resolve();
    if (data.kind === "line") return writeLine(data.text);
    if (data.kind === "log") return log[data.level](data.message);
    if (data.kind === "count") return server.counters.count(data.name, data.labels);
    const query = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.kind === "reply") query?.reply(data.octets);
    else if (query) Promise.resolve(here(query.octets, query.arrival)).then(query.reply);
  };
  post({
    kind: "configure",
    configuration: server.configuration,
    boundTo: boundAddresses(server.configuration),
  });
  post({ kind: "snapshot", changes: server.publisher.snapshot });
  const stop = sendChanges(server, post);
  await ready.promise;
  let lastId = 0;
  return {
    exchange: (octets, arrival) =>
      new Promise((reply) => {
        if (waiting.size >= WAITING_MAX) return reply(undefined);
        const id = ++lastId;
        waiting.set(id, { octets, arrival, reply });
        post({ kind: "query", id, octets, arrival });
      }),
    close() {
      stop();
      worker.terminate();
      for (const { reply } of waiting.values()) reply(undefined);
      return Promise.resolve();
    },
  };
}

/** Sends what changed of each new snapshot: its parts are immutable, so a part of the same identity is the same. */
function sendChanges(server: Server, post: (message: ToWorker) => void): () => void {
  let sent = server.publisher.snapshot;
  return server.publisher.onSnapshot((snapshot) => {
    const changes = Object.fromEntries(
      Object.entries(snapshot).filter(([part, value]) => sent[part as keyof Snapshot] !== value),
    );
    sent = snapshot;
    post({ kind: "snapshot", changes });
  });
}

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromWorker): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
}

/** Runs in the worker: answers what it is posted. */
export function runChainWorker(modules: readonly PluginModule[]): void {
  const self = globalThis as unknown as WorkerSelf;
  const post = (message: FromWorker) => self.postMessage(message);
  const level = (level: keyof Log) => (message: string) => post({ kind: "log", level, message });
  const log: Log = { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
  let snapshot: Snapshot = EMPTY_SNAPSHOT;
  let answering: Answering | undefined;
  self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
    if (data.kind === "snapshot") {
      snapshot = { ...snapshot, ...data.changes };
      return;
    }
    if (data.kind === "configure") {
      answering = makeAnswering({
        ...data,
        modules,
        clock: SYSTEM_CLOCK,
        random: Math.random,
        log,
        snapshot: () => snapshot,
        writeLine: (text) => post({ kind: "line", text }),
        count: (name, labels) => post({ kind: "count", name, labels }),
        insteadOfWaiting: () => emptyAnswer(0, { deferred: true }),
      });
      return post({ kind: "ready" });
    }
    const outcome = await answering!.examine(data.octets, data.arrival);
    if (outcome.deferred) post({ kind: "deferred", id: data.id });
    else post({ kind: "reply", id: data.id, octets: outcome.octets });
  };
}
