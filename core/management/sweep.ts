/**
 * What lies in the store and nobody needs any more: taken away now and then, by any server.
 *
 * @module
 */

import { PREFIXES } from "../state/keys.ts";
import { objectIn } from "../state/object_in.ts";
import type { Store } from "../state/store.ts";
import type { Management } from "./change.ts";
import { sweepDemand } from "./demand.ts";
import { longGone, type ServerDrains } from "./drained.ts";
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
  readonly drains: number;
}

/** Sweeps everything. Several servers may at once. @throws {StoreUnavailableError} The rest is for the next time. */
export async function sweep(management: Management, server: string): Promise<Swept> {
  const { store, clock, rest } = management, nowMs = clock.nowMs();
  return {
    answers: await sweepAnswers(store, nowMs),
    overrides: await sweepOverrides(management, server),
    records: await sweepRecords(store, nowMs, rest),
    demandRows: await sweepDemand(store, nowMs, rest),
    drains: await sweepDrains(store, nowMs),
  };
}

/** Takes away what servers said of drains that have long been gone; how many. One that comes back says so anew. */
async function sweepDrains(store: Store, nowMs: number): Promise<number> {
  const { entries } = await store.list(PREFIXES.drains);
  let swept = 0;
  for (const { key, value, revision } of entries) {
    const server = await store.get(`${PREFIXES.servers}${key.slice(PREFIXES.drains.length)}`);
    const said = objectIn(value) as Pick<ServerDrains, "atMs"> | undefined;
    if (server || said && !longGone(said, nowMs)) continue;
    if ((await store.transact([{ remove: key }], [{ key, revision }])).succeeded) swept++;
  }
  return swept;
}
