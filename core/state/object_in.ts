/**
 * Values of the store that may be anything: a program that is none of ours may have written there, or a disk gone bad. One of
 * them is not to keep all others from being read.
 *
 * @module
 */

/** The object that a text says as JSON; undefined where it says none. */
export function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}
