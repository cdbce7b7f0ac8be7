/**
 * Meridian's command line: the only place where core and plugins meet. Run in a worker, it is a data worker.
 *
 * @module
 */

import { runCommand } from "./core/command/mod.ts";
import { runDataWorker } from "./core/server/data_plane/worker.ts";
import { plugins } from "./plugins/mod.ts";

if ("WorkerGlobalScope" in globalThis && self instanceof (globalThis as any).WorkerGlobalScope) {
  runDataWorker(plugins);
} else if (import.meta.main) {
  Deno.exitCode = await runCommand(Deno.args, plugins);
}
