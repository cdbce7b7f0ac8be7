/**
 * The hub of a server that is one of several: makes one verdict out of its own probes and what the others report, and hands
 * it on, with the nodes, leases and overrides that the fleet shares.
 *
 *     health  --own verdicts-->  agreeing hub  --agreed-->  publisher
 *     link    --others' reports, pulses, leases-->  |
 *     link   <--own reports that changed----------  |
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { UNTOLD } from "../fleet/deadline.ts";
import type { DegradationNews, FleetHub, PoolNodes, PoolShares, PoolTaker } from "../fleet/hub.ts";
import type { Node, Override } from "../fleet/node.ts";
import type { Degradation } from "../fleet/pool.ts";
import type { ManagedPool } from "../fleet/pool_terms.ts";
import { agreeByRegion, type Agreement, type Opinion, type VantageReport } from "../fleet/vantages.ts";
import type { RegionalVerdict, TargetKey, ToldDeadline, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import type { PoolPartitions } from "../snapshot.ts";
import type { SharedZone } from "../zone/shared_zone.ts";
import { keepOnly } from "./knowledge.ts";
import { isSameReport } from "./report_record.ts";
import {
  type Besides,
  DEGRADATIONS,
  leaseTarget,
  type News,
  type Reports,
  type ServerNews,
  type TargetReport,
} from "./protocol.ts";

/** What an agreeing hub works with. */
export interface AgreeingHubOptions {
  /** Where agreed verdicts go. */
  readonly hub: FleetHub;
  readonly server: string;
  readonly region: string;
  readonly agreement: Agreement;
  readonly clock: Clock;
  /** Own reports that have changed: others are to hear of them. */
  report(reports: Reports): void;
  /** What decides over overrides besides the store has changed. */
  tellBesides(besides: Besides): void;
  /** What is healthy of pools has changed: others are to hear of it. */
  tellShares?(): void;
}

type Targets = Readonly<Record<string, readonly TargetKey[]>>;

/** See the module. */
export class AgreeingHub implements FleetHub {
  readonly #options: AgreeingHubOptions;
  readonly #own = new Map<TargetKey, Verdict>();
  readonly #ownDeadlines = new Map<TargetKey, VerdictDeadline>();
  /** Those that are there. */
  readonly #others = new Map<string, ServerNews>();
  /** How many vantages each region has; absent where that has to be counted. */
  #vantages: ReadonlyMap<string, number> | undefined;
  /** By server, there or not: one that comes back says what it said until it says otherwise. */
  readonly #reports = new Map<string, Map<TargetKey, TargetReport>>();
  readonly #published = new Map<TargetKey, Verdict>();
  readonly #registered = new Map<string, Node>();
  /** All that ever came from the registry, as they came: a node of a list may have the id of one. */
  readonly #fromRegistry = new WeakSet<Node>();
  readonly #registryListeners: ((nodes: readonly Node[]) => void)[] = [];
  readonly #managedPools = new Map<string, ManagedPool>();
  readonly #managedListeners: ((pools: readonly ManagedPool[]) => void)[] = [];
  /** By block. */
  readonly #takers = new Map<string, PoolTaker>();
  readonly #zones = new Map<string, SharedZone>();
  readonly #zoneListeners: ((zones: readonly SharedZone[]) => void)[] = [];
  readonly #toldByPlugins = new Map<string, unknown>();
  readonly #toldListeners: { readonly plugin: string; readonly listener: (value: unknown) => void }[] = [];
  readonly #pools = new Map<string, PoolNodes>();
  /** What is healthy of pools, all that was noted. */
  readonly shares: Record<string, PoolShares> = {};
  /** Targets of leases that there are. */
  readonly #leases = new Set<TargetKey>();
  #willTellBesides = false;
  #willTellShares = false;
  #isClosed = false;
  readonly #poolTargets = new Map<string, { readonly targets: Targets; readonly failingShare: number }>();
  /** Own targets of which others are to hear, at the end of the turn. */
  readonly #unreported = new Set<TargetKey>();
  readonly #told = new Map<TargetKey, TargetReport>();
  #cancelTimer: () => void = () => {};

  constructor(options: AgreeingHubOptions) {
    this.#options = options;
  }

  setNodes(pool: PoolNodes): void {
    this.setPools([pool], []);
  }

  setPools(pools: readonly PoolNodes[], gone: readonly string[]): void {
    for (const name of gone) {
      this.#pools.delete(name);
      this.#poolTargets.delete(name);
    }
    const leased: string[] = [];
    for (const pool of pools) {
      const { name } = pool.policy, before = this.#pools.get(name)?.nodes ?? [];
      this.#pools.set(name, pool);
      if ([...before, ...pool.nodes].some((node) => this.#isLeased(node))) leased.push(name);
    }
    this.#options.hub.setPools(pools, gone);
    for (const name of leased) this.#setTargets(name);
    // What comes from the store the fleet isolate knows.
    if (pools.some(({ isManaged }) => !isManaged)) this.#tellBesidesSoon();
  }

  setTaker(taker: PoolTaker): void {
    this.#takers.set(taker.block, taker);
    this.#tellBesidesSoon();
  }

  onManagedPools(listener: (pools: readonly ManagedPool[]) => void): void {
    this.#managedListeners.push(listener);
    listener([...this.#managedPools.values()]);
  }

  onPools(listener: (pools: readonly PoolNodes[]) => void): void {
    this.#options.hub.onPools(listener);
  }

  setPartitions(partitions: Readonly<Record<string, PoolPartitions | undefined>>): void {
    this.#options.hub.setPartitions(partitions);
  }

  setOverrides(overrides: readonly Override[]): void {
    this.#options.hub.setOverrides(overrides);
  }

  setDegradation(pool: string, degradation: Degradation | undefined): void {
    this.#options.hub.setDegradation(pool, degradation);
  }

  noteShares(pool: string, shares: PoolShares | undefined): void {
    if (shares) this.shares[pool] = shares;
    else delete this.shares[pool];
    if (!this.#willTellShares) queueMicrotask(() => this.#tellSharesNow());
    this.#willTellShares = true;
  }

  /** Pools that have nodes in common change together, and all of them are told at once. */
  #tellSharesNow(): void {
    this.#willTellShares = false;
    if (!this.#isClosed) this.#options.tellShares?.();
  }

  onDegradations(listener: (news: DegradationNews) => void): void {
    this.onTold(DEGRADATIONS, (value) => listener(value as DegradationNews));
  }

  setTargets(pool: string, targets: Targets, failingShare: number): void {
    this.#poolTargets.set(pool, { targets, failingShare });
    this.#setTargets(pool);
  }

  setVerdicts(verdicts: Readonly<Record<TargetKey, Verdict | undefined>>): void {
    for (const [key, verdict] of Object.entries(verdicts)) {
      if (verdict) this.#own.set(key, verdict);
      else this.#own.delete(key);
      this.#reportLater(key);
    }
    this.#agree(Object.keys(verdicts));
  }

  setDeadlines(deadlines: Readonly<Record<TargetKey, VerdictDeadline | undefined>>): void {
    for (const [key, deadline] of Object.entries(deadlines)) {
      if (deadline) this.#ownDeadlines.set(key, deadline);
      else this.#ownDeadlines.delete(key);
      this.#reportLater(key);
    }
    this.#agree(Object.keys(deadlines));
  }

  onRegistry(listener: (nodes: readonly Node[]) => void): void {
    this.#registryListeners.push(listener);
    listener([...this.#registered.values()]);
  }

  onZones(listener: (zones: readonly SharedZone[]) => void): void {
    this.#zoneListeners.push(listener);
    listener([...this.#zones.values()]);
  }

  onTold(plugin: string, listener: (value: unknown) => void): void {
    this.#toldListeners.push({ plugin, listener });
    if (this.#toldByPlugins.has(plugin)) listener(this.#toldByPlugins.get(plugin));
  }

  /** What a plugin's half in the fleet isolate has for its half here. */
  takeTold(plugin: string, value: unknown): void {
    this.#toldByPlugins.set(plugin, value);
    if (this.#isClosed) return;
    for (const one of this.#toldListeners) if (one.plugin === plugin) one.listener(value);
  }

  /** What the fleet tells. */
  take({ servers, reports, nodes, pools, overrides, leases, zones, zoneNames }: News): void {
    const touched = new Set<TargetKey>();
    for (const [id, server] of Object.entries(servers ?? {})) this.#takeServer(id, server, touched);
    for (const [id, changed] of Object.entries(reports ?? {})) this.#takeReports(id, changed, touched);
    if (this.#isClosed) return;
    if (touched.size > 0) this.#agree(touched);
    if (nodes) this.#takeNodes(nodes);
    if (leases && this.#takeLeases(leases)) { for (const pool of this.#pools.keys()) this.#setTargets(pool); }
    if (pools) this.#takePools(pools);
    if (overrides) this.#options.hub.setOverrides(overrides);
    if (zones || zoneNames) this.#takeZones(zones ?? {}, zoneNames);
    this.#wakeWhenNewsGrowOld();
  }

  /** All of its own reports, for a fleet isolate that knows none. */
  ownReports(): Reports {
    return Object.fromEntries([...this.#own.keys()].map((key) => [key, this.#ownReport(key)]));
  }

  /** From now on it tells nobody anything: what is taken back by who is stopped is no news. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #takeServer(id: string, server: ServerNews | null, touched: Set<TargetKey>): void {
    if (id === this.#options.server) return;
    const before = this.#others.get(id);
    if (server) this.#others.set(id, server);
    else this.#others.delete(id);
    // With one vantage more or less others decide.
    const isAnother = !before || !server || before.region !== server.region ||
      this.#isFresh(before) !== this.#isFresh(server);
    if (isAnother) this.#vantages = undefined;
    if (isAnother) { for (const key of this.#own.keys()) touched.add(key); }
  }

  #takeReports(id: string, changed: Reports, touched: Set<TargetKey>): void {
    if (id === this.#options.server) return;
    const reports = this.#reports.get(id) ?? new Map<TargetKey, TargetReport>();
    this.#reports.set(id, reports);
    for (const [key, report] of Object.entries(changed)) {
      if (report) reports.set(key, report);
      else reports.delete(key);
      touched.add(key);
    }
  }

  #isFresh({ pulseMs }: { readonly pulseMs: number }): boolean {
    return this.#options.clock.nowMs() - pulseMs < this.#options.agreement.freshMs;
  }

  #takeNodes(nodes: NonNullable<News["nodes"]>): void {
    for (const [id, node] of Object.entries(nodes)) {
      if (node) this.#fromRegistry.add(node);
      if (node) this.#registered.set(id, node);
      else this.#registered.delete(id);
    }
    const all = [...this.#registered.values()].sort((a, b) => a.id < b.id ? -1 : 1);
    for (const listener of this.#registryListeners) listener(all);
  }

  #takePools(pools: NonNullable<News["pools"]>): void {
    for (const [name, pool] of Object.entries(pools)) {
      if (pool) this.#managedPools.set(name, pool);
      else this.#managedPools.delete(name);
    }
    for (const listener of this.#managedListeners) listener([...this.#managedPools.values()]);
  }

  #takeZones(zones: NonNullable<News["zones"]>, names: News["zoneNames"]): void {
    for (const [name, zone] of Object.entries(zones)) {
      if (zone) this.#zones.set(name, zone);
      else this.#zones.delete(name);
    }
    keepOnly(this.#zones, names);
    for (const listener of this.#zoneListeners) listener([...this.#zones.values()]);
  }

  /** @returns Whether there are others than before. */
  #takeLeases(leases: NonNullable<News["leases"]>): boolean {
    const before = this.#leases.size;
    let hasLost = false;
    const verdicts: Record<TargetKey, Verdict | undefined> = {};
    const deadlines: Record<TargetKey, ToldDeadline | undefined> = {};
    for (const [key, lease] of Object.entries(leases)) {
      if (lease) this.#leases.add(key);
      else hasLost = this.#leases.delete(key) || hasLost;
      if (!lease || lease.verdict) verdicts[key] = lease?.verdict;
      if (!lease || lease.deadline) deadlines[key] = lease?.deadline;
    }
    // A countdown that went on is no reason for an epoch.
    if (Object.keys(verdicts).length > 0) this.#options.hub.setVerdicts(verdicts);
    this.#options.hub.setDeadlines(deadlines);
    return hasLost || this.#leases.size > before;
  }

  #tellBesidesSoon(): void {
    if (!this.#willTellBesides) queueMicrotask(() => this.#tellBesides());
    this.#willTellBesides = true;
  }

  #tellBesides(): void {
    this.#willTellBesides = false;
    const nodes = new Map<string, Node>(), pools: Besides["pools"][number][] = [];
    for (const { policy, nodes: members, isManaged, owners, checks } of this.#pools.values()) {
      if (isManaged) continue;
      for (const node of members) if (!this.#fromRegistry.has(node)) nodes.set(node.id, node);
      const { name, select } = policy;
      pools.push({ name, select, policy, ...owners && { owners }, ...checks && { checks } });
    }
    const takers = [...this.#takers.values()];
    for (const { nodes: listed } of takers) for (const node of listed) nodes.set(node.id, node);
    if (this.#isClosed) return;
    this.#options.tellBesides({ nodes: [...nodes.values()], pools, ...takers.length > 0 && { takers } });
  }

  #isLeased(node: Node): boolean {
    return this.#fromRegistry.has(node) && this.#leases.has(leaseTarget(node.id));
  }

  /** A registered node's lease is one more check of each of its addresses. */
  #setTargets(pool: string): void {
    const { targets = {}, failingShare = 0 } = this.#poolTargets.get(pool) ?? {};
    const leased: Record<string, readonly TargetKey[]> = {};
    for (const node of this.#pools.get(pool)?.nodes ?? []) {
      const { id, ipv4, ipv6 } = node;
      if (!this.#isLeased(node)) continue;
      for (const address of [ipv4, ipv6]) {
        if (address !== undefined) leased[address] = [...targets[address] ?? [], leaseTarget(id)];
      }
    }
    this.#options.hub.setTargets(pool, { ...targets, ...leased }, failingShare);
  }

  #agree(keys: Iterable<TargetKey>): void {
    const verdicts: Record<TargetKey, Verdict | undefined> = {};
    const deadlines: Record<TargetKey, VerdictDeadline | undefined> = {};
    let hasTurned = false;
    for (const key of keys) {
      if (!this.#own.has(key)) {
        // Somebody else's target: what is not probed here decides over nothing here.
        if (this.#published.delete(key)) [verdicts[key], hasTurned] = [undefined, true];
        deadlines[key] = this.#ownDeadlines.get(key);
        continue;
      }
      const agreed = this.#agreedOn(key);
      deadlines[key] = agreed.deadline;
      if (isSame(this.#published.get(key), agreed.verdict)) continue;
      this.#published.set(key, agreed.verdict);
      verdicts[key] = agreed.verdict;
      hasTurned = true;
    }
    if (hasTurned) this.#options.hub.setVerdicts(verdicts);
    this.#options.hub.setDeadlines(deadlines);
  }

  #agreedOn(key: TargetKey): Pick<Opinion, "verdict"> & { readonly deadline: VerdictDeadline | undefined } {
    const verdict = this.#own.get(key)!, deadline = this.#ownDeadlines.get(key);
    // Alone it is its own quorum.
    if (this.#others.size === 0) return { verdict, deadline };
    const { server, region, agreement, clock } = this.#options, nowMs = clock.nowMs();
    const reports: VantageReport[] = [
      { vantage: server, region, verdict, heardMs: nowMs, ...deadline && { deadline } },
    ];
    for (const [vantage, { region, pulseMs }] of this.#others) {
      const report = this.#reports.get(vantage)?.get(key);
      if (report) reports.push({ vantage, region, heardMs: pulseMs, ...toldOf(report) });
    }
    const known = { all: this.#others.size + 1, byRegion: this.#vantages ??= this.#countVantages() };
    return agreeByRegion(reports, known, agreement, nowMs);
  }

  #countVantages(): ReadonlyMap<string, number> {
    const counts = new Map([[this.#options.region, 1]]);
    for (const { region } of this.#others.values()) counts.set(region, (counts.get(region) ?? 0) + 1);
    return counts;
  }

  #reportLater(key: TargetKey): void {
    if (this.#unreported.size === 0) queueMicrotask(() => this.#reportNow());
    this.#unreported.add(key);
  }

  #reportNow(): void {
    const changed: Record<TargetKey, TargetReport | null> = {};
    for (const key of this.#unreported) {
      const report = this.#ownReport(key), before = this.#told.get(key);
      if (report && before && isSameReport(before, report)) continue;
      if (!report && !before) continue;
      if (report) this.#told.set(key, report);
      else this.#told.delete(key);
      changed[key] = report ?? null;
    }
    this.#unreported.clear();
    if (Object.keys(changed).length > 0 && !this.#isClosed) this.#options.report(changed);
  }

  #ownReport(key: TargetKey): TargetReport | null {
    const verdict = this.#own.get(key), deadline = this.#ownDeadlines.get(key);
    if (!verdict) return null;
    return { ...verdict, ...deadline && !deadline.steady && { deadline } };
  }

  /** What others said stands for a while without a sign of them, then less, then no more: each is an instant at which verdicts may turn. */
  #wakeWhenNewsGrowOld(): void {
    this.#cancelTimer();
    const { clock, agreement: { freshMs, holdMs } } = this.#options, nowMs = clock.nowMs();
    let atMs = Infinity;
    for (const { pulseMs } of this.#others.values()) {
      for (const endMs of [pulseMs + freshMs, pulseMs + holdMs]) {
        if (endMs > nowMs) atMs = Math.min(atMs, endMs);
      }
    }
    if (atMs === Infinity) return;
    this.#cancelTimer = clock.after(atMs - nowMs, () => {
      this.#agree(this.#own.keys());
      this.#wakeWhenNewsGrowOld();
    });
  }
}

/** A report that is steady has told no deadline: it may turn at any time, and nothing is under way. */
const STEADY: VerdictDeadline = Object.freeze({ ...UNTOLD, steady: true });

function toldOf({ state, sinceMs, reason, ramp, deadline }: TargetReport) {
  return { verdict: { state, sinceMs, reason, ramp }, deadline: deadline ?? STEADY };
}

function isSame(a: Verdict | undefined, b: Verdict): boolean {
  if (a === undefined || !areSameWords(a, b) || a.regions?.length !== b.regions?.length) return false;
  return !a.regions || a.regions.every((own, i) => isSameInRegion(own, b.regions![i]!));
}

function isSameInRegion(a: RegionalVerdict, b: RegionalVerdict): boolean {
  return a.region === b.region && areSameWords(a, b);
}

function areSameWords(a: Verdict, b: Verdict): boolean {
  return a.state === b.state && a.sinceMs === b.sinceMs && a.reason === b.reason && a.ramp === b.ramp;
}
