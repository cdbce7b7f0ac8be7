/**
 * Where `import` finds its files. Reading them is handed in.
 *
 * @module
 */

import { dirname, isAbsolute, join, normalize } from "node:path/posix";

/** The files that an `import` may read. */
export interface FileAccess {
  /** A file's text; undefined when there is no such file. Throws when it cannot be read. */
  read(path: string): string | undefined;
  /** The names in a folder; undefined when there is no such folder. */
  list(folder: string): readonly string[] | undefined;
}

/** Whether `pattern` names files by wildcards. */
export function isGlob(pattern: string): boolean {
  return /[*?[\]]/.test(pattern);
}

/** Whether `pattern` has more wildcards than CoreDNS allows: one `*`, one `?`, no `[…]`. */
export function isWildGlob(pattern: string): boolean {
  return (pattern.match(/\*/g) ?? []).length > 1 || (pattern.match(/\?/g) ?? []).length > 1 ||
    /[[\]]/.test(pattern);
}

/** A path as the file `importer` means it. */
export function resolveImport(path: string, importer: string): string {
  return normalize(isAbsolute(path) ? path : join(dirname(importer), path));
}

/** The existing paths that `pattern` matches, sorted within each folder. A wildcard matches no slash. */
export function matchFiles(pattern: string, list: FileAccess["list"]): string[] {
  const segments = pattern.split("/");
  const firstGlob = segments.findIndex(isGlob);
  const folder = segments.slice(0, firstGlob).join("/");
  let paths = [pattern.startsWith("/") ? folder || "/" : folder || "."];
  for (const segment of segments.slice(firstGlob)) {
    paths = paths.flatMap((path) => matchIn(path, segment, list));
  }
  return paths;
}

/** The entries of one folder that one segment of a pattern matches. */
function matchIn(folder: string, segment: string, list: FileAccess["list"]): string[] {
  const literal = segment.replace(/[\\^$.+(){}|]/g, "\\$&");
  const wanted = new RegExp(`^${literal.replace("*", ".*").replace("?", ".")}$`, "su");
  return (list(folder) ?? []).filter((name) => wanted.test(name)).sort().map((name) => join(folder, name));
}
