/**
 * The answering halves that a worker has: those that its configuration names, and no other.
 *
 * @module
 */

import type { AnsweringModule } from "../plugin.ts";
import type { Configuration } from "./configure.ts";

/** The answering halves of the plugins that there are, by name, each loaded when somebody wants it. */
export type AnsweringModules = Readonly<Record<string, () => Promise<{ default: AnsweringModule }>>>;

/** Loads what a configuration names, plugins from files included. In no order: the configuration has that. */
export async function loadAnswering(
  { blocks, globals: { customPlugins } }: Configuration,
  builtIn: AnsweringModules,
): Promise<readonly AnsweringModule[]> {
  const names = new Set(blocks.flatMap(({ plugins }) => plugins.map(({ name }) => name)));
  const ours = await Promise.all([...names].flatMap((name) => builtIn[name]?.() ?? []));
  const modules = ours.map((module) => module.default);
  if (customPlugins.length === 0) return modules;
  const { withCustomPlugins } = await import("../custom/module.ts");
  return [...modules, ...await withCustomPlugins([], customPlugins)];
}
