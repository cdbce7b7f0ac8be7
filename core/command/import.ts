/** `meridian import KIND FILE`: another server's configuration as ours, and what of it has no counterpart. @module */

import { dirname, join, relative } from "node:path/posix";
import { formatPosition } from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";
import { importCoreDns } from "../import/coredns.ts";
import { importFormation } from "../import/formation.ts";
import { importGdnsd } from "../import/gdnsd.ts";
import { importGeoDns } from "../import/geodns.ts";
import { type Imported, ImportError, type ImportSource } from "../import/imported.ts";
import type { PluginModule } from "../plugin.ts";
import { UsageError } from "./flags.ts";
import { allOf } from "./load.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";

/** What can be imported. */
const importers: Readonly<
  Record<string, (path: string, modules: readonly PluginModule[], out?: string) => Imported>
> = {
  coredns: (path, modules, out) => {
    const moved = out !== undefined && relative(dirname(path), out) !== "";
    return importCoreDns(path, source, { modules, ...moved && { dataFolder: absolute(dirname(path)) } });
  },
  formation: (path) => importFormation(path, source),
  gdnsd: (path) => importGdnsd(isFolder(path) ? `${path.replace(/\/+$/, "")}/config` : path, source),
  geodns: (path) => importGeoDns(path, source),
};

/** The command. */
const importCommand: Command = {
  usage: "import coredns|formation|gdnsd|geodns FILE [-out DIR] [-json]",
  summary: "turn another server's configuration into one of Meridian's, and list what has no counterpart",
  flags: {
    out: {
      value: "DIR",
      help: "write the files to DIR, which must not have them yet; else they are printed",
    },
    json: { help: "print a JSON object" },
  },
  wordsMax: 2,
  words: [Object.keys(importers), "file"],
  async run({ values, words: [kind, file] }, builtIn) {
    const importer = kind !== undefined && Object.hasOwn(importers, kind) ? importers[kind] : undefined;
    if (!importer || file === undefined) throw new UsageError(whatIsWrong(kind, this.usage));
    const out = values.out as string | undefined;
    const modules = await allOf(builtIn);
    const imported = attempt(() => importer(file, modules, out));
    const written = out === undefined ? undefined : writeFiles(imported, out);
    if (values.json) console.log(JSON.stringify({ ...imported, ...written && { written } }, null, 2));
    else show(imported, written);
    return imported.findings.some(({ kind }) => kind === "left out") ? 1 : 0;
  },
};

export { importCommand as import };

function attempt(run: () => Imported): Imported {
  try {
    return run();
  } catch (error) {
    if (error instanceof ImportError) throw new UsageError(`${formatPosition(error.at)}: ${error.message}`);
    throw error;
  }
}

/** The other server's files as they lie on disk. */
const source: ImportSource = {
  read: (path) => ifThere(() => isFolder(path) ? undefined : Deno.readTextFileSync(path)),
  list: (path) =>
    ifThere(() =>
      isFolder(path)
        ? [...Deno.readDirSync(path)].filter(({ name, isDirectory }) => !isDirectory && !name.startsWith("."))
          .map(({ name }) => name).sort()
        : undefined
    ),
};

function ifThere<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function isFolder(path: string): boolean {
  return ifThere(() => Deno.statSync(path).isDirectory) ?? false;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : join(Deno.cwd(), path);
}

/** Writes every file, or none when one of them is there already. */
function writeFiles({ files }: Imported, out: string): string[] {
  const paths = files.map(({ path }) => join(out, path));
  const there = paths.find((path) => ifThere(() => Deno.statSync(path)));
  if (there !== undefined) {
    throw new UsageError(`${there} is there already: wanted a folder without it for -out`);
  }
  for (const [i, { text }] of files.entries()) {
    Deno.mkdirSync(dirname(paths[i]!), { recursive: true });
    Deno.writeTextFileSync(paths[i]!, text);
  }
  return paths;
}

/** The files, or where they are, on standard output; the table on standard error. */
function show({ files, findings }: Imported, written: readonly string[] | undefined): void {
  if (written) { for (const path of written) console.log(path); }
  else for (const { path, text } of files) console.log(`# ==> ${path} <==\n${text}`);
  if (findings.length === 0) return;
  console.error(formatTable(
    ["WHERE", "WHAT", "", "WHY"],
    findings.map(({ at, what, kind, why }) => [formatPosition(at), what, kind, why]),
  ));
}

function whatIsWrong(kind: string | undefined, usage: string): string {
  const kinds = Object.keys(importers);
  if (kind === undefined || kinds.includes(kind)) return `import wants a file: ${usage}`;
  const guess = nearest(kind, kinds);
  return `import cannot read ${kind}; ${guess ? `did you mean ${guess}?` : `there are ${kinds.join(", ")}`}`;
}
