/**
 * Which of several overrides decides, and when.
 *
 * The more specific goes first: one for the node itself, then one for its labels (the more labels the earlier), then one
 * for the pool, then one for its region. Among equals the newer, then that of the greater id. State and weight are
 * decided each for itself.
 *
 * @module
 */

import { type OverrideValue, TARGETS } from "./overrides.ts";
import { instantMs } from "./schema.ts";

/** A span of time in which one override decides, milliseconds since 1970, `untilMs` not included. */
export interface Reign {
  readonly override: OverrideValue;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Of overrides for one thing: who decides when, in order, never two at a time. */
export function reignsOf(overrides: readonly OverrideValue[]): Reign[] {
  const ranked = overrides.toSorted(byPrecedence).map((override) => ({
    override,
    fromMs: instantMs(override.from),
    untilMs: instantMs(override.until),
  }));
  const instants = new Set(ranked.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]));
  const reigns: Reign[] = [];
  let fromMs = -Infinity;
  for (const untilMs of [...instants].sort((a, b) => a - b)) {
    const first = ranked.find((one) => one.fromMs <= fromMs && fromMs < one.untilMs);
    if (first) extend(reigns, { override: first.override, fromMs, untilMs });
    fromMs = untilMs;
  }
  return reigns;
}

function extend(reigns: Reign[], next: Reign): void {
  const last = reigns.at(-1);
  if (last?.override === next.override && last.untilMs === next.fromMs) {
    reigns[reigns.length - 1] = { ...last, untilMs: next.untilMs };
  } else {
    reigns.push(next);
  }
}

/** Ascending: who decides before whom. */
export function byPrecedence(a: OverrideValue, b: OverrideValue): number {
  return rankOf(a) - rankOf(b) || labelsOf(b) - labelsOf(a) ||
    instantMs(b.created) - instantMs(a.created) || (a.id > b.id ? -1 : 1);
}

function rankOf({ target }: OverrideValue): number {
  return TARGETS.findIndex((kind) => target[kind] !== undefined);
}

function labelsOf({ target }: OverrideValue): number {
  return Object.keys(target.labels ?? {}).length;
}
