/**
 * Carries out `import`: a snippet's words, or those of files, take the place of the line.
 *
 * @module
 */

import { formatPosition, type Problems, type Token } from "./directive.ts";
import { type FileAccess, isGlob, isWildGlob, matchFiles, resolveImport } from "./imports.ts";
import { type Environment, lex, type Lexeme } from "./lexer.ts";
import { nearest } from "./nearest.ts";
import type { TokenStream } from "./token_stream.ts";

/** CoreDNS's limits, and one on the words that all imports together bring in. */
const SNIPPETS_MAX = 10_000, FILES_MAX = 100_000, WORDS_MAX = 1_000_000;

interface Snippet {
  readonly name: Token;
  readonly body: readonly Lexeme[];
}

/** The snippets of one Corefile and the files that it imports. */
export class Importer {
  readonly #stream: TokenStream;
  readonly #access: FileAccess & { readonly env: Environment };
  readonly #sources: Map<string, string>;
  readonly #problems: Problems;
  readonly #snippets = new Map<string, Snippet>();
  readonly #files = new Map<string, readonly Lexeme[]>();
  readonly #missing: Token[] = [];
  #counts = { snippets: 0, files: 0, words: 0 };
  #exhausted = false;

  constructor(
    stream: TokenStream,
    access: FileAccess & { readonly env: Environment },
    sources: Map<string, string>,
    problems: Problems,
  ) {
    [this.#stream, this.#access, this.#sources, this.#problems] = [stream, access, sources, problems];
  }

  /** Keeps a snippet; `name` is its key, `(common)`. */
  define(name: Token, body: readonly Lexeme[]): void {
    const word = name.text.slice(1, -1);
    const first = this.#snippets.get(word);
    if (first) {
      const at = formatPosition(first.name.at);
      this.#problems.error(
        name,
        `redeclaration of previously declared snippet ${word}: the first is at ${at}`,
      );
    } else {
      this.#snippets.set(word, { name, body });
    }
  }

  /** Takes the import line that is next and puts what it names in its place. */
  splice(): void {
    const keyword = this.#stream.next()!.token;
    const what = this.#takeArgument(keyword);
    if (!what || this.#exhausted) return;
    const snippet = this.#snippets.get(what.text);
    if (snippet) this.#push(what, [{ origin: snippet.name.text, lexemes: snippet.body }], "snippets");
    else this.#push(what, this.#readFiles(what), "files");
  }

  /** Reports what was found neither as a snippet nor as a file. Last, as a snippet may stand further down. */
  reportMissing(): void {
    for (const what of this.#missing) {
      const later = this.#snippets.get(what.text);
      const guess = nearest(what.text, [...this.#snippets.keys()]);
      const hint = later
        ? `; the snippet of that name stands only at ${formatPosition(later.name.at)}: move it up`
        : guess
        ? `; did you mean the snippet '${guess}'?`
        : `; there is no snippet of that name, and no file ${resolveImport(what.text, what.at.file)}`;
      this.#problems.error(what, `File to import not found: ${what.text}${hint}`);
    }
  }

  #takeArgument(keyword: Token): Token | undefined {
    const lexeme = this.#stream.sameLine();
    if (!lexeme) {
      this.#problems.error(
        keyword,
        "Wrong argument count or unexpected line ending after 'import': wanted a snippet or a file",
      );
      return undefined;
    }
    this.#stream.next();
    const extra = this.#stream.sameLine();
    if (extra) {
      this.#problems.error(extra.token, "Import takes only one argument (glob pattern or file)");
      this.#skipLine();
      return undefined;
    }
    if (lexeme.token.text !== "") return lexeme.token;
    this.#problems.error(lexeme.token, "Import requires a non-empty filepath");
    return undefined;
  }

  /** Passes over what is left of the line, save a brace that closes a block. */
  #skipLine(): void {
    for (let lexeme = this.#stream.sameLine(); lexeme; lexeme = this.#stream.sameLine()) {
      if (lexeme.raw === "}") return;
      this.#stream.next();
    }
  }

  /** The files that `what` names, in the order in which they are to be read. */
  #readFiles(what: Token): Splice[] {
    if (isWildGlob(what.text)) {
      this.#problems.error(
        what,
        `Glob pattern may only contain one wildcard (*), but has others: ${what.text}`,
      );
      return [];
    }
    return this.#pathsOf(what).flatMap((path) => {
      const lexemes = this.#readFile(what, path);
      return lexemes ? [{ origin: path, lexemes }] : [];
    });
  }

  #pathsOf(what: Token): string[] {
    const pattern = resolveImport(what.text, what.at.file);
    if (!isGlob(what.text)) return [pattern];
    const paths = this.#attempt(what, pattern, () => matchFiles(pattern, this.#access.list));
    if (paths?.length === 0) this.#problems.warn(what, `No files matching import glob pattern: ${what.text}`);
    return paths ?? [];
  }

  /** A file's words; undefined when it cannot be read, which is then reported. */
  #readFile(what: Token, path: string): readonly Lexeme[] | undefined {
    const known = this.#files.get(path);
    if (known) return known;
    return this.#attempt(what, path, () => {
      const text = this.#access.read(path);
      if (text === undefined) {
        this.#missing.push(what);
        return undefined;
      }
      this.#sources.set(path, text);
      const lexemes = lex(text, path, this.#access.env, this.#problems);
      this.#files.set(path, lexemes);
      return lexemes;
    });
  }

  /** Runs what reaches for the file system; what that throws is a problem of the import. */
  #attempt<T>(what: Token, path: string, reach: () => T): T | undefined {
    try {
      return reach();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#problems.error(what, `Could not import ${path}: ${reason}`);
      return undefined;
    }
  }

  /** Puts texts before all that is left, the first of them first. */
  #push(what: Token, splices: readonly Splice[], kind: "snippets" | "files"): void {
    for (const { origin, lexemes } of splices.toReversed()) {
      if (this.#isCycle(what, origin) || this.#isTooMuch(what, lexemes.length, kind)) return;
      this.#stream.push(origin, lexemes);
    }
  }

  #isCycle(what: Token, origin: string): boolean {
    const origins = this.#stream.origins();
    const from = origins.indexOf(origin);
    if (from < 0) return false;
    const round = [...origins.slice(from), origin].join(" imports ");
    this.#problems.error(what, `import cycle: ${round}`);
    return true;
  }

  #isTooMuch(what: Token, words: number, kind: "snippets" | "files"): boolean {
    this.#counts[kind]++;
    this.#counts.words += words;
    const { snippets, files } = this.#counts;
    if (snippets > SNIPPETS_MAX) {
      this.#problems.error(what, `maximum snippet import depth (${SNIPPETS_MAX}) exceeded`);
    } else if (files > FILES_MAX) {
      this.#problems.error(what, `maximum file import depth (${FILES_MAX}) exceeded`);
    } else if (this.#counts.words > WORDS_MAX) {
      this.#problems.error(what, `imports bring in more than ${WORDS_MAX} words`);
    } else {
      return false;
    }
    this.#exhausted = true;
    return true;
  }
}

/** A text to be put in, and its name. */
interface Splice {
  readonly origin: string;
  readonly lexemes: readonly Lexeme[];
}
