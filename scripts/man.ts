/**
 * Writes man pages: `meridian(1)` and one for each command from the tables that the help is made of, `meridian-NAME(7)` for each
 * plugin from its README. `deno task man [DIR]`; then `man -l dist/man/meridian-ttl.7`.
 *
 * @module
 */

import { join } from "node:path/posix";
import { allCommands, type Command, EXIT_CODES } from "../core/command/mod.ts";
import type { FlagTable } from "../core/command/flags.ts";
import { formatTable } from "../core/command/table.ts";
import { VERSION } from "../core/command/version.ts";
import { plugins } from "../plugins/mod.ts";

const ROOT = join(import.meta.dirname!, "..");

const commands = await allCommands();

/** What stands at a page's head. */
interface Title {
  readonly name: string;
  readonly section: 1 | 7;
  /** `2026-11-22`. */
  readonly day: string;
}

/** Every page by the name of its file. */
export function manPages(root: string, day: string): Map<string, string> {
  const pages = new Map<string, string>();
  const add = (name: string, section: Title["section"], markdown: string) =>
    pages.set(`${name}.${section}`, manPage({ name, section, day }, markdown));
  add("meridian", 1, mainPage());
  for (const [name, command] of Object.entries(commands)) {
    add(`meridian-${name}`, 1, commandPage(name, command));
  }
  for (const { name } of plugins) {
    add(`meridian-${name}`, 7, Deno.readTextFileSync(join(root, `plugins/${name}/README.md`)));
  }
  return pages;
}

function mainPage(): string {
  const list = Object.entries(commands).map(([name, { summary }]) => `- \`meridian ${name}\`: ${summary}.`);
  return `# meridian

## Name

meridian - makes a fleet of nodes look like one anycast address

## Synopsis

\`meridian\` [\`COMMAND\`] [\`FLAGS\`] [\`WORDS\`]

## Description

A DNS server that answers with the addresses of the nearest nodes that are healthy. Without a command it serves.

${list.join("\n")}

Each command has a page of its own, \`meridian-COMMAND\`(1), and each plugin, \`meridian-PLUGIN\`(7).

## Exit status

${EXIT_CODES}
`;
}

function commandPage(name: string, { usage, summary, flags }: Command): string {
  return `# meridian-${name}

## Name

meridian-${name} - ${summary}

## Synopsis

\`meridian ${usage}\`

## Options

${flagList(flags) || "None."}

## Exit status

${EXIT_CODES}
`;
}

function flagList(flags: FlagTable): string {
  return Object.entries(flags).map(([flag, { value, help, short }]) =>
    `- \`-${flag}${value ? ` ${value}` : ""}\`${short ? `, \`-${short}\`` : ""}: ${help}.`
  ).join("\n");
}

/** A page in man's language, from Markdown as it stands in the READMEs: its own first heading is left out. */
export function manPage({ name, section, day }: Title, markdown: string): string {
  const head = `.TH ${quoted(name.toUpperCase())} ${section} ${quoted(day)} ${
    quoted(`Meridian ${VERSION}`)
  } "Meridian"`;
  const lines = markdown.split("\n");
  const body: string[] = [];
  for (let at = 0; at < lines.length;) at = block(lines, at, body, name);
  // Long words stand in it, which no line can be filled around.
  return [head, ".ad l", ".nh", ...body, ""].join("\n");
}

/** Writes the block that begins at a line. @returns The line after it. */
function block(lines: readonly string[], at: number, body: string[], name: string): number {
  const line = lines[at]!;
  const end = (goesOn: (line: string) => boolean) => {
    const found = lines.findIndex((line, i) => i > at && !goesOn(line));
    return found < 0 ? lines.length : found;
  };
  if (line.trim() === "" || /^# /.test(line)) return at + 1;
  const [, marks, title] = /^(##+) (.*)$/.exec(line) ?? [];
  if (marks) {
    body.push(
      marks === "##" ? `.SH ${quoted(inline(title!.toUpperCase()))}` : `.SS ${quoted(inline(title!))}`,
    );
    return at + 1;
  }
  if (/^\s*(```|~~~)/.test(line)) {
    const last = end((line) => !/^\s*(```|~~~)\s*$/.test(line));
    verbatim(lines.slice(at + 1, last), body);
    return last + 1;
  }
  if (/^( {4}|\t)/.test(line)) {
    const last = end((line) => /^( {4}|\t)/.test(line));
    verbatim(lines.slice(at, last).map((line) => line.slice(4)), body);
    return last;
  }
  if (line.startsWith("|")) {
    const last = end((line) => line.startsWith("|"));
    verbatim(tableText(lines.slice(at, last)).split("\n"), body);
    return last;
  }
  const [, indent, mark, first] = /^( *)([-*+]|\d+\.) +(.*)$/.exec(line) ?? [];
  const isText = (line: string) => line.trim() !== "" && !/^\s*([-*+] |\d+\. |```|~~~|#|\|)/.test(line);
  const last = end(isText);
  const text = [first ?? line, ...lines.slice(at + 1, last)].map((line) => line.trim()).join(" ");
  if (mark) {
    const item = [`.IP ${/\d/.test(mark) ? mark : "\\(bu"} 3`, sentence(text)];
    body.push(...indent ? [".RS", ...item, ".RE"] : item);
  } else {
    body.push(...paragraph(body), sentence(body.at(-1) === '.SH "NAME"' ? nameLine(text, name) : text));
  }
  return last;
}

/** `_ttl_ - gives …` as indexers want it: the page's name, and no type. */
function nameLine(text: string, name: string): string {
  return text.replace(/^.*? +[-–—] +/, `${name} - `);
}

function verbatim(lines: readonly string[], body: string[]): void {
  body.push(...paragraph(body), ".RS 4", ".EX", ...lines.map((line) => guard(escaped(line))), ".EE", ".RE");
}

/** What parts a block from the one before it: nothing where a heading does. */
function paragraph(body: readonly string[]): string[] {
  return body.at(-1)?.startsWith(".S") ? [] : [".PP"];
}

/** A table of Markdown, aligned. */
function tableText(rows: readonly string[]): string {
  const cells = rows.map((row) =>
    row.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => plain(cell.trim()))
  );
  const [headings, , ...others] = cells;
  return formatTable(headings!, others);
}

/** Text without marks, where there is but one face. */
function plain(text: string): string {
  return text.replace(/`([^`]*)`/g, "$1").replace(/\*\*([^*]+)\*\*/g, "$1")
    .replace(/(?<!\w)_([^_]+)_(?!\w)/g, "$1").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("\\|", "|");
}

/** Running text; a line of it that begins like a request is none. */
function sentence(text: string): string {
  return guard(inline(text));
}

/** Faces: code and what a person fills in are bold, names are italic. */
function inline(text: string): string {
  return text.split(/(`[^`]*`)/).map((part) => {
    if (part.startsWith("`")) return `\\fB${escaped(part.slice(1, -1))}\\fP`;
    return escaped(
      part.replace(
        /\[([^\]]*)\]\(([^)]*)\)/g,
        (_, words, link) => /^https?:/.test(link) && words !== link ? `${words} <${link}>` : words,
      ),
    )
      .replace(/\*\*([^*]+)\*\*/g, "\\fB$1\\fP")
      .replace(/(?<!\w)_([^_]+)_(?!\w)/g, "\\fI$1\\fP");
  }).join("");
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("\t", "    ");
}

/** A line that begins with a dot or a quote would be a request. */
function guard(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? join(ROOT, "dist/man");
  await Deno.mkdir(folder, { recursive: true });
  const pages = manPages(ROOT, new Date().toISOString().slice(0, 10));
  for (const [file, text] of pages) await Deno.writeTextFile(join(folder, file), text);
  console.log(`${folder}: ${pages.size} pages`);
}
