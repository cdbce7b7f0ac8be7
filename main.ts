/**
 * Meridian's command line: the only place where core and plugins meet. Run in a worker, it is the chain's worker.
 *
 * @module
 */

import { runCommand } from "./core/command/mod.ts";
import { runChainWorker } from "./core/server/chain_worker.ts";
import { plugins } from "./plugins/mod.ts";

if ("WorkerGlobalScope" in globalThis && self instanceof (globalThis as any).WorkerGlobalScope) {
  runChainWorker(plugins);
} else if (import.meta.main) {
  Deno.exitCode = await runCommand(Deno.args, plugins);
}
