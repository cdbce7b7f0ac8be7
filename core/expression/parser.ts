/**
 * Reads expressions as those who write CoreDNS's `view` and `template` know them (the language of expr-lang.org): its
 * literals, operators and their precedence, calls, predicates with `#`. Not its maps, `let`, and methods.
 *
 *     ?:   ||  or   &&  and   == != < > <= >= in matches contains startsWith endsWith   ..   + -   * / %   ** ^   ! not -
 *
 * from the loosest to the tightest, `not` standing between `..` and `+`; `x | f(y)` is `f(x, y)`.
 *
 * @module
 */

import { compilePattern, PatternError } from "../pattern/pattern.ts";
import type { BinaryOperator, Expression } from "./syntax.ts";
import { ExpressionError, type ExpressionToken, KEYWORDS, readTokens } from "./tokens.ts";

/** Longer expressions are a mistake. */
const LENGTH_MAX = 10_000;

/** Expressions inside expressions: deeper than this is a mistake. */
const DEPTH_MAX = 100;

/** Where `not` stands among the operators. */
const NOT_PRECEDENCE = 50;

const OPERATORS: Readonly<
  Record<string, { precedence: number; operator: BinaryOperator | "matches"; fromRight?: true }>
> = {
  "or": { precedence: 10, operator: "||" },
  "||": { precedence: 10, operator: "||" },
  "and": { precedence: 15, operator: "&&" },
  "&&": { precedence: 15, operator: "&&" },
  "==": { precedence: 20, operator: "==" },
  "!=": { precedence: 20, operator: "!=" },
  "<": { precedence: 20, operator: "<" },
  ">": { precedence: 20, operator: ">" },
  "<=": { precedence: 20, operator: "<=" },
  ">=": { precedence: 20, operator: ">=" },
  "in": { precedence: 20, operator: "in" },
  "matches": { precedence: 20, operator: "matches" },
  "contains": { precedence: 20, operator: "contains" },
  "startsWith": { precedence: 20, operator: "startsWith" },
  "endsWith": { precedence: 20, operator: "endsWith" },
  "..": { precedence: 25, operator: ".." },
  "+": { precedence: 30, operator: "+" },
  "-": { precedence: 30, operator: "-" },
  "*": { precedence: 60, operator: "*" },
  "/": { precedence: 60, operator: "/" },
  "%": { precedence: 60, operator: "%" },
  "**": { precedence: 100, operator: "**", fromRight: true },
  "^": { precedence: 100, operator: "**", fromRight: true },
  "??": { precedence: 500, operator: "??" },
};

/** Operators that `not` may stand before: `not in`. */
const NEGATABLE = ["in", "matches", "contains", "startsWith", "endsWith"];

/** Reads an expression. @throws {ExpressionError} At the word that is wrong. */
export function parseExpression(source: string): Expression {
  if (source.length > LENGTH_MAX) {
    throw new ExpressionError(0, `an expression of ${source.length} characters, more than ${LENGTH_MAX}`);
  }
  const parser = new Parser(readTokens(source));
  const expression = parser.whole();
  parser.expectEnd();
  return expression;
}

class Parser {
  readonly #tokens: readonly ExpressionToken[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly ExpressionToken[]) {
    this.#tokens = tokens;
  }

  /** An expression with whatever may stand in one: choices and pipes too. */
  whole(): Expression {
    if (++this.#depth > DEPTH_MAX) this.#fail(`wanted at most ${DEPTH_MAX} expressions inside each other`);
    let expression = this.#piped(this.#operation(0));
    if (this.#take("?")) {
      const { at } = expression;
      const yes = this.whole();
      this.#expect(":", "between the two outcomes of a '?'");
      expression = { kind: "choice", at, condition: expression, yes, no: this.whole() };
    }
    this.#depth--;
    return expression;
  }

  expectEnd(): void {
    if (this.#peek.kind !== "end") this.#fail("wanted an operator or the end");
  }

  get #peek(): ExpressionToken {
    return this.#tokens[this.#at]!;
  }

  #operation(least: number): Expression {
    let left = this.#unary();
    for (;;) {
      const negated = this.#peek.text === "not" && NEGATABLE.includes(this.#tokens[this.#at + 1]?.text ?? "");
      const token = this.#tokens[this.#at + (negated ? 1 : 0)]!;
      const found = token.kind === "string"
        ? undefined
        : Object.hasOwn(OPERATORS, token.text) && OPERATORS[token.text];
      if (!found || found.precedence < least) return left;
      this.#at += negated ? 2 : 1;
      const right = this.#operation(found.fromRight ? found.precedence : found.precedence + 1);
      const joined = this.#joined(found.operator, left, right);
      left = negated ? { kind: "unary", at: left.at, operator: "!", operand: joined } : joined;
    }
  }

  #joined(operator: BinaryOperator | "matches", left: Expression, right: Expression): Expression {
    if (operator !== "matches") return { kind: "binary", at: left.at, operator, left, right };
    if (right.kind !== "literal" || typeof right.value !== "string") {
      throw new ExpressionError(right.at, "matches wants a regular expression in quotes");
    }
    try {
      return { kind: "matches", at: left.at, text: left, pattern: compilePattern(right.value) };
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new ExpressionError(right.at, error.message);
    }
  }

  #unary(): Expression {
    const { text, kind, offset: at } = this.#peek;
    const tightness = kind === "string"
      ? undefined
      : { "not": NOT_PRECEDENCE, "!": 1000, "-": 90, "+": 90 }[text];
    if (tightness === undefined) return this.#postfixed(this.#primary());
    this.#at++;
    if (++this.#depth > DEPTH_MAX) this.#fail(`wanted at most ${DEPTH_MAX} expressions inside each other`);
    const operand = this.#operation(tightness);
    this.#depth--;
    if (text === "+") return operand;
    return { kind: "unary", at, operator: text === "-" ? "-" : "!", operand };
  }

  #primary(): Expression {
    const token = this.#peek, { kind, text, offset: at } = token;
    this.#at++;
    if (kind === "string") return { kind: "literal", at, value: text };
    if (kind === "number") return { kind: "literal", at, value: Number(text.replaceAll("_", "")) };
    if (text === "#") return { kind: "element", at };
    if (text === "(") {
      const inner = this.whole();
      this.#expect(")", "to close a '('");
      return inner;
    }
    if (text === "[") return { kind: "list", at, items: this.#items("]") };
    if (text === "true" || text === "false") return { kind: "literal", at, value: text === "true" };
    if (text === "nil") return { kind: "literal", at, value: null };
    if (kind === "name" && !KEYWORDS.includes(text)) {
      return this.#take("(") ? this.#call(text, at, []) : { kind: "variable", at, name: text };
    }
    this.#at--;
    this.#fail(text === "{" ? "maps are not known here: wanted a value" : "wanted a value");
  }

  /** `[1]` and `[1:2]` behind a value. */
  #postfixed(of: Expression): Expression {
    for (;;) {
      const { at } = of;
      if (this.#peek.kind !== "string" && this.#peek.text === ".") this.#fail("values have no fields here");
      if (this.#peek.kind === "string" || !this.#take("[")) return of;
      const from = this.#peek.text === ":" ? undefined : this.whole();
      if (from && this.#take("]")) {
        of = { kind: "index", at, of, index: from };
        continue;
      }
      this.#expect(":", "or ']' behind an index");
      const to = this.#peek.text === "]" ? undefined : this.whole();
      this.#expect("]", "to close a '['");
      of = { kind: "slice", at, of, ...from && { from }, ...to && { to } };
    }
  }

  #piped(first: Expression): Expression {
    let expression = first;
    while (this.#take("|")) {
      const { kind, text } = this.#peek;
      if (kind !== "name") this.#fail("wanted a function behind '|'");
      this.#at++;
      this.#expect("(", "behind the name of a function");
      expression = this.#postfixed(this.#call(text, first.at, [expression]));
    }
    return expression;
  }

  #call(name: string, at: number, before: readonly Expression[]): Expression {
    return { kind: "call", at, name, args: [...before, ...this.#items(")")] };
  }

  /** Expressions parted by commas; a predicate may stand in braces. */
  #items(close: string): Expression[] {
    const items: Expression[] = [];
    while (!this.#take(close)) {
      if (items.length > 0) this.#expect(",", `or '${close}'`);
      // A comma may stand behind the last one.
      if (items.length > 0 && this.#take(close)) break;
      const braced = close === ")" && this.#take("{");
      items.push(this.whole());
      if (braced) this.#expect("}", "to close a '{'");
    }
    return items;
  }

  #take(text: string): boolean {
    const token = this.#peek;
    if (token.kind === "string" || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #expect(text: string, why: string): void {
    if (!this.#take(text)) this.#fail(`wanted '${text}' ${why}`);
  }

  #fail(wanted: string): never {
    const { kind, text, offset } = this.#peek;
    const found = kind === "end" ? text : `'${text}'`;
    throw new ExpressionError(offset, `found ${found}: ${wanted}`);
  }
}
