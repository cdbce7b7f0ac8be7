/**
 * Has traffic of regions that are short of nodes go elsewhere: watches the healthy share of each, and where one is degraded
 * keeps the prices of the pool's nodes. Which regions are degraded all servers of a fleet have in common; a server by itself
 * decides for itself. See docs/decisions/0007.
 *
 * @module
 */

import { type Degraded, DegradeWatch, regionShares, servingNodes } from "../../core/fleet/degradation.ts";
import type { DegradationNews } from "../../core/fleet/hub.ts";
import type { PricedNode, PriceJob, Prices } from "../../core/fleet/moving.ts";
import type { Degradation, DegradePolicy, PoolState } from "../../core/fleet/pool.ts";
import type { ControlScope, Snapshot } from "../../core/plugin.ts";

/** Who works prices out. */
export interface Pricer {
  price(job: PriceJob): Promise<Prices | undefined>;
}

/** One pool, and what became of it. */
interface Kept {
  readonly watch: DegradeWatch;
  readonly memory: Memory;
  shares: Readonly<Record<string, number>>;
  published: Degradation | undefined;
  /** What of it others were told last. */
  noted: string;
  /** Of what prices are to be worked out; undefined = those at hand are right. */
  wanted: { readonly key: string; readonly job: PriceJob } | undefined;
  /** When it was last its turn to have them worked out. */
  turn: number;
  /** Whether that failed. */
  isFailing: boolean;
}

/** What the keeper of the next configuration goes on with, so that a reload moves nobody. */
interface Memory {
  /** What a server by itself has decided. */
  degraded: Degraded;
  /** What the prices at hand were worked out from, written out, and these. */
  made?: { readonly key: string; readonly prices: Prices } | undefined;
}

/** How long until what failed is tried again. */
const RETRY_MS = 5000;

/** See the module. */
export class PriceKeeper {
  readonly #names: () => readonly string[];
  readonly #scope: ControlScope;
  readonly #pricer: Pricer;
  readonly #kept = new Map<string, Kept>();
  readonly #memories: Map<string, Memory>;
  #told: DegradationNews = { degraded: {} };
  /** At the last look. */
  #seen: readonly unknown[] = [];
  #turns = 0;
  #isBusy = false;
  #closed = false;
  #cancelTimer: () => void = () => {};
  #cancelRest: () => void = () => {};

  /** @param names Of pools, now: some of which may have a policy that degrades. */
  constructor(names: () => readonly string[], scope: ControlScope, pricer: Pricer) {
    [this.#names, this.#scope, this.#pricer] = [names, scope, pricer];
    const { identity } = scope.process;
    let memories = memoriesByProcess.get(identity);
    if (!memories) memoriesByProcess.set(identity, memories = new Map());
    this.#memories = memories;
  }

  /** Begins. */
  start(): void {
    const { fleet } = this.#scope;
    fleet.onDegradations?.((told) => {
      this.#told = told;
      this.refresh();
    });
    // Snapshots come with every countdown that goes on, too.
    this.#scope.onSnapshot(() => {
      const seen = this.#toSee();
      if (seen.length !== this.#seen.length || seen.some((one, i) => one !== this.#seen[i])) this.refresh();
    });
    this.refresh();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    this.#cancelRest();
  }

  /** What is looked at: a pool has another state when anything of it is other than it was. */
  #toSee(): readonly unknown[] {
    const { pools, geographies } = this.#scope.snapshot();
    return [geographies[this.#scope.facts.key], ...this.#names().map((name) => pools[name])];
  }

  /** Looks at every pool; at once where nothing has to be worked out. */
  refresh(): void {
    if (this.#closed) return;
    this.#seen = this.#toSee();
    const nowMs = this.#scope.clock.nowMs(), snapshot = this.#scope.snapshot();
    const degrading = new Map(
      this.#names().flatMap((name) => {
        const state = snapshot.pools[name], degrade = state?.policy.degrade;
        return state && degrade ? [[name, { state, degrade }]] : [];
      }),
    );
    for (const name of [...this.#kept.keys()]) if (!degrading.has(name)) this.#forget(name);
    let nextMs = Infinity;
    for (const [name, { state, degrade }] of degrading) {
      nextMs = Math.min(nextMs, this.#look(name, state, degrade, nowMs));
    }
    this.#note();
    this.#begin();
    this.#cancelTimer();
    if (nextMs < Infinity) {
      this.#cancelTimer = this.#scope.clock.after(Math.max(0, nextMs - nowMs), () => this.refresh());
    }
  }

  /** Sets the gauges of what there is. */
  show(): void {
    for (const [pool, { shares, published }] of this.#kept) {
      for (const [region, share] of Object.entries(shares)) {
        const isDegraded = published?.regions.includes(region) ?? false;
        this.#scope.gauge("meridian_pool_region_healthy_ratio", share, { pool, region });
        this.#scope.gauge("meridian_pool_degraded", isDegraded ? 1 : 0, { pool, region });
      }
      const most = Math.max(0, ...Object.values(published?.prices ?? {}));
      this.#scope.gauge("meridian_pool_price_max_metres", most, { pool });
    }
  }

  /** A pool that is none any more, or goes by another policy: nobody is to be told of it. */
  #forget(name: string): void {
    const { gauge, fleet } = this.#scope, { shares, published } = this.#kept.get(name)!;
    for (const region of Object.keys(shares)) {
      gauge("meridian_pool_region_healthy_ratio", undefined, { pool: name, region });
      gauge("meridian_pool_degraded", undefined, { pool: name, region });
    }
    gauge("meridian_pool_price_max_metres", undefined, { pool: name });
    this.#kept.delete(name);
    this.#memories.delete(name);
    if (published) fleet.setDegradation(name, undefined);
    fleet.noteShares?.(name, undefined);
  }

  /** @returns When to look again, if nothing happens. */
  #look(name: string, state: PoolState, degrade: DegradePolicy, nowMs: number): number {
    const kept = this.#keptOf(name), snapshot = this.#scope.snapshot();
    const { serving } = servingNodes(snapshot, state, nowMs);
    kept.shares = regionShares(state.nodes, serving);
    const before = this.#degraded(name);
    const { degraded, nextMs, mayEndMs } = kept.watch.judge(before, kept.shares, degrade, nowMs);
    if (!this.#isShared) kept.memory.degraded = degraded;
    const { shares } = kept, isThere = (region: string) => Object.hasOwn(shares, region);
    const regions = Object.keys(this.#degraded(name)).filter(isThere).sort();
    kept.wanted = undefined;
    if (regions.length === 0) this.#publish(name, undefined);
    else this.#price(name, regions, mayEndMs, jobOf(snapshot, state, degrade, regions, nowMs));
    return nextMs;
  }

  #keptOf(name: string): Kept {
    let kept = this.#kept.get(name);
    if (kept) return kept;
    let memory = this.#memories.get(name);
    if (!memory) this.#memories.set(name, memory = { degraded: {} });
    kept = {
      ...{ watch: new DegradeWatch(), memory, shares: {}, noted: "", published: undefined },
      ...{ wanted: undefined, turn: 0, isFailing: false },
    };
    this.#kept.set(name, kept);
    return kept;
  }

  #price(name: string, regions: readonly string[], mayEndMs: number, job: Omit<PriceJob, "geography">): void {
    const kept = this.#kept.get(name)!, { made } = kept.memory, { facts, snapshot } = this.#scope;
    const geography = snapshot().geographies[facts.key], { demand } = this.#told;
    // Nobody knows where clients are: then nobody is nearer to one node than to another.
    if (!geography) return this.#publish(name, { regions, prices: {}, mayEndMs });
    const key = JSON.stringify([job, geography.epoch, demand?.number]);
    if (made) this.#publish(name, { regions, prices: made.prices, mayEndMs });
    if (made?.key !== key) kept.wanted = { key, job: { ...job, geography, ...demand && { demand } } };
  }

  /** Has prices worked out for the pool that has waited longest: one that never rests, or fails, leaves others their turn. */
  #begin(): void {
    if (this.#isBusy) return;
    const waiting = [...this.#kept].filter(([, { wanted }]) => wanted);
    waiting.sort(([, a], [, b]) => a.turn - b.turn);
    const [next] = waiting;
    if (!next) return;
    this.#isBusy = true;
    void this.#work(...next);
  }

  async #work(name: string, kept: Kept): Promise<void> {
    const { clock, log } = this.#scope, startedMs = clock.nowMs(), { memory } = kept;
    const { key, job } = kept.wanted!;
    kept.turn = ++this.#turns;
    let restMs = RETRY_MS;
    try {
      const prices = await this.#pricer.price(job);
      if (prices) memory.made = { key, prices };
      kept.isFailing = false;
      restMs = clock.nowMs() - startedMs;
    } catch (error) {
      // Said once for failures in a row.
      if (!kept.isFailing) {
        log.error(
          `anycast: the prices of pool ${name} cannot be worked out, they stay as they are: ${
            error instanceof Error ? error.message : error
          }`,
        );
      }
      kept.isFailing = true;
    }
    // What was worked out counts at once; the next is for after a rest, as long as this took: verdicts that flap leave it one.
    this.refresh();
    if (restMs === 0) this.#goOn();
    else if (!this.#closed) this.#cancelRest = clock.after(restMs, () => this.#goOn());
  }

  #goOn(): void {
    this.#isBusy = false;
    this.refresh();
  }

  #publish(name: string, degradation: Degradation | undefined): void {
    const kept = this.#kept.get(name)!, { published } = kept;
    if (JSON.stringify(published) === JSON.stringify(degradation)) return;
    kept.published = degradation;
    if (!degradation) kept.memory.made = undefined;
    this.#say(name, published?.regions ?? [], degradation?.regions ?? []);
    this.#scope.fleet.setDegradation(name, degradation);
  }

  #say(name: string, before: readonly string[], after: readonly string[]): void {
    const { log } = this.#scope;
    for (const region of after.filter((region) => !before.includes(region))) {
      const share = Math.round(100 * (this.#kept.get(name)!.shares[region] ?? 0));
      log.warn(
        `anycast: region ${region} of pool ${name} is degraded, ${share} % of it serve: what it cannot do goes elsewhere`,
      );
    }
    for (const region of before.filter((region) => !after.includes(region))) {
      log.info(`anycast: region ${region} of pool ${name} is no longer degraded`);
    }
  }

  get #isShared(): boolean {
    return this.#scope.fleet.noteShares !== undefined;
  }

  #degraded(name: string): Degraded {
    return (this.#isShared ? this.#told.degraded[name] : this.#memories.get(name)?.degraded) ?? {};
  }

  /** Tells the fleet what is seen here. */
  #note(): void {
    const { fleet, snapshot } = this.#scope, { pools } = snapshot();
    for (const [name, kept] of this.#kept) {
      const degrade = pools[name]?.policy.degrade, { shares } = kept;
      const noted = JSON.stringify([degrade, shares]);
      if (!degrade || noted === kept.noted) continue;
      kept.noted = noted;
      fleet.noteShares?.(name, { degrade, shares });
    }
  }
}

/** By process and pool. */
const memoriesByProcess = new WeakMap<object, Map<string, Memory>>();

function jobOf(
  snapshot: Snapshot,
  state: PoolState,
  { below }: DegradePolicy,
  regions: readonly string[],
  nowMs: number,
): Omit<PriceJob, "geography"> {
  const { serving, recovering, degraded } = servingNodes(snapshot, state, nowMs);
  const stateOf = (id: string): PricedNode["state"] =>
    !serving.has(id) ? "down" : recovering.has(id) ? "recovering" : degraded.has(id) ? "degraded" : "up";
  const nodes = state.nodes.map(({ id, place: { latitude, longitude }, region, capacity }) => {
    return { id, latitude, longitude, region, capacity, state: stateOf(id) };
  });
  return { nodes, regions, answers: state.policy.answers, below };
}
