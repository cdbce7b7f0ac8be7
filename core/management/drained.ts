/**
 * When a drain is done: when the last answer that named the node has expired wherever it was kept.
 *
 *     each server: answers by it since, TTLs ──▶ drains/SERVER ──▶ drainedAt() ──▶ whoever asks
 *
 * @module
 */

import { canonicalJson, type Json } from "../state/canonical_json.ts";
import type { TtlBounds } from "../fleet/ttl_bounds.ts";
import type { OverrideValue } from "./overrides.ts";

/** What is known of one server's answers about a node that is drained. */
export interface DrainWitness {
  readonly server: string;
  /** Since when what it answers by has the drain in it, milliseconds since 1970; absent = it has not told so. */
  readonly sinceMs?: number;
  /** The longest TTL, in seconds, with which it may have named the node before. */
  readonly ttl: number;
  /** The same of answers that knew already when the drain begins: as a rule shorter. The same, where it is not said. */
  readonly ttlMin?: number;
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
  const drainedMs = servers.reduce(
    (latest, { sinceMs, ttl, ttlMin = ttl }) =>
      // Answers before it was known have any TTL; those between that and its start none that outlives the start by more.
      Math.max(latest, sinceMs! + ttl * 1000, startMs + ttlMin * 1000),
    -Infinity,
  );
  return { state: nowMs < drainedMs ? "expiring" : "drained", drainedMs };
}

/** The value of `drains/SERVER`. */
export interface ServerDrains {
  /** Of the process that wrote it. */
  readonly instance: string;
  readonly atMs: number;
  /** It was stopped, and answers nothing since then. */
  readonly leftMs?: number;
  /** By the override's id. */
  readonly drains: Readonly<Record<string, DrainSeen>>;
  /** Of nodes that want no new clients themselves, by id. */
  readonly nodes?: Readonly<Record<string, NodeDrainSeen>>;
}

/** Since when a server leaves a node out, and how long what it answered before may be kept, in seconds. */
interface LeftOut {
  readonly sinceMs: number;
  readonly ttl: TtlBounds;
}

/** By a node's own wish. */
export interface NodeDrainSeen extends LeftOut {
  /** Since when that is, by the clock of the server that heard it: tells one wish from the next. */
  readonly drainingMs: number;
}

/** By an override. */
export interface DrainSeen extends LeftOut {
  /** What was seen: {@linkcode drainText}. Of another drain under the same id nothing is said. */
  readonly what: string;
}

/** What of an override decides whom answers leave out from when on. */
export function drainText({ target, state, from }: Pick<OverrideValue, "target" | "state" | "from">): string {
  return canonicalJson({ target, state, from } as unknown as Json);
}

/** Whether an override takes nodes out of answers. */
export function isDrain({ state }: Pick<OverrideValue, "state">): boolean {
  return state === "drain" || state === "down";
}

/** What servers that are heard say of a drain. `servers`: their ids. */
export function witnessesOf(
  override: Pick<OverrideValue, "id" | "target" | "state" | "from">,
  servers: readonly string[],
  drainsOf: (server: string) => ServerDrains | undefined,
): DrainWitness[] {
  const what = drainText(override);
  return servers.map((server) => {
    const drains = drainsOf(server)?.drains ?? {};
    const seen = Object.hasOwn(drains, override.id) ? drains[override.id]! : undefined;
    if (seen?.what !== what) return { server, ttl: 0 };
    return { server, sinceMs: seen.sinceMs, ttl: seen.ttl.max, ttlMin: seen.ttl.min };
  });
}

/** The same of a node that wants no new clients since `drainingMs`. */
export function nodeWitnessesOf(
  id: string,
  drainingMs: number,
  servers: readonly string[],
  drainsOf: (server: string) => ServerDrains | undefined,
): DrainWitness[] {
  return servers.map((server) => {
    const nodes = drainsOf(server)?.nodes ?? {}, seen = Object.hasOwn(nodes, id) ? nodes[id]! : undefined;
    if (seen?.drainingMs !== drainingMs) return { server, ttl: 0 };
    return { server, sinceMs: seen.sinceMs, ttl: seen.ttl.max };
  });
}

/** For how long a server is reckoned with that nobody hears. */
const GONE_MS = 7 * 86_400_000;

/** Whether what a server said is too old for it to be there: those that are say it anew each day. */
export function longGone({ atMs }: Pick<ServerDrains, "atMs">, nowMs: number): boolean {
  return nowMs - atMs > GONE_MS;
}
