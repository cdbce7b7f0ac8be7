/**
 * Whether an upstream is up, learnt from the queries themselves: a failed exchange counts, and starts a loop of
 * probes that ends with the first reply.
 *
 * @module
 */

import type { Clock } from "../../core/plugin.ts";

/** What an upstream's health is made with. */
export interface HealthOptions {
  readonly clock: Clock;
  /** From a probe's failure to the next probe. */
  readonly intervalMs: number;
  /** Failures in a row that mean down; 0 = never down, never probed. */
  readonly maxFails: number;
  /** Asks the upstream; rejects when no reply came in time. Any reply is a sign of life. */
  probe(): Promise<unknown>;
  /** Hears of each failed probe. */
  onProbeFailed(): void;
}

/** The health of one upstream. */
export class Health {
  readonly #options: HealthOptions;
  #fails = 0;
  #probing = false;
  #closed = false;
  #cancelWait = () => {};

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Whether the last `maxFails` exchanges and probes all failed. */
  get isDown(): boolean {
    const { maxFails } = this.#options;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  /** A reply came, to a query or a probe. */
  replied(): void {
    this.#fails = 0;
  }

  /** An exchange failed: counts it, and sees to it that the upstream is probed until it replies. */
  failed(): void {
    if (this.#options.maxFails === 0) return;
    this.#fails++;
    if (this.#probing || this.#closed) return;
    this.#probing = true;
    this.#probe();
  }

  /** Ends the probes. */
  close(): void {
    this.#closed = true;
    this.#cancelWait();
  }

  /** One probe at a time; the next waits for an interval after this one's failure. */
  async #probe(): Promise<void> {
    try {
      await this.#options.probe();
      this.#fails = 0;
      this.#probing = false;
    } catch {
      this.#fails++;
      this.#options.onProbeFailed();
      if (this.#closed) return;
      this.#cancelWait = this.#options.clock.after(this.#options.intervalMs, () => this.#probe());
    }
  }
}
