/**
 * What each client should get, worked out a second time: from docs/decisions/0001-answers.md, by another formula for
 * the distance and by trying every node, without anything of `core/fleet` but its types. `prove` holds the server against it.
 *
 * @module
 */

import type { Node, Override } from "../fleet/node.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import { type PlaceTable } from "../fleet/place.ts";

/** A node of the pool as the oracle must know it, for one family of answers. */
export interface OracleNode {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly country: string;
  readonly subdivision: string;
  readonly weight: number;
}

/** What is known of the nodes; by index, in ascending order of id. */
export interface OracleState {
  readonly down: readonly boolean[];
  /** By someone's word or the calendar: {@linkcode isOut}. */
  readonly out: readonly boolean[];
  readonly degraded: readonly boolean[];
  /** The nodes that served last. */
  readonly lastServing: readonly boolean[];
}

/** Decision 0001, "Serving": an override in force decides; without one, the state and the maintenance windows do. */
export function isOut(node: Node, overrides: readonly Override[], nowMs: number): boolean {
  let isHeldUp = false;
  for (const { nodeId, state, fromMs, untilMs } of overrides) {
    if (nodeId !== node.id || nowMs < fromMs || nowMs >= untilMs) continue;
    if (state !== "up") return true;
    isHeldUp = true;
  }
  if (isHeldUp) return false;
  return node.state !== "up" ||
    node.maintenance.some(({ fromMs, untilMs }) => nowMs >= fromMs && nowMs < untilMs);
}

/** A leaf as octets: the family (4 or 6), the length, the zero-filled address. */
export type LeafOctets = Uint8Array;

/** What a state comes to. */
interface Standing {
  readonly state: OracleState;
  readonly serving: number[];
  readonly isUp: boolean;
  /** Who answers when nobody within reach serves. */
  readonly willing: number[];
}

/** The right answer of one pool and family, client by client. */
export class Oracle {
  readonly nodes: readonly OracleNode[];
  /** Whether two leaves of one place may get different answers. */
  readonly leafMatters: boolean;
  readonly #policy: PoolPolicy;
  readonly #places: PlaceTable;
  /** Whole metres, place by place, the nodes of a place side by side; row 0 is the point for unlocated clients. */
  /** In shared memory, so that another worker's oracle need not work it out again. */
  readonly distances: Uint32Array;
  readonly #nodeHashes: readonly number[];
  #known: Standing | undefined;

  /** @param distances Those of an oracle for the same nodes and places. */
  constructor(policy: PoolPolicy, nodes: readonly OracleNode[], places: PlaceTable, distances?: Uint32Array) {
    this.nodes = nodes;
    this.#policy = policy;
    this.#places = places;
    this.leafMatters = policy.ring !== undefined;
    this.#nodeHashes = nodes.map(({ id }) =>
      mix(fnv(new TextEncoder().encode(`pick\0${policy.name}\0${id}`)))
    );
    this.distances = distances ?? this.#measure();
  }

  #measure(): Uint32Array {
    const { nodes } = this;
    const distances = new Uint32Array(new SharedArrayBuffer(4 * this.#places.count * nodes.length));
    const stations = nodes.map(stationOf);
    for (let place = 0; place < this.#places.count; place++) {
      const from = stationOf(this.#point(place));
      for (let n = 0; n < nodes.length; n++) {
        distances[place * nodes.length + n] = sphereMetres(from, stations[n]!);
      }
    }
    return distances;
  }

  /**
   * The nodes for a client, as indexes, best first; undefined where the pool is down and its policy is not to answer
   * from its own nodes. `place` 0 = unlocated.
   */
  answer(place: number, leaf: LeafOctets | undefined, state: OracleState): number[] | undefined {
    const { serving, isUp, willing } = this.#standing(state);
    const { allDown } = this.#policy;
    if (isUp) {
      const chosen = this.#choose(serving, place, leaf, state, this.#policy.maxDistanceKm);
      if (chosen.length > 0) return chosen;
    }
    if (allDown.policy !== "last-known-good" && allDown.policy !== "fail-open") return undefined;
    const within = this.#choose(willing, place, leaf, state, this.#policy.maxDistanceKm);
    return within.length > 0 ? within : this.#choose(willing, place, leaf, state, Infinity);
  }

  /** Who serves in a state, whether that is enough, and who answers when it is not: the same for every client. */
  #standing(state: OracleState): Standing {
    if (this.#known?.state === state) return this.#known;
    const all = this.nodes.map((_, n) => n);
    const notOut = all.filter((n) => !state.out[n]);
    const serving = notOut.filter((n) => !state.down[n]);
    const { threshold, allDown } = this.#policy;
    const isUp = serving.length > 0 && !(threshold > 0 && serving.length / all.length < threshold);
    // Out of reach of every node that serves, while others are served: the last instant is now.
    const remembered = isUp ? serving : notOut.filter((n) => state.lastServing[n]);
    const isKnown = allDown.policy === "last-known-good" && remembered.length > 0;
    const willing = isKnown ? remembered : notOut.length > 0 ? notOut : all;
    return this.#known = { state, serving, isUp, willing };
  }

  /** Whole metres from a place to a node. */
  metres(place: number, node: number): number {
    return this.distances[place * this.nodes.length + node]!;
  }

  #point(place: number): { latitude: number; longitude: number } {
    if (place > 0) {
      return { latitude: this.#places.latitude[place]!, longitude: this.#places.longitude[place]! };
    }
    return this.#policy.unknown.policy === "nearest" ? this.#policy.unknown : { latitude: 0, longitude: 0 };
  }

  #choose(
    candidates: number[],
    place: number,
    leaf: LeafOctets | undefined,
    state: OracleState,
    maxKm: number,
  ): number[] {
    const { unknown, answers } = this.#policy;
    if (place === 0 && unknown.policy === "all") return candidates;
    if (place === 0 && unknown.policy === "nodes") {
      const listed = unknown.nodes.flatMap((id) => candidates.filter((n) => this.nodes[n]!.id === id));
      return (listed.length > 0 ? listed : candidates).slice(0, answers);
    }
    const reachable = maxKm === Infinity
      ? candidates
      : candidates.filter((n) => this.metres(place, n) <= maxKm * 1000);
    const { bias, ring } = this.#policy;
    if (bias.region === 0 && bias.country === 0 && !ring) return this.#nearest(reachable, place, answers);
    return this.#order(reachable, place, leaf, state).slice(0, answers);
  }

  /** The first of the order when distance alone makes it: the least, then the least of the rest, and so on. */
  #nearest(nodes: number[], place: number, count: number): number[] {
    const row = place * this.nodes.length;
    const taken: number[] = [];
    while (taken.length < Math.min(count, nodes.length)) {
      let best = -1;
      for (const n of nodes) {
        if ((best < 0 || this.distances[row + n]! < this.distances[row + best]!) && !taken.includes(n)) {
          best = n;
        }
      }
      taken.push(best);
    }
    return taken;
  }

  #order(nodes: number[], place: number, leaf: LeafOctets | undefined, state: OracleState): number[] {
    if (nodes.length === 0) return nodes;
    const { bias, ring } = this.#policy;
    const d = (n: number) => this.metres(place, n);
    const byDistance = (a: number, b: number) => d(a) - d(b) || a - b;
    let ordered = [...nodes].sort(byDistance);
    if (bias.region > 0 || bias.country > 0) {
      const limit = d(ordered[0]!) + bias.maxKm * 1000;
      const score = (n: number) => this.#score(place, n);
      const near = ordered.filter((n) => d(n) <= limit).sort((a, b) =>
        score(b) - score(a) || byDistance(a, b)
      );
      ordered = [...near, ...ordered.filter((n) => d(n) > limit)];
    }
    if (!ring || !leaf) return ordered;
    const best = ordered[0]!;
    const limit = Math.max(d(best) * (1 + ring.share), d(best) + ring.km * 1000);
    const isMember = (n: number) => d(n) <= limit && this.#bonus(place, n) === this.#bonus(place, best);
    const leafHash = fnv(leaf);
    const pull = (n: number) => {
      const weight = state.degraded[n] ? this.nodes[n]!.weight / 2 : this.nodes[n]!.weight;
      return -weight / Math.log((mix(leafHash ^ this.#nodeHashes[n]!) + 0.5) / 4294967296);
    };
    const members = ordered.filter(isMember).sort((a, b) => pull(b) - pull(a) || byDistance(a, b));
    return [...members, ...ordered.filter((n) => !isMember(n))];
  }

  #bonus(place: number, n: number): number {
    if (place === 0) return 0;
    const { countries, country, subdivisions, subdivision } = this.#places;
    const node = this.nodes[n]!;
    const clientCountry = countries[country[place]!]!, clientSubdivision = subdivisions[subdivision[place]!]!;
    if (clientCountry === "" || clientCountry !== node.country) return 0;
    const sameSubdivision = clientSubdivision !== "" && clientSubdivision === node.subdivision;
    return sameSubdivision ? this.#policy.bias.region : this.#policy.bias.country;
  }

  #score(place: number, n: number): number {
    const km = this.metres(place, n) / 1000;
    const linear = 1 - Math.min(1, km / 20000);
    const base = {
      linear,
      quadratic: linear ** 2,
      logarithmic: km < 1 ? 1 : Math.max(0, 1 - Math.log(km) / 10),
      stepped: [[100, 1], [500, 0.8], [2000, 0.6], [5000, 0.4]].find(([below]) => km < below!)?.[1] ?? 0.2,
    }[this.#policy.strategy];
    return base * (1 - this.#policy.bias.region) + this.#bonus(place, n);
  }
}

/** A point with the sines and cosines that distances from it need. */
interface Station {
  readonly sin: number;
  readonly cos: number;
  readonly longitude: number;
}

function stationOf({ latitude, longitude }: { latitude: number; longitude: number }): Station {
  const angle = latitude * Math.PI / 180;
  return { sin: Math.sin(angle), cos: Math.cos(angle), longitude: longitude * Math.PI / 180 };
}

/** Whole metres along a sphere of 6371 km, by the atan2 form, exact at every distance. */
function sphereMetres(a: Station, b: Station): number {
  const turn = b.longitude - a.longitude, cosTurn = Math.cos(turn);
  const east = b.cos * Math.sin(turn), north = a.cos * b.sin - a.sin * b.cos * cosTurn;
  return Math.round(
    6_371_000 * Math.atan2(Math.sqrt(east * east + north * north), a.sin * b.sin + a.cos * b.cos * cosTurn),
  );
}

function fnv(octets: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of octets) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}

function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
