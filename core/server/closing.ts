/** Closing many things, of which some may fail. @module */

import type { Log } from "../plugin.ts";

/** Something that is closed once. */
export interface Closable {
  close(): void | Promise<void>;
}

/** Closes each, one after the other; a failure is logged and keeps none of the others open. */
export async function closeEach(resources: Iterable<Closable>, log: Log): Promise<void> {
  for (const resource of resources) await attempt(() => resource.close(), log);
}

/** Does something on the way out, whose failure must not stop the rest: it is logged. */
export async function attempt(act: () => void | Promise<void>, log: Pick<Log, "error">): Promise<void> {
  try {
    await act();
  } catch (error) {
    log.error(`While stopping: ${error instanceof Error ? error.stack ?? error.message : error}`);
  }
}
