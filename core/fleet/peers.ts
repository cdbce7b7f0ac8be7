/**
 * Which other nodes of its pools a node had best speak to: a pure function, so that servers that know the same say the same.
 *
 * @module
 */

import { type Vector, vectorMetres, vectorOf } from "./distance.ts";
import type { Node, Override } from "./node.ts";
import type { Place } from "./place.ts";
import { overridesByNode, segmentOf, whyOut } from "./schedule.ts";
import type { State } from "./verdict.ts";

/** Nodes that belong together. */
export interface PeerPool {
  readonly name: string;
  readonly nodes: readonly Node[];
}

/** A round trip that one node measured to another. */
export interface RoundTrip {
  readonly rttMs: number;
  /** When, milliseconds since 1970. */
  readonly atMs: number;
}

/** The newest round trip from one node to another, by their ids; undefined where there is none. */
export type RoundTrips = (from: string, to: string) => RoundTrip | undefined;

/** How a node is, by probes and heartbeats together. */
export interface PeerHealth {
  /** Unknown counts as up. */
  readonly state: State;
  /** Share of its capacity that is in use, 0 to 1; absent where it is not known. */
  readonly load?: number;
  /** When that could be something else at the earliest, milliseconds since 1970; absent = never. */
  readonly changeMs?: number;
}

/** How nodes are. */
export type PeerHealths = (node: Node) => PeerHealth;

/** What is asked for. */
export interface PeerOptions {
  readonly nowMs: number;
  readonly count: number;
  readonly overrides?: readonly Override[];
  /** `overlay`: only those that can be reached by the overlay network. Default: by either way. */
  readonly view?: "any" | "overlay";
  /** Ids of the peers it has: they stay unless another one is better by a fifth, so that peers do not change for nothing. */
  readonly current?: readonly string[];
  /** Older round trips are not believed. Default {@linkcode ROUND_TRIP_MAX_AGE_MS}. */
  readonly roundTripMaxAgeMs?: number;
  /** Bounds of how long the answer holds, seconds. Default 5 and 60. */
  readonly ttlMin?: number;
  readonly ttlMax?: number;
}

/** A peer, as `GET /v1/peers` gives it. */
export interface Peer {
  /** Its id. */
  readonly node: string;
  /** Of the families that both have, IPv6 first. */
  readonly addresses: readonly string[];
  /** On the overlay network; empty where the two have none in common. */
  readonly overlay: readonly string[];
  readonly region: string;
  /** Absent where nobody has measured it of late. */
  readonly rttMs?: number;
  readonly distanceKm: number;
  readonly health: State;
  /** From 1, which is here, healthy and idle, down to 0. */
  readonly score: number;
  readonly why: string;
}

/** Peers, best first. */
export interface Peers {
  readonly peers: readonly Peer[];
  /** For how long that holds as far as is known now, seconds. */
  readonly ttl: number;
}

/** For so long a measured round trip stands. */
export const ROUND_TRIP_MAX_AGE_MS = 600_000;

/** Above this share of its capacity a node is busy. */
const BUSY = 0.8;

/** What a peer is worth that one has already. */
const LOYALTY = 0.8;

/** Another node, and the pools that it shares with the one that asks. */
interface Fellow {
  readonly node: Node;
  readonly pools: string[];
}

/** A fellow as seen from the one that asks. */
interface RankedFellow extends Fellow {
  readonly health: PeerHealth;
  readonly distanceM: number;
  readonly measured: RoundTrip | undefined;
  readonly isSlow: boolean;
  readonly isHeld: boolean;
  /** Milliseconds, and what counts like them. */
  readonly cost: number;
}

/**
 * The best peers of a node among those that are in a pool with it. They are ordered by round trip, measured by either of the
 * two, else estimated by distance; one that is degraded or busy counts as twice as far; of equals the smaller id comes first.
 * Who is out, or down, is left out; where everyone is down nobody is, since then it may be that nobody can tell.
 */
export function bestPeers(
  node: Node,
  pools: readonly PeerPool[],
  roundTrips: RoundTrips,
  healths: PeerHealths,
  options: PeerOptions,
): Peers {
  const { nowMs, view = "any" } = options, forced = overridesByNode(options.overrides ?? []);
  const maxAgeMs = options.roundTripMaxAgeMs ?? ROUND_TRIP_MAX_AGE_MS;
  const up: RankedFellow[] = [], down: RankedFellow[] = [];
  let changeMs = Infinity;
  for (const fellow of fellowsOf(node, pools)) {
    if (!canReach(node, fellow.node, view)) continue;
    const own = forced.get(fellow.node.id) ?? NO_OVERRIDES;
    if (own.length + fellow.node.maintenance.length > 0) {
      changeMs = Math.min(changeMs, segmentOf(fellow.node, own, nowMs).untilMs);
    }
    const health = healths(fellow.node);
    if (health.changeMs !== undefined && health.changeMs > nowMs) {
      changeMs = Math.min(changeMs, health.changeMs);
    }
    if (whyOut(fellow.node, own, nowMs) !== undefined) continue;
    const ranked = rank(node, fellow, health, roundTrips, options);
    if (ranked.measured) changeMs = Math.min(changeMs, ranked.measured.atMs + maxAgeMs);
    (health.state === "down" ? down : up).push(ranked);
  }
  const best = leastOf(up.length > 0 ? up : down, options.count);
  return {
    peers: best.map((one) => peerOf(node, one, view, up.length === 0)),
    ttl: ttlOf(changeMs, options),
  };
}

const NO_OVERRIDES: readonly Override[] = [];

/** Measurements as {@linkcode bestPeers} takes them: of several of the same way the newest counts. */
export function roundTripsOf(
  measured: Iterable<RoundTrip & { readonly from: string; readonly to: string }>,
): RoundTrips {
  const newest = new Map<string, Map<string, RoundTrip>>();
  for (const { from, to, rttMs, atMs } of measured) {
    let row = newest.get(from);
    if (!row) newest.set(from, row = new Map());
    if (atMs >= (row.get(to)?.atMs ?? -Infinity)) row.set(to, { rttMs, atMs });
  }
  return (from, to) => newest.get(from)?.get(to);
}

/** Round trip of light in glass, which takes detours, and of what stands in between; milliseconds. */
export function estimatedRttMs(distanceM: number): number {
  return 2 + distanceM / 1000 * 0.015;
}

/** Every other node of the pools that a node is in. */
function fellowsOf(node: Node, pools: readonly PeerPool[]): Iterable<Fellow> {
  const found = new Map<string, Fellow>();
  for (const { name, nodes } of pools) {
    if (!nodes.some(({ id }) => id === node.id)) continue;
    for (const other of nodes) {
      const known = found.get(other.id);
      if (known) known.pools.push(name);
      else if (other.id !== node.id) found.set(other.id, { node: other, pools: [name] });
    }
  }
  return found.values();
}

/** Whether two nodes have a family in common, by their addresses or on the overlay network. */
function canReach(own: Node, other: Node, view: "any" | "overlay"): boolean {
  const isPublic = view === "any" &&
    (own.ipv4 !== undefined && other.ipv4 !== undefined ||
      own.ipv6 !== undefined && other.ipv6 !== undefined);
  return isPublic || common(other.overlay, own.overlay).length > 0;
}

function addressesOf({ ipv4, ipv6 }: Node): string[] {
  return [ipv6, ipv4].filter((address) => address !== undefined);
}

/** Of `theirs` those whose family is among `ours`. */
function common(theirs: readonly string[], ours: readonly string[]): string[] {
  const isV6 = (address: string) => address.includes(":");
  return theirs.filter((address) => ours.some((own) => isV6(own) === isV6(address)));
}

function rank(
  node: Node,
  { node: other, pools }: Fellow,
  health: PeerHealth,
  roundTrips: RoundTrips,
  options: PeerOptions,
): RankedFellow {
  const distanceM = vectorMetres(lastingVector(node), lastingVector(other));
  const measured = freshest(node.id, other.id, roundTrips, options);
  const isSlow = health.state === "degraded" || (health.load ?? 0) > BUSY;
  const isHeld = options.current?.includes(other.id) ?? false;
  const rttMs = measured?.rttMs ?? estimatedRttMs(distanceM);
  const cost = rttMs * (isSlow ? 2 : 1) * (isHeld ? LOYALTY : 1);
  return { node: other, pools, health, distanceM, measured, isSlow, isHeld, cost };
}

/** A node is asked about by all others: its place is turned into a vector once. */
const vectors = new WeakMap<Place, Vector>();

function lastingVector({ place }: Node): Vector {
  let vector = vectors.get(place);
  if (!vector) vectors.set(place, vector = vectorOf(place));
  return vector;
}

/** The first of what sorting would give; a pool may have ten thousand nodes, of which three are wanted. */
function leastOf(all: readonly RankedFellow[], count: number): RankedFellow[] {
  const least: RankedFellow[] = [];
  for (const one of all) {
    if (least.length === count && !isBefore(one, least.at(-1)!)) continue;
    let at = least.length;
    while (at > 0 && isBefore(one, least[at - 1]!)) at--;
    least.splice(at, 0, one);
    if (least.length > count) least.pop();
  }
  return least;
}

function isBefore(a: RankedFellow, b: RankedFellow): boolean {
  return a.cost < b.cost || a.cost === b.cost && a.node.id < b.node.id;
}

function peerOf(own: Node, ranked: RankedFellow, view: "any" | "overlay", nobodyIsUp: boolean): Peer {
  const { node, pools, health: { state }, distanceM, measured, isSlow, isHeld, cost } = ranked;
  const reasons = [
    measured
      ? `${measured.rttMs.toFixed(1)} ms measured`
      : `${Math.round(estimatedRttMs(distanceM))} ms by distance`,
    ...isSlow ? [`twice as far for being ${state === "degraded" ? "degraded" : "busy"}`] : [],
    ...isHeld ? ["a peer already"] : [],
    `in ${pools.toSorted().join(", ")}`,
    ...nobodyIsUp ? ["nobody is up"] : [],
  ];
  return {
    node: node.id,
    addresses: view === "overlay" ? [] : common(addressesOf(node), addressesOf(own)),
    overlay: common(node.overlay, own.overlay),
    region: node.region,
    ...measured && { rttMs: measured.rttMs },
    distanceKm: Math.round(distanceM / 1000),
    health: state,
    score: Math.round(10_000 * 100 / (100 + cost)) / 10_000,
    why: reasons.join("; "),
  };
}

/** One's own, or the other's if that is newer: the way there and back is the same way. */
function freshest(
  own: string,
  other: string,
  roundTrips: RoundTrips,
  { nowMs, roundTripMaxAgeMs = ROUND_TRIP_MAX_AGE_MS }: PeerOptions,
): RoundTrip | undefined {
  const isFresh = (one: RoundTrip) => one.rttMs >= 0 && nowMs < one.atMs + roundTripMaxAgeMs;
  const there = roundTrips(own, other), back = roundTrips(other, own);
  if (!back || !isFresh(back)) return there && isFresh(there) ? there : undefined;
  return there && isFresh(there) && there.atMs >= back.atMs ? there : back;
}

function ttlOf(untilMs: number, { nowMs, ttlMin = 5, ttlMax = 60 }: PeerOptions): number {
  const seconds = Math.floor((untilMs - nowMs) / 1000);
  return Math.min(ttlMax, Math.max(ttlMin, seconds));
}
