/**
 * What one server has heard, as the store has it: nodes by buckets, so that a thousand heartbeats a second are a few
 * writes, and each of them a part of the whole.
 *
 * @module
 */

import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import { LEASE_TERMS } from "./lease.ts";
import type { Load, PeerTime } from "./protocol.ts";

/** How many buckets a server has: 256 nodes each where there are 16,384. All of them fit in one transaction. */
export const BUCKETS = 64;

/** The value of `alive/SERVER/BUCKET`. All times by the clock of that server. */
export interface HeardBucket {
  /** When it was written: all that had been heard by then is in it. */
  readonly atMs: number;
  /** When each node was heard last; where the server was away since, later by as much. */
  readonly heard: Readonly<Record<string, number>>;
  /** Since when nodes want no new clients. */
  readonly draining?: Readonly<Record<string, number>>;
  /** How long nodes may be silent, milliseconds; absent = {@linkcode LEASE_TERMS}. */
  readonly leaseMs?: number;
  /** The same of nodes that were told otherwise when they were heard: the server took another lease then. */
  readonly leases?: Readonly<Record<string, number>>;
}

/** A node in a bucket. */
export interface HeardNode {
  readonly id: string;
  readonly heardMs: number;
  readonly drainingMs: number | undefined;
  /** For how long after that it may be silent: what it was told. */
  readonly leaseMs: number;
}

/** What a node says of how busy it is, and how far others are. */
export interface NodeLoad extends Load {
  readonly capacity?: number;
  readonly peers?: readonly PeerTime[];
}

/** The value of `load/SERVER/BUCKET`. */
export interface LoadBucket {
  readonly atMs: number;
  readonly load: Readonly<Record<string, NodeLoad>>;
}

/** What of the value of `servers/ID` concerns hearings. Times by its own clock. */
export interface ServerPulse {
  /** When it was written. */
  readonly nowMs: number;
  /** All that was heard before is in the store. */
  readonly notedMs: number;
}

/** The bucket that a node is in (FNV-1a of 32 bit). */
export function bucketOf(node: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < node.length; i++) hash = Math.imul(hash ^ node.charCodeAt(i), 0x01000193);
  return ((hash ^ hash >>> 15) >>> 0) % BUCKETS;
}

/** The server and the bucket that a key below `alive/` or `load/` is of; undefined for other keys. */
export function bucketKey(key: string): { server: string; bucket: number } | undefined {
  const [, server, bucket] = /^(?:alive|load)\/([^/]+)\/(\d+)$/.exec(key) ?? [];
  return server === undefined ? undefined : { server: namePart(server), bucket: Number(bucket) };
}

/**
 * A bucket as its text has it.
 *
 * @throws {Error} It is none.
 */
export function readBucket(text: string): HeardBucket {
  const bucket = JSON.parse(text) as HeardBucket | null;
  const isBucket = Number.isFinite(bucket?.atMs) && typeof bucket?.heard === "object" &&
    bucket.heard !== null;
  if (!isBucket) throw new Error("wanted when it was written, and who was heard");
  return bucket;
}

/** The instant that stands under a node's id; undefined where none does. Only what JSON said stands there, not `toString`. */
export function instantOf(instants: HeardBucket["draining"] | null, id: string): number | undefined {
  const instant = instants && Object.hasOwn(instants, id) ? instants[id] : undefined;
  return Number.isFinite(instant) ? instant : undefined;
}

/** How long a node of a bucket may be silent, milliseconds. */
export function leaseMsIn({ leaseMs, leases }: HeardBucket, id: string): number {
  const own = instantOf(leases, id);
  return isLease(own) ? own : isLease(leaseMs) ? leaseMs : LEASE_TERMS.leaseMs;
}

/** No lease is longer than a day: whoever wrote that has not meant it. */
const LEASE_MS_MAX = 86_400_000;

function isLease(ms: number | undefined): ms is number {
  return ms !== undefined && ms > 0 && ms <= LEASE_MS_MAX;
}

/** Below this lie the buckets of what one server has heard. */
export function heardPrefix(server: string): string {
  return KEYS.alive(server, 0).slice(0, -1);
}

/**
 * The canonical text of a bucket whose nodes come in order; faster than to sort it each second.
 *
 * @param leaseMs What most of them were told.
 */
export function heardText(atMs: number, leaseMs: number, nodes: Iterable<HeardNode>): string {
  let heard = "", draining = "", leases = "";
  // Ids need no escapes.
  for (const { id, heardMs, drainingMs, leaseMs: ownMs } of nodes) {
    heard += `${heard === "" ? "" : ","}"${id}":${heardMs}`;
    if (drainingMs !== undefined) draining += `${draining === "" ? "" : ","}"${id}":${drainingMs}`;
    if (ownMs !== leaseMs) leases += `${leases === "" ? "" : ","}"${id}":${ownMs}`;
  }
  return `{"atMs":${atMs},${draining === "" ? "" : `"draining":{${draining}},`}"heard":{${heard}}` +
    `${leaseMs === LEASE_TERMS.leaseMs ? "" : `,"leaseMs":${leaseMs}`}` +
    `${leases === "" ? "" : `,"leases":{${leases}}`}}`;
}

/** The canonical text of a bucket of loads, of which each has been made text before. */
export function loadText(atMs: number, loads: ReadonlyMap<string, string>): string {
  // Ids need no escapes.
  const each = [...loads].sort(([a], [b]) => a < b ? -1 : 1).map(([id, text]) => `"${id}":${text}`);
  return `{"atMs":${atMs},"load":{${each.join(",")}}}`;
}

/** Where nodes' records are; see node_record.ts. */
export const NODES = PREFIXES.nodes;
