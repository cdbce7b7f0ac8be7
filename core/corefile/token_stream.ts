/**
 * The words of a Corefile in the order in which they are parsed, imports spliced in.
 *
 * @module
 */

import type { Lexeme } from "./lexer.ts";

interface Frame {
  /** The file's path or the snippet's `(name)`: what an import cycle is told by. */
  readonly origin: string;
  readonly lexemes: readonly Lexeme[];
  next: number;
}

/** A stack of texts: the file, above it what it imports, above that what that imports. */
export class TokenStream {
  readonly #frames: Frame[] = [];

  /** Puts `lexemes` before all that is left. */
  push(origin: string, lexemes: readonly Lexeme[]): void {
    this.#frames.push({ origin, lexemes, next: 0 });
  }

  /** Puts back words that were part of the one taken last. */
  putBack(lexemes: readonly Lexeme[]): void {
    this.push("", lexemes);
  }

  /** The next word without taking it; undefined at the end. */
  peek(): Lexeme | undefined {
    // A text read to its end stays until the word after it is wanted, so that one which imports itself in
    // its last line is still seen as open.
    for (let frame = this.#frames.at(-1); frame; frame = this.#frames.at(-1)) {
      const lexeme = frame.lexemes[frame.next];
      if (lexeme) return lexeme;
      this.#frames.pop();
    }
    return undefined;
  }

  /** Takes the next word. */
  next(): Lexeme | undefined {
    const lexeme = this.peek();
    if (lexeme) this.#frames.at(-1)!.next++;
    return lexeme;
  }

  /** The next word if it stands on the line of the one taken last. */
  sameLine(): Lexeme | undefined {
    const frame = this.#frames.at(-1);
    const lexeme = frame?.lexemes[frame.next];
    return lexeme?.startsLine ? undefined : lexeme;
  }

  /** The files and snippets that are being read, outermost first; one that only waits its turn is not. */
  origins(): string[] {
    return this.#frames.filter(({ origin, next }) => origin !== "" && next > 0).map(({ origin }) => origin);
  }
}
