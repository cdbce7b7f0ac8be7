/**
 * Work on a whole zone, cut into steps: who runs it on an isolate that also answers lets queries in between.
 *
 * @module
 */

/** Yields where it may rest; returns what it came to. */
export type Steps<T> = Generator<void, T, void>;

/** How many records or names a step has: some milliseconds. */
export const STEP_ITEMS = 2000;

/** Runs all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Visits every item, and rests after each {@linkcode STEP_ITEMS}. */
export function* each<T>(items: Iterable<T>, visit: (item: T) => void): Steps<void> {
  let visited = 0;
  for (const item of items) {
    visit(item);
    if (++visited % STEP_ITEMS === 0) yield;
  }
}
