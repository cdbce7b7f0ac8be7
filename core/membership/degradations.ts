/**
 * Which regions of pools are degraded, as all servers have it: a key of the store for each pool, written by whoever notices
 * first. While the store is away a server goes on by itself, and writes what it came to when it is back, if nobody else has
 * written meanwhile.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type ClientDemand, packDemand } from "../fleet/client_places.ts";
import { type Degraded, DegradeWatch } from "../fleet/degradation.ts";
import type { DegradationNews, PoolShares } from "../fleet/hub.ts";
import { currentDemand } from "../management/demand.ts";
import { readerOf } from "../management/reader.ts";
import type { Log } from "../plugin.ts";
import type { AuditEvent } from "../state/audit.ts";
import { canonicalJson } from "../state/canonical.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Replica } from "../state/replica.ts";
import { StoreUnavailableError } from "../state/store.ts";
import type { NotedShares } from "./protocol.ts";

/** What it works with. */
export interface DegradationsOptions {
  readonly member: {
    readonly replica: Pick<Replica, "get" | "below" | "revision" | "onChange">;
    readonly ledger: Pick<Ledger, "write">;
  };
  readonly server: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  tell(news: DegradationNews): void;
}

/** How long until what could not be written is tried again. */
const RETRY_MS = 1000;

/** See the module. */
export class Degradations {
  readonly #options: DegradationsOptions;
  readonly #noted = new Map<string, PoolShares>();
  readonly #watches = new Map<string, DegradeWatch>();
  /** What was decided here and has not come back from the store. */
  readonly #own = new Map<string, Degraded>();
  /** Of those, what is not in the store as far as is known. */
  readonly #unwritten = new Set<string>();
  readonly #writing = new Set<string>();
  #demand: { readonly number: number; readonly clients: ClientDemand } | undefined;
  #told = "";
  #cancelTimer: () => void = () => {};
  #stop: () => void;
  #isClosed = false;

  constructor(options: DegradationsOptions) {
    this.#options = options;
    this.#stop = options.member.replica.onChange((differences) => {
      let isTouched = false;
      for (const { key } of differences) {
        if (key === KEYS.demandCurrent) void this.#readDemand();
        if (!key.startsWith(PREFIXES.degraded)) continue;
        const pool = namePart(key.slice(PREFIXES.degraded.length));
        this.#own.delete(pool);
        this.#unwritten.delete(pool);
        isTouched = true;
      }
      if (isTouched) this.#judge();
    });
  }

  /** What this server sees: all of it. */
  take(shares: NotedShares): void {
    const isFirst = this.#noted.size === 0;
    this.#noted.clear();
    for (const [pool, one] of Object.entries(shares)) this.#noted.set(pool, one);
    // Nobody needs it before.
    if (isFirst) void this.#readDemand();
    this.#judge();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.#cancelTimer();
  }

  #judge(): void {
    if (this.#isClosed || this.#noted.size === 0) return;
    const { clock } = this.#options, nowMs = clock.nowMs();
    let atMs = this.#unwritten.size > 0 ? nowMs + RETRY_MS : Infinity;
    for (const [pool, { degrade, shares }] of this.#noted) {
      let watch = this.#watches.get(pool);
      if (!watch) this.#watches.set(pool, watch = new DegradeWatch());
      const before = this.#degraded(pool), { degraded, nextMs } = watch.judge(before, shares, degrade, nowMs);
      atMs = Math.min(atMs, nextMs);
      if (degraded === before && !this.#unwritten.has(pool)) continue;
      this.#own.set(pool, degraded);
      void this.#write(pool, degraded);
    }
    this.#tell();
    this.#cancelTimer();
    if (atMs < Infinity) this.#cancelTimer = clock.after(Math.max(0, atMs - nowMs), () => this.#judge());
  }

  #degraded(pool: string): Degraded {
    return this.#own.get(pool) ?? this.#written(pool);
  }

  #written(pool: string): Degraded {
    const entry = this.#options.member.replica.get(KEYS.degraded(pool));
    return entry ? JSON.parse(entry.value) : {};
  }

  async #write(pool: string, degraded: Degraded): Promise<void> {
    if (this.#writing.has(pool)) return;
    this.#writing.add(pool);
    const { member: { replica, ledger }, log } = this.#options;
    const key = KEYS.degraded(pool), revision = replica.get(key)?.revision ?? 0, before = this.#written(pool);
    try {
      const events = this.#eventsOf(pool, before, degraded);
      const isGone = Object.keys(degraded).length === 0;
      const write = isGone ? { remove: key } : { put: key, value: canonicalJson(degraded) };
      // Where somebody else was first, what that one wrote is on its way, and counts when it comes.
      if (events.length > 0) await ledger.write(events, [write], [{ key, revision }]);
      this.#unwritten.delete(pool);
    } catch (error) {
      this.#unwritten.add(pool);
      if (!(error instanceof StoreUnavailableError)) {
        log.error(`That regions of pool ${pool} are degraded could not be written: ${error}`);
      }
    } finally {
      this.#writing.delete(pool);
      if (this.#unwritten.size > 0 || this.#degraded(pool) !== degraded) this.#later();
    }
  }

  /** Looks again after a while. */
  #later(): void {
    if (this.#isClosed) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(RETRY_MS, () => this.#judge());
  }

  #eventsOf(pool: string, before: Degraded, after: Degraded): AuditEvent[] {
    const shares = this.#noted.get(pool)?.shares ?? {};
    const share = (region: string) => Object.hasOwn(shares, region) ? shares[region] : undefined;
    const event = (region: string, isDegraded: boolean): AuditEvent => ({
      actor: `server:${this.#options.server}`,
      action: isDegraded ? "pool.degrade" : "pool.restore",
      subject: `pools/${pool}`,
      reason: `region ${region}: ${
        share(region) === undefined ? "it has no nodes" : `${Math.round(100 * share(region)!)} % of it serve`
      }`,
      before: { ...before },
      after: { ...after },
    });
    return [
      ...Object.keys(after).filter((region) => !Object.hasOwn(before, region)).map((region) =>
        event(region, true)
      ),
      ...Object.keys(before).filter((region) => !Object.hasOwn(after, region)).map((region) =>
        event(region, false)
      ),
    ];
  }

  #tell(): void {
    const { member: { replica }, tell } = this.#options;
    const pools = new Set([...this.#noted.keys(), ...this.#own.keys()]);
    for (const { key } of replica.below(PREFIXES.degraded)) {
      pools.add(namePart(key.slice(PREFIXES.degraded.length)));
    }
    const degraded = Object.fromEntries([...pools].map((pool) => [pool, this.#degraded(pool)]));
    const text = canonicalJson([degraded, this.#demand?.number ?? 0]);
    if (text === this.#told || this.#isClosed) return;
    this.#told = text;
    tell({ degraded, ...this.#demand && { demand: this.#demand } });
  }

  async #readDemand(): Promise<void> {
    const { member: { replica }, log } = this.#options;
    try {
      const current = await currentDemand(readerOf(replica));
      if (current?.number === this.#demand?.number) return;
      this.#demand = current && { number: current.number, clients: packDemand(current.networks) };
      if (this.#noted.size > 0) this.#tell();
    } catch (error) {
      log.error(`What clients ask for cannot be read, and counts as it did: ${error}`);
    }
  }
}
