/**
 * Gives back what a start takes and serving does not: the garbage of the control isolate.
 *
 * @module
 */

import inspector from "node:inspector";

/** When a start is over: partitions of a city database are made meanwhile. */
const AFTER_MS = 5000;

/** Collects garbage once, later. @returns What calls that off. */
export function giveBackLater(): () => void {
  const timer = setTimeout(collectGarbage, AFTER_MS);
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
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
