/**
 * What a change would move, network by network: who answers each now and who would then, by the very rule that answers. A pure
 * function of two snapshots, for a worker: a large geography takes it seconds.
 *
 *     leaves ──by place──▶ networks, demand ──▶ plan(before), plan(after) ──▶ MovingLeaf ──▶ blast radius
 *
 * @module
 */

import { type ClientDemand, demandByPlace } from "../fleet/client_places.ts";
import { type Vector, vectorMetres, vectorOf } from "../fleet/distance.ts";
import { nearestToChosen } from "../fleet/near_table.ts";
import { type Geography, type Place, placeAt, SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { isPlain } from "../fleet/plain_basis.ts";
import { leafHashAt } from "../fleet/rendezvous.ts";
import { type Choice, isKeyedByLeaf, plan, spillPath } from "../fleet/select.ts";
import { type PoolView, type Views, viewsAt } from "../fleet/view.ts";
import type { Family } from "../net/address.ts";
import { findNetwork, NetworkCursor } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
import { type BlastRadius, blastRadius, type MovingLeaf } from "./blast_radius.ts";

/** A pool whose answers would be others. */
export interface MovingPool {
  readonly pool: string;
  /** Of answers, whose clients it stands for: those that are answered alike are counted once. */
  readonly families: readonly Family[];
  /** The key of its geography; absent = its clients have no places. */
  readonly block?: string;
}

/** What is to be counted. Plain data. */
export interface MovesJob {
  readonly pools: readonly MovingPool[];
  /** The parts of snapshots that the pools' answers depend on. */
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** By key. */
  readonly geographies: Readonly<Record<string, Geography>>;
  /** The instant that is looked at, milliseconds since 1970. */
  readonly atMs: number;
  /** What client networks ask for; absent = as many queries as they have addresses. */
  readonly demand?: ClientDemand;
  /** For how long it may count. */
  readonly timeMs: number;
}

/** What would move of a pool. Shares are of what was counted. */
export interface PoolMoves extends BlastRadius {
  readonly pool: string;
  readonly types: readonly ("A" | "AAAA")[];
  /** The shares that were counted in the time there was: places that ask for most come first. */
  readonly counted: { readonly networks: number; readonly demand: number };
  /**
   * Whether each network draws for itself, and not all of them were asked: then the share of networks is an estimate, and
   * where nobody has said what they ask for that of addresses, too.
   */
  readonly isSampled: boolean;
}

/** So many leaves draw at most, where each draws for itself: an even choice of all. */
export const DRAWS_MAX = 65_536;

/** So many places are counted between two looks at the clock. */
const PLACES_A_LOOK = 64;

/** Counts, pool by pool. @param sinceMs How long it has been at it, milliseconds. */
export function countMoves(job: MovesJob, sinceMs: () => number): readonly PoolMoves[] {
  const clients = new Map<string, Clients>();
  return job.pools.map((moving, i) => {
    const geography = moving.block === undefined ? undefined : job.geographies[moving.block];
    const key = moving.block ?? "";
    const known = clients.get(key) ?? clientsOf(geography, job.demand);
    clients.set(key, known);
    // What one leaves of its part of the time the next ones have.
    const untilMs = sinceMs() + Math.max(0, job.timeMs - sinceMs()) / (job.pools.length - i);
    return movesOf(job, moving, known, () => sinceMs() >= untilMs);
  });
}

/** Who asks, by place; place 0 is nowhere. */
interface Clients {
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
interface Askers extends Pick<Draws, "starts" | "hashes"> {
  readonly asked: Float64Array;
}

/** Hashes of leaves: those of place `p` are from `starts[p]` to before `starts[p + 1]`. */
interface Draws {
  readonly starts: Uint32Array;
  readonly hashes: Uint32Array;
  readonly isWhole: boolean;
}

function clientsOf(geography: Geography | undefined, given: ClientDemand | undefined): Clients {
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

function movesOf(
  job: MovesJob,
  { pool, families }: MovingPool,
  clients: Clients,
  isOver: () => boolean,
): PoolMoves {
  const family = families[0]!;
  const before = new Side(viewsAt(job.before, family, job.atMs), pool);
  const after = new Side(viewsAt(job.after, family, job.atMs), pool);
  const isKeyed = before.isKeyed || after.isKeyed, draws = isKeyed ? clients.draws() : undefined;
  const done = { networks: 0, demand: 0 };
  const leaves = movingLeaves(before, after, clients, draws, isOver, done);
  const radius = blastRadius(leaves, job.demand ? after.capacities : undefined);
  const sum = (values: Float64Array) => clients.order.reduce((sum, id) => sum + values[id]!, 0);
  return {
    ...{ pool, types: families.map((family) => family === 4 ? "A" : "AAAA"), ...radius },
    counted: {
      networks: share(done.networks, sum(clients.networks)),
      demand: share(done.demand, sum(clients.demand)),
    },
    isSampled: draws?.isWhole === false,
  };
}

function* movingLeaves(
  before: Side,
  after: Side,
  { geography, networks, demand, order, askers: askersOf }: Clients,
  draws: Draws | undefined,
  isOver: () => boolean,
  done: { networks: number; demand: number },
): Generator<MovingLeaf> {
  const askers = draws && askersOf();
  for (let i = 0; i < order.length; i++) {
    // Of the first places something is known in any case.
    if (i > 0 && i % PLACES_A_LOOK === 0 && isOver()) return;
    const placeId = order[i]!, place = placeId === 0 ? undefined : placeAt(geography!.places, placeId);
    const is = before.at(place, placeId), would = after.at(place, placeId);
    const moving = (leaf: number, weight: number, demand: number): MovingLeaf => {
      const { nodes, km } = is(leaf), { nodes: after, km: kmAfter } = would(leaf);
      return { weight, demand, before: nodes, after, kmBefore: km, kmAfter };
    };
    const leaves = draws ? leavesOf(placeId, draws) : NOBODY_DRAWS;
    // Who is known to ask draws for what is asked, and the others for how many they are.
    const known = askers ? askedAt(placeId, askers) : 0;
    const weight = networks[placeId]! / leaves.length,
      asked = known > 0 ? 0 : demand[placeId]! / leaves.length;
    for (const leaf of leaves) yield moving(leaf, weight, asked);
    for (let row = askers?.starts[placeId] ?? 0; known > 0 && row < askers!.starts[placeId + 1]!; row++) {
      yield moving(askers!.hashes[row]!, 0, demand[placeId]! * askers!.asked[row]! / known);
    }
    done.networks += networks[placeId]!;
    done.demand += demand[placeId]!;
  }
}

const NOBODY_DRAWS = Uint32Array.of(0);

function askedAt(placeId: number, { starts, asked }: Askers): number {
  let sum = 0;
  for (let row = starts[placeId]!; row < starts[placeId + 1]!; row++) sum += asked[row]!;
  return sum;
}

/** A place of which no leaf was taken draws by its number, as good as any. */
function leavesOf(placeId: number, { starts, hashes }: Draws): Uint32Array {
  const own = hashes.subarray(starts[placeId], starts[placeId + 1]);
  return own.length > 0 ? own : Uint32Array.of(Math.imul(placeId, 0x9e3779b1));
}

/** Who answers, and how far the nearest of them is; NaN where that is not known. */
interface Answered {
  readonly nodes: readonly string[];
  readonly km: number;
}

const NOBODY: Answered = { nodes: [], km: NaN };

/** A pool as it is, or as it would be. */
class Side {
  readonly #views: Views;
  readonly #view: PoolView | undefined;
  /** Whether no more than the order of the nearest nodes matters. */
  readonly #isPlain: boolean;
  readonly isKeyed: boolean;
  readonly capacities: ReadonlyMap<string, number>;

  constructor(views: Views, pool: string) {
    const path = spillPath(views, pool);
    [this.#views, this.#view] = [views, path[0]];
    this.#isPlain = path[0] !== undefined && path[0].members.length > 0 && isPlain(path[0]);
    this.isKeyed = path.some(isKeyedByLeaf);
    this.capacities = new Map(
      path.flatMap(({ members }) => members.map(({ node: { id, capacity } }) => [id, capacity] as const)),
    );
  }

  /** Who answers the leaves of a place. */
  at(place: Place | undefined, placeId: number): (leaf: number) => Answered {
    const view = this.#view;
    if (!view) return () => NOBODY;
    const near = place && this.#isPlain ? this.#byNearest(view, vectorOf(place)) : undefined;
    if (near) return () => near;
    const planned = plan(this.#views, view, { place, placeId });
    return (leaf) => answeredBy(planned.choose(leaf));
  }

  /** The same where nearness is all: as for a partition, places are many. */
  #byNearest({ members }: PoolView, at: Vector): Answered | undefined {
    const near = nearestToChosen(this.#view!, at);
    if (!near) return undefined;
    const chosen = near.map((index) => members[index]!).filter(({ serving }) => serving);
    return { nodes: chosen.map(({ node: { id } }) => id), km: vectorMetres(at, chosen[0]!.vector) / 1000 };
  }
}

function answeredBy({ chosen }: Choice): Answered {
  let metres = Infinity;
  for (const { distanceM = Infinity } of chosen) metres = Math.min(metres, distanceM);
  return {
    nodes: chosen.map(({ member: { node: { id } } }) => id),
    km: metres === Infinity ? NaN : metres / 1000,
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}
