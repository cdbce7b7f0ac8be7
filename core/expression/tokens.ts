/**
 * Cuts an expression into words.
 *
 * @module
 */

/** An expression that cannot be used. */
export class ExpressionError extends SyntaxError {
  override readonly name = "ExpressionError";
  /** Which character of the expression is wrong, from 0. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** A word of an expression. */
export interface ExpressionToken {
  readonly kind: "number" | "string" | "name" | "operator" | "end";
  /** As it stands; of a string, what it holds. */
  readonly text: string;
  readonly offset: number;
}

// The y flag tries a pattern at one place only. Longer operators stand first.
const BLANKS = /\s*/y;
const NUMBER = /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /\?\?|\|\||&&|==|!=|<=|>=|\*\*|\.\.|[-+*/%^<>!?:,.|()[\]{}#]/y;

/** Words that mean something of their own. */
export const KEYWORDS: readonly string[] = [
  "and",
  "or",
  "not",
  "in",
  "matches",
  "contains",
  "startsWith",
  "endsWith",
  "true",
  "false",
  "nil",
];

/** The words of `source`, an `end` behind the last. @throws {ExpressionError} At what is none. */
export function readTokens(source: string): ExpressionToken[] {
  const tokens: ExpressionToken[] = [];
  for (let at = 0;;) {
    at += matchAt(BLANKS, source, at)!.length;
    const token = readToken(source, at);
    tokens.push(token.token);
    if (token.token.kind === "end") return tokens;
    at = token.end;
  }
}

function readToken(source: string, offset: number): { token: ExpressionToken; end: number } {
  const first = source[offset];
  if (first === undefined) return { token: { kind: "end", text: "the end", offset }, end: offset };
  if (first === "'" || first === '"' || first === "`") return readString(source, offset, first);
  for (const [kind, shape] of [["number", NUMBER], ["name", NAME], ["operator", OPERATOR]] as const) {
    const text = matchAt(shape, source, offset);
    if (text !== undefined) return { token: { kind, text, offset }, end: offset + text.length };
  }
  const hint = first === "=" ? ": equality is written '=='" : first === "&" ? ": and is written '&&'" : "";
  throw new ExpressionError(offset, `found '${first}'${hint}`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** A string; one in backticks holds what it holds, in the others a `\` begins an escape. */
function readString(source: string, offset: number, quote: string): { token: ExpressionToken; end: number } {
  let text = "";
  for (let at = offset + 1; at < source.length; at++) {
    const c = source[at]!;
    if (c === quote) return { token: { kind: "string", text, offset }, end: at + 1 };
    if (c !== "\\" || quote === "`") {
      text += c;
      continue;
    }
    const escape = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3}))/.exec(source.slice(at + 1, at + 6));
    if (escape) {
      const [whole, byte, unit, octal] = escape;
      text += String.fromCharCode(octal ? parseInt(octal, 8) : parseInt(byte ?? unit!, 16));
      at += whole.length;
      continue;
    }
    const escaped = ESCAPES[source[++at] ?? ""];
    if (escaped === undefined) {
      throw new ExpressionError(
        at - 1,
        `found '\\${source[at] ?? ""}' in a string: a backslash is written '\\\\'`,
      );
    }
    text += escaped;
  }
  throw new ExpressionError(offset, "the string that begins here is never closed");
}

function matchAt(shape: RegExp, source: string, at: number): string | undefined {
  shape.lastIndex = at;
  return shape.exec(source)?.[0];
}
