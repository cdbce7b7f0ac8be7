/**
 * What a Corefile says, as values with positions. Knows nothing of DNS.
 *
 * @module
 */

/** Where something stands. Lines and columns count from 1, columns in characters. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One word of a Corefile, environment variables expanded. */
export interface Token {
  readonly text: string;
  readonly at: Position;
  /** Whether it stood in quotes. */
  readonly quoted: boolean;
}

/** A name with arguments and, where it opened one, the lines of its block. Lines in a block have the same shape. */
export interface Directive {
  readonly name: Token;
  readonly args: readonly Token[];
  readonly block?: readonly Directive[];
}

/** Keys and the directives between their braces, in file order. */
export interface ServerBlock {
  readonly keys: readonly Token[];
  readonly directives: readonly Directive[];
}

/** A whole Corefile: the global options (a first block without a key) and the server blocks. */
export interface Corefile {
  readonly globals: readonly Directive[];
  readonly blocks: readonly ServerBlock[];
}

/** Something wrong in a Corefile or a file it names; the message says what was found and what was wanted. */
export class CorefileError extends SyntaxError {
  override readonly name = "CorefileError";
  readonly at: Position;

  constructor(at: Position | Token, message: string) {
    super(message);
    this.at = "at" in at ? at.at : at;
  }
}

/** Every problem found so far, so that a person sees all of them at once. */
export class Problems {
  readonly errors: CorefileError[] = [];
  readonly warnings: CorefileError[] = [];

  error(at: Position | Token, message: string): void {
    this.errors.push(new CorefileError(at, message));
  }

  warn(at: Position | Token, message: string): void {
    this.warnings.push(new CorefileError(at, message));
  }

  /** Runs `read`; a CorefileError it throws is kept, and undefined comes back. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error;
      this.errors.push(error);
      return undefined;
    }
  }
}

/** `FILE:LINE:COLUMN`. */
export function formatPosition({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}
