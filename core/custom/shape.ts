/**
 * Checks that what a custom plugin's file came to is a plugin: it may have been written without a type checker.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import { API_VERSION, type CustomModule } from "./api.ts";

type Kind = "text" | "texts" | "number" | "switch" | "table" | "function";

/** Every part that a module may have. */
const parts = {
  api: "number",
  name: "text",
  aliases: "texts",
  usage: "text",
  options: "table",
  everyClass: "switch",
  repeats: "text",
  metrics: "table",
  waits: "switch",
  before: "text",
  after: "text",
  parse: "function",
  verify: "function",
  start: "function",
  listenOn: "function",
  limits: "function",
  answersAll: "function",
  answerer: "function",
} satisfies Record<keyof Required<CustomModule>, Kind>;

const REQUIRED: readonly (keyof CustomModule)[] = ["name", "usage", "options", "parse"];

const wanted: Readonly<Record<Kind, string>> = {
  text: "a string",
  texts: "a list of strings",
  number: "a number",
  switch: "true or false",
  table: "an object",
  function: "a function",
};

/** What is wrong with a module; undefined when it is one. */
export function wrongShape(module: unknown): string | undefined {
  if (!isObject(module) || module instanceof Promise) {
    return `it returned ${found(module)}: wanted an object with api, name, parse and answerer`;
  }
  if (module.api !== API_VERSION) {
    return module.api === undefined
      ? `it does not say which version of the plugin API it is written for: wanted api: ${API_VERSION}`
      : `it is written for version ${String(module.api)} of the plugin API: wanted ${API_VERSION}`;
  }
  const missing = REQUIRED.find((part) => module[part] === undefined);
  if (missing) return `it has no '${missing}': wanted ${wanted[parts[missing]]}`;
  return Object.entries(module).map(([part, value]) => wrongPart(part, value)).find((wrong) => wrong) ??
    wrongName(module as unknown as CustomModule) ?? wrongOptions(module as unknown as CustomModule) ??
    wrongMetrics(module as unknown as CustomModule);
}

function wrongPart(part: string, value: unknown): string | undefined {
  if (!Object.hasOwn(parts, part)) {
    const guess = nearest(part, Object.keys(parts));
    return `it has an unknown '${part}'; ${
      guess ? `did you mean '${guess}'?` : `there are ${list(Object.keys(parts))}`
    }`;
  }
  const kind: Kind = parts[part as keyof typeof parts];
  return value === undefined || isKind(value, kind)
    ? undefined
    : `its '${part}' is ${found(value)}: wanted ${wanted[kind]}`;
}

/** Names are directives: what the lexer gives as one word, and nobody takes for a zone or a path. */
function wrongName({ name, aliases = [], before, after }: CustomModule): string | undefined {
  const wrong = [name, ...aliases].find((word) => !/^[a-z][a-z0-9_-]*$/.test(word) || word === "import");
  if (wrong !== undefined) {
    return `it calls itself '${wrong}': wanted small letters, digits, '_' and '-', a letter first`;
  }
  return before !== undefined && after !== undefined
    ? "it declares both before and after: wanted one of them"
    : undefined;
}

function wrongOptions({ options }: CustomModule): string | undefined {
  const wrong = Object.entries(options).find(([, option]) =>
    !isObject(option) || typeof option.usage !== "string" || typeof option.read !== "function"
  );
  return wrong && `its option '${wrong[0]}' is not { usage, read }`;
}

function wrongMetrics({ metrics = {} }: CustomModule): string | undefined {
  const kinds = ["counter", "gauge", "histogram"];
  for (const [name, metric] of Object.entries(metrics)) {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) {
      return `its metric '${name}' has a name that is none: wanted letters, digits and '_'`;
    }
    if (!isObject(metric) || !kinds.includes(metric.kind) || typeof metric.help !== "string") {
      return `its metric '${name}' is not { kind, help }, kind being ${kinds.join(", ")}`;
    }
  }
  return undefined;
}

function isKind(value: unknown, kind: Kind): boolean {
  if (kind === "text") return typeof value === "string";
  if (kind === "texts") return Array.isArray(value) && value.every((one) => typeof one === "string");
  if (kind === "switch") return typeof value === "boolean";
  if (kind === "number") return typeof value === "number";
  return kind === "table" ? isObject(value) : typeof value === "function";
}

/** Whether a value is an object that is no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a value is, in words. */
export function found(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Promise) return "a promise";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function list(words: readonly string[]): string {
  return words.join(", ");
}
