/** Proves what it is sent, and tells how far it has come. @module */

import { prove } from "./prove.ts";
import type { Proof, ProveRequest } from "./request.ts";

/** What it is sent: plain data. */
export type ToProveWorker = readonly ProveRequest[];

/** What it sends: a number of states done, at last the proofs. */
export type FromProveWorker = { readonly done: number } | { readonly proofs: readonly Proof[] };

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromProveWorker): void;
  onmessage: (event: MessageEvent<ToProveWorker>) => void;
}

const self = globalThis as unknown as WorkerSelf;

self.onmessage = ({ data: requests }) => {
  let before = 0;
  const proofs = requests.map((request) => {
    const proof = prove(request, (done) => self.postMessage({ done: before + done }));
    before += request.states.length;
    return proof;
  });
  self.postMessage({ proofs });
};
