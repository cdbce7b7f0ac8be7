/**
 * How far the fleet isolate goes behind threads that answer queries.
 *
 * A worker that has just answered, and is asked again within microseconds, may not take its processor back until the kernel's next
 * tick, up to four milliseconds later: it has had more than its share, by as much as others weigh. So they weigh as little as
 * possible, and that moment is half a microsecond instead of ten. Where queries flood the processor, so little weight would leave
 * nothing for nodes that say that they live: then they weigh more, until what waits for them is done.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type Behind, giveWay, mayComeForward } from "../server/data_plane/time_slice.ts";

/** How often it is looked whether this isolate has its turn in time. */
export const BEAT_MS = 100;

/** A beat that is so late tells that it has not. */
export const LATE_MS = 100;

/** So many beats in a row in time tell that nothing waits any more. */
export const TIMELY_BEATS = 3;

/** After so many in time it is said again where to be: helpers are moved by others too, such as an isolate that leaves. */
export const REPEAT_BEATS = 100;

/** How a thread is moved; tests have another. */
export interface Places {
  giveWay(behind: Behind): boolean;
  mayComeForward(): boolean;
}

/**
 * Has this thread, and the runtime's helpers, give way for as long as the isolate lives: far where they have their turn in time,
 * and some where not, or where they might not come back.
 */
export function keepBehind(clock: Clock, places: Places = { giveWay, mayComeForward }): void {
  if (!places.giveWay("some") || !places.mayComeForward()) return;
  let timely = 0;
  const beat = () => {
    const dueMs = clock.nowMs() + BEAT_MS;
    clock.after(BEAT_MS, () => {
      const wasTimely = timely;
      timely = clock.nowMs() - dueMs < LATE_MS ? timely + 1 : 0;
      if (timely === 0 && wasTimely >= TIMELY_BEATS) places.giveWay("some");
      else if (timely % REPEAT_BEATS === TIMELY_BEATS) places.giveWay("far");
      beat();
    });
  };
  beat();
}
