/**
 * Waiting for something to come true, for tests of what happens in its own time.
 *
 * @module
 */

/**
 * Asks again and again until `condition` gives something other than false or undefined.
 *
 * For long, as what takes a second here may take a minute on a machine that has other things to do; what comes true at once
 * costs nothing.
 *
 * @throws {Error} That says what was waited for, when it has not come true in time.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 120_000,
): Promise<Exclude<T, false | undefined>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    if (performance.now() > endMs) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
