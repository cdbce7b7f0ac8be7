/**
 * Reads YAML into checked values, each problem with the place in the file where it stands.
 *
 * @module
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node as YamlNode, parseDocument } from "yaml";
import type { Position, Problems } from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";

/** A value in the file. Readers that find something else than they want report it and return undefined. */
export class YamlValue {
  readonly #node: YamlNode | null;
  readonly #file: YamlFile;
  /** What the value is, for messages: `latitude`. */
  readonly what: string;
  readonly #offset: number;

  constructor(file: YamlFile, node: YamlNode | null, what: string, offset: number) {
    this.#file = file;
    this.#node = node;
    this.what = what;
    this.#offset = node?.range?.[0] ?? offset;
  }

  get at(): Position {
    return this.#file.position(this.#offset);
  }

  /** Says what is wrong with the value. Returns undefined, so that a reader can end with it. */
  wrong(wanted: string, hint = ""): undefined {
    return this.problem(`${this.what} must be ${wanted}: got ${this.#source()}${hint}`);
  }

  /** Says that something is wrong here. */
  problem(message: string): undefined {
    this.#file.problems.error(this.at, message);
  }

  /** The entries of a mapping, of the keys that are known; others are problems. */
  entries(known: readonly string[], required: readonly string[] = []): Map<string, YamlValue> | undefined {
    const entries = this.anyEntries();
    if (!entries) return undefined;
    for (const [key, { name }] of entries) {
      if (known.includes(key)) continue;
      const guess = nearest(key, known);
      const hint = guess ? `did you mean '${guess}'?` : `there are ${known.join(", ")}`;
      name.problem(`unknown key '${key}' in ${this.what}; ${hint}`);
    }
    for (const key of required) {
      if (!entries.has(key)) this.problem(`${this.what} has no ${key}`);
    }
    return new Map([...entries].map(([key, { value }]) => [key, value]));
  }

  /** The entries of a mapping of any keys. */
  anyEntries(): Map<string, { name: YamlValue; value: YamlValue }> | undefined {
    if (!isMap(this.#node)) return this.wrong("a mapping, `key: value`");
    const entries = new Map<string, { name: YamlValue; value: YamlValue }>();
    for (const { key, value } of this.#node.items) {
      const name = this.#file.value(key as YamlNode | null, "a key", this.#offset);
      const text = isScalar(key) ? String(key.value) : undefined;
      if (text === undefined) name.wrong("a word");
      else entries.set(text, { name, value: this.#file.value(value as YamlNode | null, text, name.offset) });
    }
    return entries;
  }

  /** The items of a sequence; `what` is what messages call one. */
  items(what: string): YamlValue[] | undefined {
    if (!isSeq(this.#node)) return this.wrong("a list");
    return this.#node.items.map((item) => this.#file.value(item as YamlNode | null, what, this.#offset));
  }

  /** Text. A number is not: `id: 007` would lose its zeros. */
  text(wanted = "text", isRight: (text: string) => boolean = () => true): string | undefined {
    const value = this.#scalar();
    if (typeof value === "string" && isRight(value)) return value;
    return this.wrong(wanted, typeof value === "string" ? "" : "; put it in quotes if it is text");
  }

  /** One of some words. */
  oneOf<const W extends string>(words: readonly W[]): W | undefined {
    const value = this.#scalar();
    if ((words as readonly unknown[]).includes(value)) return value as W;
    const guess = nearest(String(value), words);
    return this.wrong(words.join(", "), guess ? `; did you mean '${guess}'?` : "");
  }

  /** A number within a range. */
  number(wanted: string, isRight: (value: number) => boolean): number | undefined {
    const value = this.#scalar();
    return typeof value === "number" && isRight(value) ? value : this.wrong(wanted);
  }

  get offset(): number {
    return this.#offset;
  }

  #scalar(): unknown {
    return isScalar(this.#node) ? this.#node.value : undefined;
  }

  #source(): string {
    if (isMap(this.#node)) return "a mapping";
    if (isSeq(this.#node)) return "a list";
    const source = isScalar(this.#node) ? this.#node.source ?? String(this.#node.value ?? "") : "";
    return source === "" ? "nothing" : `'${source}'`;
  }
}

/** A YAML file as read; what is not YAML in it has been reported. */
export class YamlFile {
  readonly problems: Problems;
  readonly root: YamlValue;
  readonly #name: string;
  readonly #lines = new LineCounter();
  readonly #resolve: (node: YamlNode | null) => YamlNode | null;

  constructor(text: string, name: string, problems: Problems) {
    this.problems = problems;
    this.#name = name;
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    for (const { message, pos } of document.errors) problems.error(this.position(pos[0]), message);
    this.#resolve = (node) => isAlias(node) ? node.resolve(document) ?? null : node;
    this.root = this.value(document.contents, "the file", 0);
  }

  /** A value, aliases followed. `offset` is where it would stand if it is empty. */
  value(node: YamlNode | null, what: string, offset: number): YamlValue {
    return new YamlValue(this, this.#resolve(node), what, offset);
  }

  /** Where an offset is. */
  position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#name, line, column: col };
  }
}
