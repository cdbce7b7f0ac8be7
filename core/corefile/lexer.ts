/**
 * Cuts a Corefile into words, as CoreDNS does; what differs is listed in docs/decisions/0002-corefile.md.
 *
 * Words are parted by Unicode white space. One that begins with `"` runs to the next `"` that no backslash
 * precedes, over lines too. A `#` where a word would begin hides the rest of the line.
 *
 * @module
 */

import type { Position, Problems, Token } from "./directive.ts";

/** A word as the parser needs it. */
export interface Lexeme {
  /** The word with environment variables expanded. */
  readonly token: Token;
  /** The word before expansion, without its quotes. */
  readonly raw: string;
  /** Whether no other word stands before it on its line. */
  readonly startsLine: boolean;
}

/** An environment variable's value, or undefined when it is not set. */
export type Environment = (name: string) => string | undefined;

/** All words of `text`. Reports unclosed quotes, unset variables and look-alike characters to `problems`. */
export function lex(text: string, file: string, env: Environment, problems: Problems): Lexeme[] {
  const scanner = new Scanner(text, file);
  const lexemes: Lexeme[] = [];
  let lastLine = 0;
  for (;;) {
    scanner.skipBlank();
    const at = scanner.position();
    const first = scanner.peek();
    if (first === undefined) return lexemes;
    const quoted = first === '"';
    const raw = quoted ? readQuoted(scanner, problems) : readBare(scanner, problems);
    const token = { text: expand(raw, at, env, problems), at, quoted };
    // CoreDNS drops the empty word that a lone quote at the very end would make.
    if (raw !== "" || !scanner.brokeOff) lexemes.push({ token, raw, startsLine: at.line > lastLine });
    lastLine = scanner.position().line;
  }
}

/** Reads a word that began without a quote. */
function readBare(scanner: Scanner, problems: Problems): string {
  const at = scanner.position();
  let word = "";
  for (let c = scanner.peek(); c !== undefined && (c === "\r" || !isSpace(c)); c = scanner.peek()) {
    if (c === "#") {
      problems.warn(
        scanner.position(),
        "'#' inside a word starts no comment: put a blank before it, or quote the word",
      );
    }
    if (c !== "\r") word += c;
    scanner.take();
  }
  reportLookalikes(word, at, problems);
  return word;
}

/** Reads a word in quotes, which may hold line breaks; `\"` is the only escape. */
function readQuoted(scanner: Scanner, problems: Problems): string {
  const at = scanner.position();
  scanner.take();
  let word = "";
  for (let c = scanner.take(); c !== undefined; c = scanner.take()) {
    if (c === '"') return word;
    if (c === "\\") {
      const next = scanner.take();
      if (next === undefined) break;
      word += next === '"' ? next : c + next;
    } else {
      word += c;
    }
  }
  scanner.brokeOff = true;
  problems.error(at, "Unexpected EOF: the quote that opens here is never closed");
  // Meant to end on its own line, as nearly every quote does.
  return word.split("\n", 1)[0]!.trimEnd();
}

/** Typographic quotes and characters without width come from word processors and web pages, and look right. */
function reportLookalikes(word: string, at: Position, problems: Problems): void {
  if (/^[\u2018-\u201f\u00ab\u00bb]/.test(word)) {
    problems.error(at, `Unexpected typographic quote '${word[0]}': a word is quoted with "`);
  }
  const unseen = /[\u00ad\u200b-\u200f\u2060\ufeff]/.exec(word);
  if (unseen) {
    const code = unseen[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    problems.error(at, `Unexpected invisible character U+${code} in '${word}': delete it`);
  }
}

/** Replaces `{$NAME}` and `{%NAME%}`, once: what a value holds is not looked at again. */
function expand(raw: string, at: Position, env: Environment, problems: Problems): string {
  return raw.replace(/\{%([^%}]+)%\}|\{\$([^}]+)\}/g, (_, percent?: string, dollar?: string) => {
    const name = (percent ?? dollar)!;
    const value = env(name);
    if (value === undefined) problems.warn(at, `Environment variable '${name}' is not set: read as nothing`);
    return value ?? "";
  });
}

/** White space as Unicode has it: unlike JavaScript's `\s`, with NEL and without the byte order mark. */
function isSpace(c: string): boolean {
  return c === "\x85" || (c !== "\ufeff" && /\s/.test(c));
}

/** Walks over the characters of a file, counting lines and columns. */
class Scanner {
  /** Whether the file ended inside quotes. */
  brokeOff = false;
  readonly #characters: readonly string[];
  readonly #file: string;
  #next = 0;
  #line = 1;
  #column = 1;

  constructor(text: string, file: string) {
    this.#characters = Array.from(text.startsWith("\ufeff") ? text.slice(1) : text);
    this.#file = file;
  }

  peek(): string | undefined {
    return this.#characters[this.#next];
  }

  take(): string | undefined {
    const c = this.#characters[this.#next++];
    if (c === "\n") [this.#line, this.#column] = [this.#line + 1, 1];
    else this.#column++;
    return c;
  }

  position(): Position {
    return { file: this.#file, line: this.#line, column: this.#column };
  }

  /** Passes over white space and comments. */
  skipBlank(): void {
    let inComment = false;
    for (let c = this.peek(); c !== undefined; c = this.peek()) {
      if (c === "#") inComment = true;
      if (!inComment && !isSpace(c)) return;
      if (c === "\n") inComment = false;
      this.take();
    }
  }
}
