/**
 * Which nodes a client gets, and why: decision 0001, "Selection". Pure: the same views and client give the same
 * choice on every server.
 *
 * @module
 */

import { type Consulted, LOOK, unite } from "./consulted.ts";
import { type Chosen, type Picked, pickListed, pickNear } from "./picking.ts";
import { nearTable } from "./near_table.ts";
import type { Place, PlaceTable } from "./place.ts";
import type { AllDown } from "./pool.ts";
import { rankAll } from "./ranking.ts";
import type { Member, PoolView, Views } from "./view.ts";

/** Who asks, as far as a choice depends on it. */
export interface Client {
  /** Absent = unlocated. */
  readonly place: Place | undefined;
  /** The place's number in its geography; 0 = no place. */
  readonly placeId: number;
  /** The leaf's hash. */
  readonly leaf: number;
  /** What the place's number is of; choices are remembered while it lives. Absent = nothing is remembered. */
  readonly places?: PlaceTable;
}

/** Which nodes, and why. */
export interface Choice {
  /** The pool asked. */
  readonly pool: string;
  readonly outcome: "nodes" | "nodata" | "servfail";
  /** Best first; in a spilled answer, nodes of another pool. */
  readonly chosen: readonly Chosen[];
  /** `nearest`, `bias`, `ring`, `all-down fail-open`, `spill to NAME: nearest`, … */
  readonly why: string;
  /** Every all-down policy that was applied, in turn, with what brought it about. */
  readonly allDown: readonly {
    readonly pool: string;
    readonly policy: AllDown["policy"];
    readonly because: "none serves" | "none within max-distance";
  }[];
  /** What it looked at, of every pool that it came by. */
  consulted(): readonly Consulted[];
}

/**
 * Chooses from a pool. While neither a ring nor a ramp makes the leaf matter, the choice for a place is made once
 * and kept for as long as the pool's view stands.
 *
 * @throws {RangeError} When there is no such pool.
 */
export function select(views: Views, pool: string, client: Client): Choice {
  const view = views(pool);
  if (!view) throw new RangeError(`Cannot choose from pool ${pool}: there is no such pool`);
  if (!client.places || isKeyedByLeaf(view)) return choose(views, view, client);
  const kept = keptChoices(view, client.places);
  const old = kept.get(client.placeId);
  if (old) return old;
  const choice = choose(views, view, client);
  // What a spill led to stands or falls with another view.
  if (!choice.allDown.some(({ policy }) => policy === "pool")) {
    if (kept.size >= KEPT_MAX) kept.clear();
    kept.set(client.placeId, choice);
  }
  return choice;
}

/** Choices kept for one view and one geography. */
const KEPT_MAX = 8192;

const keptByView = new WeakMap<PoolView, WeakMap<object, Map<number, Choice>>>();

function keptChoices(view: PoolView, places: object): Map<number, Choice> {
  let byPlaces = keptByView.get(view);
  if (!byPlaces) keptByView.set(view, byPlaces = new WeakMap());
  let kept = byPlaces.get(places);
  if (!kept) byPlaces.set(places, kept = new Map());
  return kept;
}

/** Whether clients at one place may get different answers from this pool. */
export function isKeyedByLeaf({ policy, serving }: PoolView): boolean {
  return policy.ring !== undefined || serving.some(({ ramp }) => ramp < 1);
}

/** The pools that a choice may come by, in turn: the one named, and where `all-down pool` leads from it. */
export function spillPath(views: Views, pool: string): readonly PoolView[] {
  const view = views(pool);
  if (!view) return [];
  const { allDown } = view.policy;
  return [view, ...allDown.policy === "pool" ? spillPath(views, allDown.pool) : []];
}

function choose(views: Views, view: PoolView, client: Client): Choice {
  if (view.members.length === 0) return chooseNothing(view);
  if (view.allDown) return chooseAllDown(views, view, client, "none serves");
  const picked = pick(view, client, (member) => member.serving, true, view.policy.maxDistanceKm);
  if (!picked) return chooseAllDown(views, view, client, "none within max-distance");
  return {
    pool: view.name,
    outcome: "nodes",
    chosen: picked.chosen,
    why: picked.rule,
    allDown: [],
    consulted: once(() => [{ pool: view.name, looks: watchingThreshold(view, picked.looks()) }]),
  };
}

/** There is no such record, whoever serves: not a matter of health. */
function chooseNothing({ name, family }: PoolView): Choice {
  const consulted = once(() => [{ pool: name, looks: new Uint8Array(0) }]);
  return {
    pool: name,
    outcome: "nodata",
    chosen: [],
    why: `no node has an IPv${family} address`,
    allDown: [],
    consulted,
  };
}

function pick(
  view: PoolView,
  client: Client,
  isCandidate: (member: Member) => boolean,
  ramps: boolean,
  maxDistanceKm: number,
): Picked | undefined {
  const place = placeOf(view, client);
  if (!place) return pickListed(view, isCandidate);
  const field = { isCandidate, ramps, maxDistanceM: maxDistanceKm * 1000 };
  const nearest = client.places && client.placeId > 0 && view.members.length > 0
    ? nearTable(view, client.places).row(client.placeId)
    : undefined;
  return pickNear(view, field, place, client.leaf, nearest);
}

/** Where the pool takes a client to be. */
export function placeOf({ policy: { unknown } }: PoolView, { place }: Client): Place | undefined {
  if (place || unknown.policy !== "nearest") return place;
  return { latitude: unknown.latitude, longitude: unknown.longitude, country: "", subdivision: "" };
}

type Because = Choice["allDown"][number]["because"];

/** Section "All-down". */
function chooseAllDown(views: Views, view: PoolView, client: Client, because: Because): Choice {
  const { allDown } = view.policy;
  const applied = { pool: view.name, policy: allDown.policy, because };
  const own = () => [{ pool: view.name, looks: looksAllDown(view, client, because) }];
  if (allDown.policy === "nodata" || allDown.policy === "servfail") {
    const why = `all-down ${allDown.policy}`;
    return {
      pool: view.name,
      outcome: allDown.policy,
      chosen: [],
      why,
      allDown: [applied],
      consulted: once(own),
    };
  }
  const other = allDown.policy === "pool" ? views(allDown.pool) : undefined;
  // Into a pool without a node of the family nothing spills: that would make an answer empty by accident.
  if (other && other.members.length > 0) {
    const spilled = select(views, other.name, client);
    return {
      ...spilled,
      pool: view.name,
      why: `spill to ${other.name}: ${spilled.why}`,
      allDown: [applied, ...spilled.allDown],
      consulted: once(() => unite([own(), spilled.consulted()])),
    };
  }
  const remembered = allDown.policy === "last-known-good" ? stillRemembered(view) : [];
  const policy = remembered.length > 0 ? "last-known-good" : "fail-open";
  const picked = pickWilling(view, client, remembered.length > 0 ? remembered : willing(view));
  return {
    pool: view.name,
    outcome: "nodes",
    chosen: picked.chosen,
    why: `all-down ${policy}`,
    allDown: [{ ...applied, policy }],
    consulted: once(() => {
      // Those that serve were the last to serve, out of reach as they are: so who of them serves matters.
      if (view.allDown || policy !== "last-known-good") return own();
      return unite([own(), [{ pool: view.name, looks: watchingThreshold(view, picked.looks()) }]]);
    }),
  };
}

/** The nodes that served when last the pool was not all-down, less those that are out. */
function stillRemembered(view: PoolView): readonly Member[] {
  if (!view.allDown) return view.serving;
  return view.members.filter(({ remembered, out }) => remembered && out === undefined);
}

function willing({ members }: PoolView): readonly Member[] {
  const notOut = members.filter(({ out }) => out === undefined);
  return notOut.length > 0 ? notOut : members;
}

/** Steps 2 to 6 without ramps; max-distance is ignored where it leaves none. */
function pickWilling(view: PoolView, client: Client, members: readonly Member[]): Picked {
  const among = new Set(members);
  const isCandidate = (member: Member) => among.has(member);
  return pick(view, client, isCandidate, false, view.policy.maxDistanceKm) ??
    pick(view, client, isCandidate, false, Infinity)!;
}

function looksAllDown(view: PoolView, client: Client, because: Because): Uint8Array {
  const { ring, maxDistanceKm } = view.policy;
  const always = ring ? LOOK.calendar | LOOK.change : LOOK.calendar;
  const looks = new Uint8Array(view.members.length).fill(always);
  const place = because === "none within max-distance" ? placeOf(view, client) : undefined;
  const awaited = place
    ? rankAll(view, place).filter(({ distanceM }) => distanceM <= maxDistanceKm * 1000).map(({ member }) =>
      member
    )
    : view.members;
  for (const { index } of awaited) looks[index]! |= LOOK.up;
  return looks;
}

function watchingThreshold(view: PoolView, looks: Uint8Array): Uint8Array {
  if (view.mustBeLost === Infinity) return looks;
  for (const { index } of view.serving) looks[index]! |= LOOK.threshold;
  return looks;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => made ??= make();
}
