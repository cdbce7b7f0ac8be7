/** Waiting that can be cut short. @module */

import type { Clock } from "../clock.ts";

/** Resolves after `delayMs`, or when `ended` does. */
export async function pause(clock: Clock, delayMs: number, ended: Promise<void>): Promise<void> {
  let cancel = () => {};
  await Promise.race([ended, new Promise<void>((resolve) => cancel = clock.after(delayMs, resolve))]);
  cancel();
}
