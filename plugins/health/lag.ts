/**
 * Notices when this isolate was not run in time: a timeout measured then is this machine's fault, not the target's.
 *
 * @module
 */

/** How often the meter must be told that the isolate runs. */
export const LAG_TICK_MS = 50;

/** More than this is lag. */
const LAG_LIMIT_MS = 250;

/** Fed every {@linkcode LAG_TICK_MS} while a probe is under way; the times are any monotonic milliseconds. */
export class LagMeter {
  #tickMs: number;
  #laggedMs = -Infinity;

  constructor(nowMs: number) {
    this.#tickMs = nowMs;
  }

  /** The first tick is due from now on: nothing has been measured that could have been late before. */
  start(nowMs: number): void {
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

/** Runs a meter's timer as long as something is under way: an idle isolate is not woken up twenty times a second. */
export class LagWatch {
  readonly #meter: LagMeter;
  #underWay = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(meter: LagMeter) {
    this.#meter = meter;
  }

  /** Does something, and watches meanwhile. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    if (this.#underWay++ === 0) this.#start();
    try {
      return await act();
    } finally {
      if (--this.#underWay === 0) clearInterval(this.#timer);
    }
  }

  #start(): void {
    this.#meter.start(performance.now());
    this.#timer = setInterval(() => this.#meter.tick(performance.now()), LAG_TICK_MS);
  }
}
