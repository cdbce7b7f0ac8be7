/**
 * How many requests come from where: a bucket of tokens for each address, and one for each node, so that nodes behind one
 * address do not keep each other from being heard. The oldest is forgotten first.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import { Recent, sourceOf } from "../../core/access/throttle.ts";

/** How many sources are remembered: a flood from many addresses takes no more memory. */
const SOURCES_MAX = 10_000;

/** How many heartbeats of one node are taken in a second, and at once: several times what any node sends. */
const OF_NODE: Rate = { perSecond: 2, burst: 20 };

/** How fast a bucket fills, and how much it holds. */
interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What a bucket held when something was last taken. */
interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** A limit for each source. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #hosts = new Recent<Bucket>(SOURCES_MAX);
  readonly #nodes = new Recent<Bucket>(SOURCES_MAX);

  constructor(clock: Clock, rate: Rate) {
    [this.#clock, this.#rate] = [clock, rate];
  }

  /** Takes one. @returns For how many milliseconds to wait where there is none; 0 = there was. */
  take(address: string): number {
    // An IPv6 host has as many addresses as it likes: its /64 is what counts.
    return this.#take(this.#hosts, sourceOf(address).host, this.#rate);
  }

  /** The same, for a heartbeat of a node that has shown who it is: wherever it comes from. */
  takeBeat(node: string): number {
    return this.#take(this.#nodes, node, OF_NODE);
  }

  #take(buckets: Recent<Bucket>, source: string, { perSecond, burst }: Rate): number {
    const nowMs = this.#clock.nowMs(), before = buckets.get(source) ?? { tokens: burst, atMs: nowMs };
    const gained = Math.max(0, nowMs - before.atMs) / 1000 * perSecond;
    const tokens = Math.min(burst, before.tokens + gained);
    buckets.set(source, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    return tokens >= 1 ? 0 : (1 - tokens) / perSecond * 1000;
  }
}
