/**
 * Time that never goes back: when the machine's clock is set back, answers must not live longer for it.
 *
 * @module
 */

import type { Clock } from "../../core/plugin.ts";

/** See the module. */
export class SteadyTime {
  readonly #clock: Clock;
  #latestMs = -Infinity;
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds that only grow, from a clock that may not. */
  nowMs(): number {
    const wallMs = this.#clock.nowMs();
    if (wallMs + this.#aheadMs < this.#latestMs) this.#aheadMs = this.#latestMs - wallMs;
    return this.#latestMs = wallMs + this.#aheadMs;
  }

  /** By how much it is before the clock, since it was last looked at: no second look, which may be a while after the first. */
  get aheadMs(): number {
    return this.#aheadMs;
  }
}
