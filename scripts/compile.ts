/**
 * Makes one binary of everything: `deno task compile [-target x86_64|arm64] [-output FILE]`.
 *
 * What a source names by `new URL("./…", import.meta.url)`, a worker's module or a file that it reads, is embedded with it;
 * of the packages, those that the program imports, and no other.
 *
 * @module
 */

import { dirname, join } from "node:path/posix";
import { parseArgs } from "node:util";
import { readSources } from "./check_layers.ts";

const ROOT = join(import.meta.dirname!, "..");

/** Rust's names of the systems there is a binary for, by what people call them. */
const TARGETS = {
  x86_64: "x86_64-unknown-linux-gnu",
  arm64: "aarch64-unknown-linux-gnu",
};

/** A system to compile for. */
export type Target = keyof typeof TARGETS;

/** How to compile. */
export interface CompileOptions {
  readonly output: string;
  /** Absent = this machine's. */
  readonly target?: Target;
  /** A runtime to compile onto, in place of the one that deno fetches or has in its cache. */
  readonly runtime?: string;
}

/** What was made. */
export interface Compiled {
  /** The packages that are in it. */
  readonly packages: readonly string[];
  /** Its size, in octets. */
  readonly octets: number;
}

/** Compiles. @throws {Error} With what deno said, when it cannot. */
export async function compile({ output, target, runtime }: CompileOptions): Promise<Compiled> {
  const buildFile = await Deno.makeTempFile({ suffix: ".env" });
  try {
    await Deno.writeTextFile(buildFile, `MERIDIAN_BUILD="${await buildName()}"\n`);
    await Deno.mkdir(dirname(output), { recursive: true });
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...[
          "compile",
          "--allow-all",
          "--no-check",
          "--frozen",
          "--exclude-unused-npm",
          "--app-name=meridian",
        ],
        ...[`--env-file=${buildFile}`, `--output=${output}`],
        ...target ? [`--target=${TARGETS[target]}`] : [],
        ...embeddedFiles().map((file) => `--include=${file}`),
        "main.ts",
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...runtime && { DENORT_BIN: runtime } },
    }).output();
    const said = new TextDecoder().decode(stderr);
    if (!success) throw new Error(said);
    return { packages: packagesIn(said), octets: (await Deno.stat(output)).size };
  } finally {
    await Deno.remove(buildFile);
  }
}

/** What sources of the program name beside themselves, without what only a test reads. */
export function embeddedFiles(): string[] {
  const named = readSources(ROOT).filter(({ path }) => /^((core|plugins)\/|main\.ts$)/.test(path)).flatMap((
    { path, text },
  ) =>
    [...text.matchAll(/new URL\("(\.\.?\/[^"]+)", import\.meta\.url\)/g)].map(([, file]) =>
      join(dirname(path), file!)
    )
  );
  return [...new Set(named)].sort();
}

/**
 * The packages in the tree of embedded files that the compiler prints, `yaml` or `@scope/name`: what stands two levels below
 * the folder of packages, three for those with a scope. A folder with one thing in it is printed on the line of that.
 */
export function packagesIn(tree: string): string[] {
  const names = new Set<string>();
  let path: string[] = [];
  for (const [, indent, text] of tree.matchAll(/^((?:[│ ] )*)[├└]─[┬─] (.+?)(?:\/\*)? \([\d.]+\w+.*$/gm)) {
    path = [...path.slice(0, indent!.length / 2), text!];
    const [folder, host, ...rest] = path.join("/").split("/");
    if (folder !== ".deno_compile_node_modules" || host !== "localhost") continue;
    const [first, second] = rest;
    if (first?.startsWith("@") ? second : first) {
      names.add(first!.startsWith("@") ? `${first}/${second}` : first!);
    }
  }
  return [...names].sort();
}

/** Whether what deno said is that it has no runtime to compile onto. */
export function lacksRuntime(said: string): boolean {
  return /Setting up base binary/.test(said) && /denort-/.test(said);
}

/** The day and the commit. */
async function buildName(): Promise<string> {
  const day = new Date().toISOString().slice(0, 10);
  const { success, stdout } = await new Deno.Command("git", {
    args: ["describe", "--always", "--dirty"],
    cwd: ROOT,
    stderr: "null",
  }).output().catch(() => ({ success: false, stdout: new Uint8Array() }));
  return success ? `${day} ${new TextDecoder().decode(stdout).trim()}` : day;
}

if (import.meta.main) {
  // `-target` as every other command spells it.
  const args = Deno.args.map((arg) => /^-\w\w/.test(arg) ? `-${arg}` : arg);
  const { values: { target, output } } = parseArgs({
    args,
    options: { target: { type: "string" }, output: { type: "string" } },
  });
  if (target !== undefined && !Object.hasOwn(TARGETS, target)) {
    console.error(`-target must be one of ${Object.keys(TARGETS).join(", ")}: got ${target}`);
    Deno.exit(2);
  }
  const file = output ?? join(ROOT, `dist/meridian${target ? `-${target}` : ""}`);
  try {
    const { packages, octets } = await compile({ output: file, ...target && { target: target as Target } });
    console.log(`${file}: ${Math.round(octets / 1e6)} MB, with ${packages.join(", ")}`);
  } catch (error) {
    const { message } = error as Error;
    console.error(message);
    if (lacksRuntime(message)) {
      console.error("The runtime could not be fetched: docs/INSTALL.md says how to do without the network");
    }
    Deno.exit(1);
  }
}
