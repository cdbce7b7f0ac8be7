/**
 * What a `cache` directive says.
 *
 * @module
 */

import { readNames } from "../../core/dns/corefile_names.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  type Name,
  onlyOne,
  type Options,
  type OptionValues,
  type ParseScope,
  type Problems,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";

/** One of the two caches: of records that are there, or of denials that they are. TTLs in seconds. */
export interface ShareConfig {
  /** How many answers it holds. */
  readonly capacity: number;
  /** The longest that one is kept, and the most that it says. */
  readonly ttlMax: number;
  /** The shortest that one is kept; what it says is not touched by it. */
  readonly ttlMin: number;
  /** Names within which it holds nothing, folded. */
  readonly disabled: readonly Name[];
}

/** When what is asked for often is asked for anew before it has expired. */
export interface PrefetchConfig {
  /** Queries that make an answer popular. */
  readonly amount: number;
  /** Without a gap of this length or more. */
  readonly gapMs: number;
  /** The share of its life that is left when it is refreshed, 0 to 1. */
  readonly share: number;
}

/** Whether an answer that has expired is better than none (RFC 8767). */
export interface StaleConfig {
  /** For how long after. */
  readonly durationMs: number;
  /** Ask first; otherwise answer first. */
  readonly verify: boolean;
  /** How long the client waits for that; 0 = as long as it takes. */
  readonly verifyTimeoutMs: number;
  /** The TTL that is said, in seconds. */
  readonly ttl: number;
  /** How long nobody is asked again after that failed. */
  readonly recheckMs: number;
  /** A record that was there is given although it is denied now. */
  readonly preferPositive: boolean;
}

/** The cache of a server block. Plain data. */
export interface CacheConfig {
  /** Names within these are cached, folded. */
  readonly zones: readonly Name[];
  readonly success: ShareConfig;
  readonly denial: ShareConfig;
  /** For how long a failure is remembered, in seconds; 0 = not. */
  readonly servfailTtl: number;
  readonly prefetch?: PrefetchConfig;
  readonly stale?: StaleConfig;
  /** Whether TTLs are said as they came. */
  readonly keepTtl: boolean;
}

const CAPACITY = 9984;
const CAPACITY_MAX = 10_000_000;
const SUCCESS_TTL_MAX = 3600;
const DENIAL_TTL_MAX = 1800;
const TTL_MAX = 2 ** 31 - 1;
const SERVFAIL_MS = 5000;
/** RFC 9520 section 3.2. */
const SERVFAIL_MS_MAX = 300_000;
const HOUR_MS = 3_600_000;
/** RFC 8767 section 5: the client response timer, the TTL and the failure recheck timer that it recommends. */
const VERIFY_TIMEOUT_MS = 1800;
const STALE_TTL = 30;
const RECHECK_MS = 30_000;
const RECHECK_MS_MAX = 300_000;

interface Share {
  readonly capacity: number;
  readonly ttlMax?: number | undefined;
  readonly ttlMin?: number | undefined;
}

/** The options of the block. */
export const options = {
  success: { usage: "success CAPACITY [TTL] [MINTTL]", read: readShare },
  denial: { usage: "denial CAPACITY [TTL] [MINTTL]", read: readShare },
  prefetch: { usage: "prefetch AMOUNT [DURATION [PERCENTAGE%]]", read: readPrefetch },
  serve_stale: {
    usage:
      "serve_stale [DURATION] [immediate [RESPONSE_TTL [RECHECK]] | verify [TIMEOUT [RESPONSE_TTL [RECHECK]]]]",
    read: readStale,
  },
  serve_stale_policy: {
    usage: "serve_stale_policy prefer_positive",
    read: (args: Arguments, { name }: Directive) => (args.oneOf("policy", ["prefer_positive"]), name),
  },
  servfail: {
    usage: "servfail DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 0, max: SERVFAIL_MS_MAX }),
  },
  disable: { usage: "disable success|denial [ZONES...]", repeats: true, read: readDisable },
  keepttl: { usage: "keepttl", read: () => true },
} satisfies Options;

/** Reads `cache [TTL] [ZONES...]`. */
export function parse(directives: readonly Directive[], { problems, zones }: ParseScope): CacheConfig {
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  const hasTtl = /^[+-]?\d+$/.test(args.peek()?.text ?? "");
  const ttl = hasTtl ? args.whole("TTL", { min: 1, max: TTL_MAX }) : undefined;
  const named = namesOf(args.rest(), problems);
  const read = readOptions(directive, options, problems);
  if (read.serve_stale_policy && !read.serve_stale) {
    problems.warn(read.serve_stale_policy, "serve_stale_policy: has no effect without serve_stale");
  }
  const disabled = (kind: "success" | "denial") =>
    (read.disable ?? []).filter((line) => line.kind === kind)
      .flatMap(({ zones }) => zones.length === 0 ? [ROOT] : namesOf(zones, problems));
  return {
    zones: named.length > 0 ? named : zones,
    success: shareOf(read.success, ttl ?? SUCCESS_TTL_MAX, disabled("success")),
    denial: shareOf(read.denial, ttl ?? DENIAL_TTL_MAX, disabled("denial")),
    servfailTtl: (read.servfail ?? SERVFAIL_MS) / 1000,
    ...(read.prefetch && read.prefetch.amount > 0 && { prefetch: read.prefetch }),
    ...staleOf(read),
    keepTtl: read.keepttl ?? false,
  };
}

function shareOf(read: Share | undefined, ttlMax: number, disabled: readonly Name[]): ShareConfig {
  return {
    capacity: read?.capacity ?? CAPACITY,
    ttlMax: read?.ttlMax ?? ttlMax,
    ttlMin: read?.ttlMin ?? 0,
    disabled,
  };
}

function staleOf(read: OptionValues<typeof options>): { stale?: StaleConfig } {
  if (!read.serve_stale) return {};
  return { stale: { ...read.serve_stale, preferPositive: read.serve_stale_policy !== undefined } };
}

function readShare(args: Arguments): Share {
  const capacity = args.whole("CAPACITY", { min: 1, max: CAPACITY_MAX });
  const ttlMax = args.more ? args.whole("TTL", { min: 1, max: TTL_MAX }) : undefined;
  const ttlMin = args.more ? args.whole("MINTTL", { min: 0, max: ttlMax ?? TTL_MAX }) : undefined;
  return { capacity, ttlMax, ttlMin };
}

function readPrefetch(args: Arguments): PrefetchConfig {
  const amount = args.whole("AMOUNT", { min: 0 });
  const gapMs = args.more ? args.durationMs("DURATION", { min: 1 }) : 60_000;
  const percentage = args.peek();
  if (percentage && !percentage.text.endsWith("%")) {
    throw new CorefileError(percentage, `prefetch: PERCENTAGE must end in %: got '${percentage.text}'`);
  }
  return { amount, gapMs, share: percentage ? args.share("PERCENTAGE", { min: 0.1, max: 0.9 }) : 0.1 };
}

function readStale(args: Arguments): Omit<StaleConfig, "preferPositive"> {
  const isMode = (token: Token | undefined) => token?.text === "immediate" || token?.text === "verify";
  const durationMs = args.more && !isMode(args.peek()) ? args.durationMs("DURATION", { min: 1 }) : HOUR_MS;
  const verify = args.more && args.oneOf("mode", ["immediate", "verify"]) === "verify";
  const verifyTimeoutMs = verify && args.more ? args.durationMs("TIMEOUT") : VERIFY_TIMEOUT_MS;
  const ttl = args.more ? wholeSeconds(args, "RESPONSE_TTL") : STALE_TTL;
  const recheckMs = args.more ? args.durationMs("RECHECK", { min: 0, max: RECHECK_MS_MAX }) : RECHECK_MS;
  return { durationMs, verify, verifyTimeoutMs, ttl, recheckMs };
}

function wholeSeconds(args: Arguments, what: string): number {
  const token = args.peek()!, milliseconds = args.durationMs(what, { min: 0, max: TTL_MAX * 1000 });
  if (milliseconds % 1000 === 0) return milliseconds / 1000;
  throw new CorefileError(token, `serve_stale: ${what} must be whole seconds: got '${token.text}'`);
}

function readDisable(args: Arguments) {
  return { kind: args.oneOf("cache", ["success", "denial"]), zones: args.rest() };
}

function namesOf(tokens: readonly Token[], problems: Problems): Name[] {
  return tokens.flatMap((token) => problems.attempt(() => readNames(token, problems)) ?? []);
}
