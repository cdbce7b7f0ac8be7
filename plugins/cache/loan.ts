/**
 * What the control isolate's cache lends to the caches of data workers, so that what is asked for again and again is answered
 * there. It only lends what may be repeated for a while (see `agingOf`), and for no longer: a loan needs no return.
 *
 *     control isolate   asked again within some seconds ──▶ loan ──▶ data workers   until it ends: hits
 *                       ◀── the next query ────────────────────────                 afterwards: what is not there
 *
 * @module
 */

import { type Answer, mapRRsets, type QueryContext } from "../../core/plugin.ts";
import { type Entry, freshAnswer, type Kind } from "./entry.ts";
import { type NetworkLengths, questionKey, tellsNetwork } from "./key.ts";
import { Store } from "./store.ts";

/** Plain data. Times are the machine's, in milliseconds since 1970, as those of queries. */
export interface Loan {
  readonly key: string;
  readonly kind: Kind;
  readonly answer: Answer;
  readonly storedMs: number;
  /** From when until when it may be used. */
  readonly lentMs: number;
  readonly untilMs: number;
  /** Whether it is also for clients that tell their network: there are no answers for networks that would go before. */
  readonly forNetworks: boolean;
  /** About what it takes up. */
  readonly octets: number;
}

/** Two queries for the same within so long make it worth lending. */
const AGAIN_MS = 10_000;

/** What was lent is not lent again for so long: by then all have it, or it was lost on the way. */
const REST_MS = 1000;

/** The most octets that loans may take up in one isolate. */
const OCTETS_MAX = 16 << 20;

/** How an answer found in the cache came to be asked for. */
export interface Hit {
  readonly key: string;
  readonly entry: Entry;
  readonly aging: NonNullable<Answer["aging"]>;
  /** The cache's time, by how much that is before the clock, and when this was asked for before. */
  readonly nowMs: number;
  readonly aheadMs: number;
  readonly beforeMs: number;
}

/** Whether what was found is worth lending just now. */
export function isToLend({ entry, nowMs, beforeMs }: Hit, { transport, rehearsed }: QueryContext): boolean {
  return transport === "udp" && !rehearsed && nowMs - beforeMs < AGAIN_MS && nowMs - entry.lentMs >= REST_MS;
}

/** What is lent of it. */
export function loanOf(
  { key, entry, aging, nowMs, aheadMs }: Hit,
  lengths: NetworkLengths,
): Loan {
  const { kind, answer, storedMs, octets } = entry;
  return {
    key,
    kind,
    // Octets cross with all of the memory that they are a view of.
    answer: mapRRsets(answer, (rrset) => ({ ...rrset, rdata: rrset.rdata.map((octets) => octets.slice()) })),
    storedMs: storedMs - aheadMs,
    lentMs: nowMs - aheadMs,
    untilMs: aging.untilMs,
    forNetworks: lengths.isEmpty,
    octets,
  };
}

/** What an isolate was lent. */
export class Loans {
  readonly #store: Store<Loan>;

  constructor(entriesMax: number) {
    this.#store = new Store(entriesMax, OCTETS_MAX, () => {});
  }

  take(loan: Loan): void {
    this.#store.set(loan.key, loan);
  }

  /** The loan that answers a query. */
  find(context: QueryContext, networks: NetworkLengths): Loan | undefined {
    if (this.#store.size === 0) return undefined;
    const question = questionKey(context), { nowMs } = context;
    for (const network of networks.candidatesFor(context)) {
      const key = `${network} ${question}`, loan = this.#store.peek(key);
      if (!loan || (!loan.forNetworks && tellsNetwork(context))) continue;
      if (nowMs >= loan.untilMs) this.#store.delete(key);
      // Where the clock was set back, how old the answer is can no longer be told here.
      if (nowMs < loan.lentMs || nowMs >= loan.untilMs) continue;
      this.#store.use(key);
      return loan;
    }
    return undefined;
  }
}

/** What a loan says, and until when others may repeat it. */
export function lentAnswer(loan: Loan, nowMs: number): Answer {
  const { untilMs, storedMs } = loan;
  return { ...freshAnswer(loan, nowMs, false), aging: { untilMs, sinceMs: storedMs - 999 } };
}
