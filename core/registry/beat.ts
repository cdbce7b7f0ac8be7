/**
 * Reads what a heartbeat says.
 *
 * @module
 */

import { isNodeId } from "../fleet/node_id.ts";
import { type Beat, PEERS_MAX, type PeerTime, RegistryProblem } from "./protocol.ts";

/** A heartbeat, if it is one; shares a little beyond 1 are cut. @throws {RegistryProblem} */
export function readBeat(value: unknown): Beat {
  const beat = objectOf(value, "");
  const load = objectOf(beat.load, "/load");
  const draining = beat.draining ?? false;
  if (typeof draining !== "boolean") throw wrong("/draining", "true or false", draining);
  return {
    load: {
      cpu: share(load.cpu, "/load/cpu"),
      memory: share(load.memory, "/load/memory"),
      network: Math.round(amount(load.network, "/load/network")),
      connections: Math.round(amount(load.connections, "/load/connections")),
    },
    ...beat.capacity !== undefined && { capacity: amount(beat.capacity, "/capacity") },
    ...beat.peers !== undefined && { peers: peersOf(beat.peers) },
    draining,
  };
}

function peersOf(value: unknown): PeerTime[] {
  if (!Array.isArray(value) || value.length > PEERS_MAX) {
    throw wrong("/peers", `a list of at most ${PEERS_MAX}`, Array.isArray(value) ? value.length : value);
  }
  return value.map((item, at) => {
    const { node, rttMs } = objectOf(item, `/peers/${at}`);
    if (!isNodeId(node)) throw wrong(`/peers/${at}/node`, "a node's id", node);
    return { node, rttMs: rounded(amount(rttMs, `/peers/${at}/rttMs`), 100) };
  });
}

function objectOf(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw wrong(field, "an object", value);
}

function share(value: unknown, field: string): number {
  return Math.min(1, rounded(amount(value, field), 1000));
}

function amount(value: unknown, field: string): number {
  if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw wrong(field, "a number, at least 0", value);
}

/** No more digits than it has meaning: the store keeps them. */
function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

function wrong(field: string, wanted: string, got: unknown): RegistryProblem {
  const name = field.split("/").at(-1) || "the heartbeat";
  const text = JSON.stringify(got)?.slice(0, 64);
  return new RegistryProblem("invalid", `${name} must be ${wanted}: got ${text}`, field);
}
