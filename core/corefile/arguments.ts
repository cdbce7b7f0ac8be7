/**
 * Reads the words after a directive or an option, one at a time, each with an error that points at it.
 *
 * @module
 */

import { type Address, parseAddress, parsePrefix, type Prefix } from "../net/address.ts";
import { CorefileError, type Directive, type Problems, type Token } from "./directive.ts";
import { nearest } from "./nearest.ts";

/** What a number may be. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** The arguments of one directive or option. Every reader throws a {@linkcode CorefileError} at the wrong word. */
export class Arguments {
  readonly directive: Directive;
  #next = 0;

  constructor(directive: Directive) {
    this.directive = directive;
  }

  /** Whether words are left. */
  get more(): boolean {
    return this.#next < this.directive.args.length;
  }

  /** How many words are left. */
  get left(): number {
    return this.directive.args.length - this.#next;
  }

  /** The next word without taking it. */
  peek(): Token | undefined {
    return this.directive.args[this.#next];
  }

  /** The next word; `what` names it in the error when there is none, as `PORT`. */
  token(what: string): Token {
    const token = this.directive.args[this.#next];
    if (!token) {
      const last = this.directive.args.at(-1) ?? this.directive.name;
      throw new CorefileError(
        last,
        `Wrong argument count or unexpected line ending after '${last.text}': ${this.directive.name.text} wants ${what}`,
      );
    }
    this.#next++;
    return token;
  }

  /** The next word's text. */
  word(what: string): string {
    return this.token(what).text;
  }

  /** All words left. */
  rest(): Token[] {
    const tokens = this.directive.args.slice(this.#next);
    this.#next = this.directive.args.length;
    return tokens;
  }

  /** Takes the next word if it is `word`. */
  take(word: string): boolean {
    if (this.peek()?.text !== word) return false;
    this.#next++;
    return true;
  }

  /** Nothing may follow. */
  end(): void {
    const extra = this.peek();
    if (extra) {
      throw new CorefileError(
        extra,
        `Wrong argument count or unexpected line ending after '${extra.text}': ${this.directive.name.text} takes no more here`,
      );
    }
  }

  /** One of some words. */
  oneOf<const W extends string>(what: string, words: readonly W[]): W {
    const token = this.token(what);
    if ((words as readonly string[]).includes(token.text)) return token.text as W;
    throw this.#wrong(token, what, anyOf(words), nearest(token.text, words));
  }

  /** A number, whole or not. */
  number(what: string, range: Range = {}): number {
    const token = this.token(what);
    return this.#inRange(token, what, "a number", token.text, range, /^[+-]?(\d+(\.\d*)?|\.\d+)$/);
  }

  /** A whole number of up to 15 digits, which a double holds exactly. */
  whole(what: string, range: Range = {}): number {
    const token = this.token(what);
    return this.#inRange(token, what, "a whole number", token.text, range, /^[+-]?\d{1,15}$/);
  }

  /** A span of time as Go writes it, `1m30s`, `500ms`, or plain seconds. @returns Milliseconds. */
  durationMs(what: string, range: Range = {}): number {
    const token = this.token(what);
    const milliseconds = parseDurationMs(token.text);
    if (milliseconds === undefined) throw this.#wrong(token, what, "a duration such as 500ms, 10s or 1m30s");
    return this.#bounded(token, what, milliseconds, range, formatDuration);
  }

  /** A distance, `1000km` or a bare number of kilometres. */
  kilometres(what: string, range: Range = {}): number {
    const token = this.token(what);
    const text = token.text.endsWith("km") ? token.text.slice(0, -2) : token.text;
    return this.#inRange(
      token,
      what,
      "a distance such as 500km",
      text,
      { min: 0, ...range },
      /^\d+(\.\d+)?$/,
    );
  }

  /** A share, `5%` or `0.05`. */
  share(what: string, range: Range = {}): number {
    const token = this.token(what);
    const percent = token.text.endsWith("%");
    const text = percent ? token.text.slice(0, -1) : token.text;
    if (!/^\d+(\.\d+)?$/.test(text)) throw this.#wrong(token, what, "a share such as 5% or 0.05");
    return this.#bounded(token, what, percent ? Number(text) / 100 : Number(text), range);
  }

  /** `on` or `off`. */
  onOff(what: string): boolean {
    return this.oneOf(what, ["on", "off"]) === "on";
  }

  /** An IP address. */
  address(what: string): Address {
    const token = this.token(what);
    const address = parseAddress(token.text);
    if (!address) throw this.#wrong(token, what, "an IP address");
    return address;
  }

  /** An IP network. */
  prefix(what: string): Prefix {
    const token = this.token(what);
    const prefix = parsePrefix(token.text);
    if (!prefix) {
      throw this.#wrong(token, what, "a network such as 192.0.2.0/24, no bits set past the length");
    }
    return prefix;
  }

  #inRange(token: Token, what: string, kind: string, text: string, range: Range, shape: RegExp): number {
    if (!shape.test(text)) throw this.#wrong(token, what, kind);
    return this.#bounded(token, what, Number(text), range);
  }

  #bounded(
    token: Token,
    what: string,
    value: number,
    { min = -Infinity, max = Infinity }: Range,
    show: (bound: number) => string = String,
  ): number {
    if (value >= min && value <= max) return value;
    const wanted = max === Infinity
      ? `at least ${show(min)}`
      : min === -Infinity
      ? `at most ${show(max)}`
      : `from ${show(min)} to ${show(max)}`;
    throw this.#wrong(token, what, wanted);
  }

  #wrong(token: Token, what: string, wanted: string, guess?: string): CorefileError {
    const hint = guess ? `; did you mean '${guess}'?` : "";
    return new CorefileError(
      token,
      `${this.directive.name.text}: ${what} must be ${wanted}: got '${token.text}'${hint}`,
    );
  }
}

/** `on or off`, `tcp, http or dns`. */
function anyOf(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}

/** Milliseconds of a Go duration or of plain seconds; undefined when it is neither. */
export function parseDurationMs(text: string): number | undefined {
  const unitMs: Record<string, number> = {
    h: 3_600_000,
    m: 60_000,
    s: 1000,
    ms: 1,
    us: 1e-3,
    "µs": 1e-3,
    ns: 1e-6,
  };
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)) {
    total += Number(count) * unitMs[unit!]!;
  }
  return total;
}

/** Milliseconds as Go writes them, `1h30m`, `500ms`; what is not whole milliseconds as it is. */
function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000 || milliseconds % 1000 !== 0) return `${milliseconds}ms`;
  const seconds = milliseconds / 1000;
  const parts = [[Math.floor(seconds / 3600), "h"], [Math.floor(seconds / 60) % 60, "m"], [
    seconds % 60,
    "s",
  ]];
  return parts.filter(([count]) => count !== 0).map((part) => part.join("")).join("");
}

/** One option of a directive's block: how it is written, what it does, how it is read. */
export interface Option<T> {
  /** As in a man page: `interval DURATION`. */
  readonly usage: string;
  /** Whether it may stand more than once. */
  readonly repeats?: boolean;
  /** Whether it may open a block of its own. */
  readonly opensBlock?: boolean;
  /** Reads one occurrence. */
  read(args: Arguments, directive: Directive): T;
}

/** A table of options, by name. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** What a table of options reads to: lists where an option repeats. */
export type OptionValues<O extends Options> = {
  [K in keyof O]?: O[K] extends { readonly repeats: true } ? ReturnType<O[K]["read"]>[]
    : ReturnType<O[K]["read"]>;
};

/** The directive of a plugin that has one in each server block; another one is a problem. */
export function onlyOne(directives: readonly Directive[], problems: Problems): Directive {
  const [directive, again] = directives;
  if (again) {
    problems.error(again.name, `${again.name.text}: stands twice in this server block: want it once`);
  }
  return directive!;
}

/** Reads a directive's block by its table. Every wrong line is a problem of its own; the others are still read. */
export function readOptions<const O extends Options>(
  directive: Directive,
  options: O,
  problems: Problems,
): OptionValues<O> {
  const values: Record<string, unknown> = {};
  const seen = new Set<string>();
  for (const line of directive.block ?? []) {
    const name = line.name.text;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (!option) {
      const hint = hintFor(name, directive, Object.keys(options));
      problems.error(line.name, `${directive.name.text}: unknown property '${name}'${hint}`);
    } else if (line.block && !option.opensBlock) {
      problems.error(line.name, `${directive.name.text}: ${name} takes no block`);
    } else if (!option.repeats && seen.has(name)) {
      problems.error(line.name, `${directive.name.text}: ${name} stands twice`);
    } else {
      problems.attempt(() => {
        const args = new Arguments(line);
        const value = option.read(args, line);
        args.end();
        if (option.repeats) ((values[name] ??= []) as unknown[]).push(value);
        else values[name] = value;
      });
    }
    seen.add(name);
  }
  return values as OptionValues<O>;
}

/** What may have been meant by an option that there is none of, or else what there is. */
function hintFor(name: string, { name: { text } }: Directive, known: readonly string[]): string {
  if (known.length === 0) return `; ${text} has no options`;
  const guess = nearest(name, known);
  return guess ? `; did you mean '${guess}'?` : `; ${text} has ${known.join(", ")}`;
}
