/**
 * Turns in which connections take what they have read. A client that sends without a pause always has more to read, and
 * reading what is there already does not let the event loop go round: without turns one such client would keep UDP,
 * timers and everybody else waiting.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Resolves when all else that has come has had its turn; of those who wait, one in each round, first come, first served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(takeTurn);
  });
}

/** One queue for the whole isolate: its time is what is shared. */
const waiting: (() => void)[] = [];

function takeTurn(): void {
  waiting.shift()!();
  if (waiting.length > 0) setImmediate(takeTurn);
}
