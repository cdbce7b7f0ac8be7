/**
 * What stands in the calendar of a node: maintenance windows and overrides.
 *
 * @module
 */

import type { Node, Override } from "./node.ts";

/** Spans of time within which no window and no override of some nodes starts or ends. */
export interface Segment {
  /** The last such instant up to now; −Infinity = none. */
  readonly fromMs: number;
  /** The next such instant; Infinity = none. */
  readonly untilMs: number;
}

/** Overrides by the node they are for. */
export function overridesByNode(overrides: readonly Override[]): ReadonlyMap<string, readonly Override[]> {
  return Map.groupBy(overrides, ({ nodeId }) => nodeId);
}

/** Why a node is out of a pool's answers at an instant; undefined when it is not. `overrides`: those for this node. */
export function whyOut(
  node: Node,
  overrides: readonly Override[],
  nowMs: number,
  pool?: string,
): string | undefined {
  const states = overrides.filter(({ state }) => state !== "weight");
  const inForce = decisive(states, nowMs, pool);
  const forced = inForce.find(({ state }) => state !== "up");
  if (forced) return `override ${forced.state} by ${forced.actor}: ${forced.reason}`;
  if (inForce.length > 0) return undefined;
  if (node.state !== "up") return `state ${node.state}`;
  const window = node.maintenance.find((window) => isWithin(window, nowMs));
  return window && (window.reason ? `maintenance: ${window.reason}` : "maintenance");
}

/** The weight of a node in a pool at an instant. `overrides`: those for this node. */
export function weightOf(
  node: Node,
  overrides: readonly Override[],
  nowMs: number,
  pool?: string,
): number {
  if (overrides.length === 0) return node.weight;
  const weights = overrides.filter(({ state }) => state === "weight");
  return decisive(weights, nowMs, pool)[0]?.weight ?? node.weight;
}

/** Those in force that decide in a pool: its own, or where there are none those for all. */
function decisive(
  overrides: readonly Override[],
  nowMs: number,
  pool: string | undefined,
): readonly Override[] {
  const inForce = overrides.filter((override) => isWithin(override, nowMs));
  const own = inForce.filter((override) => override.pool !== undefined && override.pool === pool);
  return own.length > 0 ? own : inForce.filter((override) => override.pool === undefined);
}

/** The span around `nowMs` in which nothing in a node's calendar starts or ends. */
export function segmentOf(node: Node, overrides: readonly Override[], nowMs: number): Segment {
  let fromMs = -Infinity, untilMs = Infinity;
  for (const span of [...node.maintenance, ...overrides]) {
    for (const instant of [span.fromMs, span.untilMs]) {
      if (instant <= nowMs) fromMs = Math.max(fromMs, instant);
      else untilMs = Math.min(untilMs, instant);
    }
  }
  return { fromMs, untilMs };
}

/** The span around `nowMs` in which nothing in any of some nodes' calendars starts or ends. */
export function segmentOfAll(
  nodes: readonly Node[],
  overrides: ReadonlyMap<string, readonly Override[]>,
  nowMs: number,
): Segment {
  let fromMs = -Infinity, untilMs = Infinity;
  for (const node of nodes) {
    const segment = segmentOf(node, overrides.get(node.id) ?? [], nowMs);
    fromMs = Math.max(fromMs, segment.fromMs);
    untilMs = Math.min(untilMs, segment.untilMs);
  }
  return { fromMs, untilMs };
}

function isWithin({ fromMs, untilMs }: { fromMs: number; untilMs: number }, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < untilMs;
}
