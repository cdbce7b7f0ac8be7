/**
 * What a mixed load asks for: zones, nodes and where they are, and what the right answers are.
 *
 * @module
 */

import type { Bins } from "../../../scripts/bench/statistics.ts";

/** The zones. What the second has is got from an upstream. */
export const ZONE = "soak.example", UPSTREAM_ZONE = "upstream.example";

/** The pool's name. */
export const POOL_NAME = `entry.${ZONE}`;

/** How many names there are: `n0000.soak.example.`, `f000.upstream.example.` */
export const NAMES = 4096, UPSTREAM_NAMES = 1000;

/** What every name below `wild` has. */
export const WILD_ADDRESS = "192.0.2.77";

/** A TXT record that takes more than a datagram of 512 octets. */
export const LARGE_NAME = `large.${ZONE}`, LARGE_OCTETS = 900;

/** How many nodes an answer has. */
export const ANSWERS = 2;

/** A node, and where it is. Its place in the list is its number. */
export interface Node {
  readonly address: string;
  readonly latitude: number;
  readonly longitude: number;
}

const CITIES: readonly (readonly [latitude: number, longitude: number])[] = [
  [50.1, 8.7],
  [51.5, -0.1],
  [39.0, -77.5],
  [37.8, -122.4],
  [-23.6, -46.6],
  [-26.2, 28.1],
  [19.1, 72.9],
  [35.7, 139.7],
];

/** All of them on loopback. */
export const NODES: readonly Node[] = CITIES.map(([latitude, longitude], i) => ({
  address: `127.9.0.${1 + i}`,
  latitude,
  longitude,
}));

/** The address of a numbered name, of the zone and of the upstream's. */
export const addressOf = (number: number): string => `10.1.${number >> 8}.${number & 255}`;
/** The same, of the upstream's. */
export const upstreamAddressOf = (number: number): string => `10.2.${number >> 8}.${number & 255}`;

/** A numbered name. */
export const nameOf = (number: number): string => `n${String(number).padStart(4, "0")}.${ZONE}`;
/** The same, of the upstream's. */
export const upstreamNameOf = (number: number): string =>
  `f${String(number).padStart(3, "0")}.${UPSTREAM_ZONE}`;

/** Networks whose clients are where a node is. */
export const subnetsAt = (node: number): readonly [v4: string, v6: string] => [
  `198.18.${node}.0/24`,
  `2001:db8:${node}::/48`,
];

/** The zone's file. */
export function zoneText(): string {
  return [
    "$TTL 60",
    "@ SOA ns1 hostmaster 1 2h 30m 2w 5m",
    "@ NS ns1",
    "ns1 A 192.0.2.53",
    `*.wild A ${WILD_ADDRESS}`,
    `large TXT ${Array(LARGE_OCTETS / 100).fill(`"${"x".repeat(100)}"`).join(" ")}`,
    ...Array.from({ length: NAMES }, (_, i) => `${nameOf(i)}. A ${addressOf(i)}`),
    "",
  ].join("\n");
}

/** The upstream's: its records are soon to be asked for again. */
export function upstreamZoneText(): string {
  return [
    "$TTL 5",
    "@ SOA ns1 hostmaster 1 2h 30m 2w 5",
    "@ NS ns1",
    "ns1 A 192.0.2.54",
    ...Array.from({ length: UPSTREAM_NAMES }, (_, i) => `${upstreamNameOf(i)}. A ${upstreamAddressOf(i)}`),
    "",
  ].join("\n");
}

/** The list of nodes, as YAML. */
export function nodesText(): string {
  return JSON.stringify({
    nodes: NODES.map(({ address, latitude, longitude }, i) => ({
      id: `node${i}`,
      addresses: [address],
      location: { latitude, longitude },
    })),
  });
}

/** Where networks are, as YAML. */
export function networksText(): string {
  const networks = NODES.flatMap(({ latitude, longitude }, i) =>
    subnetsAt(i).map((prefix) => ({ prefix, latitude, longitude }))
  );
  return JSON.stringify({ networks });
}

/** The nodes by their distance from where one of them is, nearest first. */
export function rankedFrom(node: number): readonly number[] {
  const distances = NODES.map((other) => angle(NODES[node]!, other));
  return NODES.map((_, i) => i).sort((a, b) => distances[a]! - distances[b]!);
}

/** Great-circle distance in radians. */
function angle(a: Node, b: Node): number {
  const [phi, psi] = [radians(a.latitude), radians(b.latitude)];
  const sum = Math.sin((phi - psi) / 2) ** 2 +
    Math.cos(phi) * Math.cos(psi) * Math.sin(radians(a.longitude - b.longitude) / 2) ** 2;
  return 2 * Math.asin(Math.sqrt(sum));
}

const radians = (degrees: number) => degrees * Math.PI / 180;

/** What clients.ts is told, as its one argument. */
export interface ClientsPlan {
  readonly port: number;
  /** Where nodes take connections while they are up. */
  readonly nodePort: number;
  /** Queries a second over UDP. */
  readonly rate: number;
  /** Between one change of a node and the next. */
  readonly flipMs: number;
}

/** What clients.ts says in the end, as JSON. */
export interface ClientsReport {
  /** By kind of query. */
  readonly kinds: Readonly<Record<string, KindReport>>;
  /** What was wrong or lost, the first few. */
  readonly samples: readonly string[];
  /** How often a node went down or came up. */
  readonly flips: number;
  /** Answers of the pool that were held against the very nodes that are right, not just against those that are down. */
  readonly exact: number;
  readonly hostile: { readonly asked: number; readonly answered: number; readonly connections: number };
}

/** Of one kind of query. */
export interface KindReport {
  asked: number;
  answered: number;
  wrong: number;
  lost: number;
  /** Connections that the server closed after they had been idle for as long as it lets them. */
  closed: number;
}

/** What a window of the steady load came to: in each, all kinds were asked at their rates. */
export interface Window {
  /** Since the load began, in seconds. */
  readonly atSeconds: number;
  readonly kinds: Readonly<Record<string, SteadyFigures>>;
}

/** Of one kind in one window; latencies from when each query was due. */
export interface SteadyFigures {
  readonly sent: number;
  readonly answered: number;
  readonly wrong: number;
  readonly bins: Bins;
}
