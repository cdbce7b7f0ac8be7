/**
 * How many requests come from where: a bucket of tokens for each address, the oldest forgotten first.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import { sourceOf } from "../../core/access/throttle.ts";

/** How many sources are remembered: a flood from many addresses takes no more memory. */
const SOURCES_MAX = 10_000;

/** A limit for each source. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  /** In order of use. */
  readonly #sources = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock, { perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
    [this.#clock, this.#perSecond, this.#burst] = [clock, perSecond, burst];
  }

  /** Takes one. @returns For how long to wait where there is none; 0 = there was. */
  take(address: string): number {
    // An IPv6 host has as many addresses as it likes: its network is what counts.
    const { network } = sourceOf(address), nowMs = this.#clock.nowMs();
    const before = this.#sources.get(network) ?? { tokens: this.#burst, atMs: nowMs };
    const gained = Math.max(0, nowMs - before.atMs) / 1000 * this.#perSecond;
    const tokens = Math.min(this.#burst, before.tokens + gained);
    this.#sources.delete(network);
    if (this.#sources.size >= SOURCES_MAX) this.#sources.delete(this.#sources.keys().next().value!);
    this.#sources.set(network, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    return tokens >= 1 ? 0 : (1 - tokens) / this.#perSecond * 1000;
  }
}
