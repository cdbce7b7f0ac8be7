/**
 * Proves on all cores: states of health are shared out among workers, which share the geography's memory and the distances.
 *
 * @module
 */

import type { Proof, ProveRequest } from "./request.ts";
import type { FromProveWorker, ToProveWorker } from "./prove_worker.ts";

/** Each takes some 250 MB over a large geography. */
const WORKERS_MAX = 4;

/** Proves each request. `progress` is told before each state, and when all are done. */
export async function proveInWorkers(
  requests: readonly ProveRequest[],
  progress?: (done: number, of: number) => void,
): Promise<Proof[]> {
  const total = requests.reduce((sum, { states }) => sum + states.length, 0);
  const shares = shareOut(requests, Math.min(WORKERS_MAX, navigator.hardwareConcurrency, total));
  const done = shares.map(() => 0);
  const proofs = await Promise.all(shares.map((share, i) =>
    proveInWorker(share, (states) => {
      done[i] = states;
      progress?.(done.reduce((sum, states) => sum + states, 0), total);
    })
  ));
  return requests.map((_, i) => proofs.map((some) => some[i]!).reduce(joined));
}

/** State by state in turn; what was said goes with one state. */
function shareOut(requests: readonly ProveRequest[], count: number): ProveRequest[][] {
  let turn = 0;
  const byRequest = requests.map(({ said, ...request }) => {
    const states = Array.from({ length: count }, (): ProveRequest["states"][number][] => []);
    const saidTo = said && said.length > 0 ? turn++ % count : undefined;
    for (const state of request.states) states[turn++ % count]!.push(state);
    return states.map((states, i): ProveRequest => ({ ...request, states, ...saidTo === i && { said } }));
  });
  return Array.from({ length: count }, (_, i) => byRequest.map((shares) => shares[i]!));
}

function proveInWorker(requests: ToProveWorker, progress: (done: number) => void): Promise<readonly Proof[]> {
  const worker = new Worker(new URL("./prove_worker.ts", import.meta.url), { type: "module" });
  return new Promise<readonly Proof[]>((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.onmessage = ({ data }: MessageEvent<FromProveWorker>) => {
      if ("proofs" in data) resolve(data.proofs);
      else progress(data.done);
    };
    worker.postMessage(requests);
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
