/**
 * What has become of targets and is yet to be told: at once what readers must know at once, a new verdict or that something
 * may come earlier than they were told; by and by, and few at a time, deadlines that only moved away.
 *
 * @module
 */

import type { TargetKey, Verdict, VerdictDeadline } from "../../core/fleet/verdict.ts";
import type { News } from "./audience.ts";

/** Deadlines that only moved away may wait so long to be published: the old ones err on the safe side. */
const RELAXED_MS = 500;

/** So many of them are published at a time, so often: nobody who reads them is to be kept waiting by how many there are. */
const RELAXED_AT_ONCE = 128, RELAXED_EVERY_MS = 10;

/** See the module. */
export class Untold {
  readonly #tell: (news: News) => void;
  #verdicts: Record<TargetKey, Verdict | undefined> = {};
  #deadlines: Record<TargetKey, VerdictDeadline | undefined> = {};
  /** Deadlines that may wait. */
  readonly #relaxed = new Map<TargetKey, VerdictDeadline>();
  /** Until when they do. */
  #relaxedMs = Infinity;
  #isUrgent = false;

  constructor(tell: (news: News) => void) {
    this.#tell = tell;
  }

  /** When something is to be told that has waited; Infinity = nothing waits. */
  get dueMs(): number {
    return this.#relaxedMs;
  }

  /** To be told at once. */
  setVerdict(key: TargetKey, verdict: Verdict): void {
    this.#verdicts[key] = verdict;
    this.#isUrgent = true;
  }

  /** Where it is no earlier than the one before, and a new verdict does not go with it, it may wait. */
  setDeadline(key: TargetKey, deadline: VerdictDeadline, before: VerdictDeadline | undefined): void {
    const isUrgent = !before || isEarlier(deadline, before);
    if (!isUrgent && !(key in this.#verdicts)) return void this.#relaxed.set(key, deadline);
    this.#relaxed.delete(key);
    this.#deadlines[key] = deadline;
    this.#isUrgent = true;
  }

  /** Of a target that nobody wants any more nothing is told. */
  forget(key: TargetKey): void {
    delete this.#verdicts[key];
    delete this.#deadlines[key];
    this.#relaxed.delete(key);
  }

  /** What there is goes out next time. */
  hurry(): void {
    this.#isUrgent = true;
  }

  /** What has waited for a while goes along with what is awake anyway. */
  joinIfSoon(nowMs: number): void {
    if (this.#relaxedMs - nowMs <= RELAXED_MS / 2) this.#relaxedMs = nowMs;
  }

  /** Tells what is due. */
  publish(nowMs: number): void {
    if (this.#relaxedMs <= nowMs) this.#takeRelaxed(nowMs);
    if (this.#isUrgent) this.#flush();
    if (this.#relaxed.size > 0) this.#relaxedMs = Math.min(this.#relaxedMs, nowMs + RELAXED_MS);
  }

  #takeRelaxed(nowMs: number): void {
    for (const [key, deadline] of this.#relaxed.entries().take(RELAXED_AT_ONCE)) {
      this.#relaxed.delete(key);
      this.#deadlines[key] = deadline;
      this.#isUrgent = true;
    }
    this.#relaxedMs = this.#relaxed.size > 0 ? nowMs + RELAXED_EVERY_MS : Infinity;
  }

  #flush(): void {
    this.#isUrgent = false;
    const [verdicts, deadlines] = [this.#verdicts, this.#deadlines];
    [this.#verdicts, this.#deadlines] = [{}, {}];
    this.#tell({ verdicts, deadlines });
  }
}

function isEarlier(a: VerdictDeadline, b: VerdictDeadline): boolean {
  return a.downMs < b.downMs || a.upMs < b.upMs || a.changeMs < b.changeMs || a.rampMs < b.rampMs ||
    (!a.steady && b.steady);
}
