/**
 * Notices when this isolate was not run in time: a timeout measured then is this machine's fault, not the target's.
 *
 * @module
 */

/** How often the meter must be told that the isolate runs. */
export const LAG_TICK_MS = 50;

/** More than this is lag. */
const LAG_LIMIT_MS = 250;

/** Fed by a timer every {@linkcode LAG_TICK_MS}; the times are any monotonic milliseconds. */
export class LagMeter {
  #tickMs: number;
  #laggedMs = -Infinity;

  constructor(nowMs: number) {
    this.#tickMs = nowMs;
  }

  /** The timer fired. */
  tick(nowMs: number): void {
    if (this.#isLate(nowMs)) this.#laggedMs = nowMs;
    this.#tickMs = nowMs;
  }

  /** Whether the isolate lagged at any time from `startMs` to now, a tick that is overdue at this moment included. */
  laggedSince(startMs: number, nowMs: number): boolean {
    return this.#laggedMs >= startMs || this.#isLate(nowMs);
  }

  #isLate(nowMs: number): boolean {
    return nowMs - this.#tickMs > LAG_TICK_MS + LAG_LIMIT_MS;
  }
}
