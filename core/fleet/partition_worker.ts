/**
 * The worker behind {@linkcode PartitionBuilder}: keeps the last geography, and makes what it is asked for.
 *
 * @module
 */

import { makePartition, type Partition, type PartitionJob } from "./partition.ts";
import type { Geography } from "./place.ts";

/** What it is sent. */
export type ToPartitionWorker =
  | { readonly kind: "geography"; readonly geography: Geography }
  | { readonly kind: "job"; readonly id: number; readonly job: Omit<PartitionJob, "geography"> };

/** What comes back, one for each job. */
export interface FromPartitionWorker {
  readonly id: number;
  readonly partition: Partition | undefined;
}

/** What there is of a worker's global scope; the types of a window and a worker do not go together. */
interface WorkerScope {
  onmessage: (event: MessageEvent<ToPartitionWorker>) => void;
  postMessage(message: FromPartitionWorker): void;
}

const self = globalThis as unknown as WorkerScope;
let geography: Geography | undefined;

self.onmessage = ({ data }) => {
  if (data.kind === "geography") {
    geography = data.geography;
    return;
  }
  self.postMessage({ id: data.id, partition: makePartition({ ...data.job, geography: geography! }) });
};
