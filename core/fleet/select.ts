/**
 * Which nodes a client gets, and why: decision 0001, "Selection". Pure: the same views and client give the same
 * choice on every server.
 *
 * @module
 */

import { type Consulted, LOOK, unite } from "./consulted.ts";
import { regionAt } from "./asking_region.ts";
import type { Variant } from "./lineup.ts";
import { type Chosen, type Picked, type PickPlan, planListed, planNear } from "./picking.ts";
import { vectorOf } from "./distance.ts";
import { NEAR_MAX, nearestMembers } from "./near_table.ts";
import type { Place, PlaceTable } from "./place.ts";
import type { AllDown } from "./pool.ts";
import { rankAll } from "./ranking.ts";
import { reachKm } from "./score.ts";
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
 * Chooses from a pool. What is the same for every leaf of a place is worked out once, and kept for as long as the pool's
 * view stands.
 *
 * @throws {RangeError} When there is no such pool.
 */
export function select(views: Views, pool: string, client: Client): Choice {
  const view = views(pool);
  if (!view) throw new RangeError(`Cannot choose from pool ${pool}: there is no such pool`);
  return keptPlan(views, view, client).choose(client.leaf);
}

function keptPlan(views: Views, view: PoolView, client: Omit<Client, "leaf">): ChoicePlan {
  if (!client.places) return plan(views, view, client);
  const kept = keptPlans(view, client.places);
  const old = kept.get(client.placeId);
  if (old) return old;
  const made = plan(views, view, client);
  // What a spill led to stands or falls with another view.
  if (!made.spills) keep(kept, client.placeId, made);
  return made;
}

function keep(kept: Map<number, ChoicePlan>, placeId: number, made: ChoicePlan): void {
  if (++plansKept > KEPT_MAX) {
    for (const plans of filled) plans.clear();
    filled.clear();
    plansKept = 1;
  }
  filled.add(kept);
  kept.set(placeId, made);
}

/** Plans kept for all views together: each is a kilobyte or two, and a large fleet has hundreds of views. */
const KEPT_MAX = 8192;
const filled = new Set<Map<number, ChoicePlan>>();
let plansKept = 0;

const keptByView = new WeakMap<PoolView, WeakMap<object, Map<number, ChoicePlan>>>();

function keptPlans(view: PoolView, places: object): Map<number, ChoicePlan> {
  let byPlaces = keptByView.get(view);
  if (!byPlaces) keptByView.set(view, byPlaces = new WeakMap());
  let kept = byPlaces.get(places);
  if (!kept) byPlaces.set(places, kept = new Map());
  return kept;
}

/** What the choices for the leaves of a place have in common. */
export class ChoicePlan {
  /** Whether it leads to another pool. */
  readonly spills: boolean;
  /** Absent where nobody is picked: nobody can be, or the policy is not to. */
  readonly #picks: PickPlan | undefined;
  readonly #choiceOf: (picked: Picked | undefined) => Choice;
  readonly #context: () => string;
  #fixed: Choice | undefined;

  /** @param context Written out: what the choice comes to beside the pick. */
  constructor(
    picks: PickPlan | undefined,
    choiceOf: (picked: Picked | undefined) => Choice,
    { context, spills = false }: { context: () => string; spills?: boolean },
  ) {
    this.#picks = picks;
    this.#choiceOf = choiceOf;
    this.#context = context;
    this.spills = spills;
  }

  /** The choice for a leaf. */
  choose(leaf: number): Choice {
    if (this.#fixed) return this.#fixed;
    const choice = this.#choiceOf(this.#picks?.lineup(leaf).pick(leaf));
    if (!this.#picks || this.#picks.common?.isFixed) this.#fixed = choice;
    return choice;
  }

  /** Whether leaves differ in whom they admit: then ask {@linkcode admitting} before anything below. */
  get isSplit(): boolean {
    return this.#picks !== undefined && !this.#picks.common;
  }

  /** The plan for those leaves that admit the same nodes as one of them. */
  admitting(leaf: number): ChoicePlan {
    const common = this.#picks?.lineup(leaf);
    const picks = common && { common, lineup: () => common };
    return new ChoicePlan(picks, this.#choiceOf, { context: this.#context, spills: this.spills });
  }

  /** Whether every leaf has the same variant. */
  get isUniform(): boolean {
    return !this.#picks || (this.#picks.common?.isUniform ?? false);
  }

  /** Two leaves that have the same get the same nodes, in some order, and the same was looked at. */
  variant(leaf: number): Variant {
    return this.#picks?.lineup(leaf).variant(leaf) ?? 0;
  }

  /** Written out: plans of the same views that have it in common make of each leaf the same, variant by variant. */
  essence(): string {
    return `${this.#context()}\n${this.#picks?.common?.essence() ?? ""}`;
  }

  /** The plan of a pool that spills to this one's. */
  spilled(wrap: (choice: Choice) => Choice, context: () => string): ChoicePlan {
    return this.wrapped(wrap, context, true);
  }

  /** The plan whose choices are made of this one's. @param context What they come to besides. */
  wrapped(wrap: (choice: Choice) => Choice, context: () => string, spills = this.spills): ChoicePlan {
    return new ChoicePlan(this.#picks, (picked) => wrap(this.#choiceOf(picked)), {
      context: () => `${context()}\n${this.#context()}`,
      spills,
    });
  }
}

/** Whether clients at one place may get different answers from this pool. */
export function isKeyedByLeaf({ policy, serving, regional }: PoolView): boolean {
  if (policy.ring !== undefined || serving.some(({ ramp }) => ramp < 1)) return true;
  return regional !== undefined && [...regional.values()].some(isKeyedByLeaf);
}

/** The pools that a choice may come by, in turn: the one named, and where `all-down pool` leads from it. */
export function spillPath(views: Views, pool: string): readonly PoolView[] {
  const view = views(pool);
  if (!view) return [];
  const { allDown } = view.policy;
  return [view, ...allDown.policy === "pool" ? spillPath(views, allDown.pool) : []];
}

/** Plans the choices for the leaves of a client's place, by the verdicts that hold there. */
export function plan(views: Views, view: PoolView, client: Omit<Client, "leaf">): ChoicePlan {
  if (!view.regional) return planBy(views, view, client);
  const own = regionalView(views, view, client);
  if (!own) return planBy(views, view, client);
  if (!own.allDown) {
    const planned = planBy(views, own, client);
    // Where all-down may come to nothing, the region's opinion lasts as long as somebody serves by everyone's.
    if (!mayEndEmpty(views, view)) return planned;
    return lookingAt(once(() => lookedAt(view, looksServing(view))), planned, `${view.name} serves`);
  }
  // A region's opinion takes the pool away from nobody. Its nodes may come back to it, and then it has one again.
  const looks = once(() => lookedAt(own, looksAllDown(own, client, "none serves")));
  return lookingAt(looks, planBy(views, view, client), `${view.name} but for ${own.region}`);
}

/** The plan whose choices have looked at something more. */
function lookingAt(more: () => Consulted, planned: ChoicePlan, context: string): ChoicePlan {
  return planned.wrapped(
    (choice) => ({ ...choice, consulted: once(() => unite([choice.consulted(), [more()]])) }),
    () => context,
  );
}

/** Whether enough of those that serve go on to. */
function looksServing({ members }: PoolView): Uint8Array {
  return Uint8Array.from(members, ({ serving }) => serving ? LOOK.threshold : 0);
}

/** The view by whose verdicts a client is answered: its region's where that has others than all have, and somebody serves. */
export function decidingView(views: Views, view: PoolView, client: Pick<Client, "place">): PoolView {
  const own = regionalView(views, view, client);
  return own && !own.allDown ? own : view;
}

/**
 * The view of a client's region; undefined where that says what all do. Nobody knows which region a client without a place is
 * in. Geography must not decide whether there is an answer: where all-down may come to none, all are answered alike.
 */
export function regionalView(
  views: Views,
  view: PoolView,
  { place }: Pick<Client, "place">,
): PoolView | undefined {
  if (!view.regional || !place || (view.allDown && mayEndEmpty(views, view))) return undefined;
  return view.regional.get(regionAt(view, place));
}

function mayEndEmpty(views: Views, { name }: PoolView): boolean {
  const { policy } = spillPath(views, name).at(-1)!.policy.allDown;
  return policy === "nodata" || policy === "servfail";
}

function lookedAt({ name, region }: PoolView, looks: Uint8Array): Consulted {
  return region === undefined ? { pool: name, looks } : { pool: name, region, looks };
}

function planBy(views: Views, view: PoolView, client: Omit<Client, "leaf">): ChoicePlan {
  if (view.members.length === 0) return planNothing(view);
  if (view.allDown) return planAllDown(views, view, client, "none serves");
  const picks = planPicks(view, client, (member) => member.serving, true, reachKm(view.policy));
  if (!picks) return planAllDown(views, view, client, "none within max-distance");
  const choiceOf = (picked: Picked | undefined): Choice => ({
    pool: view.name,
    outcome: "nodes",
    chosen: picked!.chosen,
    why: picked!.rule,
    allDown: [],
    consulted: once(() => [lookedAt(view, watchingThreshold(view, picked!.looks()))]),
  });
  return new ChoicePlan(picks, choiceOf, { context: () => contextOf(view) });
}

function contextOf({ name, region }: PoolView): string {
  return region === undefined ? name : `${name} ${region}`;
}

/** There is no such record, whoever serves: not a matter of health. */
function planNothing({ name, family }: PoolView): ChoicePlan {
  const choiceOf = (): Choice => ({
    pool: name,
    outcome: "nodata",
    chosen: [],
    why: `no node has an IPv${family} address`,
    allDown: [],
    consulted: once(() => [{ pool: name, looks: new Uint8Array(0) }]),
  });
  return new ChoicePlan(undefined, choiceOf, { context: () => name });
}

function planPicks(
  view: PoolView,
  client: Omit<Client, "leaf">,
  isCandidate: (member: Member) => boolean,
  ramps: boolean,
  maxDistanceKm: number,
): PickPlan | undefined {
  const place = placeOf(view, client);
  if (!place) return planListed(view, isCandidate);
  const field = { isCandidate, ramps, maxDistanceM: maxDistanceKm * 1000 };
  const nearest = client.placeId > 0 && view.members.length > NEAR_MAX
    ? nearestMembers(view.members, vectorOf(place), NEAR_MAX)
    : undefined;
  return planNear(view, field, place, nearest);
}

/** Where the pool takes a client to be. */
export function placeOf(
  { policy: { unknown } }: PoolView,
  { place }: Pick<Client, "place">,
): Place | undefined {
  if (place || unknown.policy !== "nearest") return place;
  return { latitude: unknown.latitude, longitude: unknown.longitude, country: "", subdivision: "" };
}

type Because = Choice["allDown"][number]["because"];

/** Section "All-down". */
function planAllDown(
  views: Views,
  view: PoolView,
  client: Omit<Client, "leaf">,
  because: Because,
): ChoicePlan {
  const { allDown } = view.policy;
  const applied = { pool: view.name, policy: allDown.policy, because };
  const own = once(() => looksAllDown(view, client, because));
  const consultsOwn = once(() => [lookedAt(view, own())]);
  // Where none serves, that is so for every place, and every node is looked at.
  const context = () => `${contextOf(view)} ${because} ${view.allDown ? "" : String.fromCharCode(...own())}`;
  if (allDown.policy === "nodata" || allDown.policy === "servfail") {
    const { policy } = allDown;
    const choiceOf = (): Choice => ({
      pool: view.name,
      outcome: policy,
      chosen: [],
      why: `all-down ${policy}`,
      allDown: [applied],
      consulted: consultsOwn,
    });
    return new ChoicePlan(undefined, choiceOf, { context });
  }
  const other = allDown.policy === "pool" ? views(allDown.pool) : undefined;
  // Into a pool without a node of the family nothing spills: that would make an answer empty by accident.
  if (other && other.members.length > 0) {
    const spill = (spilled: Choice): Choice => ({
      ...spilled,
      pool: view.name,
      why: `spill to ${other.name}: ${spilled.why}`,
      allDown: [applied, ...spilled.allDown],
      consulted: once(() => unite([consultsOwn(), spilled.consulted()])),
    });
    return keptPlan(views, other, client).spilled(spill, context);
  }
  const { policy, isCandidate } = whoIsWilling(view);
  // Max-distance is ignored where it leaves none.
  const picks = planPicks(view, client, isCandidate, false, reachKm(view.policy)) ??
    planPicks(view, client, isCandidate, false, Infinity)!;
  const choiceOf = (picked: Picked | undefined): Choice => ({
    pool: view.name,
    outcome: "nodes",
    chosen: picked!.chosen,
    why: `all-down ${policy}`,
    allDown: [{ ...applied, policy }],
    consulted: once(() => {
      // Those that serve were the last to serve, out of reach as they are: so who of them serves matters.
      if (view.allDown || policy !== "last-known-good") return consultsOwn();
      return unite([consultsOwn(), [lookedAt(view, watchingThreshold(view, picked!.looks()))]]);
    }),
  });
  return new ChoicePlan(picks, choiceOf, { context });
}

/** Who answers while nobody serves, or nobody within reach. */
interface Willing {
  /** The policy in effect. */
  readonly policy: "last-known-good" | "fail-open";
  readonly isCandidate: (member: Member) => boolean;
}

const willingByView = new WeakMap<PoolView, Willing>();

function whoIsWilling(view: PoolView): Willing {
  let known = willingByView.get(view);
  if (!known) {
    const remembered = view.policy.allDown.policy === "last-known-good" ? stillRemembered(view) : [];
    const members = new Set(remembered.length > 0 ? remembered : notOutOrAll(view));
    const policy = remembered.length > 0 ? "last-known-good" : "fail-open";
    willingByView.set(view, known = { policy, isCandidate: (member) => members.has(member) });
  }
  return known;
}

/** The nodes that served when last the pool was not all-down, less those that are out. */
function stillRemembered(view: PoolView): readonly Member[] {
  if (!view.allDown) return view.serving;
  return view.members.filter(({ remembered, out }) => remembered && out === undefined);
}

function notOutOrAll({ members }: PoolView): readonly Member[] {
  const notOut = members.filter(({ out }) => out === undefined);
  return notOut.length > 0 ? notOut : members;
}

function looksAllDown(view: PoolView, client: Omit<Client, "leaf">, because: Because): Uint8Array {
  const { ring } = view.policy;
  const always = ring ? LOOK.calendar | LOOK.change : LOOK.calendar;
  const looks = new Uint8Array(view.members.length).fill(always);
  const place = because === "none within max-distance" ? placeOf(view, client) : undefined;
  const awaited = place
    ? rankAll(view, place).filter(({ distanceM }) => distanceM <= reachKm(view.policy) * 1000).map((
      { member },
    ) => member)
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
