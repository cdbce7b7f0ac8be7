/**
 * A pool as it stands at an instant, for one family of addresses: who takes part, who serves, and why not.
 *
 * Made once for a pool's state and a segment of time, not per query: see {@linkcode poolView}.
 *
 * @module
 */

import { type Family, parseAddress } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Vector, vectorOf } from "./distance.ts";
import { ofTarget } from "./by_target.ts";
import type { Node, Override } from "./node.ts";
import type { PoolPolicy, PoolState } from "./pool.ts";
import { nodeHash } from "./rendezvous.ts";
import { overridesByNode, type Segment, segmentOf, weightOf, whyOut } from "./schedule.ts";
import { inRegion, type State, type TargetKey, type Verdict, type Verdicts } from "./verdict.ts";

/** A node that has an address of the view's family. */
export interface Member {
  readonly node: Node;
  /** Its place among the members. */
  readonly index: number;
  /** Canonical text. */
  readonly address: string;
  /** The same as RDATA. */
  readonly octets: Uint8Array;
  readonly vector: Vector;
  /** Why it is out of answers, by someone's word or the calendar; undefined when it is not. */
  readonly out: string | undefined;
  /** What the checks say of its address. */
  readonly state: State;
  readonly checks: readonly Check[];
  /** How many of the checks that are down must recover before the address is no longer down. */
  readonly recoveriesMissing: number;
  readonly serving: boolean;
  /** Whether it is among those that served last: {@linkcode PoolState.lastServing}. */
  readonly remembered: boolean;
  /** The recovering weight, up to 1. */
  readonly ramp: number;
  /** The weight, halved while degraded. */
  readonly weight: number;
  /** What is added to its distance, whole metres; 0 as a rule. */
  readonly priceM: number;
  /** The next instant in its calendar. */
  readonly nextScheduleMs: number;
  readonly pickHash: number;
  readonly rampHash: number;
}

/** A check of an address and what it found; no verdict = not known yet. */
export interface Check {
  readonly target: TargetKey;
  readonly verdict: Verdict | undefined;
}

/** See the module. Holds from `fromMs` to before `untilMs`. */
export interface PoolView extends Segment {
  readonly name: string;
  readonly policy: PoolPolicy;
  readonly epoch: number;
  readonly family: Family;
  /** Ascending by id. */
  readonly members: readonly Member[];
  readonly serving: readonly Member[];
  /** Whether some region is degraded, and whether any member has a price then. */
  readonly isDegraded: boolean;
  readonly isPriced: boolean;
  /** When prices may change by time alone. */
  readonly mayEndMs: number;
  /** Whether no member serves, or fewer than the threshold asks for. */
  readonly allDown: boolean;
  /** How many serving members must be lost to fall below the threshold; Infinity when it is off or fallen below. */
  readonly mustBeLost: number;
  /** While all-down: how many members must come back, at least 1. */
  readonly missing: number;
  /** By whose verdicts it is; undefined = by everyone's. */
  readonly region: string | undefined;
  /**
   * The same pool for clients of regions that say otherwise of some member, by region; undefined where none does. Members
   * are in the same places.
   */
  readonly regional: ReadonlyMap<string, PoolView> | undefined;
}

/** Pools by name, as one query sees them. */
export type Views = (pool: string) => PoolView | undefined;

interface Kept {
  readonly view: PoolView;
  readonly overrides: readonly Override[];
  /** Of the last snapshot that it was found to show. */
  verdicts: Verdicts;
}

const bySnapshot = new WeakMap<Snapshot, Map<string, { 4?: PoolView; 6?: PoolView }>>();
const byState = new WeakMap<PoolState, { 4?: Kept; 6?: Kept }>();

/**
 * The view of a pool; undefined when the snapshot has no such pool. The same object comes back for as long as
 * nothing that it shows has changed: across snapshots, too, while these share the pool's state and verdicts.
 */
export function poolView(
  snapshot: Snapshot,
  name: string,
  family: Family,
  nowMs: number,
): PoolView | undefined {
  let views = bySnapshot.get(snapshot);
  if (!views) bySnapshot.set(snapshot, views = new Map());
  let kept = views.get(name);
  if (!kept) views.set(name, kept = {});
  const view = kept[family];
  if (view && holdsAt(view, nowMs)) return view;
  const state = snapshot.pools[name];
  return state && (kept[family] = keptView(snapshot, state, family, nowMs));
}

/** Every pool of a snapshot, at an instant. */
export function viewsAt(snapshot: Snapshot, family: Family, nowMs: number): Views {
  // A query asks for one pool, several times over.
  let latest: string | undefined, view: PoolView | undefined;
  return (pool) => {
    if (pool !== latest) {
      view = poolView(snapshot, pool, family, nowMs);
      latest = pool;
    }
    return view;
  };
}

/** Whether a view or a partition still stands at an instant. */
export function holdsAt({ fromMs, untilMs }: Segment, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < untilMs;
}

function keptView(snapshot: Snapshot, state: PoolState, family: Family, nowMs: number): PoolView {
  let kept = byState.get(state);
  if (!kept) byState.set(state, kept = {});
  const old = kept[family];
  const { overrides, verdicts } = snapshot;
  if (old && isFresh(old, snapshot, nowMs)) {
    old.verdicts = verdicts;
    return old.view;
  }
  const view = makeView(state, snapshot, family, nowMs);
  kept[family] = { view, overrides, verdicts };
  return view;
}

function isFresh({ view, overrides, verdicts }: Kept, snapshot: Snapshot, nowMs: number): boolean {
  return overrides === snapshot.overrides && holdsAt(view, nowMs) &&
    (verdicts === snapshot.verdicts ||
      view.members.every(({ checks }) =>
        checks.every(({ target, verdict }) => ofTarget(snapshot.verdicts, target) === verdict)
      ));
}

/** The view by a region's verdicts; the view itself where that region says nothing else, or is undefined. */
export function viewIn(view: PoolView, region: string | undefined): PoolView {
  return region === undefined ? view : view.regional?.get(region) ?? view;
}

/** Whether a member is of a view, by whosever verdicts. */
export function isMemberOf({ members, regional }: PoolView, member: Member): boolean {
  if (members[member.index] === member) return true;
  return regional !== undefined && [...regional.values()].some((view) => isMemberOf(view, member));
}

/** Makes a view afresh. */
export function makeView(
  state: PoolState,
  { verdicts, overrides }: Pick<Snapshot, "verdicts" | "overrides">,
  family: Family,
  nowMs: number,
): PoolView {
  const { policy, degradation } = state;
  const forced = overridesByNode(overrides);
  const remembered = new Set(state.lastServing[family]);
  const members: Member[] = [], before = membersBefore.get(`${family} ${policy.name}`) ?? [];
  let fromMs = -Infinity, untilMs = Infinity;
  for (const node of state.nodes) {
    const address = family === 4 ? node.ipv4 : node.ipv6;
    if (address === undefined) continue;
    const own = forced.get(node.id) ?? [];
    const segment = segmentOf(node, own, nowMs);
    fromMs = Math.max(fromMs, segment.fromMs);
    untilMs = Math.min(untilMs, segment.untilMs);
    members.push(makeMember(state, node, address, members.length, before[members.length], {
      out: whyOut(node, own, nowMs, policy.name),
      fullWeight: weightOf(node, own, nowMs, policy.name),
      nextScheduleMs: segment.untilMs,
      remembered: remembered.has(node.id),
      health: healthOf(state.targets[address] ?? [], state.failingShare, verdicts),
    }));
  }
  if (membersBefore.size > POOLS_KNOWN_MAX) membersBefore.clear();
  membersBefore.set(`${family} ${policy.name}`, members);
  const common = { name: policy.name, policy, epoch: state.epoch, family, fromMs, untilMs };
  const isDegraded = degradation !== undefined, mayEndMs = degradation?.mayEndMs ?? Infinity;
  const isPriced = isDegraded && members.some(({ priceM }) => priceM > 0);
  const view = (members: readonly Member[], region: string | undefined, regional: PoolView["regional"]) => {
    const serving = members.filter((member) => member.serving);
    const stands = standing(serving.length, members.length, policy.threshold);
    return { ...common, members, serving, isDegraded, isPriced, mayEndMs, ...stands, region, regional };
  };
  const regions = regionsOf(members);
  if (!regions) return view(members, undefined, undefined);
  const viewOf = (region: string) =>
    view(members.map((member) => memberIn(region, member, state.failingShare)), region, undefined);
  return view(members, undefined, new Map(regions.map((region) => [region, viewOf(region)])));
}

/** The regions that say otherwise of some member and may have clients, ascending; undefined = there is none. */
function regionsOf(members: readonly Member[]): readonly string[] | undefined {
  let regions: Set<string> | undefined;
  for (let i = 0; i < members.length; i++) {
    const { checks } = members[i]!;
    for (let j = 0; j < checks.length; j++) {
      const said = checks[j]!.verdict?.regions;
      if (said) { for (const { region } of said) (regions ??= new Set()).add(region); }
    }
  }
  // A client counts to the region of a node.
  const wanted = regions && new Set(members.map(({ node }) => node.region)).intersection(regions);
  return wanted && wanted.size > 0 ? [...wanted].sort() : undefined;
}

/** A member by a region's verdicts; the very same where the region says nothing else of it. */
function memberIn(region: string, member: Member, failingShare: number): Member {
  const checks = member.checks.map(({ target, verdict }) => ({
    target,
    verdict: verdict && inRegion(verdict, region),
  }));
  if (checks.every(({ verdict }, i) => verdict === member.checks[i]!.verdict)) return member;
  const health = healthOfChecks(checks, failingShare);
  const serving = doesServe(member.out, health.state);
  const weight = weightAs(health.state, member.state === "degraded" ? member.weight * 2 : member.weight);
  return { ...member, ...health, serving, weight };
}

function doesServe(out: string | undefined, state: State): boolean {
  return out === undefined && state !== "down";
}

function weightAs(state: State, fullWeight: number): number {
  return state === "degraded" ? fullWeight / 2 : fullWeight;
}

/**
 * By family and pool, who took part when last a view was made: what is worked out of a node alone takes most of the time,
 * and a query waits.
 */
const membersBefore = new Map<string, readonly Member[]>();
const POOLS_KNOWN_MAX = 1024;

function makeMember(
  { policy, degradation }: PoolState,
  node: Node,
  address: string,
  index: number,
  before: Member | undefined,
  { health: { state, checks, recoveriesMissing, ramp }, out, nextScheduleMs, remembered, fullWeight }:
    & Pick<Member, "out" | "nextScheduleMs" | "remembered">
    & { health: Health; fullWeight: number },
): Member {
  const { octets, vector, pickHash, rampHash } = lastingOf(policy.name, node, address, before);
  const serving = doesServe(out, state), weight = weightAs(state, fullWeight);
  // What is compatible knows no prices.
  const priceM = policy.compat ? 0 : priceOf(degradation, node.id);
  // One literal: objects that are put together of others take several times as long, and a pool has hundreds.
  return {
    node,
    index,
    address,
    octets,
    vector,
    out,
    state,
    checks,
    recoveriesMissing,
    serving,
    remembered,
    ramp,
    weight,
    priceM,
    nextScheduleMs,
    pickHash,
    rampHash,
  };
}

/** What is added to a node's distance, whole metres. Nodes call themselves what they like, `constructor` for one. */
function priceOf(degradation: PoolState["degradation"], nodeId: string): number {
  return degradation && Object.hasOwn(degradation.prices, nodeId) ? degradation.prices[nodeId]! : 0;
}

/** What of a member no verdict changes. */
function lastingOf(
  pool: string,
  { id, place }: Node,
  address: string,
  before: Member | undefined,
): Pick<Member, "octets" | "vector" | "pickHash" | "rampHash"> {
  if (
    before?.node.id === id && before.address === address &&
    before.node.place.latitude === place.latitude && before.node.place.longitude === place.longitude
  ) {
    return before;
  }
  return {
    octets: parseAddress(address)!.octets,
    vector: vectorOf(place),
    pickHash: nodeHash("pick", pool, id),
    rampHash: nodeHash("ramp", pool, id),
  };
}

/** What the verdicts on an address's targets make of it: see decision 0001, "Serving". */
export type Health = Pick<Member, "state" | "checks" | "recoveriesMissing" | "ramp">;

/** Of an address under these targets, of which a share of `failingShare` may be down. */
export function healthOf(
  targets: readonly TargetKey[],
  failingShare: number,
  verdicts: Verdicts,
): Health {
  const checks = targets.map((target) => ({ target, verdict: ofTarget(verdicts, target) }));
  return healthOfChecks(checks, failingShare);
}

function healthOfChecks(checks: readonly Check[], failingShare: number): Health {
  const down = checks.filter(({ verdict }) => verdict?.state === "down").length;
  let mayBeDown = 0;
  while (mayBeDown < checks.length && (mayBeDown + 1) / checks.length <= failingShare) mayBeDown++;
  const recoveriesMissing = Math.max(0, down - mayBeDown);
  return {
    checks,
    recoveriesMissing,
    state: recoveriesMissing > 0 ? "down" : stateOf(checks),
    ramp: rampOf(checks, mayBeDown),
  };
}

/**
 * The ramp of an address: the least of its checks' when as many as may be down are left aside. So a check whose being
 * down kept nobody away keeps nobody away while it recovers.
 */
function rampOf(checks: readonly Check[], mayBeDown: number): number {
  const ramps = checks.map(({ verdict }) => verdict?.state === "down" ? 0 : verdict?.ramp ?? 1);
  return ramps.sort((a, b) => a - b)[mayBeDown] || 1;
}

/** The state of an address that is not down. */
function stateOf(checks: readonly Check[]): State {
  const states = checks.map(({ verdict }) => verdict?.state ?? "unknown");
  if (states.some((state) => state === "degraded" || state === "down")) return "degraded";
  return states.length > 0 && states.every((state) => state === "unknown") ? "unknown" : "up";
}

function standing(
  serving: number,
  all: number,
  threshold: number,
): Pick<PoolView, "allDown" | "mustBeLost" | "missing"> {
  const isDown = (count: number) => count === 0 || (threshold > 0 && count / all < threshold);
  if (isDown(serving)) {
    let missing = 1;
    while (serving + missing < all && isDown(serving + missing)) missing++;
    return { allDown: true, mustBeLost: Infinity, missing };
  }
  if (threshold === 0) return { allDown: false, mustBeLost: Infinity, missing: 0 };
  let mustBeLost = 1;
  while (!isDown(serving - mustBeLost)) mustBeLost++;
  return { allDown: false, mustBeLost, missing: 0 };
}
