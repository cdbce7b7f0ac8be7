/**
 * Finds, reads and checks a Corefile.
 *
 * @module
 */

import { formatProblems } from "../corefile/format.ts";
import { checkNames } from "../corefile/known.ts";
import { parseCorefile } from "../corefile/parser.ts";
import type { Corefile, Problems, Token } from "../corefile/directive.ts";
import { atMost, readRegularTextFile } from "../files.ts";
import { loadCustomPlugins, pluginLines } from "../custom/option.ts";
import type { PluginModule } from "../plugin.ts";
import { UsageError } from "./flags.ts";
import { type Configuration, configure } from "../server/configure.ts";
import { GLOBAL_OPTIONS } from "../server/globals.ts";

/** A Corefile as read: the configuration stands only if nothing is wrong. */
export interface Loaded {
  /** The path, or `builtin`. */
  readonly file: string;
  readonly configuration: Configuration;
  /** Those that it names, custom ones among them, or all there are: in order of execution. */
  readonly modules: readonly PluginModule[];
  readonly problems: Problems;
  /** The text of every file read, for showing lines. */
  readonly sources: ReadonlyMap<string, string>;
  /** SHA-512 of all that was read, comments and layout aside; undefined when it could not be parsed. */
  readonly hash: string | undefined;
}

/**
 * The plugins that come with the program: all of them, or a way to have those that some directives are of, and all of them
 * without `directives` or where somebody else's is among these.
 */
export type BuiltIn =
  | readonly PluginModule[]
  | ((directives?: ReadonlySet<string>) => Promise<readonly PluginModule[]>);

/** All of them. */
export async function allOf(builtIn: BuiltIn): Promise<readonly PluginModule[]> {
  return typeof builtIn === "function" ? await builtIn() : builtIn;
}

/** The most octets of a file that is imported. */
const FILE_OCTETS_MAX = 64 * 1024 * 1024;

/** CoreDNS's answer to a missing Corefile. */
const BUILTIN = ".:53 {\n    whoami\n    log\n}\n";

/**
 * The Corefile to serve from: the one named, else ./Corefile, else the example beside it, else a builtin one.
 *
 * @throws {UsageError} When the one named cannot be read.
 */
export function findCorefile(named?: string): { file: string; text: string } {
  if (named === "stdin") return { file: "stdin", text: readAllStdin() };
  if (named !== undefined) return { file: named, text: readNamed(named) };
  for (const file of ["Corefile", "Corefile.example"]) {
    const text = readIfThere(file);
    if (text !== undefined) return { file, text };
  }
  return { file: "builtin", text: BUILTIN };
}

/** Reads the same Corefile again; what is on no disk is as it was. @throws {UsageError} When it cannot be read. */
export function readAgain({ file, text }: { file: string; text: string }): { file: string; text: string } {
  if (file === "stdin" || file === "builtin") return { file, text };
  // At the start a pipe may be read, such as a shell's <(…); a server that answers must wait for none.
  return { file, text: readNamed(file, readRegularTextFile) };
}

/** How a Corefile is read that did not come from this server's own disk. */
export interface Foreign {
  /** Whether it may import a file, by its whole path. */
  mayRead(path: string): boolean;
  /** What is made of it before anything that it names is loaded; what is wrong goes to `problems`. */
  adapt(corefile: Corefile, problems: Problems): Corefile;
  /** What global paths are relative to. */
  readonly directory: string;
}

/** The hash alone: without reading any file of data. @throws {UsageError} */
export async function loadHash(
  source: { file: string; text: string },
  builtIn: BuiltIn,
  foreign?: Foreign,
): Promise<string | undefined> {
  return (await parse(source, builtIn, foreign)).hash;
}

/** Some of the global options of a Corefile, as they stand there and as they are read. @throws {UsageError} */
export function loadGlobals(source: { file: string; text: string }, names: readonly string[]) {
  const { corefile, problems } = parseText(source);
  const directives = corefile.globals.filter(({ name }) => names.includes(name.text));
  const directory = folderOf(source.file);
  const { globals } = configure({ globals: directives, blocks: [] }, problems, {
    ...{ modules: [], defaultPort: 53, directory, resolvePath },
  });
  return { directives, globals, problems, directory };
}

/**
 * Reads and checks a Corefile, and loads the plugins that it names. What is wrong is in `problems`; only a file that cannot be
 * read throws.
 */
export async function loadCorefile(
  source: { file: string; text: string },
  builtIn: BuiltIn,
  defaultPort: number,
  foreign?: Foreign,
): Promise<Loaded> {
  const { file } = source;
  const { corefile, problems, sources, modules, customs, missing, hash } = await parse(
    source,
    builtIn,
    foreign,
  );
  checkNames(corefile, [...modules, ...missing], Object.keys(GLOBAL_OPTIONS), problems);
  const configuration = configure(corefile, problems, {
    modules,
    customPlugins: customs,
    defaultPort,
    directory: foreign?.directory ?? folderOf(file),
    resolvePath,
  });
  return { file, configuration, modules, problems, sources, hash };
}

function parseText({ file, text }: { file: string; text: string }, foreign?: Foreign) {
  const isFree = (path: string) => foreign?.mayRead(path) ?? true;
  return parseCorefile(text, {
    file,
    env: (name) => Deno.env.get(name),
    read: (path) => isFree(path) ? readIfThere(path) : undefined,
    list: (folder) => isFree(folder) ? listIfThere(folder) : undefined,
  });
}

async function parse(source: { file: string; text: string }, someOrAll: BuiltIn, foreign?: Foreign) {
  const parsed = parseText(source, foreign), { problems } = parsed;
  const corefile = foreign?.adapt(parsed.corefile, problems) ?? parsed.corefile;
  const isParsed = problems.errors.length === 0;
  const builtIn = await wantedBy(corefile, someOrAll);
  const loaded = await loadCustomPlugins(pluginLines(corefile.globals), { builtIn, problems, resolvePath });
  return {
    ...parsed,
    corefile,
    ...loaded,
    hash: isParsed ? await hashOf({ corefile, customs: loaded.customs }) : undefined,
  };
}

/** What there is has its place among all plugins, and is told of beside all global options: then all are wanted. */
async function wantedBy({ globals, blocks }: Corefile, builtIn: BuiltIn): Promise<readonly PluginModule[]> {
  const isPlain = globals.every(({ name }) =>
    name.text !== "plugin" && Object.hasOwn(GLOBAL_OPTIONS, name.text)
  );
  if (typeof builtIn !== "function" || !isPlain) return await allOf(builtIn);
  return await builtIn(new Set(blocks.flatMap(({ directives }) => directives.map(({ name }) => name.text))));
}

function resolvePath({ text, at }: Token): string {
  return text.startsWith("/") ? text : `${folderOf(at.file)}/${text}`;
}

/** All problems as text, coloured on a terminal. */
export function showProblems(
  { problems, sources }: Pick<Loaded, "problems" | "sources">,
  stream: { isTerminal(): boolean },
): string {
  return formatProblems(problems, {
    source: (file) => sources.get(file) ?? readToShow(file),
    color: stream.isTerminal() && !Deno.noColor,
  }).trimEnd();
}

/** Where a token stands is no part of what it says. */
async function hashOf(read: unknown): Promise<string> {
  const said = JSON.stringify(read, (key, value) => key === "at" ? undefined : value);
  return new Uint8Array(await crypto.subtle.digest("SHA-512", new TextEncoder().encode(said))).toHex();
}

function folderOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash < 0 ? "." : file.slice(0, slash) || "/";
}

function readNamed(path: string, read: (path: string) => string = Deno.readTextFileSync): string {
  try {
    return read(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
    throw new UsageError(`Cannot read the Corefile ${path}: ${reason}`);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readRegularTextFile(path, atMost(FILE_OCTETS_MAX));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What is wrong with a file may be that it cannot be read: then there is no line to show. */
function readToShow(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch {
    return undefined;
  }
}

function listIfThere(folder: string): string[] | undefined {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

function readAllStdin(): string {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(65536);
  for (let read = Deno.stdin.readSync(buffer); read !== null; read = Deno.stdin.readSync(buffer)) {
    chunks.push(buffer.slice(0, read));
  }
  return new TextDecoder().decode(concatenated(chunks));
}

function concatenated(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
