/**
 * Small fleets and geographies, made by hand.
 *
 * @module
 */

import { byTarget } from "../../../core/fleet/by_target.ts";
import type { Node, Override } from "../../../core/fleet/node.ts";
import { type Geography, type Place, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import type { PoolPolicy, PoolState } from "../../../core/fleet/pool.ts";
import { leafHash } from "../../../core/fleet/rendezvous.ts";
import { type Choice, select } from "../../../core/fleet/select.ts";
import type { Verdict, VerdictDeadline, VerdictDeadlines, Verdicts } from "../../../core/fleet/verdict.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { type Family, parsePrefix } from "../../../core/net/address.ts";
import { overlay } from "../../../core/net/table_algebra.ts";
import { uniformTable } from "../../../core/net/table_builder.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../../core/snapshot.ts";

/** Noon. */
export const NOW_MS = Date.UTC(2026, 10, 22, 12);

/** Latitude, longitude, country, subdivision. */
export type PlaceText = readonly [number, number, string?, string?];

export function place([latitude, longitude, country = "", subdivision = ""]: PlaceText): Place {
  return { latitude, longitude, country, subdivision };
}

export const CITIES = {
  seattle: [47.6062, -122.3321, "US", "WA"],
  vancouver: [49.2827, -123.1207, "CA", "BC"],
  newYork: [40.7128, -74.006, "US", "NY"],
  losAngeles: [34.0522, -118.2437, "US", "CA"],
  perth: [-31.9523, 115.8613, "AU", "WA"],
  sydney: [-33.8688, 151.2093, "AU", "NSW"],
  singapore: [1.3521, 103.8198, "SG", ""],
  frankfurt: [50.1109, 8.6821, "DE", "HE"],
  london: [51.5074, -0.1278, "GB", "ENG"],
  paris: [48.8566, 2.3522, "FR", "IDF"],
} as const satisfies Record<string, PlaceText>;

let lastAddress = 0;

/** A node at a place, up, with an address of its own. */
export function node(id: string, at: PlaceText, more: Partial<Node> = {}): Node {
  return {
    id,
    ipv4: `192.0.2.${1 + lastAddress++ % 254}`,
    place: place(at),
    region: "",
    capacity: 0,
    weight: 1,
    labels: {},
    overlay: [],
    state: "up",
    maintenance: [],
    ...more,
  };
}

export const POOL = "www.example.org.";

export function policy(more: Partial<PoolPolicy> = {}): PoolPolicy {
  return {
    name: POOL,
    select: {},
    answers: 1,
    strategy: "linear",
    bias: { region: 0, country: 0, maxKm: 1000 },
    maxDistanceKm: Infinity,
    threshold: 0,
    unknown: { policy: "all" },
    allDown: { policy: "last-known-good" },
    ...more,
  };
}

/** A pool in which one check decides over each address: `tcp ADDRESS`. */
export function pool(
  nodes: readonly Node[],
  more: Partial<PoolPolicy> = {},
  state: Partial<PoolState> = {},
): PoolState {
  const addresses = nodes.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((address) =>
    address !== undefined
  );
  return {
    policy: policy(more),
    epoch: 1,
    nodes: nodes.toSorted((a, b) => a.id < b.id ? -1 : 1),
    targets: Object.fromEntries(addresses.map((address) => [address, [`tcp ${address}`]])),
    failingShare: 0,
    lastServing: { 4: [], 6: [] },
    ...state,
  };
}

export function snapshot(pools: readonly PoolState[], more: Partial<Snapshot> = {}): Snapshot {
  return {
    ...EMPTY_SNAPSHOT,
    pools: Object.fromEntries(pools.map((pool) => [pool.policy.name, pool])),
    ...more,
  };
}

/** What the check of each of some nodes says; nodes not named have no verdict. */
export function verdicts(
  nodes: readonly Node[],
  states: Readonly<Record<string, Verdict["state"] | Partial<Verdict>>>,
): Verdicts {
  return byTarget(Object.fromEntries(
    Object.entries(states).map(([id, state]) => [
      `tcp ${nodes.find((node) => node.id === id)!.ipv4}`,
      { state: "up", sinceMs: 0, reason: "", ramp: 1, ...typeof state === "string" ? { state } : state },
    ]),
  ));
}

/** When the check of each of some nodes could change; nothing that is not named ever does. */
export function deadlines(
  nodes: readonly Node[],
  known: Readonly<Record<string, Partial<VerdictDeadline>>>,
): VerdictDeadlines {
  return byTarget(Object.fromEntries(
    nodes.flatMap(({ id, ipv4, ipv6 }) =>
      [ipv4, ipv6].filter((address) => address !== undefined).map((address) => [
        `tcp ${address}`,
        {
          downMs: Infinity,
          upMs: Infinity,
          changeMs: Infinity,
          rampMs: Infinity,
          steady: true,
          ...known[id],
        },
      ])
    ),
  ));
}

export function override(nodeId: string, state: Override["state"], more: Partial<Override> = {}): Override {
  return {
    nodeId,
    state,
    reason: "test",
    actor: "ada",
    fromMs: NOW_MS - 1000,
    untilMs: NOW_MS + 60_000,
    ...more,
  };
}

/** Chooses for a client of 198.51.100.0/24, or of the leaf given. */
export function choose(
  snapshot: Snapshot,
  at: PlaceText | undefined,
  { leaf = "198.51.100.0/24", family = 4 as Family, nowMs = NOW_MS, name = POOL } = {},
): Choice {
  const client = { place: at && place(at), placeId: 0, leaf: leafHash(parsePrefix(leaf)!) };
  return select(viewsAt(snapshot, family, nowMs), name, client);
}

export function ids({ chosen }: Choice): string[] {
  return chosen.map(({ member }) => member.node.id);
}

/** A geography in which some prefixes have places, some are special, and the rest is unknown. */
export function geography(
  places: readonly PlaceText[],
  networks: Readonly<Record<string, number | string>>,
  epoch = 1,
): Geography {
  const specialNames: string[] = [];
  const entries = Object.entries(networks).map(([text, value]) => ({
    prefix: parsePrefix(text)!,
    value: typeof value === "number" ? value : SPECIAL_CLASS_FIRST + specialNames.push(value) - 1,
  }));
  const rows = [place([0, 0]), ...places.map(place)];
  const countries = [...new Set(rows.map(({ country }) => country))];
  const subdivisions = [...new Set(rows.map(({ subdivision }) => subdivision))];
  return {
    epoch,
    v4: overlay(uniformTable(4, 0), entries),
    v6: overlay(uniformTable(6, 0), entries),
    places: {
      count: rows.length,
      latitude: Float64Array.from(rows, ({ latitude }) => latitude),
      longitude: Float64Array.from(rows, ({ longitude }) => longitude),
      country: Uint16Array.from(rows, ({ country }) => countries.indexOf(country)),
      subdivision: Uint16Array.from(rows, ({ subdivision }) => subdivisions.indexOf(subdivision)),
      source: new Uint8Array(rows.length),
      countries,
      subdivisions,
      sourceNames: [{ name: "test", precision: "city" }],
    },
    specialNames,
    sources: [],
  };
}
