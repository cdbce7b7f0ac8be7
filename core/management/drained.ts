/**
 * When a drain is done: when the last answer that named the node has expired wherever it was kept.
 *
 * @module
 */

/** What is known of one server's answers about a node that is drained. */
export interface DrainWitness {
  readonly server: string;
  /** Since when what it answers by has the drain in it, milliseconds since 1970; absent = it has not told so. */
  readonly sinceMs?: number;
  /** The longest TTL, in seconds, with which it may have named the node before. */
  readonly ttl: number;
}

/** How far a drain is. */
export type Drained =
  /** Some servers may still name the node. */
  | { readonly state: "spreading"; readonly waitingFor: readonly string[] }
  /** Nobody names it; answers that did may still be kept until `drainedMs`. */
  | { readonly state: "expiring"; readonly drainedMs: number }
  | { readonly state: "drained"; readonly drainedMs: number };

/**
 * How far a drain is. A server that cannot be heard may still answer as it did: it is waited for, unless the caller leaves it
 * out. Of no servers nothing can be said.
 */
export function drainedAt(startMs: number, servers: readonly DrainWitness[], nowMs: number): Drained {
  const waitingFor = servers.filter(({ sinceMs }) => sinceMs === undefined).map(({ server }) => server)
    .sort();
  if (waitingFor.length > 0 || servers.length === 0) return { state: "spreading", waitingFor };
  // Before its start nobody has cause to leave the node out, whatever was known of it.
  const drainedMs = servers.reduce(
    (latest, { sinceMs, ttl }) => Math.max(latest, Math.max(startMs, sinceMs!) + ttl * 1000),
    -Infinity,
  );
  return { state: nowMs < drainedMs ? "expiring" : "drained", drainedMs };
}
