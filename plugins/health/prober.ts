/**
 * Hands probes to the worker that runs them, and its reports back.
 *
 * @module
 */

import type { Check } from "./check.ts";
import type { ProbeResult } from "./probes/probe.ts";

/** One probe to run. */
export interface ProbeJob {
  readonly id: number;
  /** Text form. */
  readonly address: string;
  readonly check: Check;
  readonly timeoutMs: number;
}

/** How it ended. */
export interface ProbeReport extends ProbeResult {
  readonly id: number;
  /** Whether the worker lagged meanwhile: the latency says nothing. */
  readonly lagged: boolean;
  /** How many earlier outcomes were thrown away because of lag. */
  readonly discarded: number;
}

/** Runs probes. Each job is reported once, in any order. */
export interface Prober {
  run(jobs: readonly ProbeJob[]): void;
  close(): void;
}

/**
 * Makes a prober that calls `report` with what ended, and `fault` when the prober itself had to be replaced. What it is told to
 * run before `begin` calls back waits until then; without `begin` nothing waits.
 */
export type MakeProber = (
  report: (reports: readonly ProbeReport[]) => void,
  fault: (message: string) => void,
  begin?: (then: () => void) => void,
) => Prober;

/** What goes to the worker: a job, its check by number, and the check itself the first time. */
export interface WorkerJob extends Omit<ProbeJob, "check"> {
  readonly checkId: number;
  readonly check?: Check;
}

/** What a prober needs of a worker. */
export type ProbingWorker = Pick<Worker, "onmessage" | "onerror" | "postMessage" | "terminate">;

/** A prober in a worker of its own, started anew with what it had in hand should it break. */
export const workerProber: MakeProber = (...told) => proberIn(startWorker, afterwards, ...told);

/** As {@linkcode workerProber}, in workers that `start` makes; `after` calls back once and can be cancelled. */
export function proberIn(
  start: () => ProbingWorker,
  after: (delayMs: number, then: () => void) => () => void,
  ...[report, fault, begin = (then) => then()]: Parameters<MakeProber>
): Prober {
  const outstanding = new Map<number, ProbeJob>();
  const checkIds = new Map<Check, number>();
  let cancelRestart = () => {};
  let worker: ProbingWorker | undefined, isClosed = false;
  begin(() => {
    if (!isClosed) reopen();
  });

  function open(): void {
    const started = worker = start();
    started.onmessage = ({ data }: MessageEvent<readonly ProbeReport[]>) => {
      for (const { id } of data) outstanding.delete(id);
      report(data);
    };
    started.onerror = (event) => {
      event.preventDefault();
      started.terminate();
      if (started !== worker) return;
      fault(`the probing worker broke and is started anew: ${event.message}`);
      worker = undefined;
      cancelRestart = after(RESTART_MS, reopen);
    };
  }

  /** The new worker has heard of no check yet. */
  function reopen(): void {
    open();
    checkIds.clear();
    send([...outstanding.values()]);
  }

  /** A check may carry a bundle of certificates, so it crosses once. Without a worker, jobs wait for the next one. */
  function send(jobs: readonly ProbeJob[]): void {
    if (jobs.length === 0) return;
    worker?.postMessage(jobs.map(({ check, ...job }): WorkerJob => {
      const known = checkIds.get(check);
      if (known !== undefined) return { ...job, checkId: known };
      checkIds.set(check, checkIds.size);
      return { ...job, checkId: checkIds.size - 1, check };
    }));
  }

  return {
    run(jobs) {
      for (const job of jobs) outstanding.set(job.id, job);
      send(jobs);
    },
    close() {
      isClosed = true;
      cancelRestart();
      worker?.terminate();
      worker = undefined;
    },
  };
}

const RESTART_MS = 1000;

function startWorker(): Worker {
  return new Worker(new URL("./prober_worker.ts", import.meta.url), { type: "module" });
}

/** Calls back once; the function that comes back cancels it. */
export function afterwards(delayMs: number, then: () => void): () => void {
  const timer = setTimeout(then, delayMs);
  return () => clearTimeout(timer);
}
