/**
 * What each client should get, worked out a second time: from docs/decisions/0001-answers.md, by another formula for
 * the distance and by trying every node, without anything of `core/fleet` but its types. `prove` holds the server against it.
 *
 * @module
 */

import type { Node, Override } from "../fleet/node.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import type { Coordinates, PlaceTable } from "../fleet/place.ts";
import type { NetworkCursor } from "../net/network_table.ts";
import { Distances } from "./distances.ts";
import { RightSets } from "./right_sets.ts";

/** A node of the pool as the oracle must know it, for one family of answers. */
export interface OracleNode {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly country: string;
  readonly subdivision: string;
  readonly weight: number;
  /** Whole metres, added to its distance. */
  readonly priceM: number;
  /** Absent = none. */
  readonly region?: string;
}

/** What is known of the nodes; by index, in ascending order of id. */
export interface OracleState {
  readonly down: readonly boolean[];
  /** By someone's word or the calendar: {@linkcode isOut}. */
  readonly out: readonly boolean[];
  readonly degraded: readonly boolean[];
  /** The nodes that served last. */
  readonly lastServing: readonly boolean[];
  /** The same as some regions know it. */
  readonly byRegion?: ReadonlyMap<string, OracleState>;
}

/** Decision 0001, "Serving": an override in force decides; without one, the state and the maintenance windows do. */
export function isOut(node: Node, overrides: readonly Override[], nowMs: number, pool: string): boolean {
  let everywhere: boolean | undefined, here: boolean | undefined;
  for (const override of overrides) {
    const { nodeId, state, fromMs, untilMs } = override;
    if (nodeId !== node.id || nowMs < fromMs || nowMs >= untilMs || state === "weight") continue;
    if (override.pool === undefined) everywhere = everywhere === true || state !== "up";
    else if (override.pool === pool) here = here === true || state !== "up";
  }
  const forced = here ?? everywhere;
  if (forced !== undefined) return forced;
  return node.state !== "up" ||
    node.maintenance.some(({ fromMs, untilMs }) => nowMs >= fromMs && nowMs < untilMs);
}

/** Decision 0001, "Serving": the weight that an override in force says, the pool's own before one for all. */
export function weightIn(node: Node, overrides: readonly Override[], nowMs: number, pool: string): number {
  let { weight } = node, isOfPool = false;
  for (const override of overrides) {
    const { nodeId, state, fromMs, untilMs } = override;
    if (nodeId !== node.id || nowMs < fromMs || nowMs >= untilMs || state !== "weight") continue;
    if (override.pool === undefined ? isOfPool : override.pool !== pool) continue;
    weight = override.weight!;
    isOfPool = override.pool !== undefined;
  }
  return weight;
}

/** A leaf as octets: the family (4 or 6), the length, the zero-filled address. */
export type LeafOctets = Uint8Array;

/** What a state comes to. */
interface Standing {
  readonly serving: readonly number[];
  readonly isUp: boolean;
  /** Who answers when nobody within reach serves. */
  readonly willing: readonly number[];
  /** Of a ring, node by node: the weight, halved while degraded. */
  readonly weights: readonly number[];
  readonly sets: RightSets;
}

/** Who is right for the clients of a place: all of `taken`, or of `drawn` as many as each leaf draws. */
interface Right {
  readonly taken: readonly number[];
  /** Ascending by distance, then id. */
  readonly drawn: readonly number[];
}

/** The right answer of one pool and family, client by client. */
export class Oracle {
  readonly nodes: readonly OracleNode[];
  /** Whether two leaves of one place may get different answers. */
  readonly leafMatters: boolean;
  /** Of all places and nodes: see {@linkcode Distances.metres}. */
  readonly distances: Uint32Array;
  readonly #policy: PoolPolicy;
  readonly #places: PlaceTable;
  readonly #measured: Distances;
  readonly #nodeHashes: readonly number[];
  /** Of nodes, whole metres; none in a compat pool. */
  readonly #prices: Float64Array;
  readonly #isPriced: boolean;
  readonly #mayEndEmpty: boolean;
  /** By place: 1 more than the index of the nearest node; 0 = not looked for yet. */
  readonly #nearestTo: Uint16Array;
  readonly #known = new WeakMap<OracleState, Standing>();

  /**
   * @param distances Those of an oracle for the same nodes and places, who then share what either has measured.
   * @param mayEndEmpty Whether all-down may come to no answer, in this pool or in one that it spills to.
   */
  constructor(
    policy: PoolPolicy,
    nodes: readonly OracleNode[],
    places: PlaceTable,
    distances?: Uint32Array,
    mayEndEmpty = policy.allDown.policy === "nodata" || policy.allDown.policy === "servfail",
  ) {
    this.nodes = nodes;
    this.#policy = policy;
    this.#places = places;
    this.leafMatters = policy.ring !== undefined;
    this.#mayEndEmpty = mayEndEmpty;
    this.#nearestTo = new Uint16Array(places.count);
    this.#nodeHashes = nodes.map(({ id }) =>
      mix(fnv(new TextEncoder().encode(`pick\0${policy.name}\0${id}`)))
    );
    this.#prices = Float64Array.from(nodes, ({ priceM }) => policy.compat ? 0 : priceM);
    this.#isPriced = this.#prices.some((price) => price !== 0);
    this.#measured = new Distances(nodes, (place) => this.#point(place), places.count, distances);
    this.distances = this.#measured.cells;
  }

  /**
   * The nodes for a client, as indexes, in no order; undefined where the pool is down and its policy is not to answer from
   * its own nodes. `place` 0 = unlocated.
   */
  answer(place: number, leaf: LeafOctets | undefined, state: OracleState): readonly number[] | undefined {
    const right = this.#right(place, state);
    if (!right || right.drawn.length === 0 || !leaf) return right?.taken;
    return this.#draw(right.drawn, fnv(leaf), this.#standing(this.#stateAt(place, state)).weights);
  }

  /** The same for the leaf at which a cursor stands, as a number: see {@linkcode setNodes}. Undefined likewise. */
  answerSet(place: number, leaf: NetworkCursor, state: OracleState): number | undefined {
    const { sets } = this.#standing(state);
    const known = sets.at(place) ?? sets.keep(place, this.#right(place, state));
    if (typeof known !== "object") return known;
    const { drawn, bySubset } = known;
    const { weights } = this.#standing(this.#stateAt(place, state));
    const found = this.#draw(drawn, fnvOfNetwork(leaf), weights);
    let subset = 0;
    for (const n of found) subset += 2 ** n;
    // Beyond that a number no longer has a bit for each node.
    if (this.nodes.length > 52) return sets.numberOf(found);
    let number = bySubset.get(subset);
    if (number === undefined) bySubset.set(subset, number = sets.numberOf(found));
    return number;
  }

  /** The nodes of a set that stands for an answer in a state. */
  setNodes(number: number, state: OracleState): readonly number[] {
    return this.#standing(state).sets.nodes[number]!;
  }

  /** Whole metres from a place to a node. */
  metres(place: number, node: number): number {
    return this.#measured.metres(place, node);
  }

  /** What orders go by: the same with the node's price. */
  cost(place: number, node: number): number {
    return this.metres(place, node) + this.#prices[node]!;
  }

  /** Decision 0001, "Whose verdicts": what counts for the clients of a place. */
  #stateAt(place: number, state: OracleState): OracleState {
    if (!state.byRegion || place === 0) return state;
    const own = state.byRegion.get(this.nodes[this.#nearestNode(place)]!.region ?? "");
    if (!own || !this.#standing(own).isUp) return state;
    return this.#mayEndEmpty && !this.#standing(state).isUp ? state : own;
  }

  #nearestNode(place: number): number {
    let nearest = this.#nearestTo[place]! - 1;
    if (nearest < 0) {
      const row = this.#measured.row(place), { cells } = this.#measured;
      nearest = 0;
      for (let n = 1; n < this.nodes.length; n++) if (cells[row + n]! < cells[row + nearest]!) nearest = n;
      this.#nearestTo[place] = nearest + 1;
    }
    return nearest;
  }

  #right(place: number, everyone: OracleState): Right | undefined {
    const { serving, isUp, willing } = this.#standing(this.#stateAt(place, everyone));
    const { allDown, maxDistanceKm } = this.#policy;
    if (isUp) {
      const chosen = this.#choose(serving, place, maxDistanceKm);
      if (chosen) return chosen;
    }
    if (allDown.policy !== "last-known-good" && allDown.policy !== "fail-open") return undefined;
    return this.#choose(willing, place, maxDistanceKm) ?? this.#choose(willing, place, Infinity);
  }

  /** Who serves in a state, whether that is enough, and who answers when it is not: the same for every client. */
  #standing(state: OracleState): Standing {
    const known = this.#known.get(state);
    if (known) return known;
    const all = this.nodes.map((_, n) => n);
    const notOut = all.filter((n) => !state.out[n]);
    const serving = notOut.filter((n) => !state.down[n]);
    const { threshold, allDown } = this.#policy;
    const isUp = serving.length > 0 && !(threshold > 0 && serving.length / all.length < threshold);
    // Out of reach of every node that serves, while others are served: the last instant is now.
    const remembered = isUp ? serving : notOut.filter((n) => state.lastServing[n]);
    const isKnown = allDown.policy === "last-known-good" && remembered.length > 0;
    const willing = isKnown ? remembered : notOut.length > 0 ? notOut : all;
    const weights = this.nodes.map(({ weight }, n) => state.degraded[n] ? weight / 2 : weight);
    const standing = { serving, isUp, willing, weights, sets: new RightSets(this.#places.count) };
    this.#known.set(state, standing);
    return standing;
  }

  #point(place: number): { latitude: number; longitude: number } {
    if (place > 0) {
      const { latitude, longitude } = this.#places;
      return { latitude: degrees(latitude, place), longitude: degrees(longitude, place) };
    }
    return this.#policy.unknown.policy === "nearest" ? this.#policy.unknown : { latitude: 0, longitude: 0 };
  }

  /** Steps 2, 4, 5 and 6; undefined where nobody is within reach. */
  #choose(candidates: readonly number[], place: number, maxKm: number): Right | undefined {
    const { unknown, answers, bias, ring } = this.#policy;
    if (place === 0 && unknown.policy === "all") return taking(candidates);
    if (place === 0 && unknown.policy === "nodes") {
      const listed = unknown.nodes.flatMap((id) => candidates.filter((n) => this.nodes[n]!.id === id));
      return taking((listed.length > 0 ? listed : candidates).slice(0, answers));
    }
    const row = this.#measured.row(place), { cells } = this.#measured;
    const { compat = false } = this.#policy;
    const reachable = maxKm === Infinity || compat
      ? candidates
      : candidates.filter((n) => cells[row + n]! - 1 <= maxKm * 1000);
    if (reachable.length === 0) return undefined;
    const isBiased = bias.region > 0 || bias.country > 0;
    if (!isBiased && !ring && !compat && !this.#isPriced) return taking(this.#nearest(reachable, row));
    const isNearer = (a: number, b: number) => {
      const difference = cells[row + a]! + this.#prices[a]! - cells[row + b]! - this.#prices[b]!;
      return difference < 0 || (difference === 0 && a < b);
    };
    const isBefore = compat
      ? this.#compatOrder(reachable, place)
      : isBiased
      ? this.#biasedOrder(reachable, place, isNearer)
      : isNearer;
    return ring
      ? this.#chooseFromRing(reachable, place, isNearer, isBefore)
      : taking(firstOf(reachable, answers, isBefore));
  }

  /** Step 6 where distance alone makes the order. `nodes` ascends. */
  #nearest(nodes: readonly number[], row: number): readonly number[] {
    const { answers } = this.#policy, { cells } = this.#measured;
    const taken: number[] = [];
    for (let i = 0; i < nodes.length; i++) {
      const n = nodes[i]!, d = cells[row + n]!;
      let rank = taken.length;
      while (rank > 0 && d < cells[row + taken[rank - 1]!]!) rank--;
      if (rank >= answers) continue;
      if (taken.length < answers) taken.push(n);
      for (let at = taken.length - 1; at > rank; at--) taken[at] = taken[at - 1]!;
      taken[rank] = n;
    }
    return taken;
  }

  #chooseFromRing(reachable: readonly number[], place: number, isNearer: Order, isBefore: Order): Right {
    const { answers, ring } = this.#policy;
    const best = firstOf(reachable, 1, isBefore)[0]!;
    const d = this.cost(place, best);
    const limit = Math.max(d * (1 + ring!.share), d + ring!.km * 1000);
    const bonus = this.#bonus(place, best);
    const isMember = (n: number) => this.cost(place, n) <= limit && this.#bonus(place, n) === bonus;
    const members = reachable.filter(isMember);
    if (members.length > answers) {
      return { taken: [], drawn: members.sort((a, b) => isNearer(a, b) ? -1 : 1) };
    }
    const others = reachable.filter((n) => !members.includes(n));
    return taking([...members, ...firstOf(others, answers - members.length, isBefore)]);
  }

  /** Step 4 with a bias: by score those not much farther than the nearest, then the others. */
  #biasedOrder(nodes: readonly number[], place: number, isNearer: Order): Order {
    let least = Infinity;
    for (const n of nodes) least = Math.min(least, this.cost(place, n));
    const limit = least + this.#policy.bias.maxKm * 1000;
    // Any score is above −1, which stands for being too far to have one.
    const scores = new Array<number>(this.nodes.length).fill(-1);
    for (const n of nodes) if (this.cost(place, n) <= limit) scores[n] = this.#score(place, n);
    return (a, b) => scores[a] === scores[b] ? isNearer(a, b) : scores[a]! > scores[b]!;
  }

  /** "Compat": by score, whatever the distance, then by id. */
  #compatOrder(nodes: readonly number[], place: number): Order {
    const limit = this.#policy.maxDistanceKm * 1000;
    const scores = new Array<number>(this.nodes.length).fill(0);
    for (const n of nodes) if (this.metres(place, n) <= limit) scores[n] = this.#score(place, n);
    return (a, b) => scores[a] === scores[b] ? a < b : scores[a]! > scores[b]!;
  }

  /** Of a ring, as many as an answer has: by rendezvous score, in one another's place where these are equal. */
  #draw(ring: readonly number[], leafHash: number, weights: readonly number[]): number[] {
    const pulls: number[] = [], taken: number[] = [];
    const { answers } = this.#policy;
    for (const n of ring) {
      const pull = -weights[n]! / Math.log((mix(leafHash ^ this.#nodeHashes[n]!) + 0.5) / 4294967296);
      let rank = taken.length;
      while (rank > 0 && pull > pulls[rank - 1]!) rank--;
      if (rank >= answers) continue;
      pulls.splice(rank, 0, pull);
      taken.splice(rank, 0, n);
      if (taken.length > answers) pulls.length = taken.length = answers;
    }
    return taken;
  }

  #bonus(place: number, n: number): number {
    if (place === 0) return 0;
    const { countries, country, subdivisions, subdivision } = this.#places;
    const node = this.nodes[n]!;
    const clientCountry = countries[country[place]!]!, clientSubdivision = subdivisions[subdivision[place]!]!;
    const sameCountry = clientCountry !== "" && clientCountry === node.country;
    const sameSubdivision = clientSubdivision !== "" && clientSubdivision === node.subdivision;
    if (!sameCountry && !(this.#policy.compat && sameSubdivision)) return 0;
    return sameSubdivision ? this.#policy.bias.region : this.#policy.bias.country;
  }

  #score(place: number, n: number): number {
    const km = this.cost(place, n) / 1000;
    return worth(this.#policy.strategy, km) * (1 - this.#policy.bias.region) + this.#bonus(place, n);
  }
}

/** Whether one node comes before another. */
type Order = (a: number, b: number) => boolean;

function taking(nodes: readonly number[]): Right {
  return { taken: nodes, drawn: [] };
}

/** The first of an order: the one that no other comes before, then that of the rest, and so on. */
function firstOf(nodes: readonly number[], count: number, isBefore: Order): number[] {
  const taken: number[] = [];
  while (taken.length < Math.min(count, nodes.length)) {
    let best = -1;
    for (const n of nodes) {
      if ((best < 0 || isBefore(n, best)) && !taken.includes(n)) best = n;
    }
    taken.push(best);
  }
  return taken;
}

/** What being so near is worth. */
function worth(strategy: PoolPolicy["strategy"], km: number): number {
  const linear = 1 - Math.min(1, km / 20000);
  switch (strategy) {
    case "linear":
      return linear;
    case "quadratic":
      return linear ** 2;
    case "logarithmic":
      return km < 1 ? 1 : Math.max(0, 1 - Math.log(km) / 10);
    case "stepped":
      return STEPS.find(([below]) => km < below)![1];
  }
}

const STEPS = [[100, 1], [500, 0.8], [2000, 0.6], [5000, 0.4], [Infinity, 0.2]] as const;

function fnv(octets: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of octets) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}

/** The hash of a network's family, length and address. */
function fnvOfNetwork({ family, start, length }: NetworkCursor): number {
  let hash = Math.imul(Math.imul(0x811c9dc5 ^ family, 0x01000193) ^ length, 0x01000193);
  for (const word of start) {
    for (let shift = 24; shift >= 0; shift -= 8) {
      hash = Math.imul(hash ^ ((word >>> shift) & 255), 0x01000193);
    }
  }
  return hash >>> 0;
}

function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A column holds degrees or, as integers, ten-thousandths of them. */
function degrees(column: Coordinates, place: number): number {
  return column instanceof Int32Array ? column[place]! / 1e4 : column[place]!;
}
