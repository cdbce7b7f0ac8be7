/**
 * Writes core/custom/meridian.d.ts: the types of what a custom plugin is handed, in one file that imports nothing, cut out of
 * the sources as they stand there. `deno task types` runs it; a test fails when the file is not what this would write.
 *
 *     core/custom/api.ts ──imports──▶ declarations by name ──those that the API names, and those that these name──▶ one file
 *
 * @module
 */

import { dirname, join } from "node:path/posix";
import { api } from "../core/custom/api.ts";
import { importsOf } from "./check_layers.ts";

const ROOT = join(import.meta.dirname!, "..");

/** Where it is kept, relative to the repository. */
export const TYPES_FILE = "core/custom/meridian.d.ts";

/** A declaration of a module's top level. */
interface Declaration {
  readonly name: string;
  readonly isExported: boolean;
  /** Whether others may mean it by its name alone. */
  readonly isType: boolean;
  /** As it stands in a declaration file, its comment above. */
  readonly text: string;
}

/** What a plugin's author names beside the values. */
const TYPES = ["MakePlugin", "Transport", "Sent", "Location"];

/** The whole file. */
export function makeTypes(root = ROOT): string {
  const declarations = new Map<string, readonly Declaration[]>();
  for (const file of filesFrom(root, "core/custom/api.ts")) {
    for (const declaration of declarationsIn(Deno.readTextFileSync(join(root, file)))) {
      const { name } = declaration;
      declarations.set(name, [...declarations.get(name) ?? [], declaration]);
    }
  }
  // The interface written here says the same at length.
  declarations.delete("Meridian");
  const values = Object.keys(api).sort();
  const taken = new Map<string, string>();
  for (const name of [...TYPES, ...values]) take(name, declarations, taken);
  const texts = [...taken].sort(([a], [b]) => a < b ? -1 : 1).map(([, text]) => text);
  return [HEAD, interfaceOf(values), ...texts].join("\n\n") + "\n";
}

const HEAD = `// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * The types of Meridian's plugin API, version 1. Written by a program; \`meridian plugin types\` gives that of
 * another release.
 *
 * @module
 */`;

/** Everything that the function is handed, by name. */
function interfaceOf(values: readonly string[]): string {
  const members = values.map((name) => `  readonly ${name}: typeof ${name};`);
  return `/** What a plugin's function is handed. */\nexport interface Meridian {\n${members.join("\n")}\n}`;
}

/** A name, and whatever its declaration names. */
function take(
  name: string,
  declarations: ReadonlyMap<string, readonly Declaration[]>,
  taken: Map<string, string>,
): void {
  const all = declarations.get(name) ?? [];
  // A name that is private to one file is not what another means.
  const [declaration, another] = all.length > 1 ? all.filter(({ isExported }) => isExported) : all;
  if (!declaration) throw new Error(`Cannot write types: ${name} is declared nowhere`);
  if (another) {
    throw new Error(`Cannot write types: ${name} is declared twice, and one file can hold it once`);
  }
  if (taken.has(name)) return;
  taken.set(name, declaration.text);
  const code = declaration.text.replace(/\/\*\*.*?\*\/|"[^"\n]*"/gs, "");
  for (const [word] of code.matchAll(/(?<![.\w$])[A-Za-z]\w*(?!\w|\??\s*:|\??\()/g)) {
    if (declarations.get(word)?.some(({ isType }) => isType)) take(word, declarations, taken);
  }
}

/** A file and all that it imports. */
function filesFrom(root: string, first: string): readonly string[] {
  const files = new Set([first]);
  for (const file of files) {
    for (const { specifier } of importsOf(Deno.readTextFileSync(join(root, file)))) {
      if (specifier.startsWith(".")) files.add(join(dirname(file), specifier));
    }
  }
  return [...files];
}

/** The declarations of a source in the form that `deno fmt` gives it: each begins and ends at the left margin. */
export function declarationsIn(source: string): Declaration[] {
  const lines = source.split("\n");
  return lines.flatMap((line, i) => {
    const [, kind, name] =
      /^(?:export )?(?:declare )?(?:abstract )?(interface|type|class|function\*?|const) (\w+)/.exec(line) ??
        [];
    if (!kind) return [];
    const text = textOf(kind, name!, lines, i);
    if (text === undefined) return [];
    const isType = !kind.startsWith("function") && (kind !== "const" || text.endsWith(": unique symbol;"));
    const isExported = line.startsWith("export ");
    return [{ name: name!, isExported, isType, text: commentAbove(lines, i) + text }];
  });
}

function textOf(kind: string, name: string, lines: readonly string[], at: number): string | undefined {
  const line = lines[at]!.replace(/^(export )?(declare )?/, "");
  if (kind === "interface" || kind === "type") return `export ${[line, ...restOf(lines, at)].join("\n")}`;
  if (kind === "class") return `export declare ${[line, ...membersOf(lines, at)].join("\n")}`;
  if (kind === "const") return constText(line, name);
  return `export declare ${headOf([line, ...lines.slice(at + 1)])}`;
}

/** The lines of a declaration after its first: to the brace at the margin, or to the semicolon that ends a union. */
function restOf(lines: readonly string[], at: number): string[] {
  const first = lines[at]!;
  if (/[;}]$/.test(first)) return [];
  const isLast = first.endsWith("{") ? /^\}/ : /^ {0,2}\S.*;$/;
  const end = lines.findIndex((line, i) => i > at && isLast.test(line));
  return lines.slice(at + 1, end + 1);
}

/** A constant by its annotation; one without has its value as its type, or a literal's. */
function constText(line: string, name: string): string | undefined {
  const annotated = /^const \w+: (.+?) =/.exec(line) ?? /^const \w+: (unique symbol);$/.exec(line);
  if (annotated) return `export declare const ${name}: ${annotated[1]};`;
  const cast = /^const \w+ = .* as (\w+);$/.exec(line);
  if (cast) return `export declare const ${name}: ${cast[1]};`;
  const value: unknown = Object.hasOwn(api, name) ? api[name as keyof typeof api] : undefined;
  if (typeof value === "number" || typeof value === "string") {
    return `export declare const ${name} = ${JSON.stringify(value)};`;
  }
  if (typeof value !== "object") return undefined;
  const members = Object.entries(value as object).map(([key, number]) =>
    `  readonly ${key}: ${JSON.stringify(number)};`
  );
  return `export declare const ${name}: {\n${members.join("\n")}\n};`;
}

/** A function or method without its body: up to the brace that opens it, which ends the line that closes the parameters. */
function headOf(lines: readonly string[]): string {
  const end = lines.findIndex((line, i) => line.endsWith(" {") && (i === 0 || /^\s*\)/.test(line)));
  return lines.slice(0, end + 1).join("\n").replace(/ \{$/, ";").replace(/^function\*/, "function")
    .replace(/^(\s*)async /, "$1")
    // What has a default may be left out.
    .replaceAll(/(\w+)(: (?:[^=:,]+|\{[^}]*\})) = [^=>,()]+(?=[,)])/g, "$1?$2");
}

/** A class's public members, without bodies and values. */
function membersOf(lines: readonly string[], at: number): string[] {
  const end = lines.findIndex((line, i) => i > at && line === "}");
  const members: string[] = [];
  for (let i = at + 1; i < end; i++) {
    const line = lines[i]!;
    if (!/^ {2}(?! |#|\/\*\*|\*| \*|\}|\))\S/.test(line) || /^ {2}(readonly )?#/.test(line)) continue;
    const isMethod = /^ {2}(static |async |get |override )*(constructor|\w+)(<.*>)?\(/.test(line);
    const text = isMethod ? headOf(lines.slice(i, end)) : fieldOf(line);
    members.push(commentAbove(lines, i).trimEnd(), text);
  }
  return [...members.filter((text) => text !== ""), "}"];
}

/** `readonly name = "X";` as `readonly name: "X";` */
function fieldOf(line: string): string {
  return line.replace("override ", "").replace(/: (.*?) = .*;$/, ": $1;").replace(/ = (".*");$/, ": $1;")
    .replace(/ = .*;$/, ";");
}

/** The comment that ends on the line above, with its indentation. */
function commentAbove(lines: readonly string[], at: number): string {
  if (!lines[at - 1]?.trimEnd().endsWith("*/")) return "";
  let first = at - 1;
  while (!lines[first]!.trimStart().startsWith("/**")) first--;
  return lines.slice(first, at).join("\n") + "\n";
}

if (import.meta.main) {
  Deno.writeTextFileSync(join(ROOT, TYPES_FILE), makeTypes());
}
