/**
 * The answering halves that a worker has: those that its configuration names, and no other.
 *
 * @module
 */

import type * as CustomModule from "../custom/module.ts";
import type { AnsweringModule } from "../plugin.ts";
import type { Configuration } from "./configure.ts";

/**
 * Where the answering halves of the plugins that there are stand, by name: modules whose default exports they are. They are
 * named by address, for what a module names in `import()` is read along with it, wanted or not.
 */
export type AnsweringModules = Readonly<Record<string, URL>>;

const CUSTOM = new URL("../custom/module.ts", import.meta.url);

/** Loads what a configuration names, plugins from files included. In no order: the configuration has that. */
export async function loadAnswering(
  { blocks, globals: { customPlugins } }: Configuration,
  builtIn: AnsweringModules,
): Promise<readonly AnsweringModule[]> {
  const names = new Set(blocks.flatMap(({ plugins }) => plugins.map(({ name }) => name)));
  const wanted = [...names].flatMap((name) => builtIn[name] ?? []);
  const modules = await Promise.all(wanted.map(async ({ href }) => (await import(href)).default));
  if (customPlugins.length === 0) return modules;
  const { withCustomPlugins }: typeof CustomModule = await import(CUSTOM.href);
  return [...modules, ...await withCustomPlugins([], customPlugins)];
}
