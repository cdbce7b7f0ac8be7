/**
 * How far threads that can wait go behind those that answer queries.
 *
 * A worker that has just answered, and is asked again within microseconds, may not take its processor back until the kernel's next
 * tick, up to four milliseconds later: it has had more than its share, by as much as others weigh. So they weigh little, and that
 * moment is half a microsecond instead of ten. Where queries flood the processors, so little weight would leave nothing for nodes
 * that say that they live, and nothing would be compiled in time: then they weigh more, until they do not wait any more.
 *
 * Who waits for a processor cannot look whether it waits, so the control isolate does.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { type Behind, moveBehind, threadsBehind, waitedNs } from "./time_slice.ts";

/** How often it looks. */
export const LOOK_MS = 250;

/**
 * A thread misses something that was ready to run and did not for more than this share of the time since the last look. Far behind
 * it gets hardly more of a processor then than it would have further ahead in a flood, which is a quarter, and a worker that is busy
 * for half of the time leaves it more; further ahead, what has piled up waits for three quarters of the time until it is done.
 */
export const MOST_WAITED: Readonly<Record<Behind, number>> = { far: 0.7, some: 0.5 };

/** After so many looks at which none did, they go far behind again. */
export const CALM_LOOKS = 2;

/** After so many looks the threads are listed anew: some are started by others, and have their places from those. */
export const LIST_LOOKS = 40;

/** What is known of threads, and done to them; tests have another. */
export interface Threads {
  threadsBehind(): readonly number[];
  waitedNs(thread: number): number | undefined;
  moveBehind(threads: readonly number[], behind: Behind): void;
}

/** See the module. */
export class GivingWay {
  readonly #clock: Clock;
  readonly #system: Threads;
  /** Of the isolates for whose sake it looks. */
  readonly #own = new Set<number>();
  #behind: Behind = "some";
  #calmLooks = 0;
  #looks = 0;
  #lookedMs = 0;
  /** Of all threads that go behind, how long they had waited at the last look. */
  #waitedNs = new Map<number, number>();
  #cancel = () => {};

  constructor(clock: Clock, system: Threads = { threadsBehind, waitedNs, moveBehind }) {
    [this.#clock, this.#system] = [clock, system];
  }

  /** Looks after a thread that has gone behind and may come back, and the runtime's helpers; the function that comes back ends it. */
  watch(thread: number): () => void {
    this.#own.add(thread);
    if (this.#own.size === 1) this.#begin();
    return () => {
      if (this.#own.delete(thread) && this.#own.size === 0) this.#end();
    };
  }

  #begin(): void {
    [this.#calmLooks, this.#looks, this.#lookedMs] = [0, 0, this.#clock.nowMs()];
    this.#list();
    this.#wait();
  }

  #end(): void {
    this.#cancel();
    this.#move("some");
  }

  #wait(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const isMissed = this.#mostWaited() > MOST_WAITED[this.#behind];
    this.#calmLooks = isMissed ? 0 : this.#calmLooks + 1;
    const wanted = isMissed ? "some" : this.#calmLooks >= CALM_LOOKS ? "far" : this.#behind;
    if (wanted !== this.#behind || ++this.#looks % LIST_LOOKS === 0) this.#move(wanted);
  }

  /** Of the thread that waited longest since the last look, the share of that time. */
  #mostWaited(): number {
    const nowMs = this.#clock.nowMs(), tookNs = 1e6 * Math.max(1, nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    let most = 0;
    for (const [thread, beforeNs] of this.#waitedNs) {
      const ns = this.#system.waitedNs(thread);
      if (ns === undefined) continue;
      this.#waitedNs.set(thread, ns);
      most = Math.max(most, (ns - beforeNs) / tookNs);
    }
    return most;
  }

  #move(behind: Behind): void {
    this.#list();
    this.#system.moveBehind([...this.#waitedNs.keys()], behind);
    this.#behind = behind;
  }

  /** Nobody where the system shows no threads: then all stay where they are. */
  #list(): void {
    const before = this.#waitedNs;
    this.#waitedNs = new Map();
    for (const thread of new Set([...this.#own, ...this.#system.threadsBehind()])) {
      const ns = before.get(thread) ?? this.#system.waitedNs(thread);
      if (ns !== undefined) this.#waitedNs.set(thread, ns);
    }
  }
}
