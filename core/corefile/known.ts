/**
 * Checks that every name in a Corefile is one that is known.
 *
 * @module
 */

import type { Corefile, Directive, Problems } from "./directive.ts";
import { nearest } from "./nearest.ts";

/** A directive, as far as its name matters; a plugin's module is one. */
export interface KnownDirective {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** By name, the options of its block. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** Reports every directive and every global option whose name is not known. A list left out knows all names. */
export function checkNames(
  { globals, blocks }: Corefile,
  directives: readonly KnownDirective[] | undefined,
  globalOptions: readonly string[] | undefined,
  problems: Problems,
): void {
  if (directives) {
    for (const { name } of blocks.flatMap((block) => block.directives)) {
      checkDirective(name, directives, problems);
    }
  }
  if (globalOptions) {
    for (const { name } of globals) checkGlobal(name, globalOptions, directives ?? [], problems);
  }
}

function checkDirective(name: Directive["name"], known: readonly KnownDirective[], problems: Problems): void {
  const names = namesOf(known);
  if (names.includes(name.text)) return;
  problems.error(name, `Unknown directive '${name.text}'${hintFor(name.text, names, known)}`);
}

/** What the person may have meant. */
function hintFor(word: string, names: readonly string[], known: readonly KnownDirective[]): string {
  const owner = known.find(({ options }) => options && Object.hasOwn(options, word));
  if (owner) return `; it is an option of '${owner.name}' and belongs inside its braces`;
  if (/[.:/]/.test(word)) return "; if it is a zone, the block above it lacks a brace";
  return didYouMean(word, names) || `; there are ${[...names].sort().join(", ")}`;
}

function checkGlobal(
  name: Directive["name"],
  known: readonly string[],
  directives: readonly KnownDirective[],
  problems: Problems,
): void {
  if (known.includes(name.text)) return;
  const hint = namesOf(directives).includes(name.text)
    ? "; it is a directive and belongs in a server block: is the zone before '{' missing?"
    : didYouMean(name.text, known) || `; there are ${known.join(", ")}`;
  problems.error(name, `Unknown global option '${name.text}'${hint}`);
}

function namesOf(directives: readonly KnownDirective[]): string[] {
  return directives.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
}

function didYouMean(word: string, words: readonly string[]): string {
  const guess = nearest(word, words);
  return guess ? `; did you mean '${guess}'?` : "";
}
