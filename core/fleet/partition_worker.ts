/**
 * The worker behind {@linkcode PartitionBuilder}: keeps the last geography, and makes what it is asked for, partitions and
 * prices.
 *
 * @module
 */

import { type PriceJob, type Prices, pricesOf } from "./moving.ts";
import { makePartition, type Partition, type PartitionJob } from "./partition.ts";
import type { Geography } from "./place.ts";

/** What it is sent. */
export type ToPartitionWorker =
  | { readonly kind: "geography"; readonly geography: Geography }
  | { readonly kind: "job"; readonly id: number; readonly job: Omit<PartitionJob, "geography"> }
  | { readonly kind: "prices"; readonly id: number; readonly job: Omit<PriceJob, "geography"> };

/** What comes back, one for each job. */
export interface FromPartitionWorker {
  readonly id: number;
  readonly partition?: Partition | undefined;
  readonly prices?: Prices;
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
  const { id } = data;
  if (data.kind === "job") {
    self.postMessage({ id, partition: makePartition({ ...data.job, geography: geography! }) });
  } else self.postMessage({ id, prices: pricesOf({ ...data.job, geography: geography! }) });
};
