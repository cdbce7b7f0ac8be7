/**
 * Meridian's command line: the only place where core and plugins meet, but for plugins/{worker,fleet}.ts.
 *
 * @module
 */

import { runCommand } from "./core/command/mod.ts";
import { shelvedPlugins } from "./plugins/shelf.ts";

if (import.meta.main) {
  const worker = new URL("./plugins/worker.ts", import.meta.url);
  const fleet = new URL("./plugins/fleet.ts", import.meta.url);
  Deno.exitCode = await runCommand(
    Deno.args,
    shelvedPlugins,
    {
      makeWorker: () => new Worker(worker, { type: "module", name: "data" }),
      makeFleetIsolate: () => new Worker(fleet, { type: "module", name: "fleet" }),
    },
  );
}
