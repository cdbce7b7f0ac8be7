/**
 * What a rule of rewrite is: plain data, as the Corefile says it.
 *
 * @module
 */

import { matchPattern, type Pattern, substituteGroups } from "../../core/pattern/pattern.ts";

/** Which names a rule is for. Texts are folded, in presentation form. */
export type NameMatch =
  | { readonly kind: "exact" | "prefix" | "suffix" | "substring"; readonly text: string }
  | { readonly kind: "regex"; readonly pattern: Pattern };

/** A change of names in replies: `name` of owners, `value` of those in RDATA. */
export interface AnswerRule {
  readonly what: "name" | "value";
  readonly pattern: Pattern;
  readonly to: string;
}

/** What is done to an EDNS option: `replace` one that is there, `append` one that is not, `set` either way, or `unset`. */
export type EdnsAction = "replace" | "append" | "set" | "unset";

/** What is put into a local option: octets, or a property of the query. */
export type EdnsData = { readonly octets: Uint8Array } | { readonly variable: string };

/** Which option, and what is put into it. */
export type EdnsOptionRule =
  | { readonly option: "local"; readonly code: number; readonly data: EdnsData }
  | { readonly option: "nsid" }
  | { readonly option: "subnet"; readonly ipv4Length: number; readonly ipv6Length: number };

/** One rule. */
export type Rule =
  & {
    /** Whether later rules are looked at too once this one was for the query. */
    readonly proceeds: boolean;
  }
  & (
    | {
      readonly field: "name";
      readonly match: NameMatch;
      readonly to: string;
      /** Whether names in the reply are turned back. */
      readonly auto: boolean;
      readonly answers: readonly AnswerRule[];
    }
    | { readonly field: "type" | "class"; readonly from: number; readonly to: number }
    | { readonly field: "ttl"; readonly match: NameMatch; readonly min: number; readonly max: number }
    | { readonly field: "rcode"; readonly match: NameMatch; readonly from: number; readonly to: number }
    | { readonly field: "cname"; readonly match: NameMatch; readonly to: string }
    | ({ readonly field: "edns0"; readonly action: EdnsAction; readonly revert: boolean } & EdnsOptionRule)
  );

/** Whether a name, folded and in presentation form, is one that is meant. */
export function matches(match: NameMatch, text: string): boolean {
  return rewritten(match, "", text) !== undefined;
}

/** What becomes of a name; undefined when it is not meant. A regular expression's outcome takes the place of all of it. */
export function rewritten(match: NameMatch, to: string, text: string): string | undefined {
  switch (match.kind) {
    case "exact":
      return text === match.text ? to : undefined;
    case "prefix":
      return text.startsWith(match.text) ? to + text.slice(match.text.length) : undefined;
    case "suffix":
      return text.endsWith(match.text) ? text.slice(0, text.length - match.text.length) + to : undefined;
    case "substring":
      return text.includes(match.text) ? text.replaceAll(match.text, () => to) : undefined;
    case "regex": {
      const groups = matchPattern(match.pattern, text);
      return groups && substituteGroups(to, groups);
    }
  }
}
