/**
 * Commands with a verb: `meridian node list`, `meridian override add …`.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import { type ApiClient, asking } from "./api_client.ts";
import { type Flags, UsageError } from "./flags.ts";
import { visible, visibleJson } from "./visible.ts";

/** One verb. */
export interface VerbRun {
  /** What stands behind it: `ID`, `[KEY=VALUE...]`. */
  readonly usage: string;
  run(client: ApiClient, words: readonly string[], values: Flags["values"]): Promise<number>;
}

/** The verbs of a command, by name. */
export type Verbs = Readonly<Record<string, VerbRun>>;

/** `node list|show ID|...`. */
export function usageOf(command: string, verbs: Verbs): string {
  return `${command} ${
    Object.entries(verbs).map(([verb, { usage }]) => usage ? `${verb} ${usage}` : verb).join(" | ")
  }`;
}

/** Runs the verb that stands first. @throws {UsageError} */
export function runVerb(command: string, verbs: Verbs, flags: Flags): Promise<number> {
  const [verb, ...words] = flags.words;
  if (verb !== undefined && Object.hasOwn(verbs, verb)) {
    return asking(flags, (client) => verbs[verb]!.run(client, words, flags.values));
  }
  const guess = verb === undefined ? undefined : nearest(verb, Object.keys(verbs));
  const hint = guess ? `; did you mean '${guess}'?` : "";
  throw new UsageError(`${command} wants ${Object.keys(verbs).join(", ")}: got ${verb ?? "nothing"}${hint}`);
}

/** The one word that a verb wants. @throws {UsageError} */
export function oneWord(words: readonly string[], what: string): string {
  if (words.length === 1) return words[0]!;
  throw new UsageError(`wanted ${what}: got ${words.length === 0 ? "nothing" : words.join(" ")}`);
}

/** `weight=2 labels.role=entry` as a merge patch; values are JSON where they can be, else text; nothing behind = takes it away. */
export function patchOf(words: readonly string[]): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const word of words) {
    const [, path, text] = /^([\w.-]+)=(.*)$/s.exec(word) ?? [];
    if (path === undefined) throw new UsageError(`wanted KEY=VALUE, such as weight=2: got ${word}`);
    const parts = path.split(".");
    let into = patch;
    for (const part of parts.slice(0, -1)) into = (into[part] ??= {}) as Record<string, unknown>;
    into[parts.at(-1)!] = text === "" ? null : valueOf(text!);
  }
  return patch;
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Prints JSON or what is for people. */
export function print(values: Flags["values"], value: unknown, forPeople: () => string): void {
  console.log(values.json ? visibleJson(value) : visible(forPeople()));
}

/** Asks on a terminal; without one `-yes` is wanted. @throws {UsageError} */
export function confirmed(values: Flags["values"], question: string): boolean {
  if (values.yes) return true;
  if (!Deno.stdin.isTerminal()) throw new UsageError(`${question}: want -yes where nobody can be asked`);
  return confirm(`${question}?`);
}
