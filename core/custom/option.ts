/**
 * The global option `plugin PATH [before|after NAME]`, which loads a custom plugin.
 *
 * @module
 */

import { Arguments, type Option } from "../corefile/arguments.ts";
import { CorefileError, type Directive, type Problems, type Token } from "../corefile/directive.ts";
import type { KnownDirective } from "../corefile/known.ts";
import type { PluginModule } from "../plugin.ts";
import { type CustomPlugin, loadModule, NotAPlugin, pluginUrl } from "./module.ts";
import { type Beside, placeAll } from "./order.ts";

/** One line `plugin`. */
export interface PluginLine {
  readonly path: Token;
  readonly place: Beside;
  /** What a complaint about the place points at. */
  readonly placeAt: Token;
}

/** How the line is written and read. */
export const pluginOption = {
  usage: "plugin PATH [before|after NAME]",
  repeats: true,
  read(args: Arguments): PluginLine {
    const path = args.token("PATH");
    if (!args.more) return { path, place: {}, placeAt: path };
    const which = args.oneOf("a place", ["before", "after"]);
    const beside = args.token("NAME");
    return { path, place: { [which]: beside.text }, placeAt: beside };
  },
} satisfies Option<PluginLine>;

/** All plugins, those of ours and custom ones, as the Corefile has them. */
export interface AllPlugins {
  /** In order of execution. */
  readonly modules: readonly PluginModule[];
  readonly customs: readonly CustomPlugin[];
  /** Words that are probably the directives of what could not be loaded, so that nobody is told twice. */
  readonly missing: readonly KnownDirective[];
}

/** What {@linkcode loadCustomPlugins} needs. */
export interface LoadOptions {
  readonly builtIn: readonly PluginModule[];
  readonly problems: Problems;
  /** A path as the file of a token means it. */
  resolvePath(token: Token): string;
}

interface Candidate {
  readonly line: PluginLine;
  readonly url: string;
  readonly module: PluginModule;
  readonly place: Beside;
}

/** Loads every plugin that the lines name and puts it in its place. What is wrong goes to `problems`. */
export async function loadCustomPlugins(
  lines: readonly PluginLine[],
  options: LoadOptions,
): Promise<AllPlugins> {
  const { problems, builtIn } = options;
  const candidates: Candidate[] = [];
  const missing: KnownDirective[] = [];
  for (const line of lines) {
    const candidate = await load(line, options);
    const taken = candidate && whyTaken(candidate.module, builtIn, candidates);
    if (taken) problems.error(line.path, taken);
    else if (candidate) candidates.push(candidate);
    else missing.push({ name: likelyName(line.path.text) });
  }
  const { modules, unplaced } = placeAll(builtIn, candidates);
  for (const { module, why } of unplaced) {
    const { line } = candidates.find((candidate) => candidate.module === module)!;
    problems.error(line.placeAt, `plugin ${module.name}: ${why}`);
    missing.push(module);
  }
  const customs = candidates.filter(({ module }) => modules.includes(module))
    .map(({ module: { name }, module, url }) => ({ name, url, index: modules.indexOf(module) }))
    .sort((a, b) => a.index - b.index);
  return { modules, customs, missing };
}

async function load(
  line: PluginLine,
  { problems, resolvePath }: LoadOptions,
): Promise<Candidate | undefined> {
  const { path } = line;
  try {
    const url = pluginUrl(resolvePath(path), path.text);
    const { module, place } = await loadModule(url, (message) => problems.error(path, message));
    return { line, url, module, place: line.placeAt === path ? place : line.place };
  } catch (error) {
    if (!(error instanceof NotAPlugin)) throw error;
    problems.error(path, `plugin ${path.text}: ${error.message}`);
    return undefined;
  }
}

/** Why a plugin cannot have its name or one of its other names. */
function whyTaken(
  module: PluginModule,
  builtIn: readonly PluginModule[],
  candidates: readonly Candidate[],
): string | undefined {
  for (const name of [module.name, ...module.aliases ?? []]) {
    const isIt = (other: PluginModule) => other.name === name || (other.aliases ?? []).includes(name);
    if (builtIn.some(isIt)) return `plugin ${module.name}: there is a plugin '${name}' already`;
    const other = candidates.find((candidate) => isIt(candidate.module));
    if (other) return `plugin ${module.name}: '${name}' is taken by ${other.line.path.text}`;
  }
  return undefined;
}

/** What a plugin is probably called, from its file: `retired` of `retired.ts` and `retired/mod.ts`. */
function likelyName(path: string): string {
  const [last = "", folder] = path.split("/").reverse();
  const name = last.replace(/\.[^.]*$/, "");
  return name === "mod" && folder ? folder : name;
}

/** The lines `plugin` among the global options. What is wrong with one is told where all of those are read. */
export function pluginLines(globals: readonly Directive[]): PluginLine[] {
  return globals.filter(({ name }) => name.text === "plugin").flatMap((line) => {
    try {
      const args = new Arguments(line);
      const read = pluginOption.read(args);
      args.end();
      return [read];
    } catch (error) {
      if (error instanceof CorefileError) return [];
      throw error;
    }
  });
}
