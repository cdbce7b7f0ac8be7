/**
 * The characters of a regular expression, one after the other, and errors that point at them.
 *
 * @module
 */

/** A regular expression that cannot be used. */
export class PatternError extends SyntaxError {
  override readonly name = "PatternError";
  /** Which character of the expression is wrong, from 0. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** Hands out UTF-16 code units. */
export class PatternReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get more(): boolean {
    return this.#at < this.#source.length;
  }

  /** The next character, not yet taken. */
  get peek(): string | undefined {
    return this.#source[this.#at];
  }

  /** Everything not yet taken. */
  get rest(): string {
    return this.#source.slice(this.#at);
  }

  /** Whether `text` comes next. */
  at(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  /** Takes `text` if it comes next. */
  take(text: string): boolean {
    if (!this.at(text)) return false;
    this.#at += text.length;
    return true;
  }

  /** Takes the next character. */
  next(): string {
    const unit = this.#source[this.#at];
    if (unit === undefined) this.fail("found the end");
    this.#at++;
    return unit;
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** Takes everything before `end`, and `end`; or, where it does not come, all that is left. */
  until(end: string): string {
    const start = this.#at, found = this.#source.indexOf(end, start);
    this.#at = found < 0 ? this.#source.length : found + end.length;
    return this.#source.slice(start, found < 0 ? undefined : found);
  }

  expectEnd(): void {
    if (this.more) this.fail(`'${this.peek}' closes nothing`);
  }

  /** @throws {PatternError} At the next character. */
  fail(message: string): never {
    throw new PatternError(this.#at, `${message}, at character ${this.#at + 1} of '${shown(this.#source)}'`);
  }
}

function shown(source: string): string {
  return source.length > 60 ? source.slice(0, 60) + "…" : source;
}
