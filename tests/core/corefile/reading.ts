/** What the tests of the Corefile share: a file system in memory, and trees written as lines. @module */

import { formatPosition, type Problems } from "../../../core/corefile/directive.ts";
import type { Corefile, Directive } from "../../../core/corefile/directive.ts";
import { problemRecords } from "../../../core/corefile/format.ts";
import { parseCorefile, type ParsedCorefile, type ParseOptions } from "../../../core/corefile/parser.ts";

/** Files by path; folders follow from them. */
export type Files = Readonly<Record<string, string>>;

/** Parses `text` as the file `Corefile` among `files`. */
export function read(text: string, options: Partial<ParseOptions> = {}, files: Files = {}): ParsedCorefile {
  return parseCorefile(text, {
    file: "Corefile",
    env: () => undefined,
    read: (path) => files[path],
    list: (folder) => entries(files, folder),
    ...options,
  });
}

/** Parses only the names of directives as known. */
export function knowing(...names: string[]): Partial<ParseOptions> {
  return { knownDirectives: names.map((name) => ({ name })) };
}

/** The names in a folder, last first, as a file system promises no order. */
function entries(files: Files, folder: string): string[] {
  const start = folder === "." ? "" : folder.replace(/\/?$/, "/");
  const inside = Object.keys(files).filter((path) => path.startsWith(start));
  return [...new Set(inside.map((path) => path.slice(start.length).split("/")[0]!))].sort().reverse();
}

/** A Corefile as one line: `{globals} keys {name arg {option}; name}`. */
export function outline({ globals, blocks }: Corefile): string {
  const server = blocks.map(({ keys, directives }) =>
    `${keys.map(({ text }) => text).join(" ")} ${braces(directives)}`
  );
  return [...globals.length > 0 ? [braces(globals)] : [], ...server].join(" ");
}

function braces(lines: readonly Directive[]): string {
  return `{${lines.map(line).join("; ")}}`;
}

function line({ name, args, block }: Directive): string {
  return [name.text, ...args.map(({ text }) => text), ...block ? [braces(block)] : []].join(" ");
}

/** Every error, sorted, as `LINE:COLUMN message`; the file stands before it when it is not `Corefile`. */
export function errors(problems: Problems): string[] {
  return told(problems, "error");
}

/** Every warning, likewise. */
export function warnings(problems: Problems): string[] {
  return told(problems, "warning");
}

function told(problems: Problems, wanted: "error" | "warning"): string[] {
  return problemRecords(problems).filter(({ severity }) => severity === wanted)
    .map((record) => `${formatPosition(record).replace(/^Corefile:/, "")} ${record.message}`);
}
