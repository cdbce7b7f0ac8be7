/**
 * Which files of a folder are zone files, and of which zones.
 *
 * @module
 */

import { matchPattern, type Pattern } from "../../core/pattern/pattern.ts";
import { fold, type Name, parseName } from "../../core/plugin.ts";

/** A file whose name says which zone is in it. */
export interface Found {
  readonly origin: Name;
  readonly path: string;
}

/** A file that was passed over, and why. */
export interface Passed {
  readonly path: string;
  readonly why: string;
}

/** Finds the zone files at and below a folder. The folder itself may be a link, those below it may not. */
export function findZoneFiles(
  folder: string,
  pattern: Pattern,
  template: string,
): { found: Found[]; passed: Passed[] } {
  const byOrigin = new Map<Name, Found>();
  const passed: Passed[] = [];
  for (const path of walk(folder)) {
    const origin = originOf(path.slice(path.lastIndexOf("/") + 1), pattern, template);
    if (origin === undefined) continue;
    try {
      const name = fold(parseName(origin));
      const first = byOrigin.get(name);
      if (first) passed.push({ path, why: `${first.path} has the zone ${origin} already` });
      else byOrigin.set(name, { origin: name, path });
    } catch (error) {
      passed.push({ path, why: (error as Error).message });
    }
  }
  return { found: [...byOrigin.values()], passed };
}

/** The zone that a file's name stands for; undefined where the pattern does not match. */
export function originOf(file: string, pattern: Pattern, template: string): string | undefined {
  const groups = matchPattern(pattern, file);
  if (!groups) return undefined;
  const groupOf = (word: string) =>
    groups[/^\d+$/.test(word) ? Number(word) : pattern.groupNames.indexOf(word)];
  const origin = template.replace(/\{(\w+)\}/g, (_, word: string) => groupOf(word) ?? "");
  return origin === "" ? undefined : origin;
}

/** Every file below a folder in order of name; what is hidden is left out, as the traces of editors and mounts are. */
function walk(folder: string): string[] {
  const entries = [...Deno.readDirSync(folder)].filter(({ name }) => !name.startsWith("."));
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (!isDirectory) return [path];
    try {
      return walk(path);
    } catch (error) {
      // A folder that was there a moment ago may be gone, with all that was in it.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}
