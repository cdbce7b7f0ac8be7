/**
 * Proves a pool on all cores: the states of health are shared out among workers, which share the geography's memory.
 *
 * @module
 */

import type { Proof, ProveRequest } from "./prove.ts";
import type { FromProveWorker, ToProveWorker } from "./prove_worker.ts";

/** Each takes some hundred megabytes over a large geography. */
const WORKERS_MAX = 4;

/** As `prove`, in workers. */
export async function proveInWorkers({ progress, ...request }: ProveRequest): Promise<Proof> {
  const count = Math.min(WORKERS_MAX, navigator.hardwareConcurrency, request.states.length);
  const done = new Array<number>(count).fill(0);
  const report = (worker: number, states: number) => {
    done[worker] = states;
    progress?.(done.reduce((sum, states) => sum + states, 0), request.states.length);
  };
  const proofs = Array.from({ length: count }, (_, i) => {
    const states = request.states.filter((_, turn) => turn % count === i);
    return proveInWorker({ ...request, states }, (states) => report(i, states));
  });
  return (await Promise.all(proofs)).reduce(joined);
}

function proveInWorker(request: ToProveWorker, progress: (done: number) => void): Promise<Proof> {
  const worker = new Worker(new URL("./prove_worker.ts", import.meta.url), { type: "module" });
  return new Promise<Proof>((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.onmessage = ({ data }: MessageEvent<FromProveWorker>) => {
      if ("proof" in data) resolve(data.proof);
      else progress(data.done);
    };
    worker.postMessage(request);
  }).finally(() => worker.terminate());
}

function joined(a: Proof, b: Proof): Proof {
  return {
    ...a,
    states: a.states + b.states,
    blocks: a.blocks + b.blocks,
    leavesChecked: a.leavesChecked + b.leavesChecked,
    regretMetres: Math.max(a.regretMetres, b.regretMetres),
    failures: a.failures + b.failures,
    counterExamples: [...a.counterExamples, ...b.counterExamples],
  };
}
