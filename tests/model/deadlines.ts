/**
 * The model of docs/decisions/0001-answers.md, "Deadlines" and "TTL": what an answer consulted, when the earliest of
 * it could change, and what TTL that makes. Written from the page, sharing no code with the server. Beside the rule
 * stands what the rule is for: the earliest instant at which the answer itself could be another, found by letting
 * everything happen as soon as it can, in every combination.
 *
 * @module
 */

import {
  earliest,
  isSteady,
  type ModelTarget,
  type ModelTiming,
  type ModelWatch,
  rampOf,
  rampStepMs,
} from "./health.ts";
import {
  metres,
  type ModelLeaf,
  type ModelNode,
  type ModelPick,
  modelPick,
  type ModelPlace,
  modelPoint,
  type ModelPolicy,
  type ModelPool,
} from "./selection.ts";

/** From `fromMs` to before `untilMs`; a maintenance window, or with a state an override. */
export interface ModelSpan {
  fromMs: number;
  untilMs: number;
  state?: "up" | "drain" | "down";
}

/** A node with its calendar, and a watch for each check of its address. */
export interface FleetNode extends Omit<ModelNode, "out" | "down" | "degraded" | "ramp"> {
  state: "up" | "drain" | "down";
  calendar: ModelSpan[];
  watches: ModelWatch[];
  /** Earlier versions of each watch that a reader may still be shown. */
  stale?: ModelWatch[][];
}

/** Who of a pool was known to serve from an instant on; undefined while it was all-down, or nobody was known to. */
export interface Known {
  fromMs: number;
  ids: string[] | undefined;
}

export interface FleetPool {
  policy: ModelPolicy;
  nodes: FleetNode[];
  history: Known[];
}

export interface Fleet {
  pools: Record<string, FleetPool>;
  timing: ModelTiming;
  /** The share of an address's checks that may be down. */
  failing: number;
}

/** A leaf and where it is. */
export interface Client {
  leaf: ModelLeaf;
  place: ModelPlace | undefined;
}

export interface ModelDeadline {
  earliestMs: number;
  scheduledMs: number;
  steady: boolean;
}

export interface ModelBounds {
  min: number;
  max: number;
  strict: boolean;
}

/** Section "TTL". */
export function modelTtl(deadline: ModelDeadline, { min, max, strict }: ModelBounds, nowMs: number): number {
  const { earliestMs, scheduledMs, steady } = deadline;
  if (steady && scheduledMs - nowMs >= max * 1000 && !strict) return max;
  return Math.max(min, Math.min(max, Math.floor((earliestMs - nowMs) / 1000)));
}

/** Section "Serving". */
export function nodeAt(node: FleetNode, atMs: number, { timing, failing }: Omit<Fleet, "pools">): ModelNode {
  const inForce = node.calendar.filter(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs);
  const overrides = inForce.flatMap(({ state }) => state ?? []);
  const forcedOut = overrides.some((state) => state !== "up");
  const targets = node.watches.map(({ target }) => target);
  const down = targets.filter(({ state }) => state === "down").length;
  const isDown = down / targets.length > failing;
  return {
    ...node,
    out: forcedOut || (overrides.length === 0 && (node.state !== "up" || inForce.length > 0)),
    down: isDown,
    degraded: !isDown && (down > 0 || targets.some(({ state }) => state === "degraded")),
    ramp: rampOfAddress(targets, atMs, { timing, failing }) / 10,
  };
}

/** Tenths: the least of the checks' when as many as may be down are left aside, a check that is down being at 0. */
function rampOfAddress(
  targets: ModelTarget[],
  atMs: number,
  { timing, failing }: Omit<Fleet, "pools">,
): number {
  const tenths = targets.map((target) => target.state === "down" ? 0 : rampOf(target, atMs, timing));
  while (tenths.length > 0 && (targets.length - tenths.length + 1) / targets.length <= failing) {
    tenths.splice(tenths.indexOf(Math.min(...tenths)), 1);
  }
  return Math.min(...tenths, 10);
}

/** The pools as selection sees them. Where step 2 makes a pool all-down, those that serve are who is remembered. */
export function poolsAt(fleet: Fleet, atMs: number): Record<string, ModelPool> {
  const made = poolsMade.get(fleet);
  if (made?.atMs === atMs) return made.pools;
  const pools = Object.fromEntries(
    Object.entries(fleet.pools).map(([name, { policy, nodes, history }]) => {
      const now = nodes.map((node) => nodeAt(node, atMs, fleet));
      const lastServing = isAllDown(policy, now, serving(now).length)
        ? remembered(history)
        : serving(now).map(({ id }) => id);
      return [name, { policy, nodes: now, lastServing }];
    }),
  );
  poolsMade.set(fleet, { atMs, pools });
  return pools;
}

const poolsMade = new WeakMap<Fleet, { atMs: number; pools: Record<string, ModelPool> }>();

/** Who of a pool is known to serve, as {@linkcode Known} has it. */
export function knownToServe({ policy, nodes }: FleetPool, atMs: number, fleet: Fleet): string[] | undefined {
  const now = nodes.map((node) => nodeAt(node, atMs, fleet));
  if (isAllDown(policy, now, serving(now).length)) return undefined;
  const known = nodes.filter(({ watches }) => watches.some(({ target }) => target.state !== "unknown"));
  const ids = serving(now).map(({ id }) => id).filter((id) => known.some((node) => node.id === id));
  return ids.length > 0 ? ids : undefined;
}

/** Section "All-down": those known to serve at the last instant at which any was, or until 30 s before it. */
function remembered(history: Known[]): string[] {
  const last = history.findLastIndex(({ ids }) => ids);
  const endMs = history[last + 1]?.fromMs ?? Infinity;
  const late = history.slice(0, last + 1).filter((_, i) => history[i + 1]!.fromMs >= endMs - 30_000);
  return [...new Set(late.flatMap(({ ids }) => ids ?? []))];
}

function serving(nodes: ModelNode[]): ModelNode[] {
  return nodes.filter(({ out, down }) => !out && !down);
}

function isAllDown({ threshold }: ModelPolicy, nodes: ModelNode[], count: number): boolean {
  return count === 0 || (threshold > 0 && count / nodes.length < threshold);
}

interface Look {
  pool: string;
  id: string;
  what: "down" | "up" | "change" | "ramp" | "threshold" | "calendar";
}

/** What the answer for a client consulted. */
function looked(pools: Record<string, ModelPool>, name: string, client: Client): Look[] {
  const { policy, nodes } = pools[name]!;
  const able = serving(nodes);
  const poolDown = isAllDown(policy, nodes, able.length);
  const look = (what: Look["what"], ids: string[]) => ids.map((id) => ({ pool: name, id, what }));
  const threshold = poolDown || policy.threshold === 0 ? [] : look("threshold", able.map(({ id }) => id));
  if (!poolDown && pickOf(policy, able, client).chosen.length > 0) {
    return [...lookedByPick(pools[name]!, able, client, false), ...threshold];
  }
  const point = modelPoint(policy, client.place);
  const awaited = poolDown
    ? nodes
    : nodes.filter((node) => policy.compat || metres(point!, node) <= policy.maxDistanceKm * 1000);
  const own = [
    ...look("calendar", nodes.map(({ id }) => id)),
    ...look("up", awaited.map(({ id }) => id)),
    ...policy.ring ? look("change", nodes.map(({ id }) => id)) : [],
  ];
  if (policy.allDown.policy === "pool") return [...own, ...looked(pools, policy.allDown.pool, client)];
  if (poolDown || policy.allDown.policy !== "last-known-good") return own;
  const settled = { policy, lastServing: [], nodes: nodes.map((node) => ({ ...node, ramp: 1 })) };
  return [...own, ...lookedByPick(settled, serving(settled.nodes), client, true), ...threshold];
}

/** What steps 2 to 6 consulted. */
function lookedByPick(
  { policy, nodes }: ModelPool,
  candidates: ModelNode[],
  client: Client,
  far: boolean,
): Look[] {
  const { chosen, ring, nearest, resting } = pickOf(policy, candidates, client, far);
  const look = (what: Look["what"], ids: string[]) => ids.map((id) => ({ pool: policy.name, id, what }));
  const sways = (node: ModelNode) => {
    const others = candidates.filter((other) => other !== node);
    const with_ = pickOf(policy, [...others, { ...node, ramp: 1 }], client, far);
    return with_.ring.includes(node.id) || with_.chosen.some((id) => !chosen.includes(id)) ||
      chosen.some((id) => !with_.chosen.includes(id));
  };
  const idsOf = (some: ModelNode[]) => some.map(({ id }) => id);
  return [
    ...look("down", [...chosen, ...nearest]),
    ...look("change", ring),
    ...look("up", idsOf(nodes.filter((node) => !candidates.includes(node) && sways(node)))),
    ...look(
      "ramp",
      idsOf(
        candidates.filter((node) => resting.includes(node.id) && (chosen.includes(node.id) || sways(node))),
      ),
    ),
  ];
}

function pickOf(
  policy: ModelPolicy,
  candidates: ModelNode[],
  { leaf, place }: Client,
  far = false,
): ModelPick {
  return modelPick(policy, candidates, leaf, place, far);
}

/** The earliest of what the answers for all of these clients consulted; nothing after `untilMs` is looked into. */
export function modelDeadline(
  fleet: Fleet,
  name: string,
  clients: Client[],
  span: { nowMs: number; untilMs: number },
): ModelDeadline {
  const pools = poolsAt(fleet, span.nowMs);
  const all = clients.map((client) => deadlineOf(fleet, pools, looked(pools, name, client), span));
  return {
    earliestMs: Math.min(...all.map(({ earliestMs }) => earliestMs)),
    scheduledMs: Math.min(...all.map(({ scheduledMs }) => scheduledMs)),
    steady: all.every(({ steady }) => steady),
  };
}

function deadlineOf(
  fleet: Fleet,
  pools: Record<string, ModelPool>,
  looks: Look[],
  span: { nowMs: number; untilMs: number },
): ModelDeadline {
  const instants: number[] = [], scheduled: number[] = [];
  let steady = true;
  for (const [name, { nodes }] of Object.entries(fleet.pools)) {
    const own = looks.filter(({ pool }) => pool === name);
    const of = (what: Look["what"]) =>
      nodes.filter(({ id }) => own.some((look) => look.id === id && look.what === what))
        .map((node) => addressDeadline(node, fleet, span));
    const { all, missing, mustBeLost } = countsOf(pools[name]!);
    instants.push(...of("down").map(({ downMs }) => downMs), ...of("change").map(({ changeMs }) => changeMs));
    instants.push(nthLeast(of("up").map(({ upMs }) => upMs), all ? missing : 1));
    instants.push(nthLeast(of("threshold").map(({ downMs }) => downMs), mustBeLost));
    scheduled.push(...of("ramp").map(({ rampMs }) => rampMs));
    for (const node of nodes.filter(({ id }) => own.some((look) => look.id === id))) {
      scheduled.push(nextInCalendar(node, span.nowMs));
      const isWatched = own.some(({ id, what }) => id === node.id && what !== "calendar");
      if (isWatched && !addressDeadline(node, fleet, span).steady) steady = false;
    }
  }
  const scheduledMs = Math.min(...scheduled, Infinity);
  return { earliestMs: Math.min(...instants, scheduledMs), scheduledMs, steady };
}

/** How many must come back, or be lost, for the pool to be all-down no more, or to become so. */
function countsOf({ policy, nodes }: ModelPool): { all: boolean; missing: number; mustBeLost: number } {
  const count = serving(nodes).length;
  let missing = 1, mustBeLost = 1;
  while (missing < nodes.length - count && isAllDown(policy, nodes, count + missing)) missing++;
  while (mustBeLost < count && !isAllDown(policy, nodes, count - mustBeLost)) mustBeLost++;
  return { all: isAllDown(policy, nodes, count), missing, mustBeLost };
}

function nextInCalendar({ calendar }: FleetNode, nowMs: number): number {
  return Math.min(...boundaries(calendar).filter((instant) => instant > nowMs), Infinity);
}

function boundaries(calendar: ModelSpan[]): number[] {
  return calendar.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]);
}

interface AddressDeadline {
  downMs: number;
  upMs: number;
  changeMs: number;
  rampMs: number;
  steady: boolean;
}

const known = new WeakMap<FleetNode, AddressDeadline>();

/** What an address's targets come to, the least of all their versions. A node is of one instant, and asked often. */
function addressDeadline(node: FleetNode, fleet: Fleet, span: { nowMs: number; untilMs: number }) {
  let deadline = known.get(node);
  if (deadline) return deadline;
  const { timing } = fleet;
  const could = (watch: ModelWatch, holds: (target: ModelTarget, atMs: number) => boolean) =>
    earliest(watch, span, timing, holds).atMs;
  const isDown = ({ state }: ModelTarget) => state === "down";
  const each = node.watches.map((watch, i) => {
    const versions = [watch, ...node.stale?.[i] ?? []];
    const least = (of: (watch: ModelWatch) => number) => Math.min(...versions.map(of));
    const ramp = (target: ModelTarget, atMs: number) => rampOf(target, atMs, timing);
    return {
      isDown: isDown(watch.target),
      downMs: least((one) => could(one, isDown)),
      upMs: least((one) => could(one, (target) => !isDown(target))),
      changeMs: least((one) =>
        could(
          one,
          (target, atMs) =>
            target.state !== one.target.state || ramp(target, atMs) !== ramp(one.target, span.nowMs),
        )
      ),
      rampMs: rampStepMs(watch.target, span.nowMs, timing),
      steady: versions.every(({ target }) => isSteady(target)),
    };
  });
  const down = each.filter(({ isDown }) => isDown), notDown = each.filter(({ isDown }) => !isDown);
  let mustRise = 0;
  while ((down.length - mustRise) / each.length > fleet.failing) mustRise++;
  deadline = {
    downMs: mustRise > 0 ? Infinity : Math.min(...notDown.map(({ downMs }) => downMs), Infinity),
    upMs: nthLeast(down.map(({ upMs }) => upMs), mustRise),
    changeMs: Math.min(...each.map(({ changeMs }) => changeMs)),
    rampMs: Math.min(...each.map(({ rampMs }) => rampMs)),
    steady: each.every(({ steady }) => steady),
  };
  known.set(node, deadline);
  return deadline;
}

function nthLeast(instants: number[], n: number): number {
  return [...instants].sort((a, b) => a - b)[n - 1] ?? Infinity;
}
