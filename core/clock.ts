/**
 * Time as something handed in, so that tests can turn it by hand.
 *
 * @module
 */

/** Tells the time and calls back later. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls `then` once after `delayMs`; the function that comes back cancels it. */
  after(delayMs: number, then: () => void): () => void;
}

/** The machine's own clock. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, then) {
    // setTimeout takes at most 2^31 − 1 ms; a longer wait is cut into steps.
    const step = Math.min(Math.max(0, delayMs), 0x7fffffff);
    let cancel = () => clearTimeout(timer);
    const timer = setTimeout(() => {
      if (delayMs > step) cancel = SYSTEM_CLOCK.after(delayMs - step, then);
      else then();
    }, step);
    return () => cancel();
  },
};

/** How many parts {@linkcode afterTurns} waits in. */
const PARTS = 10;

/**
 * Calls back once after `delayMs`, as a clock does, for waits that end with somebody being given up. A process that stood still
 * sees to timers before it reads what came meanwhile, and would give up whoever was in time: so it waits in parts, between which
 * the event loop turns. The function that comes back cancels it.
 */
export function afterTurns(clock: Clock, delayMs: number, then: () => void): () => void {
  let cancel = () => {};
  const wait = (parts: number) => {
    cancel = clock.after(delayMs / PARTS, () => parts === 1 ? then() : wait(parts - 1));
  };
  wait(PARTS);
  return () => cancel();
}

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #nowMs: number;
  #waiting: { atMs: number; order: number; then: () => void }[] = [];
  #order = 0;

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, then: () => void): () => void {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, then };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
    };
  }

  /** When the next call falls due; Infinity = none is asked for. */
  get nextMs(): number {
    return this.#waiting.reduce((least, { atMs }) => Math.min(least, atMs), Infinity);
  }

  /** Moves to `atMs`, running what falls due on the way, in order of time, then of asking. */
  advanceTo(atMs: number): void {
    for (;;) {
      const due = this.#waiting.filter((entry) => entry.atMs <= atMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (!due) break;
      this.#waiting = this.#waiting.filter((entry) => entry !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.then();
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  /** Moves on by `ms`. */
  advance(ms: number): void {
    this.advanceTo(this.#nowMs + ms);
  }
}
