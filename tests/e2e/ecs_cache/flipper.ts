/**
 * Breaks nodes and repairs them, one after the other.
 *
 * @module
 */

import type { Listeners } from "../../../scripts/listeners.ts";
import type { Random } from "../../differential/random.ts";

/** How many nodes may be broken at a time. */
const BROKEN_MAX = 3;

/** Closes and opens the listeners of `addresses`, all open now, one every `everyMs`, until the function it returns is called. */
export function startFlipping(
  listeners: Pick<Listeners, "open" | "close">,
  addresses: readonly string[],
  everyMs: number,
  random: Random,
): () => void {
  const broken: string[] = [];
  const timer = setInterval(() => {
    if (broken.length > 0 && (broken.length === BROKEN_MAX || random.chance(0.5))) {
      // The one that has been broken for the longest: its verdict has had time to turn.
      return listeners.open(broken.shift()!);
    }
    const address = random.pick(addresses.filter((address) => !broken.includes(address)));
    listeners.close(address);
    broken.push(address);
  }, everyMs);
  return () => clearInterval(timer);
}
