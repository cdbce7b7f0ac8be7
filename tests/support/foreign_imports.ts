/** Which packages and modules of the runtime a file brings along. @module */

import { dirname, join } from "node:path/posix";

const ROOT = join(import.meta.dirname!, "../..");

/** What is imported from outside the repository, by these files or by any that they load with them. */
export function foreignImports(files: readonly string[]): { specifier: string; by: string }[] {
  const seen = new Set(files), foreign: { specifier: string; by: string }[] = [];
  for (const file of seen) {
    for (const specifier of loadedWith(Deno.readTextFileSync(file))) {
      if (specifier.startsWith(".")) seen.add(join(dirname(file), specifier));
      else foreign.push({ specifier, by: file.slice(ROOT.length + 1) });
    }
  }
  return foreign;
}

/** Statements alone: what is imported when it is wanted is not loaded with the file, and types are never. */
function loadedWith(source: string): string[] {
  return [...source.matchAll(/^(?:import|export) (?!type )([^"'`;=()]*?)from "([^"]+)";$/gm)]
    .filter(([, names]) => !/^\{(\s*type \w+( as \w+)?,?)+\s*\} $/.test(names!))
    .map(([, , specifier]) => specifier!);
}
