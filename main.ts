/**
 * Meridian's command line: the only place where core and plugins meet, but for plugins/worker.ts.
 *
 * @module
 */

import { runCommand } from "./core/command/mod.ts";
import { plugins } from "./plugins/mod.ts";

if (import.meta.main) {
  const worker = new URL("./plugins/worker.ts", import.meta.url);
  Deno.exitCode = await runCommand(
    Deno.args,
    plugins,
    () => new Worker(worker, { type: "module", name: "data" }),
  );
}
