/**
 * Meridian's command line: the only place where core and plugins meet, but for plugins/worker.ts.
 *
 * @module
 */

import { runCommand } from "./core/command/mod.ts";
import { shelvedPlugins } from "./plugins/shelf.ts";

if (import.meta.main) {
  const worker = new URL("./plugins/worker.ts", import.meta.url);
  Deno.exitCode = await runCommand(
    Deno.args,
    shelvedPlugins,
    () => new Worker(worker, { type: "module", name: "data" }),
  );
}
