/**
 * The words of a record's RDATA, one after the other, and errors that point at them.
 *
 * @module
 */

import type { Name } from "./name.ts";

/** One word as a master file has it: quotes taken off, escapes still in. */
export interface RdataToken {
  readonly text: string;
  readonly quoted: boolean;
}

/** RDATA in presentation form that cannot be read; the message says what was wanted and what was found. */
export class RdataError extends SyntaxError {
  override readonly name = "RdataError";
  /** Which token is wrong, from 0; the count of tokens where one is missing. */
  readonly tokenIndex: number;

  constructor(tokenIndex: number, message: string) {
    super(message);
    this.tokenIndex = tokenIndex;
  }
}

/** Hands out tokens in order. */
export class RdataTokens {
  readonly #tokens: readonly RdataToken[];
  /** What a relative name is relative to. */
  readonly origin: Name;
  /** The type's mnemonic, for messages. */
  readonly type: string;
  at = 0;

  constructor(tokens: readonly RdataToken[], origin: Name, type: string) {
    this.#tokens = tokens;
    this.origin = origin;
    this.type = type;
  }

  /** The next token, not yet taken. */
  get peeked(): RdataToken | undefined {
    return this.#tokens[this.at];
  }

  /** Takes the next token. @throws {RdataError} `expected WHAT, found the end` */
  next(what: string): RdataToken {
    const token = this.#tokens[this.at];
    if (!token) this.fail(`expected ${what}, found the end`);
    this.at++;
    return token;
  }

  /** Takes the next token and reads it; a SyntaxError from `read` is thrown again as an RdataError there. */
  read<T>(what: string, read: (text: string) => T): T {
    const token = this.next(what);
    try {
      return read(token.text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.fail(`${what}: ${error.message}`, this.at - 1);
    }
  }

  /** Takes all that is left as one text, as RDATA in hex or base64 may be split in words. */
  joinRest(): string {
    let text = "";
    for (; this.#tokens[this.at]; this.at++) text += this.#tokens[this.at]!.text;
    return text;
  }

  /** @throws {RdataError} When a token is left. */
  end(): void {
    const token = this.peeked;
    if (token) this.fail(`expected the end, got "${token.text}"`);
  }

  /** @throws {RdataError} At the next token, or at `index`. */
  fail(reason: string, index: number = this.at): never {
    throw new RdataError(index, `Cannot read ${this.type}: ${reason}`);
  }
}
