/**
 * Reads `rewrite [continue|stop] FIELD [TYPE] [(FROM TO)|TTL] [OPTIONS]`, on one line or over the lines of a block.
 *
 * @module
 */

import type { Pattern } from "../../core/pattern/pattern.ts";
import { readPattern } from "../../core/pattern/read_pattern.ts";
import { classFromText, RCODE, typeFromText } from "../../core/dns/types.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  nearest,
  type Problems,
  type Token,
} from "../../core/plugin.ts";
import { readEdnsRule } from "./parse_edns.ts";
import type { AnswerRule, NameMatch, Rule } from "./rules.ts";

const MATCH_KINDS = ["exact", "prefix", "suffix", "substring", "regex"] as const;

const FIELDS = ["name", "type", "class", "edns0", "ttl", "cname", "rcode"] as const;

const TTL_MAX = 2 ** 31 - 1;

/** Reads every rule, in order. */
export function parseRules(directives: readonly Directive[], problems: Problems): Rule[] {
  return directives.flatMap((directive) => problems.attempt(() => readRule(directive, problems)) ?? []);
}

function readRule(directive: Directive, problems: Problems): Rule {
  const args = new Arguments(flattened(directive, problems));
  const proceeds = args.peek()?.text.toLowerCase() === "continue";
  if (proceeds || args.peek()?.text.toLowerCase() === "stop") args.token("");
  const field = lowerCase(args.peek());
  if (field === "answer") {
    throw new CorefileError(args.token("FIELD"), "rewrite: an answer rule must follow a name rule");
  }
  if (!FIELDS.some((known) => known === field)) args.oneOf("FIELD", FIELDS);
  args.token("FIELD");
  const rule = readField(field as typeof FIELDS[number], args);
  args.end();
  return { proceeds, ...rule };
}

function readField(field: typeof FIELDS[number], args: Arguments): Unproceeding {
  switch (field) {
    case "name":
      return readNameRule(args);
    case "type":
      return { field, from: readType(args, "FROM"), to: readType(args, "TO") };
    case "class":
      return { field, from: readClass(args, "FROM"), to: readClass(args, "TO") };
    case "ttl":
      return { field, ...readMatch(args, 1), ...readTtls(args.token("TTL")) };
    case "rcode":
      return {
        field,
        ...readMatch(args, 2),
        from: readRcode(args.token("FROM")),
        to: readRcode(args.token("TO")),
      };
    case "cname":
      return readCnameRule(args);
    case "edns0":
      return { field, ...readEdnsRule(args) };
  }
}

type Unproceeding = Rule extends infer R ? R extends Rule ? Omit<R, "proceeds"> : never : never;

/** The directive as if what stands in its block stood on its line. */
function flattened(directive: Directive, problems: Problems): Directive {
  const { block = [], args, name } = directive;
  if (block.length > 0 && args.length > 1) {
    problems.error(block[0]!.name, "rewrite: a rule stands on its line or in the block, not in both");
  }
  const inner = args.length > 1 ? [] : block.flatMap((line) => {
    if (line.block) problems.error(line.name, `rewrite: ${line.name.text} takes no block`);
    return [line.name, ...line.args];
  });
  return { name, args: [...args, ...inner] };
}

function readNameRule(args: Arguments): Unproceeding {
  const { match } = readMatch(args, 1);
  const to = args.token("TO");
  if (match.kind === "regex") checkGroups(to, match.pattern);
  const { auto, answers } = readAnswers(args);
  return { field: "name", match, to: normalized(to.text), auto: auto || match.kind === "exact", answers };
}

/** `answer auto`, `answer name FROM TO`, `answer value FROM TO`, the word `answer` left out after the first. */
function readAnswers(args: Arguments): { auto: boolean; answers: AnswerRule[] } {
  let auto = false;
  const answers: AnswerRule[] = [];
  for (let isFirst = true; args.more; isFirst = false) {
    if (!args.take("answer") && isFirst) return { auto, answers };
    const token = args.peek();
    const what = args.oneOf("the kind of an answer rule", ["auto", "name", "value"]);
    // `answer name auto` is what CoreDNS's own manual says.
    if (what === "auto" || (what === "name" && args.take("auto"))) {
      auto = true;
      if (answers.some((rule) => rule.what === "name")) throw bothKinds(token!);
      continue;
    }
    if (what === "name" && auto) throw bothKinds(token!);
    const pattern = readPattern(args.token("FROM"), "rewrite"), to = args.token("TO");
    checkGroups(to, pattern);
    answers.push({ what, pattern, to: normalized(to.text) });
  }
  return { auto, answers };
}

function bothKinds(token: Token): CorefileError {
  return new CorefileError(token, "rewrite: answer auto and answer name exclude each other");
}

/** `[TYPE] STRING`, with `following` words behind it. CoreDNS's folding: lower case, a dot at the end. */
function readMatch(args: Arguments, following: number): { match: NameMatch } {
  const { kind, token } = readKind(args, following);
  if (kind === "regex") return { match: { kind, pattern: readPattern(token, "rewrite") } };
  return { match: { kind, text: normalized(token.text) } };
}

function readKind(args: Arguments, following: number): { kind: NameMatch["kind"]; token: Token } {
  if (args.left <= following + 1) return { kind: "exact", token: args.token("STRING") };
  const type = args.token("TYPE"), kind = MATCH_KINDS.find((known) => known === type.text.toLowerCase());
  if (kind) return { kind, token: args.token("STRING") };
  const guess = nearest(type.text, MATCH_KINDS);
  const hint = guess ? `; did you mean '${guess}'?` : "";
  throw new CorefileError(
    type,
    `rewrite: TYPE must be exact, prefix, suffix, substring or regex: got '${type.text}'${hint}`,
  );
}

/** The names of a cname rule are taken as they stand but for exact ones, and a suffix must end as names do. */
function readCnameRule(args: Arguments): Unproceeding {
  const { kind, token } = readKind(args, 1);
  const to = args.token("TO");
  if (kind === "regex") {
    const pattern = readPattern(token, "rewrite");
    checkGroups(to, pattern);
    return { field: "cname", match: { kind, pattern }, to: to.text.toLowerCase() };
  }
  const whole = kind === "exact" || kind === "suffix";
  const text = (token: Token) => whole ? normalized(token.text) : token.text.toLowerCase();
  return { field: "cname", match: { kind, text: text(token) }, to: text(to) };
}

function checkGroups(to: Token, { groupNames, source }: Pattern): void {
  for (const [whole, number] of to.text.matchAll(/\{(\d{1,3})\}/g)) {
    if (Number(number) < groupNames.length) continue;
    throw new CorefileError(
      to,
      `rewrite: '${source}' has no group for ${whole}: it has ${groupNames.length - 1}`,
    );
  }
}

function readType(args: Arguments, what: string): number {
  const token = args.token(what), type = typeFromText(token.text);
  if (type !== undefined) return type;
  throw new CorefileError(token, `rewrite: ${what} must be a type such as A: got '${token.text}'`);
}

function readClass(args: Arguments, what: string): number {
  const token = args.token(what), dnsClass = classFromText(token.text);
  if (dnsClass !== undefined) return dnsClass;
  throw new CorefileError(token, `rewrite: ${what} must be a class, IN, CH or HS: got '${token.text}'`);
}

/** A mnemonic, or a number up to that of BADCOOKIE. */
function readRcode(token: Token): number {
  const known: Readonly<Record<string, number>> = { ...RCODE, BADSIG: 16, BADVERS: 16 };
  const name = token.text.toUpperCase();
  if (Object.hasOwn(known, name)) return known[name]!;
  if (/^\d{1,2}$/.test(token.text) && Number(token.text) <= RCODE.BADCOOKIE) return Number(token.text);
  const guess = nearest(name, Object.keys(known));
  const hint = guess ? `; did you mean '${guess}'?` : "";
  throw new CorefileError(
    token,
    `rewrite: an RCODE must be a name such as NXDOMAIN, or 0 to 23: got '${token.text}'${hint}`,
  );
}

/** `30`, `30-300`, `30-`, `-300`: seconds. */
function readTtls(token: Token): { min: number; max: number } {
  const [whole, least, dash, most] = /^(\d{0,10})(?:(-)(\d{0,10}))?$/.exec(token.text) ?? [];
  const min = Number(least || 0), max = dash === undefined ? min : most ? Number(most) : TTL_MAX;
  if (whole !== undefined && whole !== "" && whole !== "-" && min <= max && max <= TTL_MAX) {
    return { min, max };
  }
  throw new CorefileError(
    token,
    `rewrite: TTL must be seconds or a range of them, such as 30, 30-300, 30- or -300: got '${token.text}'`,
  );
}

/** A name, or a piece of one, as CoreDNS compares it: in lower case, with a dot at the end. */
function normalized(text: string): string {
  const lower = text.toLowerCase();
  return lower.endsWith(".") ? lower : lower + ".";
}

function lowerCase(token: Token | undefined): string {
  return token?.text.toLowerCase() ?? "";
}
