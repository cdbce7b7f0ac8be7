/**
 * Cuts a master file into entries and words (RFC 1035 section 5.1): blanks, comments, parentheses, quotes.
 * What an escape means is left to whoever reads the word.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";

/** Something wrong in a zone file: where, what was found, what was wanted. */
export interface ZoneFileError {
  readonly at: Position;
  readonly message: string;
}

/** One word, as it stands in the file, the quotes around it left out. A quote ends the word before: `alpn="h2"` is two. */
export interface ZoneToken {
  readonly text: string;
  readonly quoted: boolean;
  readonly at: Position;
}

/** A line with a word on it; parentheses and quotes make several lines one. */
export interface Entry {
  /** At least one. */
  readonly tokens: readonly ZoneToken[];
  /** Whether a blank stands before the first word: the owner is then that of the entry before. */
  readonly indented: boolean;
  /** Just past the last word: where something missing should have stood. */
  readonly end: Position;
}

// The y flag tries a pattern at one place only. Each runs over its text once: no two ways to match the same.
const BLANKS = /[ \t\r]*(?:;[^\n]*)?/y;
const WORD = /[^ \t\r\n;()"\\]*(?:\\[^\r\n][^ \t\r\n;()"\\]*)*/y;
const QUOTED = /"([^"\\]*(?:\\[^][^"\\]*)*)"/y;

/** Errors after which reading stops: more are no help, and each may have sent the reader back a long way. */
export const ERRORS_MAX = 100;

/**
 * The entries of `text`, in order. What cannot be read is reported to `errors`, and reading goes on with the next
 * line that can, until there are {@linkcode ERRORS_MAX}.
 */
export function* readEntries(text: string, file: string, errors: ZoneFileError[]): Generator<Entry> {
  const lexer = new Lexer(text, file, errors);
  while (lexer.more && errors.length < ERRORS_MAX) {
    const entry = lexer.entry();
    if (entry) yield entry;
  }
}

class Lexer {
  readonly #text: string;
  readonly #file: string;
  readonly #errors: ZoneFileError[];
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string, file: string, errors: ZoneFileError[]) {
    this.#text = text;
    this.#file = file;
    this.#errors = errors;
  }

  get more(): boolean {
    return this.#at < this.#text.length;
  }

  /** The entry that begins on this line; undefined where there is none, or none that can be read. */
  entry(): Entry | undefined {
    const indented = this.#text[this.#at] === " " || this.#text[this.#at] === "\t";
    const tokens: ZoneToken[] = [];
    const opened: Position[] = [];
    let end = this.#here();
    for (;;) {
      this.#take(BLANKS);
      const c = this.#text[this.#at];
      if (c === undefined && opened.length > 0) return this.#unclosed(opened[0]!);
      if (c === undefined || (c === "\n" && opened.length === 0)) break;
      if (c === "\n") {
        this.#newline();
      } else if (c === "(") {
        opened.push(this.#here());
        this.#at++;
      } else if (c === ")") {
        if (!opened.pop()) this.#error(this.#here(), "found ')' with no '(' before it");
        this.#at++;
      } else {
        const token = this.#token();
        if (!token) return undefined;
        tokens.push(token);
        end = this.#here();
      }
    }
    if (this.more) this.#newline();
    return tokens.length > 0 ? { tokens, indented, end } : undefined;
  }

  /** One word; undefined, and the line left behind, when it cannot be read. */
  #token(): ZoneToken | undefined {
    const at = this.#here();
    if (this.#text[this.#at] === '"') {
      const inner = this.#take(QUOTED);
      if (inner) return { text: inner[1]!, quoted: true, at };
      this.#skipLine(at, 'found a quoted string that does not end: wanted a closing "');
      return undefined;
    }
    const word = this.#take(WORD)![0];
    if (word !== "") return { text: word, quoted: false, at };
    this.#skipLine(at, "found '\\' at the end of a line: wanted a character or three digits after it");
    return undefined;
  }

  /** Matches at the current place and moves past it. Only a quoted string may run over lines. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (!match) return undefined;
    if (pattern === QUOTED) {
      for (const newline of match[0].matchAll(/\n/g)) {
        this.#line++;
        this.#lineStart = this.#at + newline.index + 1;
      }
    }
    this.#at += match[0].length;
    return match;
  }

  #newline(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  /** The rest of the file stood in parentheses that were most likely forgotten: read on below the opening one. */
  #unclosed(opening: Position): undefined {
    this.#error(opening, "found '(' that is never closed: wanted ')'");
    this.#line = 1;
    this.#at = 0;
    while (this.#line <= opening.line && this.more) {
      const newline = this.#text.indexOf("\n", this.#at);
      this.#at = newline < 0 ? this.#text.length : newline + 1;
      this.#line++;
    }
    this.#lineStart = this.#at;
  }

  #skipLine(at: Position, message: string): void {
    this.#error(at, message);
    const newline = this.#text.indexOf("\n", this.#at);
    this.#at = newline < 0 ? this.#text.length : newline;
    if (newline >= 0) this.#newline();
  }

  #here(): Position {
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #error(at: Position, message: string): void {
    this.#errors.push({ at, message });
  }
}
