/**
 * ttl: gives what could change soon a TTL that ends soon. Syntax and examples: README.md; the rule:
 * docs/decisions/0001-answers.md, "TTL".
 *
 * @module
 */

import type { Draft } from "../../core/answer.ts";
import {
  type Answer,
  Arguments,
  CorefileError,
  type Deadline,
  type Dependence,
  type Directive,
  mapRRsets,
  onlyOne,
  type ParseScope,
  type Plugin,
  type PluginModule,
  readOptions,
  type RRset,
  then,
} from "../../core/plugin.ts";
import { TYPE } from "../../core/dns/types.ts";

/** The bounds, in seconds. */
export interface TtlConfig {
  readonly min: number;
  readonly max: number;
  /** Derive the TTL also while nothing stirs. */
  readonly strict: boolean;
}

/** RFC 2181 section 8. */
const TTL_MAX = 2 ** 31 - 1;

/** Reads `ttl [MIN MAX] [strict]`. */
export function parse(
  directives: readonly Directive[],
  { problems }: Pick<ParseScope, "problems">,
): TtlConfig {
  const directive = onlyOne(directives, problems);
  readOptions(directive, {}, problems);
  const args = new Arguments(directive);
  const hasBounds = args.more && args.peek()!.text !== "strict";
  const min = hasBounds ? seconds(args, "MIN", 0) : 5;
  const second = args.peek();
  const max = hasBounds ? seconds(args, "MAX", 0) : 60;
  if (max < min) {
    throw new CorefileError(second!, `ttl: MAX must be at least MIN, ${min}s: got '${second!.text}'`);
  }
  const strict = args.take("strict");
  args.end();
  return { min, max, strict };
}

function seconds(args: Arguments, what: string, min: number): number {
  const token = args.peek() ?? args.directive.name;
  const milliseconds = args.durationMs(what, { min: min * 1000, max: TTL_MAX * 1000 });
  if (milliseconds % 1000 === 0) return milliseconds / 1000;
  throw new CorefileError(token, `ttl: ${what} must be whole seconds: got '${token.text}'`);
}

/** Sets TTLs on the way up. */
export function answerer(config: TtlConfig): Plugin {
  return {
    name: "ttl",
    answer: (context, next) => then(next(context), (answer) => withTtls(answer, config, context.nowMs)),
  };
}

/**
 * The TTL of each RRset that has a deadline; or, in a negative answer that has one, of the SOA, which says how long
 * the absence may be remembered (RFC 2308 section 5). Everything else keeps the zone's. The answer stands until one of
 * these TTLs would be another.
 */
export function withTtls(answer: Answer, config: TtlConfig, nowMs: number): Answer {
  if (hasDeadline(answer.answer) || hasDeadline(answer.authority) || hasDeadline(answer.additional)) {
    let untilMs = Infinity;
    const changed = mapRRsets(answer, (rrset) => {
      if (!rrset.deadline) return rrset;
      const timed = ttlOf(rrset.deadline, config, nowMs);
      untilMs = Math.min(untilMs, timed.untilMs);
      return { ...rrset, ttl: timed.ttl };
    });
    return standingUntil(changed, untilMs);
  }
  const { deadline } = answer.dependence;
  if (isNever(deadline) || !answer.authority.some(({ type }) => type === TYPE.SOA)) return answer;
  const { ttl, untilMs } = ttlOf(deadline, config, nowMs);
  const authority = answer.authority.map((rrset) => rrset.type === TYPE.SOA ? { ...rrset, ttl } : rrset);
  return standingUntil({ ...answer, authority }, untilMs);
}

function hasDeadline(section: readonly RRset[]): boolean {
  for (const { deadline } of section) if (deadline) return true;
  return false;
}

/** The answer, whose TTLs are given, and so do not count down any more. It is the caller's own, and changed. */
function standingUntil(answer: Draft<Answer>, untilMs: number): Answer {
  if (answer.aging) delete answer.aging;
  if (untilMs < Infinity) answer.dependence = bothUntil(answer.dependence, untilMs);
  return answer;
}

function bothUntil(dependence: Dependence, untilMs: number): Dependence {
  const before = dependence.untilMs;
  return { ...dependence, untilMs: before === undefined ? untilMs : Math.min(before, untilMs) };
}

/** What a TTL is, in seconds, and until when: milliseconds since 1970. */
export interface TimedTtl {
  readonly ttl: number;
  readonly untilMs: number;
}

/** MAX while all is quiet, else the whole seconds that are left until the earliest change, within MIN and MAX. */
export function ttlOf(
  { earliestMs, scheduledMs, steady }: Deadline,
  { min, max, strict }: TtlConfig,
  nowMs: number,
): TimedTtl {
  if (!strict && steady && scheduledMs - nowMs >= max * 1000) {
    return { ttl: max, untilMs: scheduledMs - max * 1000 };
  }
  const ttl = Math.min(Math.max(Math.floor((earliestMs - nowMs) / 1000), min), max);
  // MIN is as short as it gets; the next probe may make it longer, so it is looked at again as often as what counts down.
  const untilMs = ttl > min ? earliestMs - ttl * 1000 : min === max ? Infinity : nowMs + 1000;
  return { ttl, untilMs };
}

/** By value: a structured clone has no NEVER of its own. */
function isNever({ earliestMs, scheduledMs, steady }: Deadline): boolean {
  return earliestMs === Infinity && scheduledMs === Infinity && steady;
}

const ttl: PluginModule<TtlConfig> = {
  name: "ttl",
  usage: "ttl [MIN MAX] [strict]",
  options: {},
  repeats: "absence",
  parse,
  answerer: (config) => answerer(config),
  ttlBounds: ({ min, max }) => ({ min, max }),
};
export default ttl;
