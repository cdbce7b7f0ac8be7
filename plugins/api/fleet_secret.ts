/**
 * What all servers of a fleet know and nobody else: by it one takes the challenges and credentials that another has handed
 * out to nodes.
 *
 * @module
 */

import type { FleetScope } from "../../core/membership/fleet_half.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";

/** Where it lies. Who may read the store is a server. */
const KEY = "registry/secret";

/**
 * The secret, made by the first server that wants it. While the store is away it is what is known, or one of this process's
 * own, with which nodes prove themselves once more.
 */
export async function fleetSecret({ member: { store, replica }, log }: FleetScope): Promise<Uint8Array> {
  const known = replica.get(KEY);
  if (known) return octetsOf(known.value);
  try {
    const value = JSON.stringify({ secret: crypto.getRandomValues(new Uint8Array(32)).toBase64() });
    await store.transact([{ put: KEY, value }], [{ key: KEY, revision: 0 }]);
    return octetsOf((await store.get(KEY))!.value);
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    log.warn("api: the store is away: nodes that come from another server prove themselves once more");
    return crypto.getRandomValues(new Uint8Array(32));
  }
}

function octetsOf(value: string): Uint8Array {
  return Uint8Array.fromBase64(JSON.parse(value).secret);
}
