/** How much of a thread's time something may take. @module */

/** Steps that may be taken: so many a millisecond, of which what is not used adds up to a limit. */
export class Allowance {
  readonly #perMs: number;
  readonly #most: number;
  #left: number;
  #filledMs = Infinity;

  constructor(perMs: number, most: number) {
    this.#perMs = perMs;
    this.#most = this.#left = most;
  }

  /** How many may be taken at an instant; none while more were taken than there were. */
  at(nowMs: number): number {
    // A clock that was set back gives nothing, and takes nothing away.
    const passedMs = Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    this.#left = Math.min(this.#most, this.#left + passedMs * this.#perMs);
    return Math.max(0, this.#left);
  }

  /** Takes some. */
  take(steps: number): void {
    this.#left -= steps;
  }
}
