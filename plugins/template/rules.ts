/**
 * What one `template` is: plain data, as the Corefile says it.
 *
 * @module
 */

import type { Position } from "../../core/corefile/directive.ts";
import type { Expression } from "../../core/expression/syntax.ts";
import type { Pattern } from "../../core/pattern/pattern.ts";
import type { ExtendedError, MemoKey, Name, RRset } from "../../core/plugin.ts";
import type { TemplateNode } from "./go/syntax.ts";

/** A record: made from a template, or the same for every query. */
export type RecordTemplate =
  & { readonly source: string }
  & ({ readonly nodes: readonly TemplateNode[] } | { readonly record: RRset });

/** What the templates of a rule look at, beside the question. */
export interface TemplateUse {
  readonly keys: readonly MemoKey[];
  /** Labels; undefined is one that only execution shows. */
  readonly labels: readonly (string | undefined)[];
}

/** One `template`. */
export interface TemplateRule {
  /** Where it stands. */
  readonly at: Position;
  /** 255 = any. */
  readonly class: number;
  /** 255 = any. */
  readonly type: number;
  /** Folded. */
  readonly zones: readonly Name[];
  /** None = every name. */
  readonly patterns: readonly Pattern[];
  readonly variables: readonly { readonly name: string; readonly expression: Expression }[];
  readonly conditions: readonly Expression[];
  readonly answer: readonly RecordTemplate[];
  readonly authority: readonly RecordTemplate[];
  readonly additional: readonly RecordTemplate[];
  readonly rcode: number;
  readonly extendedError?: ExtendedError;
  /** Below which names a query that no pattern or condition holds for is left to others, folded; none = not at all. */
  readonly fallthrough: readonly Name[];
  readonly uses: TemplateUse;
}

/** What a template is given, by its field's name. */
export const FIELDS = [
  "Zone",
  "Name",
  "Regex",
  "Match",
  "Group",
  "Class",
  "Type",
  "Message",
  "Question",
  "Remote",
  "Var",
  "Meta",
] as const;
