/** template: answers with records that are made from the question. Syntax and templates: README.md. @module */

import { labelsIn, warnOfEmptyLabels } from "../../core/expression/labels.ts";
import type { PluginModule } from "../../core/plugin.ts";
import { answerFromTemplates, MATCHES, RR_FAILURES, TEMPLATE_FAILURES } from "./answer.ts";
import { makeOptions, parseTemplates } from "./parse.ts";
import type { TemplateRule } from "./rules.ts";

export default {
  name: "template",
  usage: "template CLASS TYPE [ZONE...]",
  options: makeOptions(),
  everyClass: true,
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
  answerer: (rules, scope) => ({
    name: "template",
    answer: (context, next) =>
      answerFromTemplates(rules, context, next, (name, labels) => scope.count(name, labels)),
  }),
} satisfies PluginModule<readonly TemplateRule[]>;
