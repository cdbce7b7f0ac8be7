/** Starts this program once more, as it was started, to take over. @module */

import type { Log } from "../plugin.ts";

/** Starts it. @returns Once it has ended: why it may have. It should not, before this process does. */
export async function startSuccessor(log: Log): Promise<string> {
  const [program, args] = commandLine();
  log.info(`starting ${program} to take over`);
  try {
    const child = new Deno.Command(program, { args, stdin: "null", stdout: "inherit", stderr: "inherit" })
      .spawn();
    // It goes on when this process ends.
    child.unref();
    const { code, signal } = await child.status;
    return `the new process ended with ${signal ?? code}`;
  } catch (error) {
    return `cannot start ${program}: ${error instanceof Error ? error.message : error}`;
  }
}

/** The executable as it is on disk now, with all that it was given, the runtime's own flags included. */
function commandLine(): [string, string[]] {
  // What the kernel says of an executable that has been replaced since.
  const program = Deno.execPath().replace(/ \(deleted\)$/, "");
  const args = Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(1, -1);
  return [program, args.some((arg) => /^--?replace$/.test(arg)) ? args : [...args, "-replace"]];
}
