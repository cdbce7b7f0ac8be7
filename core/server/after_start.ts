/**
 * Gives back what a start takes and serving does not: the garbage of the control isolate, and what is free in between.
 *
 * @module
 */

import inspector from "node:inspector";
import { giveBackFree } from "./allocator.ts";

/** When a start is over: partitions of a city database are made meanwhile; then when what made them has gone too. */
const AFTER_MS = [5000, 25_000];

/** Gives back, later. @returns What calls that off. */
export function giveBackLater(): () => void {
  const timers = AFTER_MS.map((afterMs) => setTimeout(giveBack, afterMs));
  for (const timer of timers) Deno.unrefTimer(timer);
  return () => timers.forEach((timer) => clearTimeout(timer));
}

function giveBack(): void {
  collectGarbage();
  giveBackFree();
}

/** Of this isolate: it leaves its young generation as large as the start has made it until it has long been idle. */
export function collectGarbage(): void {
  try {
    const session = new inspector.Session();
    session.connect();
    session.post("HeapProfiler.collectGarbage", () => session.disconnect());
  } catch {
    // Without the permission, or an inspector, it comes by itself later.
  }
}
