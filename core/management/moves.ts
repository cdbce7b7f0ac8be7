/**
 * What a change would move, network by network: who answers each now and who would then, by the very rule that answers. A pure
 * function of two snapshots, for a worker: a large geography takes it seconds.
 *
 *     leaves ──by place──▶ networks, demand ──▶ plan(before), plan(after) ──▶ MovingLeaf ──▶ blast radius
 *
 * @module
 */

import type { ClientDemand } from "../fleet/client_places.ts";
import { type Vector, vectorMetres, vectorOf } from "../fleet/distance.ts";
import { nearestToChosen } from "../fleet/near_table.ts";
import { type Geography, type Place, placeAt } from "../fleet/place.ts";
import { isPlain } from "../fleet/plain_basis.ts";
import { type Choice, isKeyedByLeaf, plan, spillPath } from "../fleet/select.ts";
import { type PoolView, type Views, viewsAt } from "../fleet/view.ts";
import type { Family } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import { type BlastRadius, blastRadius, type MovingLeaf } from "./blast_radius.ts";
import { askedAt, type Clients, clientsOf, type Draws, leavesOf } from "./moving_clients.ts";

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
