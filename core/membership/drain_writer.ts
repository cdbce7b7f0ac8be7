/**
 * Tells the fleet since when this server answers by each drain: one key, written when something of it changes.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type TtlBounds, type TtlsByPool, widest } from "../fleet/ttl_bounds.ts";
import {
  type DrainSeen,
  drainText,
  isDrain,
  type NodeDrainSeen,
  type ServerDrains,
} from "../management/drained.ts";
import { factsOf, poolsOf } from "../management/effective.ts";
import type { OverrideValue } from "../management/overrides.ts";
import type { Log } from "../plugin.ts";
import { canonicalJson, type Json } from "../state/canonical_json.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { Replica } from "../state/replica.ts";
import { type Store, StoreUnavailableError } from "../state/store.ts";
import type { Answering, Besides } from "./protocol.ts";

/** What a writer works with. */
export interface DrainWriterOptions {
  readonly store: Store;
  readonly replica: Pick<Replica, "get" | "below">;
  readonly server: string;
  /** Tells this process from another one of that name. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  besides(): Besides;
}

/** How long until it is tried again. */
const RETRY_MS = 1000;

/** How often what stands is written all the same: by that a server that is there is told from one that has long been gone. */
const RENEW_MS = 86_400_000;

/** See the module. */
export class DrainWriter {
  readonly #options: DrainWriterOptions;
  readonly #ttls = new LongestTtls();
  /** Undefined until answers are by something; then what is to be in the store. */
  #seen: Seen | undefined;
  #written = "";
  /** At which the store has what was written. */
  #revision = 0;
  /** At which the key was written last, by whomever; undefined = to be read. */
  #there: number | undefined;
  #writing: Promise<void> | undefined;
  #cancelRetry: () => void = () => {};
  #cancelRenewal: () => void = () => {};
  #isClosed = false;

  constructor(options: DrainWriterOptions) {
    this.#options = options;
  }

  /** What answers are by from now on. */
  take({ revision, draining, ttls }: Answering): void {
    const { clock, server, replica, log } = this.#options, nowMs = clock.nowMs();
    this.#ttls.take(ttls, nowMs);
    // What an earlier process of this server has seen this one has had from its start.
    const known = this.#seen ?? seenIn(replica.get(KEYS.drains(server))?.value);
    try {
      this.#seen = {
        drains: this.#drainsSeen(revision, known.drains, nowMs),
        nodes: this.#nodesSeen(draining, known.nodes, nowMs),
      };
    } catch (error) {
      log.error(`Since when drains are answered by cannot be told: ${error}`);
      return;
    }
    this.#write();
  }

  /** What was said stands; and that nobody answers any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#cancelRenewal();
    await this.#writing;
    if (this.#seen) await this.#put({ leftMs: this.#options.clock.nowMs() }).catch(() => {});
  }

  #drainsSeen(revision: number, known: Seen["drains"], nowMs: number): Seen["drains"] {
    const { replica } = this.#options, seen: Record<string, DrainSeen> = {};
    for (const entry of replica.below(PREFIXES.overrides)) {
      const override = JSON.parse(entry.value) as OverrideValue, { id, until } = override;
      if (!isDrain(override) || Date.parse(until) <= nowMs) continue;
      const what = drainText(override), before = Object.hasOwn(known, id) ? known[id] : undefined;
      // One that has merely been given another end is what it was.
      if (before?.what === what) seen[id] = before;
      else if (entry.revision <= revision) {
        seen[id] = { what, sinceMs: nowMs, ttl: this.#longestTtl(override.target, nowMs) };
      }
    }
    return seen;
  }

  #nodesSeen(draining: Answering["draining"], known: Seen["nodes"], nowMs: number): Seen["nodes"] {
    return Object.fromEntries(
      Object.entries(draining).map(([id, drainingMs]): [string, NodeDrainSeen] => {
        const before = Object.hasOwn(known, id) ? known[id] : undefined;
        if (before?.drainingMs === drainingMs) return [id, before];
        return [id, { drainingMs, sinceMs: nowMs, ttl: this.#longestTtl({ node: id }, nowMs) }];
      }),
    );
  }

  /** Of what a target's pools were answered before. */
  #longestTtl(target: OverrideValue["target"], nowMs: number): TtlBounds {
    const { replica, besides } = this.#options;
    const entries = [PREFIXES.nodes, PREFIXES.pools].flatMap((prefix) => [...replica.below(prefix)]);
    return this.#ttls.longest(poolsOf(target, factsOf(entries, besides())), nowMs);
  }

  #write(): void {
    this.#cancelRetry();
    this.#writing ??= this.#writeAll().finally(() => this.#writing = undefined);
  }

  async #writeAll(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#isClosed && canonicalJson(this.#seen as unknown as Json) !== this.#written) {
      try {
        await this.#put({});
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) {
          log.error(`Since when drains are answered by could not be told: ${error}`);
        }
        this.#cancelRetry = clock.after(RETRY_MS, () => this.#write());
        return;
      }
    }
  }

  /**
   * One that has taken this one's place goes on from what it said, and says itself what comes then. A write that nobody
   * confirmed may be done long after: each is over what is there, so that none of before takes the place of a later one.
   */
  async #put(more: Pick<ServerDrains, "leftMs">): Promise<void> {
    const { store, server, instance, clock } = this.#options, key = KEYS.drains(server);
    const seen = this.#seen!, text = canonicalJson(seen as unknown as Json);
    const value: ServerDrains = { instance, atMs: clock.nowMs(), ...more, ...seen };
    const isLeaving = more.leftMs !== undefined;
    const revision = isLeaving ? this.#revision : this.#there ?? (await store.get(key))?.revision ?? 0;
    // It is read again unless this is confirmed.
    this.#there = undefined;
    const done = await store.transact(
      [{ put: key, value: canonicalJson(value as unknown as Json) }],
      [{ key, revision }],
    );
    if (!done.succeeded) return;
    [this.#written, this.#revision, this.#there] = [text, done.revision, done.revision];
    this.#cancelRenewal();
    if (!this.#isClosed) this.#cancelRenewal = clock.after(RENEW_MS, () => this.#renew());
  }

  #renew(): void {
    this.#written = "";
    this.#write();
  }
}

type Seen = Required<Pick<ServerDrains, "drains" | "nodes">>;

function seenIn(text: string | undefined): Seen {
  const { drains = {}, nodes = {} } = JSON.parse(text ?? "{}") as Partial<ServerDrains>;
  return { drains, nodes };
}

/** How long answers may be kept: after a change of the configuration also those that were given before it. */
class LongestTtls {
  #ttls: TtlsByPool = {};
  #before: { readonly ttls: TtlsByPool; readonly untilMs: number }[] = [];

  take(ttls: TtlsByPool, nowMs: number): void {
    if (JSON.stringify(ttls) === JSON.stringify(this.#ttls)) return;
    const most = Math.max(0, ...Object.values(this.#ttls).map(({ max }) => max));
    this.#before.push({ ttls: this.#ttls, untilMs: nowMs + most * 1000 });
    this.#before = this.#before.filter(({ untilMs }) => untilMs > nowMs);
    this.#ttls = ttls;
  }

  longest(pools: readonly string[], nowMs: number): TtlBounds {
    const all = [
      this.#ttls,
      ...this.#before.filter(({ untilMs }) => untilMs > nowMs).map(({ ttls }) => ttls),
    ];
    let bounds: TtlBounds = { min: 0, max: 0 };
    for (const ttls of all) {
      for (const pool of pools) if (Object.hasOwn(ttls, pool)) bounds = widest(bounds, ttls[pool]!);
    }
    return bounds;
  }
}
