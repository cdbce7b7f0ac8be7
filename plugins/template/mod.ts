/** template: answers with records that are made from the question. Syntax and templates: README.md. @module */

import { labelsIn, warnOfEmptyLabels } from "../../core/expression/labels.ts";
import {
  type Answer,
  type AnswerScope,
  type Plugin,
  type PluginModule,
  type QueryContext,
  type Sample,
  Tally,
} from "../../core/plugin.ts";
import { answerFromTemplates, MATCHES, RR_FAILURES, TEMPLATE_FAILURES } from "./answer.ts";
import { makeOptions, parseTemplates } from "./parse.ts";
import type { TemplateRule } from "./rules.ts";

export default {
  name: "template",
  usage: "template CLASS TYPE [ZONE...]",
  options: makeOptions(),
  everyClass: true,
  // Not `absence`: which template answers hangs on the name.
  repeats: "question",
  metrics: {
    [MATCHES]: {
      kind: "counter",
      help: "Queries that a template matched.",
      labels: ["zone", "class", "type"],
    },
    [TEMPLATE_FAILURES]: {
      kind: "counter",
      help: "Templates that came to nothing.",
      labels: ["zone", "class", "type", "section", "template"],
    },
    [RR_FAILURES]: {
      kind: "counter",
      help: "Templates that made what is no record.",
      labels: ["zone", "class", "type", "section", "template"],
    },
  },
  parse: parseTemplates,
  verify(rules, facts, problems) {
    for (const { at, uses, variables, conditions } of rules) {
      const expressions = [...variables.map(({ expression }) => expression), ...conditions];
      const labels = [
        ...uses.labels.filter((label) => label !== undefined),
        ...expressions.flatMap(labelsIn),
      ];
      warnOfEmptyLabels(labels, facts, "template", at, problems);
    }
  },
  answerer,
} satisfies PluginModule<readonly TemplateRule[]>;

function answerer(rules: readonly TemplateRule[], scope: AnswerScope): Plugin {
  const tally = new Tally();
  return {
    name: "template",
    answer(context, next) {
      const counted: Sample[] = [];
      const answer = answerFromTemplates(rules, context, next, (name, labels) => {
        if (!context.rehearsed) counted.push({ series: scope.series(name, labels), value: 1 });
      });
      if (counted.length > 0) countAll(counted, context, answer, tally);
      return answer;
    },
    tallies: (context) => tally.of(context),
    untimed: true,
  };
}

/** What ends at an upstream is counted here and now: `cache` may keep it, and is who repeats it then. */
function countAll(
  counted: readonly Sample[],
  context: QueryContext,
  answer: Answer | Promise<Answer>,
  tally: Tally,
): void {
  const isKept = answer instanceof Promise || answer.momentary;
  if (!isKept && answer.deferred) return;
  for (const sample of counted) {
    if (isKept) sample.series.record(sample.value);
    else tally.add(context, sample);
  }
}
