/**
 * How soon the answer to a client could be another: everything that can happen to a target happens as soon as it can
 * or not at all, in every combination, and {@linkcode modelAnswer} is asked each time.
 *
 * @module
 */

import { type Client, type Fleet, type FleetNode, knownToServe, poolsAt } from "./deadlines.ts";
import { earliest, type ModelTarget, type ModelTiming, type ModelWatch } from "./health.ts";
import { modelAnswer } from "./selection.ts";

/** What a client gets: the ids of the nodes as a set, or what comes in their stead. */
export function answerText(fleet: Fleet, name: string, { leaf, place }: Client, atMs: number): string {
  const answer = modelAnswer(poolsAt(fleet, atMs), name, leaf, place);
  return typeof answer === "string" ? answer : answer.toSorted().join(" ");
}

/** What could befall a watch. */
interface Turn {
  watch: ModelWatch;
  atMs: number;
  target: ModelTarget;
}

/** The earliest instant, up to `untilMs`, at which a client's answer could differ from what it is now. */
export function earliestChange(
  fleet: Fleet,
  name: string,
  client: Client,
  span: { nowMs: number; untilMs: number },
): number {
  const now = answerText(fleet, name, client, span.nowMs);
  const turns = turnsOf(fleet, span);
  const instants = instantsOf(fleet, turns, span);
  let worlds = [fleet];
  for (const atMs of instants) {
    const next: Fleet[] = [];
    for (const world of worlds) {
      const due = turns.filter((turn) => turn.atMs === atMs && isPresent(world, turn.watch));
      for (const taken of combinations(due)) {
        const turned = withTurns(world, taken, atMs);
        if (answerText(turned, name, client, atMs) !== now) return atMs;
        next.push(turned);
      }
    }
    worlds = next.slice(0, WORLDS_MAX);
  }
  return Infinity;
}

/** So many are followed. To leave some out can only make the change that is found a later one. */
const WORLDS_MAX = 64;

function nodesOf({ pools }: Fleet): FleetNode[] {
  return Object.values(pools).flatMap(({ nodes }) => nodes);
}

/** For each watch, the earliest instant of each state that it is not in. */
function turnsOf(fleet: Fleet, span: { nowMs: number; untilMs: number }): Turn[] {
  return nodesOf(fleet).flatMap(({ watches }) => watches).flatMap((watch) =>
    otherStates(watch.target, fleet.timing).flatMap((state) => {
      const first = earliest(watch, span, fleet.timing, (target) => target.state === state);
      return first.atMs === Infinity ? [] : [{ watch, ...first }];
    })
  );
}

/** What is unknown counts as up: to become known is no turn. */
function otherStates({ state: now }: ModelTarget, { slows }: ModelTiming): ModelTarget["state"][] {
  const states: ModelTarget["state"][] = slows ? ["up", "degraded", "down"] : ["up", "down"];
  return states.filter((state) => state !== (now === "unknown" ? "up" : now));
}

/** When anything happens, by a turn or by itself. */
function instantsOf(
  fleet: Fleet,
  turns: Turn[],
  { nowMs, untilMs }: { nowMs: number; untilMs: number },
): number[] {
  const rises = [
    ...turns.map(({ atMs }) => atMs),
    ...nodesOf(fleet).flatMap(({ watches }) => watches.map(({ target }) => target.roseMs)),
  ];
  const steps = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((tenth) => (tenth * fleet.timing.rampMs) / 10);
  const all = [
    ...turns.map(({ atMs }) => atMs),
    ...nodesOf(fleet).flatMap(({ calendar }) => calendar).flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]),
    ...fleet.timing.rampMs > 0 ? rises.flatMap((roseMs) => steps.map((step) => roseMs + step)) : [],
  ];
  return [...new Set(all)].filter((atMs) => atMs >= nowMs && atMs <= untilMs).sort((a, b) => a - b);
}

function isPresent(fleet: Fleet, watch: ModelWatch): boolean {
  return nodesOf(fleet).some(({ watches }) => watches.includes(watch));
}

/** Every choice among turns that takes at most one of a watch. */
function combinations([first, ...rest]: Turn[]): Turn[][] {
  if (!first) return [[]];
  const others = combinations(rest);
  return [
    ...others,
    ...others.filter((taken) => taken.every(({ watch }) => watch !== first.watch)).map((
      taken,
    ) => [first, ...taken]),
  ];
}

function withTurns(fleet: Fleet, turns: Turn[], atMs: number): Fleet {
  const turned = (watch: ModelWatch) => {
    const turn = turns.find((turn) => turn.watch === watch);
    return turn ? { ...watch, target: turn.target } : watch;
  };
  const pools = Object.fromEntries(
    Object.entries(fleet.pools).map(([name, pool]) => [name, {
      ...pool,
      nodes: pool.nodes.map((node) => ({ ...node, watches: node.watches.map(turned) })),
    }]),
  );
  const next = { ...fleet, pools };
  for (const pool of Object.values(pools)) {
    pool.history = [...pool.history, { fromMs: atMs, ids: knownToServe(pool, atMs, next) }];
  }
  return next;
}
