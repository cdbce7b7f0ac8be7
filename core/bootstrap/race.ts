/**
 * Tries entry points as RFC 8305 has it: one after the other, without waiting for who is silent; and goes on until there are
 * enough, and nobody who could still be better is being waited for.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { GivenUpError, within } from "./deadline.ts";

/** What is tried. */
interface Entrant {
  /** The lower, the better. */
  readonly priority: number;
}

/** What came of one. */
export type Attempt =
  | { readonly outcome: "reached"; readonly rttMs: number; readonly said: string }
  | { readonly outcome: "failed"; readonly why: string }
  /** Others were enough, or the time was over, before it had answered. */
  | { readonly outcome: "given up"; readonly why: string }
  | { readonly outcome: "not tried"; readonly why: string };

/** How a race is run. */
export interface RaceOptions<E extends Entrant> {
  /** How many are wanted. */
  readonly count: number;
  /** So long after one that is silent the next is tried. */
  readonly attemptDelayMs: number;
  readonly attemptTimeoutMs: number;
  /** After so long it ends with those there are. */
  readonly timeoutMs: number;
  /** Reaches one, and says how. @throws When it cannot be reached; the message says why. */
  readonly probe: (entrant: E, signal: AbortSignal) => Promise<string>;
  readonly clock: Clock;
  elapsedMs(): number;
  readonly signal: AbortSignal;
}

/**
 * Runs it: an attempt for each entrant, in the same order. Entrants must be ascending by priority.
 *
 * It is over when everyone was tried, when the time is, or when `count` were reached and none is under way that has a better
 * priority than the worst of them, or the same and might still be faster.
 */
export function race<E extends Entrant>(entrants: readonly E[], options: RaceOptions<E>): Promise<Attempt[]> {
  return new Race(entrants, options).run();
}

/** The best of those that were reached, by priority, then round trip: indexes, best first. */
export function bestOf(
  entrants: readonly Entrant[],
  attempts: readonly Attempt[],
  count: number,
): number[] {
  return attempts.flatMap((attempt, index) =>
    attempt.outcome === "reached" ? [{ index, rttMs: attempt.rttMs }] : []
  ).sort((a, b) =>
    entrants[a.index]!.priority - entrants[b.index]!.priority || a.rttMs - b.rttMs || a.index - b.index
  ).slice(0, count).map(({ index }) => index);
}

class Race<E extends Entrant> {
  readonly #entrants: readonly E[];
  readonly #options: RaceOptions<E>;
  readonly #attempts: (Attempt | undefined)[];
  /** When each that is under way was started. */
  readonly #running = new Map<number, number>();
  readonly #ending = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  #next = 0;
  #cancelStart = () => {};
  #cancelLook = () => {};
  #why = "";

  constructor(entrants: readonly E[], options: RaceOptions<E>) {
    this.#entrants = entrants;
    this.#options = options;
    this.#attempts = entrants.map(() => undefined);
  }

  async run(): Promise<Attempt[]> {
    const { clock, timeoutMs, signal } = this.#options;
    const cancel = clock.after(timeoutMs, () => this.#end("the time was over"));
    const giveUp = () => this.#end("it was given up");
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    else this.#startNext();
    await this.#over.promise;
    cancel();
    signal.removeEventListener("abort", giveUp);
    return this.#attempts.map((attempt, i): Attempt =>
      attempt ??
        (i < this.#next
          ? { outcome: "given up", why: `silent so far, and ${this.#why}` }
          : { outcome: "not tried", why: this.#why })
    );
  }

  /** Also the one after it, in a while. */
  #startNext(): void {
    this.#cancelStart();
    if (this.#next < this.#entrants.length && this.#reached < this.#options.count) {
      this.#start(this.#next++);
      const { clock, attemptDelayMs } = this.#options;
      this.#cancelStart = clock.after(attemptDelayMs, () => this.#startNext());
    }
    this.#endIfDone();
  }

  #start(index: number): void {
    const { clock, elapsedMs, attemptTimeoutMs, probe } = this.#options;
    const startedMs = elapsedMs();
    this.#running.set(index, startedMs);
    within(clock, attemptTimeoutMs, this.#ending.signal, (signal) => probe(this.#entrants[index]!, signal))
      .then((said): Attempt => ({ outcome: "reached", rttMs: elapsedMs() - startedMs, said }))
      .catch((error): Attempt | undefined =>
        error instanceof GivenUpError ? undefined : { outcome: "failed", why: reasonOf(error) }
      )
      .then((attempt) => this.#settle(index, attempt));
  }

  #settle(index: number, attempt: Attempt | undefined): void {
    if (!attempt || this.#why !== "") return;
    this.#attempts[index] = attempt;
    this.#running.delete(index);
    // Who has answered, with yes or no, is not waited for: the next one's turn comes at once.
    this.#startNext();
  }

  #endIfDone(): void {
    const { length } = this.#entrants;
    if (this.#next === length && this.#running.size === 0) return this.#end("there is nobody else");
    if (this.#reached < this.#options.count) return;
    const waitMs = this.#worthWaitingMs();
    this.#cancelLook();
    if (waitMs <= 0) this.#end("enough others were reached");
    else if (waitMs < Infinity) {
      this.#cancelLook = this.#options.clock.after(waitMs, () => this.#endIfDone());
    }
  }

  /** For how long somebody under way could still come to be among the best. */
  #worthWaitingMs(): number {
    const worst = bestOf(this.#entrants, this.#attempts.map(orNotTried), this.#options.count).at(-1)!;
    const { priority } = this.#entrants[worst]!, attempt = this.#attempts[worst]!;
    const rttMs = attempt.outcome === "reached" ? attempt.rttMs : 0, nowMs = this.#options.elapsedMs();
    const waits = [...this.#running].map(([index, startedMs]) => {
      const other = this.#entrants[index]!.priority;
      if (other !== priority) return other < priority ? Infinity : 0;
      // A timer counts whole milliseconds.
      return Math.ceil(startedMs + rttMs - nowMs);
    });
    return Math.max(0, ...waits);
  }

  get #reached(): number {
    return this.#attempts.filter((attempt) => attempt?.outcome === "reached").length;
  }

  #end(why: string): void {
    if (this.#why !== "") return;
    this.#why = why;
    this.#cancelStart();
    this.#cancelLook();
    this.#ending.abort();
    this.#over.resolve();
  }
}

function orNotTried(attempt: Attempt | undefined): Attempt {
  return attempt ?? { outcome: "not tried", why: "" };
}

/** In few words: what the system says has the number of the error behind it, and the library's own words before. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ \(os error \d+\)$/, "").replace(/^tcp connect error: /i, "") || "no reason given";
}
