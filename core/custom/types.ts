/** The types of the plugin API, as a file of text that is part of the program. @module */

/** What `meridian.d.ts` beside a plugin has to say. */
export function readTypes(): string {
  return Deno.readTextFileSync(new URL("./meridian.d.ts", import.meta.url));
}
