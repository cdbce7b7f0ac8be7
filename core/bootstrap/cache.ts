/**
 * The entry points that answered last, in a file: for a start when DNS does not answer.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../net/address.ts";
import type { Candidate } from "./candidate.ts";
import { type Endpoint, formatHostPort } from "./endpoint.ts";

/** One of them. */
export interface Kept extends Endpoint {
  readonly host: string;
  readonly priority: number;
  /** When DNS named it last, and it answered; milliseconds since 1970. */
  readonly seenMs: number;
}

/** What the file holds. */
interface CacheFile {
  readonly version: 1;
  /** Whose entry points these are: the owner of the SRV records, presentation form, folded. */
  readonly service: string;
  readonly entryPoints: readonly Kept[];
}

/** The most that are kept. */
export const KEPT_MAX = 16;

/** Reads the file's text. @throws {Error} When it is not what {@linkcode cacheText} writes, or is of another name. */
export function readCache(text: string, service: string): Kept[] {
  const file = parse(text);
  if (file.version !== 1 || !Array.isArray(file.entryPoints)) {
    throw new Error("it is no list of entry points that this version can read");
  }
  if (file.service !== service) throw new Error(`it has the entry points of ${file.service}`);
  return file.entryPoints.slice(0, KEPT_MAX).map(sound);
}

/**
 * The file's text: those found now first, then those from before that DNS did not name this time, as long as they are not
 * older than `maxAgeMs`.
 */
export function cacheText(
  service: string,
  found: readonly Candidate[],
  before: readonly Kept[],
  { nowMs, maxAgeMs }: { nowMs: number; maxAgeMs: number },
): string {
  const now = found.map(({ address, port, host, priority }): Kept => ({
    ...{ address, port, host, priority },
    seenMs: nowMs,
  }));
  const named = new Set(now.map(formatHostPort));
  const others = before.filter((kept) => !named.has(formatHostPort(kept)) && nowMs - kept.seenMs <= maxAgeMs);
  const file: CacheFile = { version: 1, service, entryPoints: [...now, ...others].slice(0, KEPT_MAX) };
  return JSON.stringify(file, null, 2) + "\n";
}

/** Those that are not too old, newest first, as candidates: what was said together keeps its priorities. */
export function candidatesOf(
  kept: readonly Kept[],
  { nowMs, maxAgeMs }: { nowMs: number; maxAgeMs: number },
): Candidate[] {
  const byAge = [...Map.groupBy(kept, ({ seenMs }) => seenMs)].sort(([a], [b]) => b - a);
  return byAge.filter(([seenMs]) => nowMs - seenMs <= maxAgeMs).flatMap(([seenMs, together], age) =>
    together.map(({ address, port, host, priority }): Candidate => ({
      ...{ address, port, host, from: "cache", ageMs: Math.max(0, nowMs - seenMs) },
      priority: age * 0x10000 + priority,
    }))
  );
}

function parse(text: string): Partial<CacheFile> {
  try {
    return JSON.parse(text) as Partial<CacheFile> ?? {};
  } catch {
    throw new Error("it is not JSON");
  }
}

function sound(value: Partial<Kept> | null): Kept {
  const { address, port, host, priority, seenMs } = value ?? {};
  const parsed = typeof address === "string" ? parseAddress(address) : undefined;
  const isSound = parsed && typeof host === "string" && isWhole(port, 65_535) && isWhole(priority, 65_535) &&
    isWhole(seenMs, Number.MAX_SAFE_INTEGER);
  if (!isSound) throw new Error("an entry point in it is malformed");
  return { address: formatAddress(parsed), port: port!, host, priority: priority!, seenMs: seenMs! };
}

function isWhole(value: unknown, max: number): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max;
}
