/**
 * A word of the Corefile as a regular expression.
 *
 * @module
 */

import { CorefileError, type Token } from "../corefile/directive.ts";
import { compilePattern, type Pattern, PatternError } from "./pattern.ts";

/** @throws {CorefileError} At the character that is wrong, in the name of `plugin`. */
export function readPattern(token: Token, plugin: string): Pattern {
  try {
    return compilePattern(token.text);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const column = token.at.column + error.offset + (token.quoted ? 1 : 0);
    throw new CorefileError({ ...token.at, column }, `${plugin}: ${error.message}`);
  }
}
