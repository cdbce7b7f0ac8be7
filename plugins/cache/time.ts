/**
 * Time that never goes back: when the machine's clock is set back, answers must not live longer for it.
 *
 * @module
 */

import type { Clock } from "../../core/plugin.ts";

/** Milliseconds that only grow, from a clock that may not. */
export function steadyTime(clock: Clock): () => number {
  let latest = -Infinity, ahead = 0;
  return () => {
    const now = clock.nowMs();
    if (now + ahead < latest) ahead = latest - now;
    return latest = now + ahead;
  };
}
