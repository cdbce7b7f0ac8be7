/**
 * Reads gdnsd's configuration language, as gdnsd.config(5) describes it: tables, lists and words nested at will,
 * comments behind `#` and `;`, RFC 1035's escapes, and `$include{...}`.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { besides, ImportError, type ImportSource } from "./imported.ts";

/** A value, with the place where it begins. */
export type Vscf =
  | { readonly kind: "word"; readonly text: string; readonly at: Position }
  | { readonly kind: "list"; readonly items: readonly Vscf[]; readonly at: Position }
  | Table;

/** Keys and values, in order. */
export interface Table {
  readonly kind: "table";
  readonly entries: ReadonlyMap<string, Vscf>;
  readonly at: Position;
}

/** How deep files may include each other, and values nest. */
const DEPTH_MAX = 32;

/** Reads a file whose top is a table, as that of the main one is. @throws {ImportError} */
export function readVscf(path: string, source: ImportSource): Table {
  const value = readFile(path, source, 0);
  if (value.kind !== "table") throw new ImportError(value.at, "found a list: wanted keys and values");
  return value;
}

function readFile(path: string, source: ImportSource, depth: number): Vscf {
  const at = { file: path, line: 1, column: 1 };
  const text = source.read(path);
  if (text === undefined) throw new ImportError(at, `cannot read ${path}: there is no such file`);
  if (depth > DEPTH_MAX) {
    throw new ImportError(at, `found files included ${depth} deep: wanted at most ${DEPTH_MAX}`);
  }
  return new Reader(text, path, source, depth).file();
}

class Reader {
  readonly #text: string;
  readonly #file: string;
  readonly #source: ImportSource;
  readonly #depth: number;
  #next = 0;
  #nested = 0;
  /** How far lines have been counted, how many there were, and where the last of them begins. */
  #counted = { to: 0, line: 1, start: 0 };

  constructor(text: string, file: string, source: ImportSource, depth: number) {
    [this.#text, this.#file, this.#source, this.#depth] = [text, file, source, depth];
  }

  file(): Vscf {
    this.#skip();
    const value = this.#peek() === "[" ? this.#value() : this.#table(undefined);
    this.#skip();
    if (this.#next < this.#text.length) throw this.#wrong("the end of the file");
    return value;
  }

  #peek(): string {
    return this.#text[this.#next] ?? "";
  }

  /** Blanks, comments and commas, which part nothing that is not parted already. */
  #skip(): void {
    this.#next += /^(?:[\s,]+|[#;][^\n]*)*/.exec(this.#text.slice(this.#next))![0].length;
  }

  #position(): Position {
    let { to, line, start } = this.#counted;
    for (to = this.#text.indexOf("\n", to); to >= 0 && to < this.#next; to = this.#text.indexOf("\n", to)) {
      line++;
      start = ++to;
    }
    this.#counted = { to: start, line, start };
    return { file: this.#file, line, column: this.#next - start + 1 };
  }

  #wrong(wanted: string): ImportError {
    const found = this.#text.slice(this.#next).match(/^\S+/)?.[0];
    return new ImportError(
      this.#position(),
      `found ${found ? `'${found}'` : "the end of the file"}: wanted ${wanted}`,
    );
  }

  #value(): Vscf {
    if (++this.#nested > DEPTH_MAX) throw this.#wrong(`values at most ${DEPTH_MAX} deep in each other`);
    const at = this.#position();
    const value = this.#peek() === "{"
      ? (this.#next++, this.#table("}"))
      : this.#peek() === "["
      ? this.#list()
      : this.#text.startsWith("$include{", this.#next)
      ? this.#included()
      : { kind: "word" as const, text: this.#word(), at };
    this.#nested--;
    return value;
  }

  #list(): Vscf {
    const at = this.#position();
    const items: Vscf[] = [];
    this.#next++;
    for (this.#skip(); this.#peek() !== "]"; this.#skip()) items.push(this.#value());
    this.#next++;
    return { kind: "list", items, at };
  }

  /** Keys and values up to `close`, or up to the end of the file. */
  #table(close: "}" | undefined): Table {
    const at = this.#position();
    const entries = new Map<string, Vscf>();
    for (this.#skip(); this.#peek() !== (close ?? ""); this.#skip()) {
      if (this.#text.startsWith("$include{", this.#next)) this.#merge(entries);
      else {
        const key = this.#word();
        this.#skip();
        const equals = /^=>?/.exec(this.#text.slice(this.#next));
        if (!equals) throw this.#wrong(`'=>' after ${key}`);
        this.#next += equals[0].length;
        this.#skip();
        entries.set(key, this.#value());
      }
    }
    if (close) this.#next++;
    return { kind: "table", entries, at };
  }

  #word(): string {
    const rest = this.#text.slice(this.#next);
    const [all, quoted, bare] =
      /^"((?:[^"\\]|\\[^])*)"|^((?:[^\][}{;#,"=\\\s$]|\\[^])(?:[^\][}{;#,"=\\\s]|\\[^])*)/.exec(
        rest,
      ) ?? [];
    if (all === undefined) throw this.#wrong("a word");
    this.#next += all.length;
    return (quoted ?? bare!).replace(
      /\\(\d{3}|[^])/g,
      (_, escaped: string) => escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
    );
  }

  /** The paths that an include names: one, or all that fit a `*`, or those in a folder. */
  #includes(): { at: Position; paths: string[] } {
    const at = this.#position();
    this.#next += "$include{".length;
    this.#skip();
    const path = besides(this.#file, this.#word());
    this.#skip();
    if (this.#peek() !== "}") throw this.#wrong("'}' after the path");
    this.#next++;
    const inFolder = this.#source.list(path);
    if (inFolder) return { at, paths: inFolder.map((name) => `${path}/${name}`) };
    if (!path.includes("*")) return { at, paths: [path] };
    const slash = path.lastIndexOf("/");
    const [folder, glob] = [path.slice(0, slash), path.slice(slash + 1)];
    const pattern = new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
    const names = (this.#source.list(folder) ?? []).filter((name) => pattern.test(name));
    if (names.length === 0) throw new ImportError(at, `no file fits ${path}`);
    return { at, paths: names.map((name) => `${folder}/${name}`) };
  }

  #included(): Vscf {
    const { at, paths } = this.#includes();
    if (paths.length !== 1) {
      throw new ImportError(at, `found ${paths.length} files: wanted one where a value stands`);
    }
    return readFile(paths[0]!, this.#source, this.#depth + 1);
  }

  #merge(entries: Map<string, Vscf>): void {
    const { at, paths } = this.#includes();
    for (const path of paths) {
      const value = readFile(path, this.#source, this.#depth + 1);
      if (value.kind !== "table") throw new ImportError(at, `${path} has a list: wanted keys and values`);
      for (const [key, one] of value.entries) entries.set(key, one);
    }
  }
}

/** The value of a key, in a table; undefined elsewhere. */
export function at(value: Vscf | undefined, key: string): Vscf | undefined {
  return value?.kind === "table" ? value.entries.get(key) : undefined;
}

/** Keys and values of a table; none of anything else. */
export function entriesOf(value: Vscf | undefined): [string, Vscf][] {
  return value?.kind === "table" ? [...value.entries] : [];
}

/** The word that a value is. */
export function wordOf(value: Vscf | undefined): string | undefined {
  return value?.kind === "word" ? value.text : undefined;
}

/** The values of a list; one that is no list stands for a list of itself. */
export function itemsOf(value: Vscf | undefined): readonly Vscf[] {
  return value === undefined ? [] : value.kind === "list" ? value.items : [value];
}

/** The words of a list, or the one word. */
export function wordsOf(value: Vscf | undefined): string[] {
  return itemsOf(value).flatMap((item) => wordOf(item) ?? []);
}

/** The number that a value is. */
export function numberOf(value: Vscf | undefined): number | undefined {
  const text = wordOf(value);
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Whether a value says true. */
export function isTrue(value: Vscf | undefined): boolean {
  return /^true$/i.test(wordOf(value) ?? "");
}
