/**
 * Who asks: the client networks of a geography by place, how many they are and what they ask for, and leaves of them that draw
 * where each draws for itself.
 *
 * @module
 */

import { type ClientDemand, demandByPlace } from "../fleet/client_places.ts";
import { type Geography, SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { leafHashAt } from "../fleet/rendezvous.ts";
import { findNetwork, NetworkCursor } from "../net/network_table.ts";

/** So many leaves draw at most, where each draws for itself: an even choice of all. */
const DRAWS_MAX = 65_536;

/** Who asks, by place; place 0 is nowhere. */
export interface Clients {
  readonly geography: Geography | undefined;
  /** How many networks each place has, and what they ask for. */
  readonly networks: Float64Array;
  readonly demand: Float64Array;
  /** Places that have clients, those that ask for most first. */
  readonly order: Uint32Array;
  /** An even choice of all leaves, worked out where each draws for itself. */
  draws(): Draws;
  /** Those that are known to ask, each with how much; undefined where nobody has said. */
  askers(): Askers | undefined;
}

/** Leaves that ask, by place as {@linkcode Draws} has them. */
export interface Askers extends Pick<Draws, "starts" | "hashes"> {
  readonly asked: Float64Array;
}

/** Hashes of leaves: those of place `p` are from `starts[p]` to before `starts[p + 1]`. */
export interface Draws {
  readonly starts: Uint32Array;
  readonly hashes: Uint32Array;
  readonly isWhole: boolean;
}

/** Of a geography; without one a single client. `given`: what networks ask for, if that is not as many as they have addresses. */
export function clientsOf(geography: Geography | undefined, given: ClientDemand | undefined): Clients {
  if (!geography) return ofNowhere(undefined);
  const demand = demandByPlace(geography, given), networks = new Float64Array(demand.length);
  // Most of what has no place is nobody's: it counts where somebody has said that it asks.
  if (!given) demand[0] = 0;
  const isOf = (placeId: number) => placeId > 0 || demand[0]! > 0;
  let count = 0;
  eachLeaf(geography, (placeId) => {
    if (!isOf(placeId)) return;
    networks[placeId]!++;
    count++;
  });
  if (count === 0) return ofNowhere(geography);
  let draws: Draws | undefined, askers: Askers | undefined;
  return {
    ...{ geography, networks, demand, order: orderOf(networks, demand) },
    draws: () => draws ??= drawsOf(geography, networks.length, count, isOf),
    askers: () => askers ??= given && askersOf(geography, given, networks.length),
  };
}

/** One network that asks once. */
function ofNowhere(geography: Geography | undefined): Clients {
  const one = Float64Array.of(1);
  const draws = { starts: Uint32Array.of(0, 1), hashes: Uint32Array.of(0), isWhole: true };
  return {
    geography,
    networks: one,
    demand: one,
    order: Uint32Array.of(0),
    draws: () => draws,
    askers: () => undefined,
  };
}

function eachLeaf({ v4, v6 }: Geography, visit: (placeId: number, leaf: NetworkCursor) => void): void {
  for (const table of [v4, v6]) {
    const leaf = new NetworkCursor(table);
    do visit(leaf.value >= SPECIAL_CLASS_FIRST ? 0 : leaf.value, leaf); while (leaf.next());
  }
}

/** Places by what they ask for, in powers of two: who is before whom of those that ask for much the same is no matter. */
function orderOf(networks: Float64Array, demand: Float64Array): Uint32Array {
  const powers = new Int16Array(networks.length), starts = new Uint32Array(POWERS + 1);
  for (let id = 0; id < powers.length; id++) {
    if (networks[id] === 0) continue;
    const power = Math.max(-POWER_MAX, Math.min(POWER_MAX, Math.floor(Math.log2(demand[id]!))));
    powers[id] = 1 + POWER_MAX - power;
    starts[powers[id]! + 1]!++;
  }
  for (let power = 0; power < POWERS; power++) starts[power + 1]! += starts[power]!;
  const order = new Uint32Array(starts[POWERS]!);
  for (let id = 0; id < powers.length; id++) if (powers[id]! > 0) order[starts[powers[id]!]!++] = id;
  return order;
}

/** The greatest power of two that is told from the next, either way; and the numbers that takes, none counted. */
const POWER_MAX = 128, POWERS = 2 * POWER_MAX + 2;

/** Hashes of every leaf, or of an even choice of {@linkcode DRAWS_MAX} at the most. */
function drawsOf(
  geography: Geography,
  placeCount: number,
  count: number,
  isOf: (placeId: number) => boolean,
): Draws {
  const stride = Math.ceil(count / DRAWS_MAX), taken = Math.ceil(count / stride);
  const places = new Uint32Array(taken), hashes = new Uint32Array(taken);
  let at = 0;
  eachLeaf(geography, (placeId, leaf) => {
    if (!isOf(placeId)) return;
    if (at % stride === 0) [places[at / stride], hashes[at / stride]] = [placeId, leafHashAt(leaf)];
    at++;
  });
  const { starts, order } = sortedByPlace(places, placeCount);
  return { starts, hashes: order.map((i) => hashes[i]!), isWhole: stride === 1 };
}

/** Where each place's begin, and the numbers of all in the order of their places. */
function sortedByPlace(
  places: ArrayLike<number>,
  placeCount: number,
): { readonly starts: Uint32Array; readonly order: Uint32Array } {
  const starts = new Uint32Array(placeCount + 1), order = new Uint32Array(places.length);
  for (let i = 0; i < places.length; i++) starts[places[i]! + 1]!++;
  for (let place = 0; place < placeCount; place++) starts[place + 1]! += starts[place]!;
  const next = starts.slice();
  for (let i = 0; i < places.length; i++) order[next[places[i]!]!++] = i;
  return { starts, order };
}

/** Of a network with more leaves than that, these stand for all. */
const LEAVES_OF_ONE_MAX = 256;

function askersOf(
  { v4, v6 }: Geography,
  { octets, families, lengths, demand }: ClientDemand,
  placeCount: number,
): Askers {
  const cursors = { 4: new NetworkCursor(v4), 6: new NetworkCursor(v6) };
  const places: number[] = [], hashes: number[] = [], asked: number[] = [];
  for (let i = 0; i < demand.length; i++) {
    const isIPv4 = families[i] === 4, length = lengths[i]!, leaf = cursors[isIPv4 ? 4 : 6];
    leaf.moveTo(findNetwork(isIPv4 ? v4 : v6, octets.subarray(16 * i, 16 * i + (isIPv4 ? 4 : 16))));
    for (let share = 0, found = 0; share < 1 && found < LEAVES_OF_ONE_MAX; found++) {
      const own = 2 ** Math.min(0, length - leaf.length);
      places.push(leaf.value >= SPECIAL_CLASS_FIRST ? 0 : leaf.value);
      hashes.push(leafHashAt(leaf));
      asked.push(demand[i]! * own);
      share += own;
      if (!leaf.next()) break;
    }
  }
  const { starts, order } = sortedByPlace(places, placeCount);
  return {
    starts,
    hashes: order.map((i) => hashes[i]!),
    asked: Float64Array.from(order, (i) => asked[i]!),
  };
}

/** The leaves of a place that draw; one of which no leaf was taken draws by its number, as good as any. */
export function leavesOf(placeId: number, { starts, hashes }: Draws): Uint32Array {
  const own = hashes.subarray(starts[placeId], starts[placeId + 1]);
  return own.length > 0 ? own : Uint32Array.of(Math.imul(placeId, 0x9e3779b1));
}

/** What those of a place who are known to ask ask for together. */
export function askedAt(placeId: number, { starts, asked }: Askers): number {
  let sum = 0;
  for (let row = starts[placeId]!; row < starts[placeId + 1]!; row++) sum += asked[row]!;
  return sum;
}
