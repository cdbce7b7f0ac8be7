/**
 * What is too much for one transaction: written beforehand where nobody looks, until one last transaction says that it is
 * there. So that alone is a change, with its record; what was never named is swept.
 *
 * @module
 */

import type { Rest } from "../state/audit_log.ts";
import { type Store, VALUES_OCTETS_MAX, type Write, WRITES_MAX } from "../state/store.ts";

const encoder = new TextEncoder();

/** Writes in as many transactions as it takes, and lets others have a turn after each. Nobody may read what lies at the keys. */
export async function stage(store: Store, writes: Iterable<Write>, rest: Rest = nobodyWaits): Promise<void> {
  let batch: Write[] = [], octets = 0;
  for (const write of writes) {
    const size = "put" in write ? encoder.encode(write.value).length : 0;
    if (batch.length === WRITES_MAX || octets + size > VALUES_OCTETS_MAX) {
      await store.transact(batch);
      await rest();
      [batch, octets] = [[], 0];
    }
    batch.push(write);
    octets += size;
  }
  if (batch.length > 0) await store.transact(batch);
}

/** For where nobody else is. */
export const nobodyWaits: Rest = () => Promise.resolve();

/** Removes keys, as many at once as one transaction takes. */
export async function unstage(store: Store, keys: readonly string[], rest?: Rest): Promise<void> {
  await stage(store, keys.map((key) => ({ remove: key })), rest);
}
