/**
 * From a regular expression to the instructions that match it.
 *
 * @module
 */

import type { Assertion, PatternNode } from "./syntax.ts";

/** One step of a match; plain data. Where nothing else is said, the next instruction follows. */
export type Instruction =
  /** Takes one code unit in one of the ranges. */
  | { readonly op: "take"; readonly ranges: readonly number[] }
  | { readonly op: "assert"; readonly what: Assertion }
  /** Notes where a group begins (even slots) or ends. */
  | { readonly op: "save"; readonly slot: number }
  /** Goes on at `first` and, where that comes to nothing, at `second`. */
  | { readonly op: "split"; first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "match" };

/** A match looks at every instruction at most once for each character: so their number bounds its time. */
export const INSTRUCTIONS_MAX = 5000;

/** The instructions of an expression. @throws {RangeError} When there would be more than {@linkcode INSTRUCTIONS_MAX}. */
export function makeProgram(root: PatternNode): Instruction[] {
  const writer = new ProgramWriter();
  writer.write({ kind: "group", index: 0, body: root });
  writer.add({ op: "match" });
  return writer.program;
}

class ProgramWriter {
  readonly program: Instruction[] = [];

  add<I extends Instruction>(instruction: I): I {
    if (this.program.length >= INSTRUCTIONS_MAX) {
      throw new RangeError(`it comes to more than ${INSTRUCTIONS_MAX} steps: repeat less`);
    }
    this.program.push(instruction);
    return instruction;
  }

  write(node: PatternNode): void {
    switch (node.kind) {
      case "units":
        return void this.add({ op: "take", ranges: node.ranges });
      case "assert":
        return void this.add({ op: "assert", what: node.what });
      case "sequence":
        return node.parts.forEach((part) => this.write(part));
      case "either":
        return this.#either(node.parts);
      case "group":
        this.add({ op: "save", slot: 2 * node.index });
        this.write(node.body);
        return void this.add({ op: "save", slot: 2 * node.index + 1 });
      case "repeat":
        return this.#repeat(node);
    }
  }

  #either(parts: readonly PatternNode[]): void {
    const exits: { to: number }[] = [];
    for (const [i, part] of parts.entries()) {
      if (i === parts.length - 1) {
        this.write(part);
        break;
      }
      const split = this.#split(true);
      this.write(part);
      exits.push(this.add({ op: "jump", to: 0 }));
      split.leave(this.program.length);
    }
    for (const exit of exits) exit.to = this.program.length;
  }

  #repeat({ body, min, max, greedy }: Extract<PatternNode, { kind: "repeat" }>): void {
    for (let i = 0; i < min; i++) this.write(body);
    if (max === Infinity) {
      const start = this.program.length;
      const split = this.#split(greedy);
      this.write(body);
      this.add({ op: "jump", to: start });
      split.leave(this.program.length);
      return;
    }
    const splits = [];
    for (let i = min; i < max; i++) {
      splits.push(this.#split(greedy));
      this.write(body);
    }
    for (const split of splits) split.leave(this.program.length);
  }

  /** A split that goes on right behind itself or leaves for where it is told to; `stays` prefers the former. */
  #split(stays: boolean) {
    const behind = this.program.length + 1;
    const split = this.add({ op: "split", first: behind, second: behind });
    return {
      leave(to: number) {
        if (stays) split.second = to;
        else split.first = to;
      },
    };
  }
}
