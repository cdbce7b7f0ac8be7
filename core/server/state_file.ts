/**
 * Small files that survive a restart, written whole or not at all.
 *
 * @module
 */

import type { Log } from "../plugin.ts";

/** What was kept under `name`; undefined when nothing was, or when it cannot be read, which is said. */
export async function readState<T>(directory: string, name: string, log: Log): Promise<T | undefined> {
  if (!directory) return undefined;
  try {
    return JSON.parse(await Deno.readTextFile(`${directory}/${name}`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      log.warn(`Cannot read ${directory}/${name}, starting without: ${error}`);
    }
    return undefined;
  }
}

/** Keeps `value` under `name`: written beside, then renamed. A failure is said, and changes nothing. */
export function writeState(directory: string, name: string, value: unknown, log: Log): void {
  if (!directory) return;
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(`${directory}/${name}.new`, JSON.stringify(value));
    Deno.renameSync(`${directory}/${name}.new`, `${directory}/${name}`);
  } catch (error) {
    log.warn(`Cannot keep ${directory}/${name}: ${error}`);
  }
}
