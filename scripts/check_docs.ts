/**
 * Checks that every plugin's README is a man page that says what the plugin reads, no less and no more.
 *
 * The fenced block under `## Syntax` is held against the plugin's tables. It is written as in a Corefile:
 *
 *     name ARGUMENTS {
 *         option ARGUMENTS
 *         [option]
 *         this|that ARGUMENT
 *     }
 *
 * so each line inside its braces names an option, one in brackets or several parted by bars too. An option may be
 * told in a list item of that section instead, which then begins with it: "- `option ARGUMENTS` …".
 *
 * Metrics are told in list items of the section `## Metrics`, which begin with them, several parted by commas:
 * "- `name_total{label, label}` …".
 *
 * @module
 */

import { join } from "node:path/posix";
import type { Directive } from "../core/corefile/directive.ts";
import { parseCorefile } from "../core/corefile/parser.ts";
import type { PluginModule } from "../core/plugin.ts";
import { endWith, type Violation } from "./violation.ts";

/** What this check needs of a plugin's module. */
export type Documented = Pick<PluginModule, "name" | "aliases" | "usage" | "options" | "metrics">;

/** The sections that a README has, in this order; others may stand between them and after. */
const SECTIONS = ["Name", "Description", "Syntax", "Examples"];

/** What is wrong with the README of a plugin. */
export function checkReadme(plugin: Documented, file: string, text: string): Violation[] {
  const headings = headingsOf(text);
  const syntax = sectionOf(text, headings, "Syntax");
  const found = [
    ...checkHeadings(plugin, headings),
    ...syntax ? checkSyntax(plugin, syntax) : [],
    ...checkMetrics(plugin, sectionOf(text, headings, "Metrics")),
  ];
  return found.map((violation) => ({ file, ...violation }));
}

type Found = Omit<Violation, "file">;

interface Heading {
  readonly level: number;
  readonly title: string;
  readonly line: number;
}

/** A part of a README; `line` is the number of its first line. */
interface Section {
  readonly lines: readonly string[];
  readonly line: number;
}

/** The headings outside fenced blocks. */
function headingsOf(text: string): Heading[] {
  const headings: Heading[] = [];
  let fenced = false;
  for (const [i, line] of text.split("\n").entries()) {
    if (/^(```|~~~)/.test(line)) fenced = !fenced;
    const [, marks, title] = /^(#+) +(.*?) *$/.exec(fenced ? "" : line) ?? [];
    if (marks) headings.push({ level: marks.length, title: title!, line: i + 1 });
  }
  return headings;
}

function checkHeadings(plugin: Documented, headings: readonly Heading[]): Found[] {
  const found: Found[] = [];
  const [first] = headings;
  if (first?.level !== 1 || first.title !== plugin.name) {
    found.push({ line: first?.line ?? 1, message: `the first heading must be '# ${plugin.name}'` });
  }
  let last: Heading | undefined;
  for (const title of SECTIONS) {
    const heading = headings.find((heading) => heading.level === 2 && heading.title === title);
    if (!heading) {
      found.push({ line: 1, message: `section '## ${title}' is missing` });
    } else if (last && heading.line < last.line) {
      found.push({ line: heading.line, message: `section '## ${title}' must come after '## ${last.title}'` });
    }
    last = heading ?? last;
  }
  return found;
}

function sectionOf(text: string, headings: readonly Heading[], title: string): Section | undefined {
  const start = headings.find((heading) => heading.level === 2 && heading.title === title);
  if (!start) return undefined;
  const end = headings.find(({ level, line }) => level <= 2 && line > start.line);
  return { lines: text.split("\n").slice(start.line, end && end.line - 1), line: start.line + 1 };
}

/** Holds the section Syntax against the plugin's tables. */
function checkSyntax(plugin: Documented, section: Section): Found[] {
  const fence = firstFence(section);
  if (!fence) return [{ line: section.line, message: "section '## Syntax' has no fenced block" }];
  const { directives, unreadable } = readSyntax(fence);
  if (unreadable) return [unreadable];
  const options = Object.keys(plugin.options);
  const inFence = directives.flatMap(({ block = [] }) => block).flatMap(namesIn);
  const told = new Set([...inFence.map(({ name }) => name), ...itemNames(section)]);
  return [
    ...checkUsage(plugin, directives, fence.line),
    ...inFence.filter(({ name }) => !options.includes(name))
      .map(({ name, line }) => ({ line, message: `${plugin.name} has no option '${name}'` })),
    ...options.filter((option) => !told.has(option))
      .map((option) => ({
        line: fence.line,
        message: `option '${option}' of ${plugin.name} is not in the syntax`,
      })),
    ...(plugin.aliases ?? []).filter((alias) => !section.lines.some((line) => line.includes(alias)))
      .map((alias) => ({
        line: section.line,
        message: `alias '${alias}' of ${plugin.name} is not mentioned`,
      })),
  ];
}

function firstFence({ lines, line }: Section): Section | undefined {
  const start = lines.findIndex((line) => /^(```|~~~)/.test(line));
  const end = lines.findIndex((line, i) => i > start && /^(```|~~~)/.test(line));
  return start < 0 || end < 0 ? undefined : { lines: lines.slice(start + 1, end), line: line + start + 1 };
}

/** The block read as lines of a Corefile, with line numbers of the README. */
function readSyntax({ lines, line }: Section): { directives: readonly Directive[]; unreadable?: Found } {
  const text = ["{", ...lines, "}"].join("\n");
  const nothing = () => undefined;
  const { corefile, problems } = parseCorefile(text, {
    file: "README",
    env: nothing,
    read: nothing,
    list: nothing,
  });
  // The brace in front is line 1 of the text and stands on the line before the block's first.
  const offset = line - 2;
  const directives = corefile.globals.map((directive) => shifted(directive, offset));
  const [error] = problems.errors;
  if (!error) return { directives };
  return {
    directives,
    unreadable: { line: error.at.line + offset, message: `cannot read the syntax: ${error.message}` },
  };
}

function shifted(directive: Directive, by: number): Directive {
  const { name, block } = directive;
  return {
    ...directive,
    name: { ...name, at: { ...name.at, line: name.at.line + by } },
    ...block && { block: block.map((line) => shifted(line, by)) },
  };
}

/** The options that a line names: several parted by bars, and none where there is only an ellipsis. */
function namesIn({ name: { text, at } }: Directive): { name: string; line: number }[] {
  return text.replace(/^\[+/, "").replace(/[\].…]+$/, "").split("|").filter((name) => name !== "")
    .map((name) => ({ name, line: at.line }));
}

/** The words that list items of a section begin with, in code. */
function itemNames({ lines }: Section): string[] {
  return lines.flatMap((line) => /^[-*+] +`([^`\s]+)/.exec(line)?.[1]?.split("|") ?? []);
}

/** The directive must be written as the plugin says it is. */
function checkUsage(
  { name, aliases = [], usage }: Documented,
  directives: readonly Directive[],
  line: number,
): Found[] {
  const forms = directives.map(({ name, args }) => [name, ...args].map(({ text }) => text).join(" "));
  const strangers = directives.filter((directive) => ![name, ...aliases].includes(directive.name.text));
  const found = strangers.map(({ name: { text, at } }) => ({
    line: at.line,
    message: `the syntax of ${name} begins with '${text}'`,
  }));
  if (forms.includes(usage)) return found;
  return [...found, {
    line,
    message: `the syntax has no line '${usage}', which is what ${name} says of itself`,
  }];
}

/** The metrics told must be those declared, with their labels in order. */
function checkMetrics({ name, metrics = {} }: Documented, section: Section | undefined): Found[] {
  const declared = Object.entries(metrics).map(([name, { labels = [] }]) => seriesOf(name, labels));
  const told = section ? metricsIn(section) : [];
  const line = section ? section.line - 1 : 1;
  return [
    ...told.filter(({ series }) => !declared.includes(series))
      .map(({ series, line }) => ({ line, message: `${name} does not declare the metric '${series}'` })),
    ...declared.filter((series) => !told.some((one) => one.series === series))
      .map((series) => ({ line, message: `metric '${series}' of ${name} is not in a section '## Metrics'` })),
  ];
}

/** What list items begin with: names of metrics in code, parted by commas, over the lines of the item. */
function metricsIn({ lines, line }: Section): { series: string; line: number }[] {
  const text = lines.join("\n");
  return [...text.matchAll(/^[-*+] +((?:`[a-z_:][\w:]*(?:\{[^}]*\})?`(?:,\s+(?=`))?)+)/gm)].flatMap((item) =>
    [...item[1]!.matchAll(/`([\w:]+)(?:\{([^}]*)\})?`/g)].map(([, name, labels]) => ({
      series: seriesOf(name!, labels?.split(",").map((label) => label.trim()).filter((label) => label) ?? []),
      line: line + text.slice(0, item.index).split("\n").length - 1,
    }))
  );
}

function seriesOf(name: string, labels: readonly string[]): string {
  return labels.length > 0 ? `${name}{${labels.join(", ")}}` : name;
}

/** Checks the README of each plugin, and that the folders and the list of plugins are the same. */
async function checkAll(root: string): Promise<Violation[]> {
  const list = "plugins/shelf.ts";
  const { plugins } = await import(`file://${join(root, "plugins/mod.ts")}`) as {
    plugins: readonly PluginModule[];
  };
  const folders = [...Deno.readDirSync(join(root, "plugins"))].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).sort();
  const listed = plugins.map(({ name }) => name);
  return [
    ...folders.filter((folder) => !listed.includes(folder))
      .map((folder) => ({ file: list, line: 1, message: `plugins/${folder} is not in the list` })),
    ...plugins.flatMap((plugin) => {
      const file = `plugins/${plugin.name}/README.md`;
      const text = readIfThere(join(root, file));
      if (text === undefined) return [{ file, line: 1, message: `the README of ${plugin.name} is missing` }];
      return checkReadme(plugin, file, text);
    }),
  ];
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) endWith(await checkAll(join(import.meta.dirname!, "..")));
