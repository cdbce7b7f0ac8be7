/**
 * Parses a Corefile: CoreDNS's grammar, plus a first block without a key for what is one per process.
 *
 *     file      = [ globals ] { snippet | import | block }
 *     globals   = "{" { line } "}"
 *     snippet   = "(" name ")" "{" { word } "}"                  words kept as they are until imported
 *     block     = key { [","] key } ( "{" { line } "}" | { line } end-of-file )
 *     line      = import | name { argument } [ "{" { line } "}" ]
 *     import    = "import" ( snippet-name | path )               spliced in where it stands
 *
 * After an error it goes on where a person would, so that one look shows everything that is wrong.
 *
 * @module
 */

import { normalize } from "node:path/posix";
import { type Corefile, type Directive, Problems, type ServerBlock, type Token } from "./directive.ts";
import { checkNames, type KnownDirective } from "./known.ts";
import { type FileAccess } from "./imports.ts";
import { Importer } from "./importer.ts";
import { type Environment, lex, type Lexeme } from "./lexer.ts";
import { TokenStream } from "./token_stream.ts";

/** What parsing needs from outside. */
export interface ParseOptions extends FileAccess {
  /** The file's path: positions name it, and imports are relative to it. */
  readonly file: string;
  readonly env: Environment;
  /** The directives there are; any name passes when this is left out. */
  readonly knownDirectives?: readonly KnownDirective[];
  /** The global options there are; any name passes when this is left out. */
  readonly knownOptions?: readonly string[];
}

/** A Corefile as far as it could be understood, what is wrong with it, and the text of every file it was read from. */
export interface ParsedCorefile {
  readonly corefile: Corefile;
  readonly problems: Problems;
  readonly sources: ReadonlyMap<string, string>;
}

/** Reads a whole Corefile. Throws nothing: all that is wrong is in `problems`. */
export function parseCorefile(text: string, options: ParseOptions): ParsedCorefile {
  const problems = new Problems();
  const sources = new Map([[options.file, text]]);
  const stream = new TokenStream();
  const importer = new Importer(stream, options, sources, problems);
  stream.push(normalize(options.file), lex(text, options.file, options.env, problems));
  const corefile = new Parser(stream, importer, problems).parse();
  importer.reportMissing();
  checkNames(corefile, options.knownDirectives, options.knownOptions, problems);
  return { corefile, problems, sources };
}

/** How deep blocks may lie in each other; no directive needs more than three. */
const DEPTH_MAX = 32;

class Parser {
  readonly #stream: TokenStream;
  readonly #importer: Importer;
  readonly #problems: Problems;
  readonly #blocks: ServerBlock[] = [];
  #globals: readonly Directive[] | undefined;

  constructor(stream: TokenStream, importer: Importer, problems: Problems) {
    [this.#stream, this.#importer, this.#problems] = [stream, importer, problems];
  }

  parse(): Corefile {
    for (let lexeme = this.#stream.peek(); lexeme; lexeme = this.#stream.peek()) {
      if (isBare(lexeme, "import")) this.#importer.splice();
      else if (isBare(lexeme, "{")) this.#globalBlock();
      else if (isBare(lexeme, "}")) this.#strayBrace("; every block above it is closed already");
      else this.#keyedBlock();
    }
    return { globals: this.#globals ?? [], blocks: this.#blocks };
  }

  /** A block that begins with its brace. */
  #globalBlock(): void {
    const opening = this.#stream.next()!.token;
    const isFirst = !this.#globals && this.#blocks.length === 0;
    if (!isFirst) {
      this.#problems.error(
        opening,
        "Unexpected '{': wanted a zone before it (only the first block of a file, the global options, has no key)",
      );
    }
    const lines = this.#lines(0, opening);
    if (isFirst) this.#globals = lines;
  }

  /** A server block or a snippet. */
  #keyedBlock(): void {
    const first = this.#stream.peek()!.token;
    const keys = this.#keys();
    const opening = this.#takeOpening()?.token;
    if (keys.length === 1 && /^\(.*\)$/s.test(keys[0]!.text)) return this.#snippet(keys[0]!, opening);
    if (keys.length === 0) this.#problems.error(first, "Key is empty: wanted a zone such as example.org");
    const directives = this.#lines(0, opening);
    if (keys.length > 0) this.#blocks.push({ keys, directives });
  }

  /** Keys, up to the brace or the end of their last line. A key that ends in a comma is followed by another. */
  #keys(): Token[] {
    const keys: Token[] = [];
    let last: Token | undefined;
    let wantsAnother = false;
    for (let lexeme = this.#stream.peek(); lexeme; lexeme = this.#stream.peek()) {
      if (last && lexeme.startsLine && !wantsAnother) return keys;
      if (isBare(lexeme, "{")) {
        if (wantsAnother) {
          this.#problems.error(lexeme.token, "Expected another address but had '{' - check for extra comma");
        }
        return keys;
      }
      if (lexeme.startsLine && isBare(lexeme, "import")) {
        this.#importer.splice();
        continue;
      }
      last = this.#takeName("zone is not a valid domain name: ");
      wantsAnother = last.text.endsWith(",");
      const text = wantsAnother ? last.text.slice(0, -1) : last.text;
      if (text !== "") keys.push({ ...last, text });
    }
    if (last && wantsAnother) {
      this.#problems.error(last, "Unexpected EOF: wanted another key after the comma");
    }
    return keys;
  }

  /** Keeps the words of a snippet for its imports, braces counted. */
  #snippet(name: Token, opening: Token | undefined): void {
    if (!opening) {
      const found = this.#stream.peek()?.token;
      const message = found
        ? `Syntax error: Unexpected token '${found.text}', expecting '{'`
        : "Unexpected EOF";
      this.#problems.error(found ?? name, `${message}: a snippet's words stand in braces`);
      return;
    }
    const body = this.#balanced(opening);
    this.#importer.define(name, body.map((lexeme, i) => i === 0 ? { ...lexeme, startsLine: true } : lexeme));
  }

  /** The words up to the brace that closes `opening`, that brace taken. */
  #balanced(opening: Token): Lexeme[] {
    const body: Lexeme[] = [];
    let depth = 1;
    for (let lexeme = this.#stream.next(); lexeme; lexeme = this.#stream.next()) {
      if (isBare(lexeme, "{")) depth++;
      if (isBare(lexeme, "}") && --depth === 0) return body;
      body.push(lexeme);
    }
    this.#neverClosed(opening);
    return body;
  }

  /** The lines of a block, its closing brace taken. Without `opening`: those up to the end of the file. */
  #lines(depth: number, opening?: Token): Directive[] {
    const lines: Directive[] = [];
    for (let lexeme = this.#stream.peek(); lexeme; lexeme = this.#stream.peek()) {
      if (isBare(lexeme, "}")) {
        if (opening) this.#stream.next();
        else this.#strayBrace("; the server block above it has no '{' behind its zone");
        return lines;
      }
      if (isBare(lexeme, "import") && (depth === 0 || lexeme.startsLine)) this.#importer.splice();
      else if (isBare(lexeme, "{")) this.#namelessBlock(depth);
      else lines.push(this.#line(depth));
    }
    if (opening) this.#neverClosed(opening);
    return lines;
  }

  /** A name, its arguments and its block. */
  #line(depth: number): Directive {
    const name = this.#takeName(depth === 0 ? "Unknown directive " : "unknown property ", "'");
    const args: Token[] = [];
    for (let lexeme = this.#stream.sameLine(); lexeme; lexeme = this.#stream.sameLine()) {
      if (isBare(lexeme, "{") || isBare(lexeme, "}")) break;
      args.push(this.#stream.next()!.token);
    }
    const opening = this.#takeOpening();
    if (opening?.startsLine) {
      this.#problems.error(
        opening.token,
        `Unexpected '{' on a line of its own: the block of '${name.text}' opens on the line of its name`,
      );
    }
    const block = opening && this.#block(opening.token, depth + 1);
    this.#expectLineEnd(depth);
    return block ? { name, args, block } : { name, args };
  }

  #block(opening: Token, depth: number): Directive[] {
    if (depth <= DEPTH_MAX) return this.#lines(depth, opening);
    this.#problems.error(opening, `Unexpected '{': blocks lie at most ${DEPTH_MAX} deep in each other`);
    this.#balanced(opening);
    return [];
  }

  /** A block where a name was wanted; its lines are read for what is wrong in them. */
  #namelessBlock(depth: number): void {
    const opening = this.#stream.next()!.token;
    this.#problems.error(opening, "Unexpected '{': wanted a name before it");
    this.#block(opening, depth + 1);
  }

  /** The opening brace, if it is next. */
  #takeOpening(): Lexeme | undefined {
    const lexeme = this.#stream.peek();
    return lexeme && isBare(lexeme, "{") ? this.#stream.next() : undefined;
  }

  /** Takes a key or a name. A brace glued to its end, a common slip, is an error and then taken as meant. */
  #takeName(complaint: string, quote = ""): Token {
    const { raw, token } = this.#stream.next()!;
    const [, before = "", braces] = /^(.*?)(\{\}?)$/s.exec(token.quoted ? "" : raw) ?? [];
    if (!braces || (before === "" && quote !== "")) return token;
    this.#problems.error(token, `${complaint}${quote}${token.text}${quote}; a blank must stand before '{'`);
    this.#stream.putBack(Array.from(braces, (text, i) => {
      const at = { ...token.at, column: token.at.column + Array.from(before).length + i };
      return { token: { text, at, quoted: false }, raw: text, startsLine: false };
    }));
    return { ...token, text: token.text.slice(0, -braces.length) };
  }

  /** CoreDNS wants the brace that closes a server block on a line of its own. */
  #expectLineEnd(depth: number): void {
    const lexeme = this.#stream.sameLine();
    if (!lexeme) return;
    if (isBare(lexeme, "}")) {
      if (depth === 0) {
        this.#problems.error(lexeme.token, `${STRAY_BRACE} on this line: it must stand on its own`);
      }
      return;
    }
    this.#problems.error(lexeme.token, `Unexpected '${lexeme.token.text}' after '}': wanted a new line`);
    while (this.#stream.sameLine()) this.#stream.next();
  }

  #strayBrace(hint: string): void {
    this.#problems.error(this.#stream.next()!.token, STRAY_BRACE + hint);
  }

  /** An end that came too early is told once: one slip leaves every brace around it open. */
  #neverClosed(opening: Token): void {
    if (this.#problems.errors.some(({ message }) => message.startsWith("Unexpected EOF"))) return;
    this.#problems.error(opening, "Unexpected EOF: the '{' that opens here is never closed");
  }
}

const STRAY_BRACE = "Unexpected '}' because no matching opening brace";

/** Whether a word is `text` as written, neither quoted nor from a variable. */
function isBare({ raw, token }: Lexeme, text: string): boolean {
  return raw === text && !token.quoted;
}
