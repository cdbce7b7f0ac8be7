/**
 * The cache at work: what is found, what is kept, and when somebody is asked although there is an answer.
 *
 * @module
 */

import { RCODE } from "../../core/dns/types.ts";
import {
  type Answer,
  type BlockFacts,
  type Clock,
  emptyAnswer,
  formatName,
  isWithin,
  type Labels,
  type Log,
  type Name,
  type Next,
  type QueryContext,
  type Sample,
  type Series,
  serverLabel,
  Tally,
  then,
} from "../../core/plugin.ts";
import type { CacheConfig, StaleConfig } from "./config.ts";
import {
  agingOf,
  classify,
  type Entry,
  firstAnswer,
  freshAnswer,
  type Kind,
  makeEntry,
  prefetchMs,
  shareOf,
  staleAnswer,
} from "./entry.ts";
import { NetworkLengths, questionKey } from "./key.ts";
import { type Hit, isToLend, lentAnswer, type Loan, loanOf, Loans } from "./loan.ts";
import { Store } from "./store.ts";
import { SteadyTime } from "./time.ts";

/** What a cache works with. */
export interface CacheScope {
  readonly facts: BlockFacts;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  count(name: string, labels?: Labels): void;
  series(name: string, labels?: Labels): Series;
  lend?(make: () => Loan, octets: number): boolean;
}

/** How many entries there are, and the labels that the latest query's server gives them. */
export interface CacheSizes {
  readonly labels: Labels;
  readonly success: number;
  readonly denial: number;
}

/** How many octets an entry may have when all are of one size: room for a signed answer. A message has up to 65535. */
const OCTETS_PER_ENTRY = 2048;

interface Found {
  readonly key: string;
  readonly entry: Entry;
}

/** What asking anew came to. */
interface Refreshed {
  readonly answer: Answer;
  /** Whether it stands in the place of what was kept. */
  readonly replaces: boolean;
}

/** See the module. */
export class Cache {
  readonly #config: CacheConfig;
  readonly #scope: CacheScope;
  readonly #time: SteadyTime;
  readonly #stores: Readonly<Record<"success" | "denial", Store<Entry>>>;
  readonly #networks = new NetworkLengths();
  /** In a data worker: what the control isolate's cache has lent it. */
  readonly #loans: Loans;
  /** Keys of what is being asked anew. */
  readonly #underWay = new Set<string>();
  readonly #zones: string;
  readonly #isBound: boolean;
  readonly #tally = new Tally();
  /** What is counted of a hit, by server and type. */
  readonly #hitSamples = new Map<string, readonly Sample[]>();
  #server = "";

  constructor(config: CacheConfig, scope: CacheScope) {
    this.#config = config;
    this.#scope = scope;
    this.#time = new SteadyTime(scope.clock);
    const store = (type: "success" | "denial") =>
      new Store<Entry>(
        config[type].capacity,
        config[type].capacity * OCTETS_PER_ENTRY,
        () => scope.count("coredns_cache_evictions_total", { ...this.#labels(this.#server), type }),
      );
    this.#stores = { success: store("success"), denial: store("denial") };
    this.#loans = new Loans(config.success.capacity + config.denial.capacity);
    this.#zones = config.zones.map(formatName).join(",");
    this.#isBound = scope.facts.plugins.includes("bind");
  }

  /** From what is kept where it may be, else from below. */
  answer(context: QueryContext, next: Next): Answer | Promise<Answer> {
    if (!this.#config.zones.some((zone) => isWithin(context.name, zone))) return next(context);
    this.#server = this.#serverOf(context) ?? this.#server;
    const nowMs = this.#time.nowMs();
    const found = this.#find(context, nowMs);
    if (!found) return this.#lent(context) ?? then(next(context), (answer) => this.#missed(answer, context));
    if (nowMs < found.entry.expiresMs) return this.#fresh(found, context, next, nowMs);
    return this.#stale(this.#config.stale!, found, context, next, nowMs);
  }

  /** Takes what the control isolate's cache lends. */
  borrow(loan: Loan): void {
    this.#loans.take(loan);
  }

  /** What is counted of each reply like the one to this query. */
  tallies(context: QueryContext): readonly Sample[] {
    return this.#tally.of(context);
  }

  /** For metrics; undefined before the first query. */
  sizes(): CacheSizes | undefined {
    if (this.#server === "") return undefined;
    return {
      labels: this.#labels(this.#server),
      success: this.#stores.success.size,
      denial: this.#stores.denial.size,
    };
  }

  /** What has not expired before what has; of two that have not, the one for the nearest network. */
  #find(context: QueryContext, nowMs: number): Found | undefined {
    const question = questionKey(context);
    let fallback: Found | undefined;
    for (const network of this.#networks.candidatesFor(context)) {
      const key = `${network} ${question}`;
      const entry = this.#entryAt(key, nowMs);
      if (!entry) continue;
      if (nowMs < entry.expiresMs) return { key, entry };
      fallback ??= { key, entry };
    }
    return fallback;
  }

  /** Under one key there may be two where a record that was there is preferred to its denial. */
  #entryAt(key: string, nowMs: number): Entry | undefined {
    const { success, denial } = this.#stores;
    const [first, second] = [success.peek(key), denial.peek(key)]
      .filter((entry) => entry !== undefined && this.#isUsable(entry, nowMs)) as Entry[];
    if (!second || this.#config.stale?.preferPositive) return first;
    return nowMs < first!.expiresMs ? first : second;
  }

  #isUsable({ kind, expiresMs }: Entry, nowMs: number): boolean {
    const staleMs = kind === "failure" ? 0 : this.#config.stale?.durationMs ?? 0;
    return nowMs < expiresMs + staleMs;
  }

  #lent(context: QueryContext): Answer | undefined {
    const loan = this.#loans.find(context, this.#networks);
    if (!loan) return undefined;
    this.#tallyHit(context, storeOf(loan.kind));
    return lentAnswer(loan, context.nowMs);
  }

  #missed(answer: Answer, context: QueryContext): Answer {
    // What will be answered elsewhere, or is ours, is none of the cache's business.
    if (!answer.momentary) return answer;
    this.#count("coredns_cache_requests_total", context);
    this.#count("coredns_cache_misses_total", context);
    return this.#keep(answer, context);
  }

  #fresh(found: Found, context: QueryContext, next: Next, nowMs: number): Answer {
    const { key, entry } = found, beforeMs = entry.lastHitMs;
    this.#noteHit(found, context, nowMs);
    const leftMs = entry.expiresMs - nowMs;
    context.record?.({ plugin: "cache", what: `kept, ${Math.round(leftMs / 1000)} s left`, facts: { key } });
    if (this.#isToPrefetch(entry, leftMs) && !this.#underWay.has(key)) {
      this.#count("coredns_cache_prefetch_total", context);
      this.#refresh(found, context, next);
    }
    // A reply is repeated as of when its query came, which may have waited since, or for this very entry.
    const { aheadMs } = this.#time, askedMs = context.nowMs + aheadMs;
    const answer = freshAnswer(entry, Math.max(askedMs, entry.storedMs), this.#config.keepTtl);
    const aging = askedMs < entry.storedMs ? undefined : agingOf(entry, nowMs, aheadMs, this.#config);
    if (!aging) return answer;
    this.#lend({ key, entry, aging, nowMs, aheadMs, beforeMs }, context);
    return { ...answer, aging };
  }

  #lend(hit: Hit, context: QueryContext): void {
    const { lend } = this.#scope, { entry, nowMs } = hit;
    if (!lend || !isToLend(hit, context)) return;
    if (lend(() => loanOf(hit, this.#networks), entry.octets)) entry.lentMs = nowMs;
  }

  /** RFC 8767 section 5. */
  #stale(
    stale: StaleConfig,
    found: Found,
    context: QueryContext,
    next: Next,
    nowMs: number,
  ): Answer | Promise<Answer> {
    const { key, entry } = found;
    this.#noteHit(found, context, nowMs);
    const expired = () => {
      this.#count("coredns_cache_served_stale_total", context);
      context.record?.({ plugin: "cache", what: "kept, and has expired", facts: { key } });
      return staleAnswer(entry, stale.ttl);
    };
    if (this.#underWay.has(key) || nowMs < entry.recheckMs) return expired();
    const refreshing = this.#refresh(found, context, next);
    return stale.verify ? this.#verified(refreshing, stale, expired) : expired();
  }

  /** What asking anew comes to in time, else what is kept. */
  async #verified(
    refreshing: Promise<Refreshed>,
    { verifyTimeoutMs }: StaleConfig,
    expired: () => Answer,
  ): Promise<Answer> {
    const late = Promise.withResolvers<undefined>();
    const cancel = verifyTimeoutMs > 0
      ? this.#scope.clock.after(verifyTimeoutMs, () => late.resolve(undefined))
      : () => {};
    const refreshed = await Promise.race([refreshing, late.promise]);
    cancel();
    return refreshed?.replaces ? refreshed.answer : expired();
  }

  /** Asks below, on behalf of nobody: with a context of its own, once at a time for a key, whoever waits for it. Never fails. */
  #refresh({ key, entry }: Found, context: QueryContext, next: Next): Promise<Refreshed> {
    this.#underWay.add(key);
    const { record: _, ...own } = context;
    const ask = async () => await next(Object.freeze({ ...own, nowMs: this.#scope.clock.nowMs() }));
    return ask().catch((error) => {
      this.#scope.log.error(`plugin/cache: asking anew for ${formatName(context.name)}: ${error}`);
      return emptyAnswer(RCODE.SERVFAIL);
    }).then((answer) => {
      const kept = this.#keep(answer, context);
      const replaces = this.#replaces(entry, answer, context);
      if (!replaces) entry.recheckMs = this.#time.nowMs() + (this.#config.stale?.recheckMs ?? 0);
      else this.#drop(key, entry);
      return { answer: kept, replaces };
    }).finally(() => this.#underWay.delete(key));
  }

  /** Takes out what was replaced by something that may not be kept. */
  #drop(key: string, entry: Entry): void {
    const store = this.#stores[storeOf(entry.kind)];
    if (store.peek(key) === entry) store.delete(key);
  }

  /** Only these two RCODEs say something of the name; all others say that nothing could be found out (RFC 8767 section 4). */
  #replaces(entry: Entry, answer: Answer, { name, question }: QueryContext): boolean {
    const isPositive = this.#config.stale?.preferPositive && entry.kind === "success";
    if (isPositive) return classify(answer, name, question.type) === "success";
    return answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.NXDOMAIN;
  }

  /** Keeps an answer if it may be, and gives it the TTLs that are said. */
  #keep(answer: Answer, context: QueryContext): Answer {
    const kind = classify(answer, context.name, context.question.type);
    if (kind === "mismatch") this.#count("coredns_cache_drops_total", context);
    if (kind === undefined || kind === "mismatch" || this.#isDisabled(kind, context.name)) return answer;
    const nowMs = this.#time.nowMs();
    const entry = makeEntry(kind, answer, nowMs, this.#config);
    if (!entry) return answer;
    this.#put(`${this.#networks.networkOf(context, answer)} ${questionKey(context)}`, entry, nowMs);
    return kind === "failure" ? answer : firstAnswer(answer, entry);
  }

  #put(key: string, entry: Entry, nowMs: number): void {
    const { success, denial } = this.#stores;
    const before = this.#entryAt(key, nowMs);
    // A failure does not stand before an answer that is still good for something.
    if (entry.kind === "failure" && before && before.kind !== "failure") return;
    if (before) {
      entry.hits = before.hits;
      entry.lastHitMs = before.lastHitMs;
    }
    if (entry.kind === "success") denial.delete(key);
    else if (!this.#config.stale?.preferPositive) success.delete(key);
    this.#stores[storeOf(entry.kind)].set(key, entry);
  }

  #noteHit({ key, entry }: Found, context: QueryContext, nowMs: number): void {
    const type = storeOf(entry.kind);
    this.#stores[type].use(key);
    if (nowMs - entry.lastHitMs >= (this.#config.prefetch?.gapMs ?? Infinity)) entry.hits = 0;
    entry.hits++;
    entry.lastHitMs = nowMs;
    this.#tallyHit(context, type);
  }

  #tallyHit(context: QueryContext, type: "success" | "denial"): void {
    const server = this.#serverOf(context);
    if (server === undefined) return;
    for (const sample of this.#samplesOfHit(server, type)) this.#tally.add(context, sample);
  }

  #samplesOfHit(server: string, type: "success" | "denial"): readonly Sample[] {
    const key = `${type} ${server}`;
    let samples = this.#hitSamples.get(key);
    if (!samples) {
      const labels = this.#labels(server), { series } = this.#scope;
      samples = [
        { series: series("coredns_cache_requests_total", labels), value: 1 },
        { series: series("coredns_cache_hits_total", { ...labels, type }), value: 1 },
      ];
      this.#hitSamples.set(key, samples);
    }
    return samples;
  }

  /** Popular and near its end. */
  #isToPrefetch({ kind, hits, storedMs, expiresMs }: Entry, leftMs: number): boolean {
    const { prefetch } = this.#config;
    return prefetch !== undefined && kind !== "failure" && hits >= prefetch.amount &&
      leftMs <= prefetchMs(expiresMs - storedMs, prefetch);
  }

  #isDisabled(kind: Kind, name: Name): boolean {
    return shareOf(kind, this.#config).disabled.some((zone) => isWithin(name, zone));
  }

  #count(name: string, context: QueryContext, more?: Labels): void {
    const server = this.#serverOf(context);
    if (server !== undefined) this.#scope.count(name, { ...this.#labels(server), ...more });
  }

  #labels(server: string): Labels {
    return { server, zones: this.#zones, view: this.#scope.facts.view ?? "" };
  }

  /** Undefined for what nobody sent. */
  #serverOf(context: QueryContext): string | undefined {
    return context.rehearsed ? undefined : serverLabel(context.server, this.#isBound);
  }
}

function storeOf(kind: Kind): "success" | "denial" {
  return kind === "success" ? "success" : "denial";
}
