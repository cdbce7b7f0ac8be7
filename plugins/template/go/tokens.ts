/**
 * Cuts a template into text and actions, and actions into words.
 *
 * @module
 */

import { TemplateError } from "./syntax.ts";

/** Text as it stands, or an action with its words, an `end` behind the last. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly at: number; readonly words: readonly Word[] };

/** A word of an action. `glued`: nothing stands between it and the word before, as in `(x).Y`. */
export interface Word {
  readonly kind: "string" | "number" | "field" | "variable" | "name" | "operator" | "end";
  /** As it stands; of a string or a character, what it holds. */
  readonly text: string;
  readonly at: number;
  readonly glued: boolean;
}

const COMMENT = /^(?:-\s+)?\/\*[^]*?\*\/(?:\s+-)?\s*$/;

/** The pieces of a template; blanks that a `-` inside the braces takes away are gone. @throws {TemplateError} */
export function readPieces(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0, trims = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trims) text = text.trimStart();
    if (open < 0) {
      if (text !== "") pieces.push({ kind: "text", text });
      return pieces;
    }
    const close = closingBraces(source, open + 2);
    const inner = source.slice(open + 2, close);
    const trimsBefore = /^-\s/.test(inner);
    if (trimsBefore) text = text.trimEnd();
    trims = /\s-$/.test(inner);
    if (text !== "") pieces.push({ kind: "text", text });
    if (!COMMENT.test(inner)) {
      const start = open + 2 + (trimsBefore ? 1 : 0), end = close - (trims ? 1 : 0);
      pieces.push({ kind: "action", at: open, words: readWords(source, start, end) });
    }
    at = close + 2;
  }
}

/** Where the `}}` of an action stands: not one in a string or a comment. */
function closingBraces(source: string, from: number): number {
  const comment = /(?:-\s+)?\/\*[^]*?\*\//y;
  comment.lastIndex = from;
  let at = comment.test(source) ? comment.lastIndex : from;
  for (; at < source.length; at++) {
    if (source.startsWith("}}", at)) return at;
    const c = source[at];
    if (c === '"' || c === "`" || c === "'") at = endOfString(source, at) - 1;
  }
  throw new TemplateError(from - 2, "found '{{' that is never closed: wanted '}}'");
}

/** Behind the quote that closes the one at `start`. */
function endOfString(source: string, start: number): number {
  const quote = source[start]!;
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === quote) return at + 1;
    if (source[at] === "\\" && quote !== "`") at++;
  }
  throw new TemplateError(start, "the string that begins here is never closed");
}

// The y flag tries a pattern at one place only.
const SHAPES: readonly (readonly [kind: Word["kind"], shape: RegExp])[] = [
  ["number", /[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)/y],
  ["field", /\.[A-Za-z_][A-Za-z0-9_]*|\./y],
  ["variable", /\$[A-Za-z0-9_]*/y],
  ["name", /[A-Za-z_][A-Za-z0-9_]*/y],
  ["operator", /:=|=|[|(),]/y],
];

function readWords(source: string, start: number, end: number): Word[] {
  const words: Word[] = [];
  for (let at = start;;) {
    const blank = /\s*/y;
    blank.lastIndex = at;
    const skipped = blank.exec(source)![0].length, glued = at > start && skipped === 0;
    at += skipped;
    if (at >= end) {
      words.push({ kind: "end", text: "the end of the action", at: end, glued: false });
      return words;
    }
    const word = readWord(source, at, glued);
    words.push(word.word);
    at = word.end;
  }
}

function readWord(source: string, at: number, glued: boolean): { word: Word; end: number } {
  const c = source[at]!;
  if (c === '"' || c === "`" || c === "'") {
    const end = endOfString(source, at), inner = source.slice(at + 1, end - 1);
    const text = c === "`" ? inner : unescaped(inner, at);
    if (c !== "'") return { word: { kind: "string", text, at, glued }, end };
    return { word: { kind: "number", text: String(text.codePointAt(0) ?? 0), at, glued }, end };
  }
  for (const [kind, shape] of SHAPES) {
    shape.lastIndex = at;
    const found = shape.exec(source);
    if (found) return { word: { kind, text: found[0], at, glued }, end: shape.lastIndex };
  }
  throw new TemplateError(at, `found '${c}' in an action`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescaped(text: string, at: number): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|([^]))/g,
    (whole, byte, unit, octal, c) => {
      if (octal) return String.fromCharCode(parseInt(octal, 8));
      if (byte ?? unit) return String.fromCharCode(parseInt(byte ?? unit, 16));
      if (/[\\'"]/.test(c)) return c;
      if (Object.hasOwn(ESCAPES, c)) return ESCAPES[c]!;
      throw new TemplateError(at, `found '${whole}' in a string: a backslash is written '\\\\'`);
    },
  );
}
