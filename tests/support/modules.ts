/** What a module reads when it is loaded. */

import { relative } from "node:path/posix";

interface Dependency {
  readonly code?: { readonly specifier: string };
  readonly isDynamic?: true;
}

/** The modules of the repository that one reads, itself first: not what only its types need, nor what it may import later. */
export async function modulesOf(path: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", path],
    env: { NO_COLOR: "1" },
  }).output();
  const { roots, modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    roots: string[];
    modules: { specifier: string; dependencies?: Dependency[] }[];
  };
  const dependencies = new Map(modules.map((one) => [one.specifier, one.dependencies ?? []]));
  const seen = new Set(roots);
  for (const specifier of seen) {
    for (const { code, isDynamic } of dependencies.get(specifier) ?? []) {
      if (code && !isDynamic) seen.add(code.specifier);
    }
  }
  return [...seen].filter((one) => one.startsWith("file:"))
    .map((one) => relative(Deno.cwd(), new URL(one).pathname));
}
