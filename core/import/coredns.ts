/**
 * A Corefile of CoreDNS as one of ours: the same text, with what has no counterpart made a comment that says why.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { Problems } from "../corefile/directive.ts";
import type { KnownDirective } from "../corefile/known.ts";
import { lex, type Lexeme } from "../corefile/lexer.ts";
import { DIFFERENCES, whyNoOption, whyNotHere } from "./coredns_plugins.ts";
import {
  besides,
  Findings,
  folderOf,
  type Imported,
  type ImportedFile,
  ImportError,
  type ImportSource,
} from "./imported.ts";

/** What there is here. */
export interface CoreDnsOptions {
  readonly modules: readonly KnownDirective[];
  /** Where relative paths of data files lead, if not from the folder of the new Corefile. */
  readonly dataFolder?: string;
}

/** Reads a Corefile and the files it imports. @throws {ImportError} When it cannot be read at all. */
export function importCoreDns(path: string, source: ImportSource, options: CoreDnsOptions): Imported {
  if (source.read(path) === undefined) {
    throw new ImportError({ file: path, line: 1, column: 1 }, `cannot read ${path}: there is no such file`);
  }
  const findings = new Findings();
  const files: ImportedFile[] = [];
  const waiting = [{ path, out: "Corefile", isBlock: false }];
  const seen = new Set([path]);
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const text = source.read(next.path) ?? "";
    const reader = new CorefileImport(text, next.path, findings, options, next.isBlock);
    files.push({ path: next.out, text: reader.run() });
    for (const { name, inBlock } of reader.imported) {
      for (const file of filesOf(besides(next.path, name), source)) {
        const out = file.slice(folderOf(path).length + 1);
        if (seen.has(file) || !file.startsWith(`${folderOf(path)}/`)) continue;
        seen.add(file);
        waiting.push({ path: file, out, isBlock: inBlock });
      }
    }
  }
  return { files, findings: findings.all };
}

/** The files that an import's word names: one, or all that fit. */
function filesOf(path: string, source: ImportSource): string[] {
  if (!/[*?]/.test(path)) return source.read(path) === undefined ? [] : [path.replace(/^\.\//, "")];
  const folder = folderOf(path);
  const glob = path.slice(folder.length + 1).replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  return (source.list(folder) ?? []).filter((name) => pattern.test(name)).map((name) => `${folder}/${name}`);
}

/** A directive or an option: its words, and the lines from its first to its last. */
interface Line {
  readonly words: readonly Lexeme[];
  readonly inside: readonly Line[];
  readonly last: number;
}

class CorefileImport {
  /** What it imports, and whether directives are wanted there. */
  readonly imported: { name: string; inBlock: boolean }[] = [];
  readonly #lines: string[];
  readonly #lexemes: readonly Lexeme[];
  readonly #findings: Findings;
  readonly #options: CoreDnsOptions;
  readonly #isBlock: boolean;
  readonly #snippets = new Set<string>();
  #next = 0;

  constructor(text: string, file: string, findings: Findings, options: CoreDnsOptions, isBlock: boolean) {
    this.#lines = text.split("\n");
    // Variables stay as they are written: what they stand for is nobody's business before the start.
    this.#lexemes = lex(text, file, (name) => `{$${name}}`, new Problems());
    [this.#findings, this.#options, this.#isBlock] = [findings, options, isBlock];
  }

  /** The new text. */
  run(): string {
    if (this.#isBlock) this.#block(this.#rest());
    else while (this.#peek()) this.#keyed();
    return this.#lines.join("\n");
  }

  #peek(): Lexeme | undefined {
    return this.#lexemes[this.#next];
  }

  /** A server block, a snippet or an import. */
  #keyed(): void {
    const keys: Lexeme[] = [];
    for (let one = this.#peek(); one && one.raw !== "{"; one = this.#peek()) {
      const goesOn = keys.at(-1)?.raw.endsWith(",");
      if (keys.length > 0 && one.startsLine && !goesOn) break;
      keys.push(one);
      this.#next++;
    }
    const [first] = keys;
    if (first?.raw === "import") return this.#noteImport(keys, false);
    const opens = this.#peek()?.raw === "{";
    const from = first?.token.at.line ?? this.#peek()!.token.at.line;
    if (opens) this.#next++;
    const lines = opens ? this.#until() : this.#rest();
    const last = opens ? this.#lexemes[this.#next - 1]!.token.at.line : this.#lines.length;
    if (first && /^\(.*\)$/.test(first.raw)) this.#snippets.add(first.raw.slice(1, -1));
    const scheme = keys.find(({ raw }) => /^[a-z][a-z0-9+.-]*:\/\//i.test(raw) && !/^dns:/i.test(raw));
    if (scheme) {
      const others = keys.length > 1 ? "; the whole server block waits with it" : "";
      return this.#comment(
        from,
        last,
        scheme.token.at,
        `key ${scheme.raw}`,
        `only plain DNS is served here${others}`,
      );
    }
    this.#block(lines);
  }

  /** The lines of a block, its closing brace taken. */
  #until(): Line[] {
    const lines: Line[] = [];
    for (let one = this.#peek(); one; one = this.#peek()) {
      if (one.raw === "}") {
        this.#next++;
        return lines;
      }
      lines.push(this.#line());
    }
    return lines;
  }

  #rest(): Line[] {
    const lines: Line[] = [];
    while (this.#peek()) lines.push(this.#line());
    return lines;
  }

  #line(): Line {
    const words = [this.#lexemes[this.#next++]!];
    let inside: Line[] = [];
    for (let one = this.#peek(); one && !one.startsLine && one.raw !== "}"; one = this.#peek()) {
      this.#next++;
      if (one.raw === "{") {
        inside = this.#until();
        break;
      }
      words.push(one);
    }
    return { words, inside, last: this.#lexemes[this.#next - 1]!.token.at.line };
  }

  #block(lines: readonly Line[]): void {
    const hasRoot = lines.some(({ words }) => words[0]!.raw === "root");
    for (const line of lines) {
      const { words: [name, ...args], inside, last } = line as Line & { words: [Lexeme, ...Lexeme[]] };
      if (name.raw === "import") {
        this.#noteImport(line.words, true);
        continue;
      }
      const module = this.#options.modules.find((one) =>
        one.name === name.raw || one.aliases?.includes(name.raw)
      );
      if (!module) {
        this.#comment(name.token.at.line, last, name.token.at, name.raw, whyNotHere(name.raw));
        continue;
      }
      for (const { applies, what, why } of DIFFERENCES[name.raw] ?? []) {
        if (applies(args.map(({ raw }) => raw), inside.map(({ words }) => words.map(({ raw }) => raw)))) {
          this.#findings.differs(name.token.at, what ?? name.raw, why);
        }
      }
      this.#checkOptions(name.raw, module, inside);
      this.#movePaths(name.raw, args, inside, hasRoot);
    }
  }

  #checkOptions(name: string, { options = {} }: KnownDirective, inside: readonly Line[]): void {
    if (Object.keys(options).length === 0) return;
    for (const { words: [word], last } of inside) {
      const { raw, token } = word!;
      if (raw === "import" || raw.startsWith("{$") || Object.hasOwn(options, raw)) continue;
      // The lines of a hosts file stand among its options.
      if (name === "hosts" && /^[\d.]+$|:/.test(raw)) continue;
      this.#comment(token.at.line, last, token.at, `${name}: ${raw}`, whyNoOption(name, raw));
    }
  }

  #noteImport(words: readonly Lexeme[], inBlock: boolean): void {
    const name = words[1]?.token.text;
    if (name !== undefined && !this.#snippets.has(name)) this.imported.push({ name, inBlock });
  }

  /** Data files stay where they are: a relative path is meant from the old folder. */
  #movePaths(name: string, args: readonly Lexeme[], inside: readonly Line[], hasRoot: boolean): void {
    const folder = this.#options.dataFolder;
    if (folder === undefined || (hasRoot && name !== "root")) return;
    const directory = inside.find(({ words }) => words[0]!.raw === "directory")?.words[1];
    const word = ["file", "hosts", "root", "geoip"].includes(name)
      ? args[0]
      : name === "auto"
      ? directory
      : undefined;
    if (!word || word.token.quoted || word.raw.startsWith("/") || word.raw.includes("{$")) return;
    const { line, column } = word.token.at;
    const characters = Array.from(this.#lines[line - 1]!);
    characters.splice(column - 1, 0, `${folder}/`);
    this.#lines[line - 1] = characters.join("");
  }

  /** Makes lines a comment, with the reason above them. */
  #comment(from: number, to: number, at: Position, what: string, why: string): void {
    this.#findings.leftOut(at, what, why);
    for (let line = from; line <= to; line++) {
      const text = this.#lines[line - 1]!;
      if (text.trim() === "") continue;
      const indent = /^\s*/.exec(text)![0];
      const reason = line === from ? `${indent}# left out: ${what}: ${why}\n` : "";
      this.#lines[line - 1] = `${reason}${indent}# ${text.slice(indent.length)}`;
    }
  }
}
