/**
 * Loads one custom plugin from its file. The same in the control isolate, where what is wrong is told, and in a worker,
 * where nothing is wrong any more.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import type { PluginModule } from "../plugin.ts";
import { api, type CustomModule } from "./api.ts";
import { guarded, type Report } from "./guard.ts";
import { isObject, wrongShape } from "./shape.ts";
import { describeThrown } from "./thrown.ts";

/** A custom plugin as plain data, from which any isolate can make it. */
export interface CustomPlugin {
  readonly name: string;
  /** `file:///…?v=…`, a new one for a changed file: what was loaded once is never read again under its address. */
  readonly url: string;
  /** Its place among all plugins; those before it in the list are there already. */
  readonly index: number;
}

/** A file that is no plugin; the message says why. */
export class NotAPlugin extends Error {
  override readonly name = "NotAPlugin";
}

/** The endings that the runtime knows as modules. */
const ENDINGS = [".ts", ".js", ".mts", ".mjs"];

/**
 * The address of a plugin's file. Nothing but files of this machine is ever loaded: a path that is the address of something
 * elsewhere is refused, and so is what is no regular file.
 *
 * @throws {NotAPlugin}
 */
export function pluginUrl(path: string, written: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(written)) {
    throw new NotAPlugin("is an address: wanted the path of a file on this machine");
  }
  const info = statOf(path);
  if (info.isDirectory) {
    const inside = ["mod.ts", "mod.js"].find((file) => isThere(`${path}/${file}`));
    throw new NotAPlugin(
      `is a folder: wanted a file${inside ? `; did you mean '${written}/${inside}'?` : ""}`,
    );
  }
  if (!info.isFile) throw new NotAPlugin("is no regular file");
  if (!ENDINGS.some((ending) => path.endsWith(ending))) {
    throw new NotAPlugin(`must end in one of ${ENDINGS.join(", ")}`);
  }
  const version = `${info.mtime?.getTime() ?? 0}-${info.size}-${info.ino ?? 0}`;
  return `${pathToFileURL(Deno.realPathSync(path)).href}?v=${version}`;
}

function statOf(path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    throw new NotAPlugin(
      error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message,
    );
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What a file came to. */
export interface LoadedModule {
  readonly module: PluginModule;
  /** Where it wants to stand. */
  readonly place: { readonly before?: string; readonly after?: string };
}

/** Loads, calls and checks, in so many milliseconds. @throws {NotAPlugin} */
export async function loadModule(url: string, report: Report, withinMs = LOAD_MS): Promise<LoadedModule> {
  const made = make(await importFile(url, withinMs), url);
  const wrong = wrongShape(made);
  if (wrong) {
    const name = isObject(made) && typeof made.name === "string" ? `${made.name}: ` : "";
    throw new NotAPlugin(`${name}${wrong}`);
  }
  const { api: _, before, after, ...module } = made as CustomModule;
  return {
    module: guarded(module, url, report),
    place: { ...before !== undefined && { before }, ...after !== undefined && { after } },
  };
}

/** A module may wait for something that never comes; a reload behind it would, too. */
async function importFile(url: string, withinMs: number): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new NotAPlugin(`is not loaded after ${withinMs / 1000} s: what does it wait for?`)),
      withinMs,
    );
  });
  try {
    return (await Promise.race([import(url), late])).default;
  } catch (error) {
    if (error instanceof NotAPlugin) throw error;
    throw new NotAPlugin(`cannot be loaded: ${describeThrown(error, url)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

const LOAD_MS = 10_000;

function make(exported: unknown, url: string): unknown {
  if (typeof exported !== "function") {
    throw new NotAPlugin("must export by default a function: (meridian) => ({ api: 1, name, … })");
  }
  try {
    return exported(api);
  } catch (error) {
    throw new NotAPlugin(`its function threw: ${describeThrown(error, url)}`, { cause: error });
  }
}

/** The plugins that a configuration was made with: those of ours with custom ones among them. @throws {NotAPlugin} */
export async function withCustomPlugins(
  modules: readonly PluginModule[],
  customs: readonly CustomPlugin[],
): Promise<readonly PluginModule[]> {
  const all = [...modules];
  for (const { url, index } of customs) {
    const { module } = await loadModule(url, (message) => {
      throw new NotAPlugin(message);
    });
    all.splice(index, 0, module);
  }
  return all;
}
