/** Which pools have a target. @module */

import type { PoolState } from "./pool.ts";
import type { TargetKey } from "./verdict.ts";

type Targets = PoolState["targets"];

/** Follows the targets of pools as they change; what has not changed is not looked at again. */
export class TargetPools {
  readonly #targets = new Map<string, Targets>();
  readonly #pools = new Map<TargetKey, Set<string>>();

  /** The names of the pools that have a target. */
  of(key: TargetKey): ReadonlySet<string> {
    return this.#pools.get(key) ?? NOBODY;
  }

  /** Takes up what a pool's targets are, undefined when there is no such pool any more. */
  set(pool: string, targets: Targets | undefined): void {
    const before = this.#targets.get(pool);
    if (before === targets) return;
    for (const key of Object.values(before ?? {}).flat()) {
      const pools = this.#pools.get(key);
      if (pools?.delete(pool) && pools.size === 0) this.#pools.delete(key);
    }
    if (!targets) return void this.#targets.delete(pool);
    this.#targets.set(pool, targets);
    for (const key of Object.values(targets).flat()) {
      const pools = this.#pools.get(key);
      if (pools) pools.add(pool);
      else this.#pools.set(key, new Set([pool]));
    }
  }

  /** Takes up those of all pools there are. */
  setAll(pools: Readonly<Record<string, Pick<PoolState, "targets">>>): void {
    for (const pool of this.#targets.keys()) if (!(pool in pools)) this.set(pool, undefined);
    for (const pool in pools) this.set(pool, pools[pool]!.targets);
  }
}

const NOBODY: ReadonlySet<string> = new Set();
