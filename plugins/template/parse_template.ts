/**
 * Reads the templates of records, and checks what they name.
 *
 * @module
 */

import type { Position } from "../../core/corefile/directive.ts";
import { CorefileError, type MemoKey, nearest, type Problems, type Token } from "../../core/plugin.ts";
import { EntryError } from "../../core/zone/words.ts";
import { parseTemplate } from "./go/parser.ts";
import { commandsOf, type Operand, operandsOf, TemplateError, type TemplateNode } from "./go/syntax.ts";
import { readRecord } from "./record.ts";
import { FIELDS, type RecordTemplate, type TemplateRule, type TemplateUse } from "./rules.ts";

/** Reads a template, or the record that one without actions is. @throws {CorefileError} At what is wrong in it. */
export function readTemplate(token: Token): RecordTemplate {
  try {
    const nodes = parseTemplate(token.text);
    const isFixed = nodes.every(({ kind }) => kind === "text");
    return { source: token.text, ...isFixed ? { record: readRecord(token.text) } : { nodes } };
  } catch (error) {
    if (error instanceof TemplateError) {
      throw new CorefileError(positionIn(token, error.offset), `template: ${error.message}`);
    }
    if (error instanceof EntryError) throw new CorefileError(token, `template: ${error.message}`);
    throw error;
  }
}

/** What the templates of a rule look at. Reports fields, groups and variables that there are none of. */
export function usesOf(rule: TemplateRule, tokens: readonly Token[], problems: Problems): TemplateUse {
  const keys = new Set<MemoKey>(), labels: (string | undefined)[] = [];
  for (const template of [...rule.answer, ...rule.authority, ...rule.additional]) {
    if (!("nodes" in template)) continue;
    const token = tokens.find(({ text }) => text === template.source)!;
    for (const operand of operandsOf(template.nodes)) {
      problems.attempt(() => checkField(operand, rule, template.nodes, token));
      const field = rootField(operand, template.nodes);
      if (field === "Remote") keys.add("source");
      // The name in the case in which it was asked for, which nothing tells apart.
      if (field === "Message" || field === "Question" && !isNumberOfQuestion(operand)) keys.add("port");
      // All of the data at once, as in `{{ . }}` or `$x := .`.
      if (field === "") ["source" as const, "port" as const].forEach((key) => keys.add(key));
    }
    labels.push(...labelsIn(template.nodes));
  }
  return { keys: [...keys], labels };
}

/** Which part of the data an operand reads: "" for all of it; undefined where it reads none, or where the dot is another. */
function rootField(operand: Operand, nodes: readonly TemplateNode[]): string | undefined {
  if (operand.kind !== "field") return undefined;
  if (operand.variable === "" || (operand.variable === undefined && !movesDot(nodes))) {
    return operand.path[0] ?? "";
  }
  // Inside a `with` or a `range` the dot may be the data or a part of it: the name alone tells.
  return operand.path[0];
}

function isNumberOfQuestion(operand: Operand): boolean {
  return operand.kind === "field" && (operand.path[1] === "Qtype" || operand.path[1] === "Qclass");
}

function movesDot(nodes: readonly TemplateNode[]): boolean {
  return nodes.some((node) =>
    node.kind === "with" || node.kind === "range" ||
    ("body" in node && (movesDot(node.body) || movesDot(node.otherwise)))
  );
}

function checkField(
  operand: Operand,
  rule: TemplateRule,
  nodes: readonly TemplateNode[],
  token: Token,
): void {
  if (operand.kind !== "field" || operand.path.length === 0) return;
  if (operand.variable !== "" && (operand.variable !== undefined || movesDot(nodes))) return;
  const [field, name] = operand.path as [string, ...string[]];
  const fail = (message: string, of: string, known: readonly string[]) => {
    const guess = nearest(of, known);
    const hint = guess
      ? `; did you mean '${guess}'?`
      : known.length > 0
      ? `; there are ${known.join(", ")}`
      : "";
    throw new CorefileError(positionIn(token, operand.at), `template: ${message}${hint}`);
  };
  if (!FIELDS.some((known) => known === field)) fail(`there is no .${field}`, field, FIELDS);
  if (name === undefined) return;
  const groups = rule.patterns.flatMap(({ groupNames }) => groupNames).filter((group) => group !== "");
  if (field === "Group" && !groups.includes(name)) {
    fail(`no regular expression has a group '${name}'`, name, groups);
  }
  const variables = rule.variables.map(({ name }) => name);
  if (field === "Var" && !variables.includes(name)) fail(`there is no variable '${name}'`, name, variables);
}

/** The labels that `.Meta "label"` asks for; undefined where that is not a text in quotes. */
function labelsIn(nodes: readonly TemplateNode[]): (string | undefined)[] {
  return [...commandsOf(nodes)].flatMap((command) => {
    if (!command.some((operand) => operand.kind === "field" && operand.path.at(-1) === "Meta")) return [];
    const [first, label, ...rest] = command;
    const isPlain = first!.kind === "field" && rest.length === 0 && label?.kind === "literal";
    return isPlain && typeof label.value === "string" ? [label.value] : [undefined];
  });
}

/** Where in the Corefile a character of a word stands, which may run over lines. */
function positionIn({ at, text, quoted }: Token, offset: number): Position {
  const lines = text.slice(0, offset).split("\n");
  if (lines.length > 1) return { ...at, line: at.line + lines.length - 1, column: lines.at(-1)!.length + 1 };
  return { ...at, column: at.column + offset + (quoted ? 1 : 0) };
}
