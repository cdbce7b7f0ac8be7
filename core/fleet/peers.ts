/**
 * Which other nodes of its pools a node had best speak to: a pure function, so that servers that know the same say the same.
 *
 * @module
 */

import { metresBetween } from "./distance.ts";
import type { Node, Override } from "./node.ts";
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

/** Another node with what it shares with the one that asks. */
interface Fellow {
  readonly node: Node;
  readonly pools: readonly string[];
  readonly addresses: readonly string[];
  readonly overlay: readonly string[];
  readonly health: PeerHealth;
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
  const forced = overridesByNode(options.overrides ?? []), { nowMs } = options;
  const fellows = fellowsOf(node, pools, healths, options.view ?? "any");
  const inService = fellows.filter(({ node }) =>
    whyOut(node, forced.get(node.id) ?? [], nowMs) === undefined
  );
  const serving = inService.filter(({ health }) => health.state !== "down");
  const allDown = serving.length === 0;
  const ranked = (allDown ? inService : serving).map((fellow) => rank(node, fellow, roundTrips, options))
    .sort((a, b) => a.cost - b.cost || (a.peer.node < b.peer.node ? -1 : 1));
  const changes = fellows.flatMap(({ node, health }) => [
    segmentOf(node, forced.get(node.id) ?? [], nowMs).untilMs,
    ...health.changeMs !== undefined && health.changeMs > nowMs ? [health.changeMs] : [],
  ]);
  const peers = ranked.slice(0, options.count).map(({ peer }) => peer);
  return {
    peers: allDown ? peers.map((peer) => ({ ...peer, why: `${peer.why}; nobody is up` })) : peers,
    ttl: ttlOf(Math.min(...changes, ...ranked.map(({ untilMs }) => untilMs)), options),
  };
}

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

/** Ascending by id; those that cannot be reached left out. */
function fellowsOf(
  node: Node,
  pools: readonly PeerPool[],
  healths: PeerHealths,
  view: "any" | "overlay",
): Fellow[] {
  const found = new Map<string, { node: Node; pools: string[] }>();
  for (const { name, nodes } of pools) {
    if (!nodes.some(({ id }) => id === node.id)) continue;
    for (const other of nodes) {
      if (other.id === node.id) continue;
      const known = found.get(other.id);
      if (known) known.pools.push(name);
      else found.set(other.id, { node: other, pools: [name] });
    }
  }
  return [...found.values()].map(({ node: other, pools }) => ({
    ...{ node: other, pools: pools.sort() },
    addresses: view === "overlay" ? [] : common(addressesOf(other), addressesOf(node)),
    overlay: common(other.overlay, node.overlay),
    health: healths(other),
  })).filter(({ addresses, overlay }) => addresses.length + overlay.length > 0);
}

function addressesOf({ ipv4, ipv6 }: Node): string[] {
  return [ipv6, ipv4].filter((address) => address !== undefined);
}

/** Of `theirs` those whose family is among `ours`. */
function common(theirs: readonly string[], ours: readonly string[]): string[] {
  const isV6 = (address: string) => address.includes(":");
  return theirs.filter((address) => ours.some((own) => isV6(own) === isV6(address)));
}

interface RankedPeer {
  readonly peer: Peer;
  /** Milliseconds, and what counts like them. */
  readonly cost: number;
  /** When its round trip is too old. */
  readonly untilMs: number;
}

function rank(node: Node, fellow: Fellow, roundTrips: RoundTrips, options: PeerOptions): RankedPeer {
  const { node: other, pools, addresses, overlay, health: { state, load = 0 } } = fellow;
  const distanceM = metresBetween(node.place, other.place);
  const measured = freshest(node.id, other.id, roundTrips, options);
  const rttMs = measured?.rttMs ?? estimatedRttMs(distanceM);
  const isSlow = state === "degraded" || load > BUSY;
  const isHeld = options.current?.includes(other.id) ?? false;
  const cost = rttMs * (isSlow ? 2 : 1) * (isHeld ? LOYALTY : 1);
  const reasons = [
    measured ? `${rttMs.toFixed(1)} ms measured` : `${Math.round(rttMs)} ms by distance`,
    ...isSlow ? [`twice as far for being ${state === "degraded" ? "degraded" : "busy"}`] : [],
    ...isHeld ? ["a peer already"] : [],
    `in ${pools.join(", ")}`,
  ];
  return {
    peer: {
      ...{ node: other.id, addresses, overlay, region: other.region },
      ...measured && { rttMs: measured.rttMs },
      distanceKm: Math.round(distanceM / 1000),
      health: state,
      score: Math.round(10_000 * 100 / (100 + cost)) / 10_000,
      why: reasons.join("; "),
    },
    cost,
    untilMs: measured ? measured.atMs + (options.roundTripMaxAgeMs ?? ROUND_TRIP_MAX_AGE_MS) : Infinity,
  };
}

/** One's own, or the other's if that is newer: the way there and back is the same way. */
function freshest(
  own: string,
  other: string,
  roundTrips: RoundTrips,
  { nowMs, roundTripMaxAgeMs = ROUND_TRIP_MAX_AGE_MS }: PeerOptions,
): RoundTrip | undefined {
  const there = roundTrips(own, other), back = roundTrips(other, own);
  return [there, back].filter((one) =>
    one !== undefined && one.rttMs >= 0 && nowMs < one.atMs + roundTripMaxAgeMs
  )
    .reduce((a, b) => a && b && b.atMs > a.atMs ? b : a ?? b, undefined);
}

function ttlOf(untilMs: number, { nowMs, ttlMin = 5, ttlMax = 60 }: PeerOptions): number {
  const seconds = Math.floor((untilMs - nowMs) / 1000);
  return Math.min(ttlMax, Math.max(ttlMin, seconds));
}
