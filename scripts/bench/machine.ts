/** Where and of what a measurement was taken. @module */

/** The machine. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly kernel: string;
  readonly deno: string;
  /** Of one, five and fifteen minutes, before the run: others who compute make figures worse. */
  readonly loadAverage: readonly number[];
}

/** This machine. */
export function thisMachine(): Machine {
  const model = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  return {
    processor: model?.trim() ?? Deno.build.arch,
    processors: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    loadAverage: Deno.loadavg().map((load) => Math.round(load * 100) / 100),
  };
}

/** The commit that is checked out, `+` behind it when files differ from it; "" without Git. */
export async function thisCommit(): Promise<string> {
  const commit = await git("rev-parse", "--short=12", "HEAD");
  return commit && await git("status", "--porcelain", "--untracked-files=no") ? `${commit}+` : commit;
}

async function git(...args: string[]): Promise<string> {
  const command = new Deno.Command("git", { args, cwd: import.meta.dirname!, stderr: "null" });
  const output = await command.output().catch(() => undefined);
  return output?.success ? new TextDecoder().decode(output.stdout).trim() : "";
}
