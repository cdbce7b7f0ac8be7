/**
 * Expressions in a Corefile: the words of a line, a blank between each two.
 *
 * @module
 */

import { CorefileError, type Position, type Token } from "../corefile/directive.ts";
import { expectType, typeOf, type Vocabulary } from "./check.ts";
import { parseExpression } from "./parser.ts";
import { parseNetwork } from "../net/address.ts";
import { type Expression, parts, type Type } from "./syntax.ts";
import { ExpressionError } from "./tokens.ts";

/** An expression that has been checked, and what it comes to as far as that is known. */
export interface CheckedExpression {
  readonly expression: Expression;
  readonly type: Type;
}

/** Reads an expression that comes to `wanted`. `what` names it in errors. @throws {CorefileError} At what is wrong in it. */
export function readExpression(
  tokens: readonly Token[],
  vocabulary: Vocabulary,
  wanted: Type,
  what: string,
): CheckedExpression {
  try {
    const expression = parseExpression(tokens.map(({ text }) => text).join(" "));
    const type = typeOf(expression, vocabulary);
    expectType(expression, type, wanted, what);
    checkConstants(expression);
    return { expression, type };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new CorefileError(positionOf(tokens, error.offset), `${what}: ${error.message}`);
  }
}

/** Texts that could never be what they stand for. */
function checkConstants(expression: Expression): void {
  if (expression.kind === "call") {
    const [first, second] = expression.args;
    const network = expression.name === "incidr" && constantText(second);
    if (typeof network === "string" && !parseNetwork(network)) {
      throw new ExpressionError(second!.at, `incidr wants a network such as 192.0.2.0/24: got '${network}'`);
    }
    const label = expression.name === "metadata" && constantText(first);
    if (typeof label === "string" && !/^[^/]+\/.+/.test(label)) {
      throw new ExpressionError(
        first!.at,
        `metadata wants a label such as 'geoip/country/code': got '${label}'`,
      );
    }
  }
  parts(expression).forEach(checkConstants);
}

function constantText(expression: Expression | undefined): string | undefined {
  return expression?.kind === "literal" && typeof expression.value === "string"
    ? expression.value
    : undefined;
}

/** Where in the Corefile a character of the joined words stands. */
function positionOf(tokens: readonly Token[], offset: number): Position {
  let start = 0;
  for (const { text, at, quoted } of tokens) {
    if (offset <= start + text.length) {
      return { ...at, column: at.column + (quoted ? 1 : 0) + Math.max(0, offset - start) };
    }
    start += text.length + 1;
  }
  return tokens.at(-1)!.at;
}
