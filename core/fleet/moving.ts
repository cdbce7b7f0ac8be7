/**
 * The prices at which traffic of degraded regions goes elsewhere: decision 0007, "Regional degradation". A function of what is in the job, in whole
 * metres: every server comes to the same. It may take a second or two, with a hundred nodes ten: it is for a worker.
 *
 * @module
 */

import {
  type ClientDemand,
  type ClientPlaces,
  clientPlaces,
  demandByPlace,
  PLACES_MAX,
} from "./client_places.ts";
import { vectorMetres, vectorOf } from "./distance.ts";
import type { Geography } from "./place.ts";
import { price } from "./prices.ts";

/** A node as prices go by it. */
export interface PricedNode {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly region: string;
  /** As in {@linkcode Node}: 0 = not stated. */
  readonly capacity: number;
  /** `degraded`: it takes half. `recovering`: some clients get it, and no others are to be turned away for it. */
  readonly state: "up" | "degraded" | "recovering" | "down";
}

/** What prices are worked out from. Plain data. */
export interface PriceJob {
  /** Ascending by id. */
  readonly nodes: readonly PricedNode[];
  /** Degraded ones. */
  readonly regions: readonly string[];
  /** How many nodes an answer has. */
  readonly answers: number;
  /** The share of its capacity with which a region does, where nobody knows what its clients ask for. */
  readonly below: number;
  readonly geography: Geography;
  /** What clients ask for, in the unit of capacities, and its number; absent = by how many addresses there are. */
  readonly demand?: { readonly number: number; readonly clients: ClientDemand };
}

/** Prices by id, ascending: whole metres, more than 0. */
export type Prices = Readonly<Record<string, number>>;

/** See the module. */
export function pricesOf(job: PriceJob): Prices {
  const { nodes, answers, below, geography, demand } = job;
  const capacities = capacitiesOf(nodes), [first, second] = whoTakes(nodes);
  if (first.length === 0) return {};
  const isKnown = demand !== undefined && nodes.some(({ capacity }) => capacity > 0);
  const world = worldOf(geography, demand, nodes);
  const asked = isKnown ? world.demand : scaled(world, nodes, capacities, below);
  const room = roomOf(job, first, capacities), count = Math.min(answers, first.length);
  if (!isKnown) leaveOthersAlone(room, job, first, ownLoad(world, asked, first, count));
  const settled = price({ demand: asked, capacity: room, metres: metresTo(world, first), answers: count });
  const prices = new Map(Array.from(settled.prices, (metres, i) => [first[i]!, metres]));
  if (second.length > 0) {
    for (const [node, metres] of joining(job, { world, asked, first, second, capacities, prices })) {
      prices.set(node, metres);
    }
  }
  const priced = [...prices].filter(([, metres]) => metres > 0).sort(([a], [b]) => a - b);
  return Object.fromEntries(priced.map(([node, metres]) => [nodes[node]!.id, metres]));
}

/** The nodes, by number, among which clients find room, and those that recover besides. */
function whoTakes(nodes: readonly PricedNode[]): [first: readonly number[], second: readonly number[]] {
  const serving = nodes.flatMap(({ state }, i) => state === "up" || state === "degraded" ? [i] : []);
  const recovering = nodes.flatMap(({ state }, i) => state === "recovering" ? [i] : []);
  // Where all that serve recover, there are no others whom clients could go to meanwhile.
  return serving.length > 0 ? [serving, recovering] : [recovering, []];
}

function roomOf(
  { nodes }: PriceJob,
  some: readonly number[],
  capacities: readonly number[],
): Float64Array {
  return Float64Array.from(
    some,
    (node) => ROOM * capacities[node]! * (nodes[node]!.state === "degraded" ? 0.5 : 1),
  );
}

/** What a node is asked for as it is, is a guess where demand is: nobody has to leave a region that is well for it. */
function leaveOthersAlone(
  room: Float64Array,
  { nodes, regions }: PriceJob,
  some: readonly number[],
  own: Float64Array,
): void {
  some.forEach((node, i) => {
    if (!regions.includes(nodes[node]!.region)) room[i] = Math.max(room[i]!, own[i]!);
  });
}

/**
 * The prices of nodes that recover: some clients get them, more and more of them, so they must not be asked for more than they
 * can do if all did. The others must find room as if they were not there, so those have the prices that they have.
 */
function joining(
  job: PriceJob,
  { world, asked, first, second, capacities, prices }: {
    readonly world: World;
    readonly asked: Float64Array;
    readonly first: readonly number[];
    readonly second: readonly number[];
    readonly capacities: readonly number[];
    readonly prices: ReadonlyMap<number, number>;
  },
): [node: number, metres: number][] {
  const all = [...first, ...second].sort((a, b) => a - b), room = roomOf(job, all, capacities);
  const capacity = room.map((one, i) => second.includes(all[i]!) ? one : Infinity);
  const metres = metresTo(world, all);
  for (let i = 0; i < metres.length; i++) metres[i]! += prices.get(all[i % all.length]!) ?? 0;
  const joined = price({ demand: asked, capacity, metres, answers: Math.min(job.answers, all.length) });
  return all.flatMap((node, i) => second.includes(node) ? [[node, joined.prices[i]!]] : []);
}

/** What is left over of a node: for places that are not cut, and the few clients whom the places' middles do not tell. */
const ROOM = 0.998;

/** So many distances are kept at once: 32 megabytes. And of so few places what comes out would be coarse. */
const DISTANCES_MAX = 8_000_000, PLACES_MIN = 2000;

/** Clients and nodes, and how far each is from each. */
interface World extends ClientPlaces {
  readonly nodes: number;
  /** From place `p` to node `n` at `p * nodes + n`. */
  readonly metres: Int32Array;
}

function worldOf(
  geography: Geography,
  demand: PriceJob["demand"],
  nodes: readonly PricedNode[],
): World {
  const most = Math.min(PLACES_MAX, Math.max(PLACES_MIN, Math.floor(DISTANCES_MAX / nodes.length)));
  const clients = clientsOf(geography, demand, most);
  const vectors = nodes.map(vectorOf), { length } = clients.demand;
  const metres = new Int32Array(length * nodes.length);
  for (let place = 0, at = 0; place < length; place++) {
    const from = vectorOf({ latitude: clients.latitude[place]!, longitude: clients.longitude[place]! });
    for (const to of vectors) metres[at++] = vectorMetres(from, to);
  }
  return { ...clients, nodes: nodes.length, metres };
}

/** The last that were asked for: to go through all leaves of a large geography takes as long as all the rest. */
let known:
  | { geography: Geography; number: number | undefined; most: number; clients: ClientPlaces }
  | undefined;

function clientsOf(geography: Geography, demand: PriceJob["demand"], most: number): ClientPlaces {
  if (known?.geography !== geography || known.number !== demand?.number || known.most !== most) {
    const clients = clientPlaces(geography.places, demandByPlace(geography, demand?.clients), most);
    known = { geography, number: demand?.number, most, clients };
  }
  return known.clients;
}

/** Those of some nodes alone. */
function metresTo({ demand, nodes, metres }: World, some: readonly number[]): Int32Array {
  const { length } = demand, picked = new Int32Array(length * some.length);
  for (let place = 0, at = 0; place < length; place++) {
    for (const node of some) picked[at++] = metres[place * nodes + node]!;
  }
  return picked;
}

/** Those that state none have what the others have on average; where nobody states any, all have the same. */
function capacitiesOf(nodes: readonly PricedNode[]): readonly number[] {
  const stated = nodes.flatMap(({ capacity }) => capacity > 0 ? [capacity] : []);
  const usual = stated.length > 0 ? stated.reduce((sum, one) => sum + one, 0) / stated.length : 1;
  return nodes.map(({ capacity }) => capacity > 0 ? capacity : usual);
}

/**
 * What places ask for where only that of one against another is known: each region, all of its nodes there, has as much
 * capacity as it takes to do with a share of `below` of it. So nothing has to move where that is what is left.
 */
function scaled(
  { demand, metres, nodes: count }: World,
  nodes: readonly PricedNode[],
  capacities: readonly number[],
  below: number,
): Float64Array {
  const regionOf = Array.from(demand, (_, place) => {
    let nearest = 0;
    for (let node = 1; node < count; node++) {
      if (metres[place * count + node]! < metres[place * count + nearest]!) nearest = node;
    }
    return nodes[nearest]!.region;
  });
  const asked = new Map<string, number>(), can = new Map<string, number>();
  const add = (to: Map<string, number>, region: string, more: number) =>
    to.set(region, (to.get(region) ?? 0) + more);
  regionOf.forEach((region, place) => add(asked, region, demand[place]!));
  nodes.forEach(({ region }, node) => add(can, region, capacities[node]!));
  return demand.map((one, place) => {
    const region = regionOf[place]!;
    return one * below * can.get(region)! / asked.get(region)!;
  });
}

/** What nodes are asked for where everybody goes to the nearest of them. */
function ownLoad(world: World, asked: Float64Array, nodes: readonly number[], answers: number): Float64Array {
  const capacity = new Float64Array(nodes.length).fill(Infinity);
  return price({ demand: asked, capacity, metres: metresTo(world, nodes), answers }).asked;
}
