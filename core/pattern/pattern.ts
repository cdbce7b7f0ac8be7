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
  const slots = findMatch(program, 2 * groupNames.length, text);
  return slots && groupNames.map((_, i) => {
    const start = slots[2 * i]!, end = slots[2 * i + 1]!;
    return start < 0 || end < 0 ? "" : text.slice(start, end);
  });
}

/** Whether the text holds a match. */
export function testPattern({ program }: Pattern, text: string): boolean {
  return findMatch(program, 0, text) !== undefined;
}

/** `{1}` and the like in `template` replaced by groups; numbers that there is no group of stay as they are. */
export function substituteGroups(template: string, groups: readonly string[]): string {
  return template.replace(/\{(\d{1,3})\}/g, (whole, number) => groups[Number(number)] ?? whole);
}

/** Where a match stands in the program, and what it has captured: shared, so copied on change. */
interface Thread {
  readonly at: number;
  readonly slots: readonly number[];
}

/** The slots of the first match. */
function findMatch(
  program: readonly Instruction[],
  slotCount: number,
  text: string,
): readonly number[] | undefined {
  const none: readonly number[] = new Array(slotCount).fill(-1);
  const anchored = isAnchored(program);
  const walker = new Walker(program, slotCount, text);
  let threads: Thread[] = [], found: readonly number[] | undefined;
  for (let position = 0; position <= text.length; position++) {
    if (!found && (position === 0 || !anchored)) walker.enter(threads, 0, none, position);
    if (threads.length === 0 && (found || anchored)) break;
    const unit = position < text.length ? text.charCodeAt(position) : -1;
    const next: Thread[] = [];
    walker.startPosition();
    for (const { at, slots } of threads) {
      const instruction = program[at]!;
      if (instruction.op === "match") {
        found = slots;
        // Threads behind this one would match something less preferred.
        break;
      }
      if (instruction.op === "take" && holds(instruction.ranges, unit)) {
        walker.enter(next, at + 1, slots, position + 1);
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
  readonly #slotCount: number;
  readonly #text: string;
  /** For each instruction, the generation in which it was last entered. */
  readonly #entered: Int32Array;
  #generation = 1;

  constructor(program: readonly Instruction[], slotCount: number, text: string) {
    this.#program = program;
    this.#slotCount = slotCount;
    this.#text = text;
    this.#entered = new Int32Array(program.length);
  }

  /** From here on threads are for the next character. */
  startPosition(): void {
    this.#generation++;
  }

  /** Adds to `threads` what can be reached from an instruction, most preferred first, each instruction once. */
  enter(threads: Thread[], start: number, slots: readonly number[], position: number): void {
    const pending: Thread[] = [{ at: start, slots }];
    for (let thread = pending.pop(); thread; thread = pending.pop()) {
      const { at, slots } = thread;
      if (this.#entered[at] === this.#generation) continue;
      this.#entered[at] = this.#generation;
      const instruction = this.#program[at]!;
      switch (instruction.op) {
        case "jump":
          pending.push({ at: instruction.to, slots });
          break;
        case "split":
          pending.push({ at: instruction.second, slots }, { at: instruction.first, slots });
          break;
        case "save":
          pending.push({ at: at + 1, slots: this.#saved(slots, instruction.slot, position) });
          break;
        case "assert":
          if (isTrue(instruction.what, this.#text, position)) pending.push({ at: at + 1, slots });
          break;
        default:
          threads.push(thread);
      }
    }
  }

  #saved(slots: readonly number[], slot: number, position: number): readonly number[] {
    if (slot >= this.#slotCount) return slots;
    const changed = [...slots];
    changed[slot] = position;
    return changed;
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
