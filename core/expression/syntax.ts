/**
 * What expressions are made of: plain data, which a structured clone carries.
 *
 * @module
 */

import type { Pattern } from "../pattern/pattern.ts";

/** What an expression may come to. */
export type Value = null | boolean | number | string | readonly Value[];

/** Operators between two expressions. */
export type BinaryOperator =
  | "??"
  | "||"
  | "&&"
  | "=="
  | "!="
  | "<"
  | ">"
  | "<="
  | ">="
  | "in"
  | "contains"
  | "startsWith"
  | "endsWith"
  | ".."
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "**";

/** A piece of an expression; `at` is where it begins in the source. */
export type Expression =
  & { readonly at: number }
  & (
    | { readonly kind: "literal"; readonly value: Value }
    | { readonly kind: "list"; readonly items: readonly Expression[] }
    | { readonly kind: "variable"; readonly name: string }
    /** `#`: the element that a predicate is asked about. */
    | { readonly kind: "element" }
    | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
    | { readonly kind: "unary"; readonly operator: "!" | "-"; readonly operand: Expression }
    | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
    | { readonly kind: "matches"; readonly text: Expression; readonly pattern: Pattern }
    | {
      readonly kind: "choice";
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
    | { readonly kind: "index"; readonly of: Expression; readonly index: Expression }
    | {
      readonly kind: "slice";
      readonly of: Expression;
      readonly from?: Expression;
      readonly to?: Expression;
    }
  );

/** What is known of a value before there is one. */
export type Type = "any" | "boolean" | "number" | "string" | "list" | "nil";

/** What a function takes and gives. */
export interface Signature {
  readonly parameters: readonly Type[];
  /** How many of the parameters may be left out, from the last. */
  readonly optional?: number;
  /** Whether any number may follow, of the last one's type. */
  readonly repeats?: boolean;
  /** Whether the second parameter is asked for each element of the first, which it calls `#`. */
  readonly predicate?: boolean;
  readonly returns: Type;
}

/** The pieces right inside a piece. */
export function parts(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "literal":
    case "variable":
    case "element":
      return [];
    case "list":
      return expression.items;
    case "call":
      return expression.args;
    case "unary":
      return [expression.operand];
    case "binary":
      return [expression.left, expression.right];
    case "matches":
      return [expression.text];
    case "choice":
      return [expression.condition, expression.yes, expression.no];
    case "index":
      return [expression.of, expression.index];
    case "slice":
      return [
        expression.of,
        ...expression.from ? [expression.from] : [],
        ...expression.to ? [expression.to] : [],
      ];
  }
}
