/**
 * What plugins of the control isolate lend to those of data workers, gathered: one message for many, so that a worker is
 * neither handed more than it has time for, nor each by itself.
 *
 * @module
 */

import type { Loan } from "../answering.ts";

/** How long loans are gathered, and how many and how large they may be together. */
const GATHER_MS = 10, LOANS_MAX = 32, OCTETS_MAX = 128 * 1024;

/** See the module. */
export class Lending {
  readonly #send: (loans: readonly Loan[]) => void;
  #loans: Loan[] = [];
  #octets = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sinceMs = 0;
  readonly #nowMs: () => number;

  /** @param nowMs Of a clock that only goes on. */
  constructor(send: (loans: readonly Loan[]) => void, nowMs = () => performance.now()) {
    [this.#send, this.#nowMs] = [send, nowMs];
  }

  /** @returns Whether there was room; otherwise it was not made. */
  take(make: () => Loan, octets: number): boolean {
    // While there is much to do a timer may come late: just then workers are to be able to do it.
    if (this.#timer !== undefined && this.#nowMs() - this.#sinceMs >= GATHER_MS) this.#flush();
    if (this.#loans.length >= LOANS_MAX || this.#octets + octets > OCTETS_MAX) return false;
    this.#loans.push(make());
    this.#octets += octets;
    if (this.#timer === undefined) {
      this.#sinceMs = this.#nowMs();
      this.#timer = setTimeout(() => this.#flush(), GATHER_MS);
    }
    return true;
  }

  /** What has been gathered goes nowhere. */
  close(): void {
    clearTimeout(this.#timer);
    this.#loans = [];
  }

  #flush(): void {
    const loans = this.#loans;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    [this.#loans, this.#octets] = [[], 0];
    this.#send(loans);
  }
}
