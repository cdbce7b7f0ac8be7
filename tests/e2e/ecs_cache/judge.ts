/**
 * Whether a resolver's cache gave its clients what they were due: see ../ecs_cache_test.ts for the words.
 *
 * @module
 */

import type { Reply } from "./asker.ts";

/** One client's question, put to the resolver and to the server at the same time. */
export interface Asked {
  /** Its ECS. */
  readonly client: string;
  readonly country: string;
  readonly cached: Reply;
  readonly direct: Reply;
}

/** Knows what clients were due. */
export interface Due {
  /** The different answers that a client was due at some time from `fromMs` to `toMs`. */
  answersDuring(client: string, fromMs: number, toMs: number): ReadonlySet<string>;
  /** When a client was last due an answer; −Infinity = never. */
  lastDueMs(client: string, answer: string): number;
}

/** What became of the comparisons. */
export interface Judgement {
  /** Comparisons in which the client was due one and the same answer all along. */
  readonly counted: number;
  /** Answers of the resolver that the client was not due, described. */
  readonly wrong: readonly string[];
  /** Answers of the server itself that the client was not due, described. */
  readonly directWrong: readonly string[];
  /** The longest time for which an answer was given that the client was due no more. */
  readonly outdatedMs: number;
}

/** Judges all comparisons. @param maxTtl The longest TTL the server gives, seconds. */
export function judge(all: readonly Asked[], due: Due, maxTtl: number): Judgement {
  const roundTrips = new RoundTrips(all.map(({ cached }) => cached));
  let counted = 0, outdatedMs = 0;
  const wrong: string[] = [], directWrong: string[] = [];
  for (const asked of all) {
    const { client, cached, direct } = asked;
    const fetchedMs = earliestFetchMs(cached, maxTtl);
    // What the resolver had then was made earlier, but not before the query that made it fetch was sent.
    const madeMs = fetchedMs - roundTrips.longestMs(fetchedMs, cached.receivedMs);
    const may = due.answersDuring(client, madeMs, Math.max(cached.receivedMs, direct.receivedMs));
    const isCounted = may.size === 1;
    if (isCounted) counted++;
    if (isCounted ? cached.answer !== direct.answer : !may.has(cached.answer)) wrong.push(describe(asked));
    else outdatedMs = Math.max(outdatedMs, cached.sentMs - due.lastDueMs(client, cached.answer));
    const mayDirect = due.answersDuring(client, direct.sentMs, direct.receivedMs);
    if (!mayDirect.has(direct.answer)) directWrong.push(describe(asked));
  }
  return { counted, wrong, directWrong, outdatedMs };
}

function describe({ client, country, cached, direct }: Asked): string {
  return `${client} (${country}): ${cached.answer}, TTL ${cached.ttl}; directly ${direct.answer}`;
}

/**
 * The earliest instant at which a resolver can have received an answer of which `ttl` seconds are left. It counts in
 * whole seconds of its own clock, so it may have had the answer for a second longer than the TTL that is gone.
 */
export function earliestFetchMs({ sentMs, ttl }: Pick<Reply, "sentMs" | "ttl">, maxTtl: number): number {
  return sentMs - Math.max(0, maxTtl - ttl + 1) * 1000;
}

/** How long queries took: by the tenth of a second, the longest of those that were under way in it. */
class RoundTrips {
  readonly #longestMs = new Map<number, number>();

  constructor(replies: readonly Reply[]) {
    for (const { sentMs, receivedMs } of replies) {
      for (let tenth = tenthOf(sentMs); tenth <= tenthOf(receivedMs); tenth++) {
        this.#longestMs.set(tenth, Math.max(this.#longestMs.get(tenth) ?? 0, receivedMs - sentMs));
      }
    }
  }

  /** The longest of those that were under way at some time from `fromMs` to `toMs`. */
  longestMs(fromMs: number, toMs: number): number {
    let longest = 0;
    for (let tenth = tenthOf(fromMs); tenth <= tenthOf(toMs); tenth++) {
      longest = Math.max(longest, this.#longestMs.get(tenth) ?? 0);
    }
    return longest;
  }
}

function tenthOf(ms: number): number {
  return Math.floor(ms / 100);
}
