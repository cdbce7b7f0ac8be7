/**
 * Regular expressions whose matches take time in proportion to the text, whatever the expression: every way to match is
 * followed at once, character by character (Thompson 1968, with captures as in Pike's sam). So one that a person pasted
 * cannot stall the server, and none needs to be refused for its shape. Matches are those of RE2 and Perl: leftmost, the
 * earlier alternative preferred.
 *
 * @module
 */

import { type Instruction, makeProgram } from "./program.ts";
import { PatternError } from "./reader.ts";
import { type Assertion, parsePattern } from "./syntax.ts";

export { PatternError } from "./reader.ts";

/** A regular expression ready to match: plain data, which a structured clone carries. */
export interface Pattern {
  readonly source: string;
  /** By number; "" for one without a name, and for the first, which is the whole match. */
  readonly groupNames: readonly string[];
  readonly program: readonly Instruction[];
}

/** As in CoreDNS. */
export const PATTERN_LENGTH_MAX = 10_000;

/** Reads a regular expression. @throws {PatternError} When it is malformed or too large. */
export function compilePattern(source: string): Pattern {
  if (source.length > PATTERN_LENGTH_MAX) {
    throw new PatternError(
      0,
      `a regular expression of ${source.length} characters, more than ${PATTERN_LENGTH_MAX}`,
    );
  }
  const { root, groupNames } = parsePattern(source);
  try {
    return { source, groupNames, program: makeProgram(root) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PatternError(0, error.message);
  }
}

/** The groups of the first match, the whole of it first, "" for one that took no part; undefined when there is none. */
export function matchPattern({ program, groupNames }: Pattern, text: string): string[] | undefined {
  const found = findMatch(program, true, text);
  if (!found) return undefined;
  const slots = new Int32Array(2 * groupNames.length).fill(-1);
  // What was noted last stands first.
  for (let note = found.notes; note; note = note.before) {
    if (slots[note.slot] === -1) slots[note.slot] = note.position;
  }
  return groupNames.map((_, i) => {
    const start = slots[2 * i]!, end = slots[2 * i + 1]!;
    return start < 0 || end < 0 ? "" : text.slice(start, end);
  });
}

/** Whether the text holds a match. */
export function testPattern({ program }: Pattern, text: string): boolean {
  return findMatch(program, false, text) !== undefined;
}

/** `{1}` and the like in `template` replaced by groups; numbers that there is no group of stay as they are. */
export function substituteGroups(template: string, groups: readonly string[]): string {
  return template.replace(/\{(\d{1,3})\}/g, (whole, number) => groups[Number(number)] ?? whole);
}

/** Where a group begins or ends; threads that have gone the same way so far share what they noted. */
interface Note {
  readonly slot: number;
  readonly position: number;
  readonly before: Note | undefined;
}

/** Where a match stands in the program, and what it has noted. */
interface Thread {
  readonly at: number;
  readonly notes: Note | undefined;
}

/** The thread that came to the first match. */
function findMatch(program: readonly Instruction[], takesNotes: boolean, text: string): Thread | undefined {
  const anchored = isAnchored(program);
  const walker = new Walker(program, takesNotes, text);
  let threads: Thread[] = [], found: Thread | undefined;
  for (let position = 0; position <= text.length; position++) {
    if (!found && (position === 0 || !anchored)) walker.enter(threads, 0, undefined, position);
    if (threads.length === 0 && (found || anchored)) break;
    const unit = position < text.length ? text.charCodeAt(position) : -1;
    const next: Thread[] = [];
    walker.startPosition();
    for (const thread of threads) {
      const instruction = program[thread.at]!;
      if (instruction.op === "match") {
        found = thread;
        // Threads behind this one would match something less preferred.
        break;
      }
      if (instruction.op === "take" && holds(instruction.ranges, unit)) {
        walker.enter(next, thread.at + 1, thread.notes, position + 1);
      }
    }
    threads = next;
  }
  return found;
}

function isAnchored(program: readonly Instruction[]): boolean {
  const first = program.find(({ op }) => op !== "save");
  return first?.op === "assert" && first.what === "textStart";
}

function holds(ranges: readonly number[], unit: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (unit < ranges[i]!) return false;
    if (unit <= ranges[i + 1]!) return true;
  }
  return false;
}

/** Follows the instructions that take no character. */
class Walker {
  readonly #program: readonly Instruction[];
  readonly #takesNotes: boolean;
  readonly #text: string;
  /** For each instruction, the generation in which it was last entered. */
  readonly #entered: Int32Array;
  #generation = 1;
  readonly #pending: Thread[] = [];

  constructor(program: readonly Instruction[], takesNotes: boolean, text: string) {
    this.#program = program;
    this.#takesNotes = takesNotes;
    this.#text = text;
    this.#entered = new Int32Array(program.length);
  }

  /** From here on threads are for the next character. */
  startPosition(): void {
    this.#generation++;
  }

  /** Adds to `threads` what can be reached from an instruction, most preferred first, each instruction once. */
  enter(threads: Thread[], start: number, noted: Note | undefined, position: number): void {
    let at = start, notes = noted;
    for (;;) {
      if (this.#entered[at] === this.#generation) {
        const other = this.#pending.pop();
        if (!other) return;
        ({ at, notes } = other);
        continue;
      }
      this.#entered[at] = this.#generation;
      const instruction = this.#program[at]!;
      switch (instruction.op) {
        case "jump":
          at = instruction.to;
          continue;
        case "split":
          this.#pending.push({ at: instruction.second, notes });
          at = instruction.first;
          continue;
        case "save":
          if (this.#takesNotes) notes = { slot: instruction.slot, position, before: notes };
          at++;
          continue;
        case "assert":
          // Whoever stays where he is has been there: that ends this way.
          if (isTrue(instruction.what, this.#text, position)) at++;
          continue;
        default:
          threads.push({ at, notes });
      }
    }
  }
}

function isTrue(what: Assertion, text: string, position: number): boolean {
  switch (what) {
    case "textStart":
      return position === 0;
    case "textEnd":
      return position === text.length;
    case "lineStart":
      return position === 0 || text[position - 1] === "\n";
    case "lineEnd":
      return position === text.length || text[position] === "\n";
    case "wordEdge":
      return isWord(text, position - 1) !== isWord(text, position);
    case "noWordEdge":
      return isWord(text, position - 1) === isWord(text, position);
  }
}

function isWord(text: string, index: number): boolean {
  return /\w/.test(text.charAt(index));
}
