/** view: says which queries a server block takes. Syntax and expressions: README.md. @module */

import type { Vocabulary } from "../../core/expression/check.ts";
import { readExpression } from "../../core/expression/corefile_expression.ts";
import { evaluate, EvaluationError } from "../../core/expression/evaluate.ts";
import { callQueryFunction, dependenceOf, QUERY_FUNCTIONS } from "../../core/expression/query_functions.ts";
import { labelsIn, warnOfEmptyLabels } from "../../core/expression/labels.ts";
import type { Expression } from "../../core/expression/syntax.ts";
import type { Position } from "../../core/corefile/directive.ts";
import {
  Arguments,
  both,
  CorefileError,
  type Dependence,
  type Directive,
  INDEPENDENT,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
} from "../../core/plugin.ts";

/** The block's name, and what must hold for a query to come to it. */
export interface ViewConfig {
  /** Where it stands. */
  readonly at: Position;
  readonly name: string;
  readonly conditions: readonly Expression[];
}

const VOCABULARY: Vocabulary = { functions: QUERY_FUNCTIONS, variables: {} };

const options = {
  expr: {
    usage: "expr EXPRESSION",
    repeats: true,
    read(args: Arguments) {
      if (!args.more) args.token("EXPRESSION");
      return readExpression(args.rest(), VOCABULARY, "boolean", "expr").expression;
    },
  },
} satisfies Options;

/** Reads every `view NAME { expr EXPRESSION }` of a block: all conditions must hold, the first names the block. */
function parse(directives: readonly Directive[], scope: ParseScope): ViewConfig {
  const views = directives.map((directive) => parseOne(directive, scope));
  const { name, at } = views[0]!;
  scope.setView(name);
  return { at, name, conditions: views.flatMap(({ conditions }) => conditions) };
}

function parseOne(directive: Directive, { problems }: ParseScope): ViewConfig {
  const args = new Arguments(directive);
  const name = args.word("NAME");
  args.end();
  const { expr } = readOptions(directive, options, problems);
  if (!expr && !directive.block?.length) {
    throw new CorefileError(
      directive.name,
      `view: ${name} has no condition: wanted expr EXPRESSION in its block`,
    );
  }
  return { at: directive.name.at, name, conditions: expr ?? [] };
}

/** Whether all conditions hold. One that comes to nothing, as `incidr` of what is no address, does not. */
export function admits(conditions: readonly Expression[], context: QueryContext): boolean {
  const surroundings = {
    call: (name: string, args: Parameters<typeof callQueryFunction>[2]) =>
      callQueryFunction(context, name, args),
    variable: () => null,
  };
  try {
    return conditions.every((condition) => evaluate(condition, surroundings) === true);
  } catch (error) {
    if (error instanceof EvaluationError) return false;
    throw error;
  }
}

/** What any answer depends on to a query that was asked these conditions. */
export function admission(conditions: readonly Expression[], context: QueryContext): Dependence {
  return conditions.reduce((sum, condition) => both(sum, dependenceOf(condition, context)), INDEPENDENT);
}

export default {
  name: "view",
  usage: "view NAME",
  options,
  everyClass: true,
  repeats: "absence",
  parse,
  verify: ({ at, conditions }, facts, problems) =>
    warnOfEmptyLabels(conditions.flatMap(labelsIn), facts, "view", at, problems),
  answerer: ({ name, conditions }) => ({
    name: "view",
    labels: { "view/name": () => name },
    admits(context) {
      const admitted = admits(conditions, context);
      if (!admitted) context.record?.({ plugin: "view", what: `the conditions of view ${name} do not hold` });
      return admitted;
    },
    admission: (context) => admission(conditions, context),
    answer(context, next) {
      context.record?.({ plugin: "view", what: `the conditions of view ${name} hold` });
      return next(context);
    },
  }),
} satisfies PluginModule<ViewConfig>;
