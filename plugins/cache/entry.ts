/**
 * What is kept of an answer, for how long, and what is said of it later.
 *
 * @module
 */

import { RCODE, TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  type ExtendedError,
  fold,
  isWithin,
  mapRRsets,
  type Name,
  NEVER,
  type RRset,
} from "../../core/plugin.ts";
import type { CacheConfig, PrefetchConfig, ShareConfig } from "./config.ts";

/** What an answer is to a cache. */
export type Kind = "success" | "denial" | "failure";

/** An answer that is kept. Times are the cache's own, in milliseconds. */
export interface Entry {
  readonly kind: Kind;
  /** Its TTLs as they were when it was taken, none above the most that may be said. */
  readonly answer: Answer;
  readonly storedMs: number;
  readonly expiresMs: number;
  /** About what it takes up. */
  readonly octets: number;
  /** Queries that it answered without a long gap, for prefetch. */
  hits: number;
  lastHitMs: number;
  /** Before this nobody is asked again. */
  recheckMs: number;
  /** When it was last lent to data workers. */
  lentMs: number;
}

/** RFC 8914 sections 4.4, 4.14 and 4.20. */
const STALE_ANSWER = 3;
const CACHED_ERROR = 13;
const STALE_NXDOMAIN_ANSWER = 19;

/** What an entry takes up beside its octets: objects, arrays, the key. Estimated, and rather too much. */
const ENTRY_OCTETS = 600;
const RRSET_OCTETS = 160;
const RDATA_OCTETS = 100;

/** What becomes of an answer: to be kept as this, `mismatch`: not an answer to the question, undefined: not to be kept. */
export function classify(answer: Answer, name: Name, type: number): Kind | "mismatch" | undefined {
  if (!isFromElsewhere(answer)) return undefined;
  if (answer.rcode === RCODE.SERVFAIL) return "failure";
  if (answer.rcode !== RCODE.NOERROR && answer.rcode !== RCODE.NXDOMAIN) return undefined;
  if (answer.answer.length > 0 && !answer.answer.some((rrset) => fold(rrset.name) === name)) {
    return "mismatch";
  }
  if (answer.rcode === RCODE.NOERROR && answer.answer.some((rrset) => rrset.type === type)) return "success";
  // RFC 2308 section 5: without an SOA record nothing says how long the absence lasts.
  const soa = soaOf(answer);
  if (!soa) return undefined;
  return answer.answer.length === 0 && !isWithin(name, fold(soa.name)) ? "mismatch" : "denial";
}

/** What is kept of an answer of that kind; undefined when it is out of date at once. */
export function makeEntry(kind: Kind, answer: Answer, nowMs: number, config: CacheConfig): Entry | undefined {
  const share = shareOf(kind, config);
  const capped = kind === "denial" ? negative(answer, share.ttlMax) : withTtlsAtMost(answer, share.ttlMax);
  const ttl = kind === "failure" ? config.servfailTtl : Math.max(ttlOf(kind, capped), share.ttlMin);
  if (ttl <= 0) return undefined;
  return {
    kind,
    answer: withoutCircumstances(capped),
    storedMs: nowMs,
    expiresMs: nowMs + ttl * 1000,
    octets: octetsOf(answer),
    hits: 0,
    lastHitMs: nowMs,
    recheckMs: -Infinity,
    lentMs: -Infinity,
  };
}

/** The part of the configuration that holds for a kind. */
export function shareOf(kind: Kind, { success, denial }: CacheConfig): ShareConfig {
  return kind === "success" ? success : denial;
}

/** The first answer, its TTLs as those of later ones will be: none above the most that may be said. */
export function firstAnswer(
  answer: Answer,
  { answer: { answer: kept, authority, additional } }: Entry,
): Answer {
  return { ...answer, answer: kept, authority, additional };
}

/** What an entry that has not expired says after a while. */
export function freshAnswer(
  { kind, answer, storedMs }: Pick<Entry, "kind" | "answer" | "storedMs">,
  nowMs: number,
  keepTtl: boolean,
): Answer {
  const age = keepTtl ? 0 : Math.ceil((nowMs - storedMs) / 1000);
  const aged = mapRRsets(answer, (rrset) => ({ ...rrset, ttl: Math.max(0, rrset.ttl - age) }));
  const stillThere = ({ ttl }: RRset) => ttl > 0 || kind !== "success";
  return {
    ...aged,
    // Only the answer section decides how long a record is kept: what stands beside it may have gone before.
    authority: aged.authority.filter(stillThere),
    additional: aged.additional.filter(stillThere),
    ...(kind === "failure" && withError(answer, CACHED_ERROR)),
  };
}

/**
 * Until when what an entry says may be said again by others, its TTLs counted down; undefined = each time it is the cache's
 * to say. Never until a record would be gone, nor until the cache would ask anew: of what is prefetched it has to see how
 * often it is asked for, so it lets go only of what is popular, and for half of what counts as a gap.
 *
 * @param nowMs The cache's time.
 * @param aheadMs By how much it is before the clock, which others go by.
 */
export function agingOf(
  { kind, answer, storedMs, expiresMs, hits }: Entry,
  nowMs: number,
  aheadMs: number,
  { keepTtl, prefetch }: CacheConfig,
): Answer["aging"] {
  // Whether an answer for a network is for a client depends on how much of its address it told.
  if (keepTtl || answer.dependence.scopePrefixLength > 0) return undefined;
  const rrsets = [...answer.answer, ...answer.authority, ...answer.additional];
  const leastTtl = rrsets.reduce((least, { ttl }) => Math.min(least, ttl), Infinity);
  let untilMs = Math.min(expiresMs, storedMs + (leastTtl - 1) * 1000);
  if (prefetch && kind !== "failure") {
    if (hits < prefetch.amount) return undefined;
    untilMs = Math.min(
      untilMs,
      expiresMs - prefetchMs(expiresMs - storedMs, prefetch),
      nowMs + prefetch.gapMs / 2,
    );
  }
  if (untilMs <= nowMs) return undefined;
  // An age is rounded up: it is a second as soon as it is a millisecond.
  return { untilMs: untilMs - aheadMs, sinceMs: storedMs - 999 - aheadMs };
}

/** How long before its end what is popular is asked for anew: a share of its life, the last second at least. */
export function prefetchMs(lifeMs: number, { share }: PrefetchConfig): number {
  return Math.max(1000, share * lifeMs);
}

/** What an entry that has expired says (RFC 8767 section 4). */
export function staleAnswer({ answer }: Entry, ttl: number): Answer {
  const error = answer.rcode === RCODE.NXDOMAIN ? STALE_NXDOMAIN_ANSWER : STALE_ANSWER;
  return { ...mapRRsets(answer, (rrset) => ({ ...rrset, ttl })), ...withError(answer, error) };
}

function withError({ extendedErrors = [] }: Answer, infoCode: number): { extendedErrors: ExtendedError[] } {
  return { extendedErrors: [...extendedErrors, { infoCode }] };
}

/** Whether an answer came from upstream and depends on nothing but what the key tells apart. */
function isFromElsewhere(
  { momentary, truncated, silent, deferred, selections, dependence }: Answer,
): boolean {
  const { earliestMs } = dependence.deadline;
  return momentary === true && !truncated && !silent && !deferred && !selections &&
    earliestMs === NEVER.earliestMs &&
    dependence.keys.every((key) => key === "do" || key === "cd" || key === "tailored");
}

/** What was so of that one query only. */
function withoutCircumstances(answer: Answer): Answer {
  const { fault: _fault, labels: _labels, options: _options, ...rest } = answer;
  return { ...rest, authoritative: false };
}

function withTtlsAtMost(answer: Answer, ttlMax: number): Answer {
  return mapRRsets(answer, (rrset) => rrset.ttl <= ttlMax ? rrset : { ...rrset, ttl: ttlMax });
}

/** The TTL of the SOA is the least of its own and of its MINIMUM field (RFC 2308 section 5). */
function negative(answer: Answer, ttlMax: number): Answer {
  const lowered = answer.authority.map((rrset) =>
    rrset.type === TYPE.SOA ? { ...rrset, ttl: Math.min(rrset.ttl, minimumOf(rrset)) } : rrset
  );
  return withTtlsAtMost({ ...answer, authority: lowered }, ttlMax);
}

function minimumOf({ rdata: [soa] }: RRset): number {
  return soa && soa.length >= 4 ? new DataView(soa.buffer, soa.byteOffset + soa.length - 4).getUint32(0) : 0;
}

/** How long all that an answer says holds, in seconds; of a denial the proof is a part. */
function ttlOf(kind: Kind, { answer, authority }: Answer): number {
  const sections = kind === "success" ? answer : [...answer, ...authority];
  return sections.reduce((least, { ttl }) => Math.min(least, ttl), Infinity);
}

function soaOf({ authority }: Answer): RRset | undefined {
  return authority.find(({ type }) => type === TYPE.SOA);
}

function octetsOf({ answer, authority, additional }: Answer): number {
  let octets = ENTRY_OCTETS;
  for (const section of [answer, authority, additional]) {
    for (const { name, rdata } of section) {
      octets += RRSET_OCTETS + name.length;
      for (const record of rdata) octets += RDATA_OCTETS + record.length;
    }
  }
  return octets;
}
