/**
 * Nodes that are registered already, as the store has them, in as many pools as each has nodes; the credentials that their
 * heartbeats show; and the server that hears them.
 *
 * @module
 */

import { Credentials } from "../../../core/registry/credentials.ts";
import type { NodeRecord, RegistrationRecord } from "../../../core/registry/node_record.ts";
import { ringOf } from "../../../core/registry/seal.ts";
import { canonicalJson, type Json } from "../../../core/state/canonical.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { type Store, type Write, WRITES_MAX } from "../../../core/state/store.ts";
import { freePort } from "../../../tests/support/server.ts";
import type { CityData } from "../city_database.ts";
import { POOL_NAME, ZONE } from "../fleet.ts";

/** How many pools there are. */
const POOLS = 100;

/** The server that all of them registered with. */
const SERVER = "bench";

/** They are taken to have registered so much later: until each has been heard, nobody's lease is to end; half of them a turn earlier. */
const AHEAD_MS = 20_000, TURN_MS = 10_000;

/** Where servers of a fleet keep what they seal credentials with, and how one alone stands there: plugins/api/fleet_secret.ts. */
const SECRET_KEY = "registry/secret";

/** The name of a pool; clients ask for the first. */
function poolName(i: number): string {
  return i === 0 ? POOL_NAME : `p${i}.${ZONE}`;
}

/** Puts `count` nodes into the store. @returns A line for each: its id, and a credential that holds for an hour. */
export async function register(store: Store, count: number, nowMs: number): Promise<string> {
  const secret = crypto.getRandomValues(new Uint8Array(32)), credentials = new Credentials(ringOf(secret));
  const writes: Write[] = [{ put: SECRET_KEY, value: JSON.stringify({ secret: secret.toBase64() }) }];
  const lines: string[] = [], random = numbers();
  for (let i = 0; i < count; i++) {
    const record = nodeRecord(i, random);
    const registeredMs = nowMs + AHEAD_MS - (i & 1) * TURN_MS;
    const registration: RegistrationRecord = { registeredMs, server: SERVER, said: "" };
    writes.push(put(KEYS.node(record.id), record), put(KEYS.registration(record.id), registration));
    lines.push(`${record.id} ${credentials.issue(record, nowMs + 3_600_000)}\n`);
  }
  for (let at = 0; at < writes.length; at += WRITES_MAX) {
    await store.transact(writes.slice(at, at + WRITES_MAX));
  }
  return lines.join("");
}

/**
 * A server over `store`: its pools choose by distance among nodes that live by their leases alone. These are longer than by
 * default, because heartbeats rest in two of three rounds.
 */
export function corefile(store: string, port: number, apiPort: number, city: CityData): string {
  const pools = Array.from({ length: POOLS }, (_, i) =>
    `    anycast ${poolName(i)} {
        nodes registry
        select pool=${i}
        answers 1
        unknown nearest 50 8
    }`);
  return `{
    state state
    control off
    state ${store}
    server ${SERVER}
    lease 2m
    workers 1
}
${ZONE}:${port} {
    bind 127.0.0.1
    prometheus localhost:${freePort()}
    api 127.0.0.1:${apiPort}
    geo ${city.database}
${pools.join("\n")}
    ttl 5 60
}
`;
}

function nodeRecord(i: number, random: () => number): NodeRecord {
  return {
    id: `n${String(i).padStart(5, "0")}`,
    addresses: [`10.${i >> 16}.${i >> 8 & 255}.${i & 255}`],
    location: {
      latitude: Math.round((random() * 120 - 50) * 100) / 100,
      longitude: Math.round((random() * 360 - 180) * 100) / 100,
    },
    labels: { pool: String(i % POOLS) },
    origin: "registry",
    publicKey: new Uint8Array(32).fill(i & 255).toBase64(),
  };
}

function put(key: string, value: NodeRecord | RegistrationRecord): Write {
  return { put: key, value: canonicalJson(value as unknown as Json) };
}

/** From 0 to 1, the same ones every time. */
function numbers(): () => number {
  let state = 1;
  return () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return state / 2 ** 32;
  };
}
