/**
 * Reports of probes on their way to whoever judges them, a few in one message: a message wakes an isolate up, which costs
 * more than a probe.
 *
 * @module
 */

import type { ProbeReport } from "./prober.ts";

/** What is urgent waits so long for others, and what is not. */
const FAILED_MS = 5, WELL_MS = 100;

/** So many wait for no more. */
const REPORTS_MAX = 64;

/** Reports of one worker. They leave when nothing more is under way, or when the first of them has waited long enough. */
export class Gathering {
  readonly #send: (reports: readonly ProbeReport[]) => void;
  readonly #after: (delayMs: number, then: () => void) => () => void;
  #underWay = 0;
  #reports: ProbeReport[] = [];
  #waits: { readonly isUrgent: boolean; readonly cancel: () => void } | undefined;

  /** `after` calls back once and can be cancelled. */
  constructor(
    send: (reports: readonly ProbeReport[]) => void,
    after: (delayMs: number, then: () => void) => () => void,
  ) {
    [this.#send, this.#after] = [send, after];
  }

  /** So many more are to come. */
  expect(count: number): void {
    this.#underWay += count;
  }

  /** One that was to come. */
  take(report: ProbeReport): void {
    this.#underWay--;
    const count = this.#reports.push(report);
    if (this.#underWay === 0 || count === REPORTS_MAX) return this.#sendAll();
    const isUrgent = !report.ok;
    if (this.#waits && (this.#waits.isUrgent || !isUrgent)) return;
    this.#waits?.cancel();
    const cancel = this.#after(isUrgent ? FAILED_MS : WELL_MS, () => this.#sendAll());
    this.#waits = { isUrgent, cancel };
  }

  #sendAll(): void {
    this.#waits?.cancel();
    this.#waits = undefined;
    const reports = this.#reports;
    this.#reports = [];
    this.#send(reports);
  }
}
