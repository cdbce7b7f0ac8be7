/**
 * What a person may paste by mistake: whatever it is, it is refused in words or read, and what was read comes to an end.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { typeOf } from "../../../core/expression/check.ts";
import { evaluate, EvaluationError } from "../../../core/expression/evaluate.ts";
import { parseExpression } from "../../../core/expression/parser.ts";
import { callQueryFunction, QUERY_FUNCTIONS } from "../../../core/expression/query_functions.ts";
import { ExpressionError } from "../../../core/expression/tokens.ts";
import { compilePattern, matchPattern, PatternError } from "../../../core/pattern/pattern.ts";
import { executeTemplate } from "../../../plugins/template/go/execute.ts";
import { ExecutionError } from "../../../plugins/template/go/functions.ts";
import { parseTemplate } from "../../../plugins/template/go/parser.ts";
import { TemplateError } from "../../../plugins/template/go/syntax.ts";
import { contextOf } from "../../support/context.ts";

const BOUNDS = { seed: 11, numRuns: 2000 };

function textOf(words: readonly string[]): fc.Arbitrary<string> {
  const word = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: fc.string({ maxLength: 3 }) },
  );
  return fc.array(word, { maxLength: 14 }).map((pieces) => pieces.join(""));
}

/** Runs `use`; only errors of some kinds may come out of it. */
function onlyThrows(use: () => void, ...kinds: readonly (new (...args: any[]) => Error)[]): void {
  try {
    use();
  } catch (error) {
    if (!kinds.some((kind) => error instanceof kind)) throw error;
  }
}

Deno.test("any text is an expression that comes to an end, or is refused", () => {
  const words =
    "name() type() do() 'a' \"b\" 1 2.5 nil true [ ] ( ) , ? : + - * / % ** == != < && || ! not in " +
    "matches contains .. # any( map( len( split( repeat( { } | ?? [1:2] ` \\ metadata( incidr( first( join(";
  fc.assert(
    fc.property(textOf(words.split(" ").flatMap((word) => [word, ` ${word} `])), (source) => {
      onlyThrows(
        () => {
          const expression = parseExpression(source);
          typeOf(expression, { functions: QUERY_FUNCTIONS, variables: {} });
          evaluate(expression, {
            call: (name, args) => callQueryFunction(contextOf(), name, args),
            variable: () => assert.fail("there is none"),
          });
        },
        ExpressionError,
        EvaluationError,
      );
    }),
    BOUNDS,
  );
});

Deno.test("any text is a regular expression that comes to an end, or is refused", () => {
  const words =
    "a b . * + ? ( ) (?: (?P<n> (?i) | [ ] [^ ^ $ \\d \\b \\Q \\E {2} {1,3} {999} \\ [:alpha:] - \\x41 x"
      .split(" ");
  fc.assert(
    fc.property(textOf(words), fc.string({ maxLength: 20 }), (source, text) => {
      onlyThrows(() => matchPattern(compilePattern(source), text), PatternError);
    }),
    BOUNDS,
  );
});

Deno.test("any text is a template that comes to an end, or is refused", () => {
  const words =
    "{{ }} {{- -}} .A .A.B . $ $x := = | ( ) if else end range with break index len printf \"%d\" 1 `a` 'c' /* */ and or print"
      .split(" ").flatMap((word) => [word, ` ${word} `]);
  fc.assert(
    fc.property(
      textOf([...words, "{{ .A }}", "{{ range .L }}", "{{ end }}", "{{ if .A }}", "{{ else }}"]),
      (source) => {
        onlyThrows(
          () => {
            executeTemplate(
              parseTemplate(source),
              new Map<string, any>([["A", "a"], ["L", [1, 2]], ["M", new Map()]]),
            );
          },
          TemplateError,
          ExecutionError,
        );
      },
    ),
    BOUNDS,
  );
});
