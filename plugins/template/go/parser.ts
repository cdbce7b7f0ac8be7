/**
 * Reads templates in the language of Go's text/template: actions, pipelines, variables, `if`, `with`, `range`. Templates
 * inside templates (`define`, `template`, `block`) are not known.
 *
 * @module
 */

import { FUNCTIONS } from "./functions.ts";
import { type Operand, type Pipeline, TemplateError, type TemplateNode } from "./syntax.ts";
import { type Piece, readPieces, type Word } from "./tokens.ts";
import { nearest } from "../../../core/corefile/nearest.ts";

/** Blocks inside blocks: deeper than this is a mistake. */
const DEPTH_MAX = 50;

const KEYWORDS = ["if", "else", "end", "range", "with", "break", "continue", "define", "template", "block"];

/** Reads a template. @throws {TemplateError} At what is wrong. */
export function parseTemplate(source: string): TemplateNode[] {
  const parser = new Parser(readPieces(source), source.length);
  const nodes = parser.nodes([""]);
  parser.expectEnd();
  return nodes;
}

class Parser {
  readonly #pieces: readonly Piece[];
  readonly #length: number;
  #at = 0;
  #depth = 0;
  #ranges = 0;

  constructor(pieces: readonly Piece[], length: number) {
    this.#pieces = pieces;
    this.#length = length;
  }

  /** Up to an `else`, an `end`, or the end. `variables` are the names known so far, of this block and those around it. */
  nodes(variables: string[]): TemplateNode[] {
    const nodes: TemplateNode[] = [];
    for (let piece = this.#pieces[this.#at]; piece; piece = this.#pieces[this.#at]) {
      if (piece.kind === "text") {
        nodes.push(piece);
        this.#at++;
        continue;
      }
      const words = new Words(piece.words, variables);
      const keyword = words.keyword(KEYWORDS);
      if (keyword === "else" || keyword === "end") return nodes;
      this.#at++;
      const node = this.#node(keyword, words, variables, piece.at);
      if (node) nodes.push(node);
      words.expectEnd();
    }
    return nodes;
  }

  expectEnd(): void {
    const piece = this.#pieces[this.#at];
    if (piece?.kind === "action") {
      throw new TemplateError(piece.at, `found '${piece.words[0]!.text}' that ends nothing`);
    }
  }

  #node(
    keyword: string | undefined,
    words: Words,
    variables: string[],
    at: number,
  ): TemplateNode | undefined {
    switch (keyword) {
      case undefined:
        return words.isEmpty ? undefined : { kind: "action", pipeline: words.pipeline() };
      case "if":
      case "with":
      case "range":
        return this.#block(keyword, words, variables, at);
      case "break":
      case "continue":
        if (this.#ranges === 0) throw new TemplateError(at, `found '${keyword}' outside a range`);
        return { kind: keyword };
      default:
        throw new TemplateError(at, `found '${keyword}': templates inside templates are not known here`);
    }
  }

  #block(kind: "if" | "with" | "range", words: Words, variables: string[], at: number): TemplateNode {
    if (++this.#depth > DEPTH_MAX) {
      throw new TemplateError(at, `wanted at most ${DEPTH_MAX} blocks inside each other`);
    }
    const known = [...variables];
    const named = kind === "range" ? words.rangeVariables() : [];
    const pipeline = new Words(words.left(), known).pipeline();
    words.skipAll();
    if (kind === "range") this.#ranges++;
    const body = this.nodes([...known, ...named]);
    if (kind === "range") this.#ranges--;
    const otherwise = this.#otherwise(known, at);
    this.#depth--;
    return kind === "range"
      ? { kind, pipeline, variables: named, body, otherwise }
      : { kind, pipeline, body, otherwise };
  }

  /** `{{else}} … {{end}}`, `{{else if x}} …`, or `{{end}}`. */
  #otherwise(variables: string[], at: number): TemplateNode[] {
    const piece = this.#pieces[this.#at];
    if (piece?.kind !== "action") {
      throw new TemplateError(Math.min(at, this.#length), "found no '{{end}}' to this");
    }
    this.#at++;
    const words = new Words(piece.words, variables);
    if (words.keyword(["end"])) {
      words.expectEnd();
      return [];
    }
    words.keyword(["else"]);
    const again = words.keyword(["if", "with"]);
    if (again) return [this.#block(again as "if" | "with", words, variables, piece.at)];
    words.expectEnd();
    const nodes = this.nodes([...variables]);
    const end = this.#pieces[this.#at];
    if (end?.kind !== "action" || end.words[0]!.text !== "end") {
      throw new TemplateError(piece.at, "found no '{{end}}' to this");
    }
    this.#at++;
    return nodes;
  }
}

/** The words of one action. */
class Words {
  #depth = 0;
  readonly #words: readonly Word[];
  readonly #variables: string[];
  #at = 0;

  constructor(words: readonly Word[], variables: string[]) {
    this.#words = words;
    this.#variables = variables;
  }

  get #peek(): Word {
    return this.#words[this.#at]!;
  }

  get isEmpty(): boolean {
    return this.#peek.kind === "end";
  }

  /** Takes the next word if it is one of some. */
  keyword(known: readonly string[]): string | undefined {
    const { kind, text } = this.#peek;
    if (kind !== "name" || !known.includes(text)) return undefined;
    this.#at++;
    return text;
  }

  left(): readonly Word[] {
    return this.#words.slice(this.#at);
  }

  skipAll(): void {
    this.#at = this.#words.length - 1;
  }

  expectEnd(): void {
    if (!this.isEmpty) this.#fail("wanted the end of the action");
  }

  /** `$e :=` or `$i, $e :=` */
  rangeVariables(): string[] {
    const [first, second, third, fourth] = this.left();
    if (first?.kind !== "variable") return [];
    if (second?.text === ":=") {
      this.#at += 2;
      return [first.text.slice(1)];
    }
    if (second?.text !== "," || third?.kind !== "variable" || fourth?.text !== ":=") return [];
    this.#at += 4;
    return [first.text.slice(1), third.text.slice(1)];
  }

  pipeline(): Pipeline {
    const { at } = this.#peek;
    const assign = this.#assignment();
    const commands = [];
    do commands.push(this.#command(commands.length > 0)); while (this.#take("|"));
    if (assign?.declares) this.#variables.push(assign.name);
    return { at, commands, ...assign && { assign } };
  }

  #assignment(): Pipeline["assign"] {
    const [variable, operator] = this.left();
    if (variable?.kind !== "variable" || (operator?.text !== ":=" && operator?.text !== "=")) {
      return undefined;
    }
    const name = variable.text.slice(1), declares = operator.text === ":=";
    if (!declares) this.#checkVariable(name);
    this.#at += 2;
    return { name, declares };
  }

  #command(isPiped: boolean): Operand[] {
    const operands: Operand[] = [];
    for (;;) {
      const { kind, text } = this.#peek;
      if (kind === "end" || text === "|" || text === ")") break;
      operands.push(this.#operand());
    }
    const [first] = operands;
    if (!first) this.#fail("wanted a value");
    const callable = first.kind === "function" || (first.kind === "field" && first.path.length > 0);
    if ((operands.length > 1 || isPiped) && !callable) {
      throw new TemplateError(first.at, "wanted a function: a value takes no arguments");
    }
    return operands;
  }

  #operand(): Operand {
    const { kind, text, at } = this.#peek;
    this.#at++;
    switch (kind) {
      case "string":
        return { kind: "literal", at, value: text };
      case "number":
        return { kind: "literal", at, value: Number(text.replaceAll("_", "")) };
      case "field":
        return { kind: "field", at, path: text === "." ? [] : [text.slice(1), ...this.#path()] };
      case "variable":
        this.#checkVariable(text.slice(1));
        return { kind: "field", at, variable: text.slice(1), path: this.#path() };
      case "name":
        return this.#named(text, at);
    }
    this.#at--;
    if (!this.#take("(")) this.#fail("wanted a value");
    if (++this.#depth > DEPTH_MAX) this.#fail(`wanted at most ${DEPTH_MAX} values inside each other`);
    const pipeline = this.pipeline();
    this.#depth--;
    if (!this.#take(")")) this.#fail("wanted ')' to close a '('");
    return { kind: "pipeline", at, pipeline, path: this.#path() };
  }

  #named(name: string, at: number): Operand {
    if (name === "true" || name === "false") return { kind: "literal", at, value: name === "true" };
    if (name === "nil") return { kind: "literal", at, value: null };
    if (Object.hasOwn(FUNCTIONS, name)) return { kind: "function", at, name };
    const guess = nearest(name, Object.keys(FUNCTIONS));
    throw new TemplateError(at, `there is no function '${name}'${guess ? `; did you mean '${guess}'?` : ""}`);
  }

  /** Fields right behind a value: `.A.B`. */
  #path(): string[] {
    const path: string[] = [];
    while (this.#peek.kind === "field" && this.#peek.glued && this.#peek.text !== ".") {
      path.push(this.#peek.text.slice(1));
      this.#at++;
    }
    return path;
  }

  #checkVariable(name: string): void {
    if (name !== "" && !this.#variables.includes(name)) {
      throw new TemplateError(this.#words[Math.max(0, this.#at - 1)]!.at, `there is no variable '$${name}'`);
    }
  }

  #take(text: string): boolean {
    const word = this.#peek;
    if (word.kind !== "operator" || word.text !== text) return false;
    this.#at++;
    return true;
  }

  #fail(wanted: string): never {
    const { kind, text, at } = this.#peek;
    throw new TemplateError(at, `found ${kind === "end" ? text : `'${text}'`}: ${wanted}`);
  }
}
