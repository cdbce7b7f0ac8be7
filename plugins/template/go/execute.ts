/**
 * Executes templates. What one execution may do is bounded: steps, and the length of the text.
 *
 * @module
 */

import { asText, element, ExecutionError, FUNCTIONS, type GoValue, isTrue } from "./functions.ts";
import type { Command, Operand, Pipeline, TemplateNode } from "./syntax.ts";

/** Nodes and commands looked at, again for each round of a range. */
const STEPS_MAX = 20_000;

/** RDATA has at most 65535 octets, and in text up to four characters for one. */
const LENGTH_MAX = 300_000;

/** The text that a template makes of `data`. @throws {ExecutionError} When it comes to nothing. */
export function executeTemplate(nodes: readonly TemplateNode[], data: GoValue): string {
  const execution = new Execution(data);
  execution.run(nodes, { dot: data, variables: new Map([["", { value: data }]]) });
  return execution.text;
}

interface Scope {
  readonly dot: GoValue;
  /** By name; changed in place by `$v = …`, so that blocks inside change those outside. */
  readonly variables: Map<string, { value: GoValue }>;
}

/** How a list of nodes came to its end. */
type Ended = "all" | "break" | "continue";

class Execution {
  text = "";
  readonly #data: GoValue;
  #steps = 0;

  constructor(data: GoValue) {
    this.#data = data;
  }

  run(nodes: readonly TemplateNode[], outer: Scope): Ended {
    const scope = { dot: outer.dot, variables: new Map(outer.variables) };
    for (const node of nodes) {
      this.#step();
      if (node.kind === "break" || node.kind === "continue") return node.kind;
      const ended = this.#node(node, scope);
      if (ended !== "all") return ended;
    }
    return "all";
  }

  #node(node: Exclude<TemplateNode, { kind: "break" | "continue" }>, scope: Scope): Ended {
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return "all";
      case "action": {
        const value = this.#pipeline(node.pipeline, scope);
        if (!node.pipeline.assign) this.#write(asText(value));
        return "all";
      }
      case "if":
      case "with": {
        const inner = { ...scope, variables: new Map(scope.variables) };
        const value = this.#pipeline(node.pipeline, inner);
        if (!isTrue(value)) return this.run(node.otherwise, inner);
        return this.run(node.body, node.kind === "with" ? { ...inner, dot: value } : inner);
      }
      case "range":
        return this.#range(node, scope);
    }
  }

  #range(node: Extract<TemplateNode, { kind: "range" }>, scope: Scope): Ended {
    const pairs = pairsOf(this.#pipeline(node.pipeline, scope));
    if (pairs.length === 0) return this.run(node.otherwise, scope);
    const [first, second] = node.variables;
    for (const [key, value] of pairs) {
      const variables = new Map(scope.variables);
      if (first !== undefined) variables.set(first, { value: second === undefined ? value : key });
      if (second !== undefined) variables.set(second, { value });
      if (this.run(node.body, { dot: value, variables }) === "break") break;
    }
    return "all";
  }

  #pipeline({ commands, assign }: Pipeline, scope: Scope): GoValue {
    let value: GoValue | undefined;
    for (const command of commands) value = this.#command(command, value, scope);
    if (assign?.declares) scope.variables.set(assign.name, { value: value! });
    else if (assign) scope.variables.get(assign.name)!.value = value!;
    return value!;
  }

  /** `piped` is what the command before came to. */
  #command(command: Command, piped: GoValue | undefined, scope: Scope): GoValue {
    this.#step();
    const [first, ...rest] = command;
    if (first!.kind === "function") return this.#call(first!.name, rest, piped, scope);
    const value = this.#operand(first!, scope, false);
    const args = [
      ...rest.map((operand) => this.#operand(operand, scope)),
      ...piped === undefined ? [] : [piped],
    ];
    if (isMethod(value)) return value.call(...args);
    if (args.length > 0) throw new ExecutionError("a value was given arguments, and is no method");
    return value;
  }

  #call(name: string, operands: readonly Operand[], piped: GoValue | undefined, scope: Scope): GoValue {
    const args: GoValue[] = [];
    for (const operand of operands) {
      const value = this.#operand(operand, scope);
      args.push(value);
      // The arguments behind the one that decides are left alone.
      if ((name === "and" && !isTrue(value)) || (name === "or" && isTrue(value))) return value;
    }
    return FUNCTIONS[name]!(...args, ...piped === undefined ? [] : [piped]);
  }

  #operand(operand: Operand, scope: Scope, calls = true): GoValue {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "function":
        return this.#call(operand.name, [], undefined, scope);
      case "pipeline":
        return fieldsOf(this.#pipeline(operand.pipeline, scope), operand.path);
      case "field": {
        const start = operand.variable === undefined
          ? scope.dot
          : scope.variables.get(operand.variable)!.value;
        const value = fieldsOf(operand.variable === "" ? this.#data : start, operand.path);
        return calls && isMethod(value) ? value.call() : value;
      }
    }
  }

  #write(text: string): void {
    this.text += text;
    if (this.text.length > LENGTH_MAX) {
      throw new ExecutionError(`a text of more than ${LENGTH_MAX} characters`);
    }
  }

  #step(): void {
    if (++this.#steps > STEPS_MAX) throw new ExecutionError(`it takes more than ${STEPS_MAX} steps`);
  }
}

function isMethod(
  value: GoValue,
): value is Exclude<GoValue, null | string | number | boolean> & { call: any } {
  return typeof value === "object" && value !== null && "call" in value;
}

function fieldsOf(value: GoValue, path: readonly string[]): GoValue {
  return path.reduce((of, name) => {
    if (!(of instanceof Map)) throw new ExecutionError(`${asText(of)} has no field ${name}`);
    return element(of, name);
  }, value);
}

function pairsOf(value: GoValue): (readonly [GoValue, GoValue])[] {
  if (value instanceof Map) return [...value].sort(([a], [b]) => a < b ? -1 : 1);
  if (Array.isArray(value)) return value.map((one, i) => [i, one] as const);
  if (typeof value === "number") {
    return Array.from({ length: Math.min(Math.max(0, value), STEPS_MAX) }, (_, i) => [i, i] as const);
  }
  if (value === null || value === "") return [];
  throw new ExecutionError(`cannot range over ${asText(value)}`);
}
