/**
 * Which targets a server block wants probed: its pools' nodes and the addresses of the names it watches.
 *
 * @module
 */

import type { PoolNodes } from "../../core/fleet/hub.ts";
import type { TargetKey } from "../../core/fleet/verdict.ts";
import type { ControlScope, Name } from "../../core/plugin.ts";
import { standing } from "./address.ts";
import { type NamedCheck, targetKey } from "./check.ts";
import type { Monitor, Target } from "./monitor.ts";
import { DEFAULTS } from "./options.ts";
import type { Timing } from "./state.ts";
import { findAddresses } from "./watch.ts";

/** What a block's directive says of node health. */
export interface Checking {
  readonly checks: readonly NamedCheck[];
  /** Names whose addresses are probed beside the pools'. */
  readonly watch: readonly Name[];
  readonly timing: Timing;
  /** The share of an address's checks that may be down before the address is. */
  readonly failingShare: number;
}

/** What the answering half reads: the targets of each watched address, text form. */
export interface Watches {
  readonly addresses: Readonly<Record<string, readonly TargetKey[]>>;
}

/** The targets of some addresses under some checks, and which decide over which address. */
export function targetsOf(addresses: readonly string[], checks: readonly NamedCheck[], timing: Timing) {
  const targets = new Map<TargetKey, Target>();
  const byAddress: Record<string, TargetKey[]> = {};
  for (const address of addresses) {
    byAddress[address] = checks.map(({ check }) => {
      const key = targetKey(address, check, timing, DEFAULTS);
      targets.set(key, { address, check, timing });
      return key;
    });
  }
  return { targets, byAddress };
}

/** The addresses that a pool's nodes can be answered with. */
export function poolAddresses({ nodes }: Pick<PoolNodes, "nodes">): string[] {
  const addresses = nodes.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  return [...new Set(addresses.filter((address) => address !== undefined))];
}

/** The checks that a pool looks at, and the names among them that no check of the block has. */
export function poolChecks({ checks: names }: Pick<PoolNodes, "checks">, checks: readonly NamedCheck[]) {
  if (!names) return { checks, unknown: [] };
  return {
    checks: checks.filter(({ name }) => names.includes(name)),
    unknown: names.filter((name) => !checks.some((check) => check.name === name)),
  };
}

/** How often the watched names are asked for again, in intervals. */
const ASK_INTERVALS = 6;

/** After a change of the snapshot they are asked for at most this often. */
const ASK_SOON_MS = 1000;

/** One block's wants, kept up to date. */
export class BlockTargets {
  readonly #config: Checking;
  readonly #scope: ControlScope;
  readonly #monitor: Pick<Monitor, "want">;
  readonly #pools = new Map<
    string,
    { readonly pool: PoolNodes; readonly text: string; readonly targets: ReadonlyMap<TargetKey, Target> }
  >();
  readonly #complaints = new Set<string>();
  #watched: ReturnType<typeof targetsOf> = { targets: new Map(), byAddress: {} };
  #found: ReadonlyMap<Name, readonly string[]> = new Map();
  #askedEpoch = -1;
  #asking = false;
  #cancelAsk: (() => void) | undefined;
  #closed = false;

  constructor(config: Checking, scope: ControlScope, monitor: Pick<Monitor, "want">) {
    this.#config = config;
    this.#scope = scope;
    this.#monitor = monitor;
  }

  /** Takes the pools of the process; those of other blocks are not ours. */
  setPools(pools: readonly PoolNodes[]): void {
    if (this.#closed) return;
    const own = pools.filter(({ block }) => block === this.#scope.facts.key);
    const changed = own.filter((pool) => this.#setPool(pool));
    const hasLost = this.#pools.size > own.length;
    if (hasLost) this.#keepOnly(new Set(own.map(({ policy }) => policy.name)));
    if (changed.length > 0 || hasLost) this.#want();
  }

  #keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#pools.keys()) if (!names.has(name)) this.#pools.delete(name);
  }

  /** Starts to follow the names to watch. */
  async watch(): Promise<void> {
    if (this.#config.watch.length === 0) return;
    await this.#ask();
    if (this.#closed) return;
    this.#scope.onSnapshot(({ epoch }) => epoch !== this.#askedEpoch && this.#askIn(ASK_SOON_MS));
  }

  /** Wants nothing any more. */
  close(): void {
    this.#closed = true;
    this.#cancelAsk?.();
  }

  /** @returns Whether anything about it is new. */
  #setPool(pool: PoolNodes): boolean {
    const before = this.#pools.get(pool.policy.name);
    if (before?.pool === pool) return false;
    const { checks, unknown } = poolChecks(pool, this.#config.checks);
    for (const name of unknown) this.#complain(pool.policy.name, name);
    const { targets, byAddress } = targetsOf(poolAddresses(pool), checks, this.#config.timing);
    const text = JSON.stringify(byAddress);
    this.#pools.set(pool.policy.name, { pool, text, targets });
    if (before?.text === text) return false;
    this.#scope.fleet.setTargets(pool.policy.name, byAddress, this.#config.failingShare);
    return true;
  }

  #complain(pool: string, name: string): void {
    if (this.#complaints.has(`${pool} ${name}`)) return;
    this.#complaints.add(`${pool} ${name}`);
    const known = this.#config.checks.map(({ name }) => name).join(", ");
    this.#scope.log.error(
      `health: pool ${pool} wants check '${name}', which its block does not have: ${known}`,
    );
  }

  #want(): void {
    const all = [...this.#pools.values(), this.#watched].flatMap(({ targets }) => [...targets]);
    this.#monitor.want(this, new Map(all), this.#scope.fleet);
  }

  #askIn(delayMs: number): void {
    if (this.#closed || this.#asking) return;
    this.#cancelAsk?.();
    this.#cancelAsk = this.#scope.clock.after(delayMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    this.#cancelAsk?.();
    this.#asking = true;
    this.#askedEpoch = this.#scope.snapshot().epoch;
    const found = await findAddresses(
      this.#config.watch,
      this.#scope,
      this.#found,
      (address) => this.#isDown(address),
    );
    this.#asking = false;
    if (this.#closed) return;
    this.#follow(found);
    const isCurrent = this.#scope.snapshot().epoch === this.#askedEpoch;
    this.#askIn(isCurrent ? this.#config.timing.intervalMs * ASK_INTERVALS : ASK_SOON_MS);
  }

  #follow(found: ReadonlyMap<Name, readonly string[]>): void {
    this.#found = found;
    const addresses = [...new Set([...found.values()].flat())].sort();
    const watched = targetsOf(addresses, this.#config.checks, this.#config.timing);
    if (JSON.stringify(watched.byAddress) === JSON.stringify(this.#watched.byAddress)) return;
    this.#watched = watched;
    this.#want();
    this.#scope.publish({ addresses: watched.byAddress } satisfies Watches);
  }

  #isDown(address: string): boolean {
    const targets = this.#watched.byAddress[address] ?? [];
    return standing(targets, this.#config.failingShare, this.#scope.snapshot()).isDown;
  }
}
