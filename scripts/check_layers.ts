/**
 * Checks that imports run one way, as docs/ARCHITECTURE.md has it:
 *
 *     main.ts ──> plugins/{shelf,answering,worker,fleet}.ts ──> plugins/NAME/ ──> core/ ──> core/corefile/ ──> core/net/
 *
 * Core never imports a plugin, a plugin never another, what lies at the ground knows nothing of DNS, and the
 * model that tests hold the server against shares no code with it. Packages are named in deno.json alone.
 *
 * @module
 */

import { dirname, join, normalize } from "node:path/posix";
import { endWith, type Violation } from "./violation.ts";

/** A source file, its path relative to the repository. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Who may import what inside the repository. The first layer that holds a file counts. */
interface Layer {
  readonly holds: RegExp;
  /** Matched against the path that is imported. */
  readonly mayImport: RegExp;
  /** Whether it may use packages from deno.json. */
  readonly packages: boolean;
}

const layers: readonly Layer[] = [
  { holds: /^core\/net\//, mayImport: /^core\/net\//, packages: false },
  { holds: /^core\/corefile\//, mayImport: /^core\/(corefile|net)\//, packages: false },
  { holds: /^core\/state\//, mayImport: /^core\/(state\/|clock\.ts$|plugin\.ts$)/, packages: true },
  { holds: /^core\//, mayImport: /^core\//, packages: true },
  {
    holds: /^plugins\/(shelf|mod|answering|worker|fleet)\.ts$/,
    mayImport: /^(core\/|plugins\/[^/]+\/(mod|answering|fleet)\.ts$|plugins\/(shelf|answering|worker)\.ts$)/,
    packages: false,
  },
  { holds: /^plugins\//, mayImport: /^core\//, packages: true },
  { holds: /^tests\/model\//, mayImport: /^tests\/model\//, packages: true },
  { holds: /^(tests|scripts)\//, mayImport: /^/, packages: true },
  { holds: /^main\.ts$/, mayImport: /^(core|plugins)\//, packages: true },
  { holds: /^/, mayImport: /^core\//, packages: true },
];

/** Every import that the layers do not allow. */
export function checkLayers(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text).flatMap(({ specifier, line }) => {
      const why = whyNot(path, specifier);
      return why ? [{ file: path, line, message: why }] : [];
    })
  );
}

/** Why a file must not import something; undefined when it may. */
function whyNot(path: string, specifier: string): string | undefined {
  const layer = layers.find(({ holds }) => holds.test(path))!;
  if (/^(npm|jsr|https?|file|data):/.test(specifier)) {
    return `${path} must not import ${specifier}: packages are named in deno.json, and imported by their plain name`;
  }
  if (!/^[./]/.test(specifier)) {
    return mayUse(layer, specifier) ? undefined : `${path} must not import ${specifier}`;
  }
  const target = normalize(join(dirname(path), specifier));
  if (layer.mayImport.test(target) || samePlugin(path, target)) return undefined;
  return `${path} must not import ${target}`;
}

function mayUse({ packages }: Layer, specifier: string): boolean {
  // Node's own modules are the platform; those that resolve names or open sockets are not for the ground.
  return packages || (/^node:/.test(specifier) && !/^node:(dns|dgram|net)\b/.test(specifier));
}

function samePlugin(path: string, target: string): boolean {
  const folder = /^plugins\/[^/]+\//.exec(path)?.[0];
  return folder !== undefined && target.startsWith(folder);
}

/** What a file in the form that `deno fmt` gives it imports: statements, `import()`, and modules that workers run. */
export function importsOf(text: string): { specifier: string; line: number }[] {
  const forms = [
    /^(?:import|export)\b[^"'`;=()]*?\bfrom\s+["']([^"'\n]+)["']/gm,
    /^import\s+["']([^"'\n]+)["']/gm,
    /\bimport\(\s*["']([^"'\n]+)["']/g,
    /\bnew URL\(\s*["']([^"'\n]+\.[jt]sx?)["'],\s*import\.meta\.url/g,
  ];
  return forms.flatMap((form) => [...text.matchAll(form)])
    .filter(({ index }) =>
      !/^\s*(\*|\/\/|\/\*)/.test(text.slice(text.lastIndexOf("\n", index) + 1, index + 2))
    )
    .map((match) => {
      const at = match.index + match[0].lastIndexOf(match[1]!);
      return { specifier: match[1]!, line: text.slice(0, at).split("\n").length };
    })
    .sort((a, b) => a.line - b.line);
}

/** Every source file of the repository at `root`. */
export function readSources(root: string): SourceFile[] {
  return ["", "core", "plugins", "scripts", "tests"].flatMap((folder) =>
    sourcePaths(root, folder).map((path) => ({ path, text: Deno.readTextFileSync(join(root, path)) }))
  );
}

/** The sources below a folder; of the repository itself only those that lie in it directly. */
function sourcePaths(root: string, folder: string): string[] {
  const entries = [...Deno.readDirSync(join(root, folder))].filter(({ name }) =>
    !/^(\.|node_modules$)/.test(name)
  );
  return entries.flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    if (isDirectory) return folder === "" ? [] : sourcePaths(root, path);
    return /\.[cm]?[jt]sx?$/.test(name) ? [path] : [];
  });
}

if (import.meta.main) endWith(checkLayers(readSources(join(import.meta.dirname!, ".."))));
