/** Starts this program once more, as it was started, to take over. @module */

import type { Log } from "../plugin.ts";

/** Starts it. @returns Once it has ended: why it may have. It should not, before this process does. */
export async function startSuccessor(log: Log): Promise<string> {
  try {
    const why = whyNot();
    if (why) return why;
    const [program, args] = commandLine();
    log.info(`starting ${program} to take over`);
    const child = new Deno.Command(program, { args, stdin: "null", stdout: "inherit", stderr: "inherit" })
      .spawn();
    // It goes on when this process ends.
    child.unref();
    const { code, signal } = await child.status;
    return `the new process ended with ${signal ?? code}`;
  } catch (error) {
    return `cannot start another process: ${error instanceof Error ? error.message : error}`;
  }
}

/** What stands in the way, without asking anybody for a permission. */
function whyNot(): string | undefined {
  const isGranted = (...all: Deno.PermissionDescriptor[]) =>
    all.every((one) => Deno.permissions.querySync(one).state === "granted");
  if (!isGranted({ name: "run", command: Deno.execPath() }, { name: "read", path: "/proc/self/cmdline" })) {
    return "no permission to start a process: start it with serve -replace";
  }
  // With this process systemd would end all that it started, unless it hears that another one is the service now.
  const isService = Deno.env.get("SYSTEMD_EXEC_PID") === `${Deno.pid}`;
  if (isService && !Deno.env.get("NOTIFY_SOCKET")) {
    return "systemd would end both: the unit takes Type=notify and NotifyAccess=all";
  }
  return undefined;
}

/** The executable as it is on disk now, with all that it was given, the runtime's own flags included. */
function commandLine(): [string, string[]] {
  // What the kernel says of an executable that has been replaced since.
  const program = Deno.execPath().replace(/ \(deleted\)$/, "");
  const args = Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(1, -1);
  return [program, args.some((arg) => /^--?replace$/.test(arg)) ? args : [...args, "-replace"]];
}
