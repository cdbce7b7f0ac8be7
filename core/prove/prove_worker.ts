/** Proves what it is sent, and tells how far it has come. @module */

import { type Proof, prove, type ProveRequest } from "./prove.ts";

/** What it is sent: plain data. */
export type ToProveWorker = Omit<ProveRequest, "progress">;

/** What it sends: a number of states done, at last the proof. */
export type FromProveWorker = { readonly done: number } | { readonly proof: Proof };

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromProveWorker): void;
  onmessage: (event: MessageEvent<ToProveWorker>) => void;
}

const self = globalThis as unknown as WorkerSelf;

self.onmessage = ({ data }) => {
  const proof = prove({ ...data, progress: (done) => self.postMessage({ done }) });
  self.postMessage({ proof });
};
