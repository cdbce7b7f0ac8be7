/**
 * Checks an expression before it is ever evaluated: names, numbers of arguments, and types as far as they are known.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import { BUILTINS, PREDICATE_BUILTINS } from "./builtins.ts";
import type { BinaryOperator, Expression, Signature, Type } from "./syntax.ts";
import { ExpressionError } from "./tokens.ts";

/** What an expression may use beside the built-in functions. */
export interface Vocabulary {
  readonly functions: Readonly<Record<string, Signature>>;
  /** The types of variables, by name. */
  readonly variables: Readonly<Record<string, Type>>;
}

/** The type of an expression. @throws {ExpressionError} At the first thing that cannot be right. */
export function typeOf(expression: Expression, vocabulary: Vocabulary, inPredicate = false): Type {
  const inside = (piece: Expression) => typeOf(piece, vocabulary, inPredicate);
  const want = (piece: Expression, wanted: Type, by: string) => expectType(piece, inside(piece), wanted, by);
  switch (expression.kind) {
    case "literal":
      return expression.value === null ? "nil" : typeof expression.value as Type;
    case "list":
      expression.items.forEach(inside);
      return "list";
    case "variable":
      return variableType(expression, vocabulary);
    case "element":
      if (!inPredicate) {
        throw new ExpressionError(expression.at, "found '#' outside a predicate such as any(list, # == 1)");
      }
      return "any";
    case "call":
      return callType(expression, vocabulary, inPredicate);
    case "unary":
      want(
        expression.operand,
        expression.operator === "!" ? "boolean" : "number",
        `'${expression.operator}'`,
      );
      return expression.operator === "!" ? "boolean" : "number";
    case "matches":
      want(expression.text, "string", "matches");
      return "boolean";
    case "choice":
      want(expression.condition, "boolean", "'?'");
      return joint(inside(expression.yes), inside(expression.no));
    case "index":
      want(expression.index, "number", "an index");
      return inside(expression.of) === "string" ? "string" : "any";
    case "slice":
      for (const bound of [expression.from, expression.to]) if (bound) want(bound, "number", "a slice");
      return inside(expression.of);
    case "binary":
      return binaryType(expression.operator, expression, inside(expression.left), inside(expression.right));
  }
}

/** @throws {ExpressionError} When a type that is known is another than the one wanted. */
export function expectType(piece: Expression, type: Type, wanted: Type, by: string): void {
  if (type === "any" || wanted === "any" || type === wanted) return;
  throw new ExpressionError(piece.at, `${by} wants ${named(wanted)}: found ${named(type)}`);
}

function variableType(
  { name, at }: Extract<Expression, { kind: "variable" }>,
  { functions, variables }: Vocabulary,
) {
  if (Object.hasOwn(variables, name)) return variables[name]!;
  if (Object.hasOwn(functions, name) || isBuiltin(name)) {
    throw new ExpressionError(at, `${name} is a function: it is written ${name}()`);
  }
  throw new ExpressionError(
    at,
    `there is no '${name}'${guess(name, [...Object.keys(variables), ...Object.keys(functions)])}`,
  );
}

function callType(
  { name, args, at }: Extract<Expression, { kind: "call" }>,
  vocabulary: Vocabulary,
  inPredicate: boolean,
): Type {
  const signature = signatureOf(name, vocabulary);
  if (!signature) {
    const known = [vocabulary.functions, BUILTINS, PREDICATE_BUILTINS].flatMap((table) => Object.keys(table));
    throw new ExpressionError(at, `there is no function '${name}'${guess(name, known)}`);
  }
  const { parameters, optional = 0, repeats, predicate } = signature;
  const least = parameters.length - optional;
  if (args.length < least || (args.length > parameters.length && !repeats)) {
    const wanted = repeats
      ? `${least} or more`
      : optional > 0
      ? `${least} to ${parameters.length}`
      : String(least);
    throw new ExpressionError(at, `${name} takes ${wanted} arguments: got ${args.length}`);
  }
  for (const [i, arg] of args.entries()) {
    const type = typeOf(arg, vocabulary, inPredicate || (predicate === true && i === 1));
    expectType(arg, type, parameters[i] ?? parameters.at(-1)!, name);
  }
  return signature.returns;
}

function signatureOf(name: string, { functions }: Vocabulary): Signature | undefined {
  const tables: Readonly<Record<string, Signature>>[] = [functions, BUILTINS, PREDICATE_BUILTINS];
  return tables.find((table) => Object.hasOwn(table, name))?.[name];
}

/** Whether every expression knows a function of that name. */
export function isBuiltin(name: string): boolean {
  return Object.hasOwn(BUILTINS, name) || Object.hasOwn(PREDICATE_BUILTINS, name);
}

function binaryType(
  operator: BinaryOperator,
  { left, right }: Extract<Expression, { kind: "binary" }>,
  leftType: Type,
  rightType: Type,
): Type {
  const both = (wanted: Type) => {
    expectType(left, leftType, wanted, `'${operator}'`);
    expectType(right, rightType, wanted, `'${operator}'`);
  };
  switch (operator) {
    case "||":
    case "&&":
      both("boolean");
      return "boolean";
    case "==":
    case "!=":
      if (leftType !== "nil" && rightType !== "nil") expectType(right, rightType, leftType, `'${operator}'`);
      return "boolean";
    case "contains":
    case "startsWith":
    case "endsWith":
      both("string");
      return "boolean";
    case "in":
      expectType(right, rightType, "list", "'in'");
      return "boolean";
    case "??":
      return joint(leftType, rightType);
    case "..":
      both("number");
      return "list";
    case "<":
    case ">":
    case "<=":
    case ">=":
    case "+":
      // Of two numbers, or of two texts.
      if (leftType !== "string" && rightType !== "string") both("number");
      else both("string");
      return operator !== "+" ? "boolean" : joint(leftType, rightType);
    default:
      both("number");
      return "number";
  }
}

function joint(a: Type, b: Type): Type {
  return a === b ? a : "any";
}

function named(type: Type): string {
  const names = {
    boolean: "true or false",
    number: "a number",
    string: "a text",
    list: "a list",
    nil: "nil",
    any: "anything",
  };
  return names[type];
}

function guess(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near ? `; did you mean '${near}'?` : "";
}
