/**
 * Reads regular expressions in RE2's syntax, which is what a Corefile for CoreDNS holds.
 *
 *     x y   xy   x|y   (x)   (?:x)   (?P<name>x)   (?<name>x)   (?ims:x)   (?i)
 *     x*  x+  x?  x{2}  x{2,}  x{2,4}, each with a ? behind it to prefer fewer
 *     .   [a-z]   [^a-z]   [[:alpha:]]   \d \D \s \S \w \W   ^ $ \A \z \b \B   \Q...\E   \. \n \x7f \x{7f} \101
 *
 * What needs to look back or ahead is not there, in RE2 either: without it a match takes time in proportion to the text.
 *
 * @module
 */

import { readClass, readEscape } from "./classes.ts";
import { PatternReader } from "./reader.ts";

/** A piece of a regular expression; plain data. `ranges` are pairs, first and last UTF-16 code unit, ascending. */
export type PatternNode =
  | { readonly kind: "units"; readonly ranges: readonly number[] }
  | { readonly kind: "assert"; readonly what: Assertion }
  | { readonly kind: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "either"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "group"; readonly index: number; readonly body: PatternNode }
  | {
    readonly kind: "repeat";
    readonly body: PatternNode;
    readonly min: number;
    /** Infinity = without end. */
    readonly max: number;
    readonly greedy: boolean;
  };

/** What holds between two characters. */
export type Assertion = "textStart" | "textEnd" | "lineStart" | "lineEnd" | "wordEdge" | "noWordEdge";

/** What `(?imsU)` sets. */
export interface PatternFlags {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
  /** Quantifiers prefer fewer, and `?` behind one turns that round. */
  readonly ungreedy: boolean;
}

/** A regular expression as read. */
export interface PatternSyntax {
  readonly root: PatternNode;
  /** By the number of the group, from 1; "" where it has no name. The first is "": the whole match. */
  readonly groupNames: readonly string[];
}

/** As in RE2: more repetitions than this are a mistake. */
const REPEAT_MAX = 1000;

/** Groups inside groups: deeper than this is a mistake. */
const DEPTH_MAX = 100;

const NO_FLAGS: PatternFlags = { ignoreCase: false, multiline: false, dotAll: false, ungreedy: false };

const NOTHING: PatternNode = { kind: "sequence", parts: [] };

/** Reads a regular expression. @throws {PatternError} At the character that is wrong. */
export function parsePattern(source: string): PatternSyntax {
  const parser = new Parser(source);
  const root = parser.alternatives(NO_FLAGS);
  parser.reader.expectEnd();
  return { root, groupNames: parser.groupNames };
}

class Parser {
  readonly reader: PatternReader;
  readonly groupNames: string[] = [""];
  #depth = 0;

  constructor(source: string) {
    this.reader = new PatternReader(source);
  }

  /** `x|y`, up to a `)` or the end. */
  alternatives(outer: PatternFlags): PatternNode {
    if (++this.#depth > DEPTH_MAX) this.reader.fail(`more than ${DEPTH_MAX} groups inside each other`);
    const parts: PatternNode[] = [];
    // Flags set inside a group hold up to its end, over a `|` too.
    const state = { flags: outer };
    do parts.push(this.#sequence(state)); while (this.reader.take("|"));
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: "either", parts };
  }

  #sequence(state: { flags: PatternFlags }): PatternNode {
    const parts: PatternNode[] = [];
    while (this.reader.more && !this.reader.at("|") && !this.reader.at(")")) {
      if (this.reader.take("\\Q")) {
        const units = [...this.reader.until("\\E")].map((unit) => literal(unit, state.flags));
        const last = units.pop();
        parts.push(...units, ...last ? [this.#quantified(last, state.flags)] : []);
        continue;
      }
      const atom = this.#atom(state);
      if (atom) parts.push(this.#quantified(atom, state.flags));
    }
    return parts.length === 1 ? parts[0]! : parts.length === 0 ? NOTHING : { kind: "sequence", parts };
  }

  /** One thing that may be repeated; undefined for flags alone. */
  #atom(state: { flags: PatternFlags }): PatternNode | undefined {
    const { reader } = this, { flags } = state;
    if (reader.at("*") || reader.at("+") || reader.at("?")) {
      reader.fail(`nothing to repeat before '${reader.peek}'`);
    }
    if (reader.take("(")) return this.#group(state);
    if (reader.take("[")) return { kind: "units", ranges: readClass(reader, flags.ignoreCase) };
    if (reader.take(".")) {
      return { kind: "units", ranges: flags.dotAll ? [0, 0xffff] : [0, 9, 11, 0xffff] };
    }
    if (reader.take("^")) return { kind: "assert", what: flags.multiline ? "lineStart" : "textStart" };
    if (reader.take("$")) return { kind: "assert", what: flags.multiline ? "lineEnd" : "textEnd" };
    if (!reader.take("\\")) return literal(reader.next(), flags);
    const assertion = ASSERTIONS[reader.peek ?? ""];
    if (assertion) {
      reader.next();
      return { kind: "assert", what: assertion };
    }
    return { kind: "units", ranges: readEscape(reader, flags.ignoreCase) };
  }

  #group(state: { flags: PatternFlags }): PatternNode | undefined {
    const { reader } = this;
    let flags = state.flags, index = 0;
    if (!reader.take("?")) {
      index = this.groupNames.push("") - 1;
    } else if (reader.take("P<") || (reader.at("<") && !/^<[=!]/.test(reader.rest) && reader.take("<"))) {
      index = this.groupNames.push(this.#groupName()) - 1;
    } else {
      if (/^(P=|<?[=!]|>|\()/.test(reader.rest)) {
        reader.fail("no looking ahead or behind, no back references and no atomic groups: as in RE2");
      }
      flags = this.#flags(flags);
      if (reader.take(")")) {
        state.flags = flags;
        return undefined;
      }
      if (!reader.take(":")) reader.fail("wanted ':' or ')' behind the flags of a group");
    }
    const body = this.alternatives(flags);
    if (!reader.take(")")) reader.fail("a '(' is never closed");
    return index > 0 ? { kind: "group", index, body } : body;
  }

  #groupName(): string {
    const name = /^\w+(?=>)/.exec(this.reader.rest)?.[0];
    if (!name) this.reader.fail("wanted a group's name of letters, digits and _, and '>'");
    if (this.groupNames.includes(name)) this.reader.fail(`group '${name}' stands twice`);
    this.reader.skip(name.length + 1);
    return name;
  }

  #flags(flags: PatternFlags): PatternFlags {
    const names = { i: "ignoreCase", m: "multiline", s: "dotAll", U: "ungreedy" } as const;
    for (let on = true;;) {
      const { peek } = this.reader;
      if (peek === "-" && on) on = false;
      else if (peek !== undefined && Object.hasOwn(names, peek)) {
        flags = { ...flags, [names[peek as keyof typeof names]]: on };
      } else return flags;
      this.reader.next();
    }
  }

  /** What stands behind an atom: `*`, `+?`, `{2,4}`, or nothing. */
  #quantified(body: PatternNode, { ungreedy }: PatternFlags): PatternNode {
    const bounds = this.#bounds();
    if (!bounds) return body;
    const { min, max } = bounds;
    const greedy = this.reader.take("?") === ungreedy;
    const { peek } = this.reader;
    if (peek === "*" || peek === "+" || peek === "?") this.reader.fail(`'${peek}' repeats a repetition`);
    return { kind: "repeat", body, min, max, greedy };
  }

  #bounds(): { min: number; max: number } | undefined {
    const { reader } = this;
    if (reader.take("*")) return { min: 0, max: Infinity };
    if (reader.take("+")) return { min: 1, max: Infinity };
    if (reader.take("?")) return { min: 0, max: 1 };
    // A brace that begins no such thing is a character.
    const counted = /^\{(\d+)(?:(,)(\d*))?\}/.exec(reader.rest);
    if (!counted) return undefined;
    const [whole, least, comma, most] = counted;
    const min = Number(least), max = !comma ? min : most === "" ? Infinity : Number(most);
    if (min > REPEAT_MAX || (max > REPEAT_MAX && max !== Infinity) || max < min) {
      reader.fail(`'${whole}' must be from 0 to ${REPEAT_MAX}, the smaller number first`);
    }
    reader.skip(whole.length);
    return { min, max };
  }
}

const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: "textStart",
  z: "textEnd",
  b: "wordEdge",
  B: "noWordEdge",
};

function literal(unit: string, { ignoreCase }: PatternFlags): PatternNode {
  const code = unit.charCodeAt(0);
  const lower = code | 0x20;
  if (!ignoreCase || lower < 0x61 || lower > 0x7a) return { kind: "units", ranges: [code, code] };
  return { kind: "units", ranges: [lower - 32, lower - 32, lower, lower] };
}
