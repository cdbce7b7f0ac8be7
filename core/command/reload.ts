/** `meridian reload`: has the running server read its Corefile again. @module */

import type { ReloadReport } from "../server/supervisor.ts";
import { askServer, DEFAULT_CONTROL_SOCKET } from "./control.ts";
import type { Command } from "./mod.ts";

/** How long a reload may take: geo data may have to be read. */
export const RELOAD_TIMEOUT_MS = 120_000;

/** The command. */
export const reload: Command = {
  usage: "reload [-control PATH] [-json]",
  summary: "have the running server read its Corefile again, and say what became of it",
  flags: {
    control: { value: "PATH", help: `the server's control socket (${DEFAULT_CONTROL_SOCKET})` },
    json: { help: "print a JSON object" },
  },
  async run({ values }) {
    const path = values.control as string | undefined;
    const report = await askServer<ReloadReport>(path, "reload", undefined, { timeoutMs: RELOAD_TIMEOUT_MS });
    const { taken, reason, warnings } = report;
    if (values.json) {
      console.log(JSON.stringify(report, null, 2));
      return taken ? 0 : 1;
    }
    if (taken) console.log("reloaded");
    const problems = taken ? warnings : `not reloaded, serving as before: ${reason}`;
    if (problems) console.error(problems);
    return taken ? 0 : 1;
  },
};
