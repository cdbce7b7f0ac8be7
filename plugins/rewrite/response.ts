/**
 * The way up: what rules make of a reply.
 *
 * @module
 */

import { mapRdataNames } from "../../core/dns/rdata.ts";
import { TYPE } from "../../core/dns/types.ts";
import { matchPattern, type Pattern, substituteGroups } from "../../core/pattern/pattern.ts";
import {
  type Answer,
  type EdnsOption,
  fold,
  formatName,
  mapRRsets,
  type Name,
  type Next,
  parseName,
  type QueryContext,
  type RRset,
  sameName,
  then,
  withTarget,
} from "../../core/plugin.ts";
import { type NameMatch, rewritten } from "./rules.ts";

/** A change of a name in a reply. */
export type NameChange =
  /** One name, and all names below it. */
  | { readonly kind: "below"; readonly from: string; readonly to: string }
  | { readonly kind: "suffix"; readonly from: string; readonly to: string }
  /** All of a name that matches. */
  | { readonly kind: "whole"; readonly pattern: Pattern; readonly to: string };

/** What is done to a reply. */
export type ResponseRule =
  | { readonly kind: "names" | "values"; readonly change: NameChange }
  | { readonly kind: "ttl"; readonly min: number; readonly max: number }
  | { readonly kind: "rcode"; readonly from: number; readonly to: number }
  | { readonly kind: "cname"; readonly match: NameMatch; readonly to: string }
  | { readonly kind: "options"; readonly codes: readonly number[]; readonly options: readonly EdnsOption[] };

/** What a change of a reply may look at. */
export interface ResponseSurroundings {
  /** The query as it came. */
  readonly asked: QueryContext;
  /** The query as it went down. */
  readonly context: QueryContext;
  readonly next: Next;
}

/** The reply with every rule applied, the last first. */
export function rewriteResponse(
  answer: Answer,
  rules: readonly ResponseRule[],
  surroundings: ResponseSurroundings,
): Answer | Promise<Answer> {
  // Not an answer yet: whoever makes it comes by here too.
  if (answer.deferred) return answer;
  const [rest, last] = [rules.slice(0, -1), rules.at(-1)];
  if (!last) return answer;
  return then(
    applyRule(answer, last, surroundings),
    (changed) => rewriteResponse(changed, rest, surroundings),
  );
}

function applyRule(
  answer: Answer,
  rule: ResponseRule,
  surroundings: ResponseSurroundings,
): Answer | Promise<Answer> {
  const changeName = (change: NameChange) => (name: Name) =>
    changed(name, change, surroundings.asked.question.name);
  switch (rule.kind) {
    case "names":
      return mapRRsets(answer, (rrset) => withName(rrset, changeName(rule.change)(rrset.name)));
    case "values":
      return mapRRsets(answer, (rrset) => withValues(rrset, changeName(rule.change)));
    case "ttl": {
      // What is bounded does not count down as what came from below.
      const { aging: _, ...rest } = answer;
      return mapRRsets(
        rest,
        (rrset) => ({ ...rrset, ttl: Math.min(Math.max(rrset.ttl, rule.min), rule.max) }),
      );
    }
    case "rcode":
      return answer.rcode === rule.from ? { ...answer, rcode: rule.to } : answer;
    case "cname":
      return followRewritten(answer, rule, surroundings);
    case "options": {
      const others = (answer.options ?? []).filter(({ code }) => !rule.codes.includes(code));
      return { ...answer, options: [...others, ...rule.options] };
    }
  }
}

function withName(rrset: RRset, name: Name): RRset {
  return name === rrset.name ? rrset : { ...rrset, name };
}

/** Types whose first name is rewritten, as in CoreDNS. An SOA's second one is a mailbox. */
const WITH_VALUE: ReadonlySet<number> = new Set([
  TYPE.CNAME,
  TYPE.DNAME,
  TYPE.SOA,
  TYPE.SRV,
  TYPE.MX,
  TYPE.NAPTR,
  TYPE.NS,
  TYPE.PTR,
]);

function withValues(rrset: RRset, change: (name: Name) => Name): RRset {
  if (!WITH_VALUE.has(rrset.type)) return rrset;
  const changeFirst = (name: Name, index: number) => index === 0 ? change(name) : name;
  return { ...rrset, rdata: rrset.rdata.map((rdata) => mapRdataNames(rrset.type, rdata, changeFirst)) };
}

/** A name after a change; as it was where the change is not for it, or makes of it what is no name. */
function changed(name: Name, change: NameChange, askedName: Name): Name {
  const text = formatName(fold(name)), after = changedText(text, change);
  if (after === undefined || after === text) return name;
  try {
    const changed = parseName(after);
    // In the case in which it was asked for.
    return sameName(changed, askedName) ? askedName : changed;
  } catch {
    return name;
  }
}

function changedText(text: string, change: NameChange): string | undefined {
  switch (change.kind) {
    case "below":
      if (text === change.from) return change.to;
      return text.endsWith(`.${change.from}`) ? text.slice(0, -change.from.length) + change.to : undefined;
    case "suffix":
      return text.endsWith(change.from)
        ? text.slice(0, text.length - change.from.length) + change.to
        : undefined;
    case "whole": {
      const groups = matchPattern(change.pattern, text);
      return groups && substituteGroups(change.to, groups);
    }
  }
}

/** The answer up to the CNAME that is rewritten, and behind it what the rest of the chain has for the new target. */
function followRewritten(
  answer: Answer,
  rule: Extract<ResponseRule, { kind: "cname" }>,
  { context, next }: ResponseSurroundings,
): Answer | Promise<Answer> {
  for (const [i, rrset] of answer.answer.entries()) {
    const target = rrset.type === TYPE.CNAME ? rewrittenTarget(rrset, rule) : undefined;
    if (target === undefined) continue;
    const rdata = [Uint8Array.from(target, (octet) => octet.charCodeAt(0))];
    const kept = [...answer.answer.slice(0, i), { ...rrset, rdata }];
    if (context.question.type === TYPE.CNAME) return { ...answer, answer: kept };
    const question = { ...context.question, name: target };
    const found = next(Object.freeze({ ...context, name: fold(target), question }));
    // What proved or came along with the former records has gone with them.
    const alias = { ...answer, answer: kept, authority: [], additional: [] };
    return then(found, (found) => withTarget(alias, found));
  }
  return answer;
}

function rewrittenTarget(
  { rdata }: RRset,
  { match, to }: { match: NameMatch; to: string },
): Name | undefined {
  const name = String.fromCharCode(...rdata[0] ?? []) as Name;
  const text = formatName(fold(name)), after = rewritten(match, to, text);
  try {
    return after === undefined || after === text ? undefined : parseName(after);
  } catch {
    return undefined;
  }
}
