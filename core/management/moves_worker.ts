/**
 * The worker behind {@linkcode MovesCounter}: counts what it is asked for.
 *
 * @module
 */

import { countMoves, type MovesJob, type PoolMoves } from "./moves.ts";

/** What it is sent. */
export interface ToMovesWorker {
  readonly id: number;
  readonly job: MovesJob;
}

/** What comes back, one for each job. */
export interface FromMovesWorker {
  readonly id: number;
  readonly moves?: readonly PoolMoves[];
  readonly error?: string;
}

/** What there is of a worker's global scope; the types of a window and a worker do not go together. */
interface WorkerScope {
  onmessage: (event: MessageEvent<ToMovesWorker>) => void;
  postMessage(message: FromMovesWorker): void;
}

const self = globalThis as unknown as WorkerScope;

self.onmessage = ({ data: { id, job } }) => {
  const startMs = performance.now();
  try {
    self.postMessage({ id, moves: countMoves(job, () => performance.now() - startMs) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
