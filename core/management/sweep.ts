/**
 * What lies in the store and nobody needs any more: taken away now and then, by any server.
 *
 * @module
 */

import type { Management } from "./change.ts";
import { sweepDemand } from "./demand.ts";
import { sweepAnswers } from "./idempotency.ts";
import { sweepOverrides } from "./overrides.ts";
import { sweepRecords } from "./zone_transfer.ts";

/** How often it is worth looking. */
export const SWEEP_MS = 600_000;

/** What was taken away. */
export interface Swept {
  readonly answers: number;
  readonly overrides: number;
  readonly records: number;
  readonly demandRows: number;
}

/** Sweeps everything. Several servers may at once. @throws {StoreUnavailableError} The rest is for the next time. */
export async function sweep(management: Management, server: string): Promise<Swept> {
  const { store, clock } = management, nowMs = clock.nowMs();
  return {
    answers: await sweepAnswers(store, nowMs),
    overrides: await sweepOverrides(management, server),
    records: await sweepRecords(store, nowMs),
    demandRows: await sweepDemand(store, nowMs),
  };
}
