/**
 * The nodes and overrides of a fleet, out of the store, followed change by change.
 *
 * @module
 */

import type { Node, Override } from "../fleet/node.ts";
import { effectOf, managedMembership, type Origin } from "../management/effective.ts";
import { nodeOf, nodeSchema } from "../management/nodes.ts";
import { type OverrideValue, storedOverrideSchema } from "../management/overrides.ts";
import { managedPool, type Membership, poolSchema, type PoolValue } from "../management/pools.ts";
import type { ManagedPool } from "../fleet/pool_terms.ts";
import { namePart, PREFIXES } from "../state/keys.ts";
import type { Difference } from "../state/replica.ts";
import type { Entry } from "../state/store.ts";
import type { Besides } from "./protocol.ts";

/** See the module. */
export class FleetView {
  readonly #nodes = new Map<string, { readonly node: Node; readonly origin: Origin }>();
  readonly #pools = new Map<string, PoolValue>();
  readonly #overrides = new Map<string, OverrideValue>();
  #besides: Besides = { nodes: [], pools: [] };
  readonly #changedPools = new Map<string, ManagedPool | null>();
  readonly #changedNodes = new Map<string, Node | null>();
  /** Whether overrides may come to something else than when they were asked for last. */
  #mayDiffer = false;

  /** Takes what concerns it. @throws {Error} That says what of it cannot be read; what was there stays. */
  take({ key, after }: Difference): void {
    if (key.startsWith(PREFIXES.nodes)) this.#takeNode(namePart(key.slice(PREFIXES.nodes.length)), after);
    else if (key.startsWith(PREFIXES.pools)) this.#takePool(key, after);
    else if (key.startsWith(PREFIXES.overrides)) this.#takeOverride(key, after);
  }

  /** Takes what is known besides the store: nodes of lists, and pools of the Corefile. */
  takeBesides(besides: Besides): void {
    this.#besides = besides;
    this.#mayDiffer = true;
  }

  /** The nodes that changed since this was asked last; null = no more. Undefined where none has. */
  changedNodes(): Record<string, Node | null> | undefined {
    if (this.#changedNodes.size === 0) return undefined;
    const changed = Object.fromEntries(this.#changedNodes);
    this.#changedNodes.clear();
    return changed;
  }

  /** The same of managed pools. */
  changedPools(): Record<string, ManagedPool | null> | undefined {
    if (this.#changedPools.size === 0) return undefined;
    const changed = Object.fromEntries(this.#changedPools);
    this.#changedPools.clear();
    return changed;
  }

  /** All overrides, where they may be others than when this was asked last. */
  changedOverrides(nowMs: number): readonly Override[] | undefined {
    if (!this.#mayDiffer) return undefined;
    this.#mayDiffer = false;
    if (this.#overrides.size === 0) return [];
    const listed = this.#besides.nodes.filter(({ id }) => !this.#nodes.has(id)).map((node) => ({
      node,
      origin: "static" as Origin,
    }));
    const pools = new Map<string, Membership>(
      this.#pools.values().map((pool) => [pool.name, managedMembership(pool)]),
    );
    for (const pool of this.#besides.pools) pools.set(pool.name, pool);
    return effectOf({
      nodes: [...listed, ...this.#nodes.values()],
      pools: [...pools.values()],
      overrides: [...this.#overrides.values()],
      unreadable: [],
    }, nowMs).overrides;
  }

  #takeNode(id: string, after: Entry | undefined): void {
    if (after) {
      const value = nodeSchema.parse(JSON.parse(after.value)), node = nodeOf(value);
      this.#nodes.set(id, { node, origin: value.origin ?? "api" });
      this.#changedNodes.set(id, node);
    } else {
      this.#nodes.delete(id);
      this.#changedNodes.set(id, null);
    }
    this.#mayDiffer ||= this.#overrides.size > 0;
  }

  #takePool(key: string, after: Entry | undefined): void {
    if (after) {
      const pool = poolSchema.parse(JSON.parse(after.value));
      this.#pools.set(pool.name, pool);
      this.#changedPools.set(pool.name, managedPool(pool));
    } else {
      const name = namePart(key.slice(PREFIXES.pools.length));
      this.#pools.delete(name);
      this.#changedPools.set(name, null);
    }
    this.#mayDiffer ||= this.#overrides.size > 0;
  }

  #takeOverride(key: string, after: Entry | undefined): void {
    if (after) this.#overrides.set(key, storedOverrideSchema.parse(JSON.parse(after.value)) as OverrideValue);
    else this.#overrides.delete(key);
    this.#mayDiffer = true;
  }
}
