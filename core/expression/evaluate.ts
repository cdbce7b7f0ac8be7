/**
 * Evaluates expressions. What one evaluation may do is bounded: steps, and the size of texts and lists.
 *
 * @module
 */

import { testPattern } from "../pattern/pattern.ts";
import { BUILTINS, isTrue, PREDICATE_BUILTINS } from "./builtins.ts";
import type { BinaryOperator, Expression, Value } from "./syntax.ts";

/** Where an expression finds what is not built in. */
export interface Surroundings {
  call(name: string, args: readonly Value[]): Value;
  variable(name: string): Value;
}

/** An expression that came to nothing: a text where a number was wanted, or too much of something. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
}

/** Pieces looked at in one evaluation, again for each element of a list. */
const STEPS_MAX = 100_000;

/** Characters of a text, elements of a list. */
const SIZE_MAX = 10_000;

/** What an expression that has been checked comes to. @throws {EvaluationError} When it comes to nothing. */
export function evaluate(expression: Expression, surroundings: Surroundings): Value {
  try {
    return new Evaluation(surroundings).value(expression);
  } catch (error) {
    if (error instanceof TypeError) throw new EvaluationError(error.message);
    throw error;
  }
}

class Evaluation {
  readonly #surroundings: Surroundings;
  #steps = 0;
  #element: Value = null;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  value(expression: Expression): Value {
    if (++this.#steps > STEPS_MAX) throw new EvaluationError(`it takes more than ${STEPS_MAX} steps`);
    const value = this.#unbounded(expression);
    if ((typeof value === "string" || Array.isArray(value)) && value.length > SIZE_MAX) {
      throw new EvaluationError(`a text or list of ${value.length}, more than ${SIZE_MAX}`);
    }
    return value;
  }

  #unbounded(expression: Expression): Value {
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "list":
        return expression.items.map((item) => this.value(item));
      case "variable":
        return this.#surroundings.variable(expression.name);
      case "element":
        return this.#element;
      case "call":
        return this.#call(expression.name, expression.args);
      case "unary": {
        const operand = this.value(expression.operand);
        return expression.operator === "!" ? !isTrue(operand) : -wantNumber(operand);
      }
      case "binary":
        return this.#binary(expression.operator, expression.left, expression.right);
      case "matches":
        return testPattern(expression.pattern, wantText(this.value(expression.text)));
      case "choice":
        return this.value(isTrue(this.value(expression.condition)) ? expression.yes : expression.no);
      case "index":
        return elementAt(wantSequence(this.value(expression.of)), wantNumber(this.value(expression.index)));
      case "slice":
        return this.#slice(expression);
    }
  }

  #call(name: string, args: readonly Expression[]): Value {
    if (Object.hasOwn(PREDICATE_BUILTINS, name)) {
      const list = wantList(this.value(args[0]!)), outer = this.#element;
      const result = PREDICATE_BUILTINS[name]!.run(list, (element) => {
        this.#element = element;
        return this.value(args[1]!);
      });
      this.#element = outer;
      return result;
    }
    const values = args.map((arg) => this.value(arg));
    if (!Object.hasOwn(BUILTINS, name)) return this.#surroundings.call(name, values);
    const { parameters, run } = BUILTINS[name]!;
    values.forEach((value, i) => wantType(value, parameters[i] ?? parameters.at(-1)!));
    return run(values);
  }

  #binary(operator: BinaryOperator, leftPiece: Expression, rightPiece: Expression): Value {
    const left = this.value(leftPiece);
    // The right side is left alone where the left one decides.
    if (operator === "&&") return isTrue(left) && isTrue(this.value(rightPiece));
    if (operator === "||") return isTrue(left) || isTrue(this.value(rightPiece));
    if (operator === "??") return left ?? this.value(rightPiece);
    const right = this.value(rightPiece);
    switch (operator) {
      case "==":
        return isEqual(left, right);
      case "!=":
        return !isEqual(left, right);
      case "in":
        return wantList(right).some((one) => isEqual(one, left));
      case "contains":
        return wantText(left).includes(wantText(right));
      case "startsWith":
        return wantText(left).startsWith(wantText(right));
      case "endsWith":
        return wantText(left).endsWith(wantText(right));
      case "+":
        return typeof left === "string" ? left + wantText(right) : wantNumber(left) + wantNumber(right);
      case "..":
        return range(wantNumber(left), wantNumber(right));
      case "<":
      case ">":
      case "<=":
      case ">=":
        return isOrdered(operator, left, right);
      default:
        return calculate(operator, wantNumber(left), wantNumber(right));
    }
  }

  #slice({ of, from, to }: Extract<Expression, { kind: "slice" }>): Value {
    const whole = wantSequence(this.value(of));
    const bound = (piece: Expression | undefined, byDefault: number) =>
      piece ? wantNumber(this.value(piece)) : byDefault;
    return whole.slice(bound(from, 0), bound(to, whole.length));
  }
}

function isEqual(a: Value, b: Value): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((one, i) => isEqual(one, b[i]!));
}

function isOrdered(operator: "<" | ">" | "<=" | ">=", left: Value, right: Value): boolean {
  const [a, b] = typeof left === "string" ? [left, wantText(right)] : [wantNumber(left), wantNumber(right)];
  switch (operator) {
    case "<":
      return a < b;
    case ">":
      return a > b;
    case "<=":
      return a <= b;
    case ">=":
      return a >= b;
  }
}

function calculate(operator: "-" | "*" | "/" | "%" | "**", a: number, b: number): number {
  switch (operator) {
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "**":
      return a ** b;
  }
}

/** Whole numbers, both ends among them. */
function range(first: number, last: number): number[] {
  const count = Math.max(0, Math.floor(last) - Math.floor(first) + 1);
  if (count > SIZE_MAX) throw new EvaluationError(`a list of ${count}, more than ${SIZE_MAX}`);
  return Array.from({ length: count }, (_, i) => Math.floor(first) + i);
}

/** Counted from the end where it is negative. */
function elementAt(whole: string | readonly Value[], index: number): Value {
  const element = whole.at(Math.trunc(index));
  if (element === undefined) throw new EvaluationError(`there is no element ${index} of ${whole.length}`);
  return element;
}

function wantType(value: Value, type: string): void {
  if (type === "any" || kindOf(value) === type) return;
  throw new EvaluationError(`wanted a ${type}, got ${describe(value)}`);
}

function kindOf(value: Value): string {
  return value === null ? "nil" : Array.isArray(value) ? "list" : typeof value;
}

function wantNumber(value: Value): number {
  wantType(value, "number");
  return value as number;
}

function wantText(value: Value): string {
  wantType(value, "string");
  return value as string;
}

function wantList(value: Value): readonly Value[] {
  wantType(value, "list");
  return value as readonly Value[];
}

function wantSequence(value: Value): string | readonly Value[] {
  return typeof value === "string" ? value : wantList(value);
}

function describe(value: Value): string {
  const kind = kindOf(value);
  return kind === "nil" || kind === "list" ? kind : `${kind} ${value}`;
}
