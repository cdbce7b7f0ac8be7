/**
 * Gives back what a start takes and serving does not, the garbage of the control isolate, and for as long as there is a
 * process what is free in between.
 *
 * @module
 */

import inspector from "node:inspector";
import { giveBackFree } from "./allocator.ts";

/** When a start is over: partitions of a city database are made meanwhile; then when what made them has gone too. */
const AFTER_MS = [5000, 25_000];

/**
 * How often what is free is looked for later on: after load tens of megabytes lie free in between. To look takes no
 * millisecond, to give 37 MB back took three.
 */
const EVERY_MS = 10_000;

/** Where memory is large and in pieces it takes longer, and is done less often: for so much of the time at most. */
const SHARE_MAX = 0.001;

/** Gives back, later, and again and again. @returns What calls that off. */
export function giveBackLater(): () => void {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const after = (name: string, ms: number, callback: () => void) => {
    const timer = setTimeout(callback, ms);
    Deno.unrefTimer(timer);
    timers.set(name, timer);
  };
  const again = () => {
    const beganMs = performance.now();
    giveBackFree();
    after("again", Math.max(EVERY_MS, (performance.now() - beganMs) / SHARE_MAX), again);
  };
  for (const ms of AFTER_MS) after(`once after ${ms}`, ms, giveBack);
  after("again", EVERY_MS, again);
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
