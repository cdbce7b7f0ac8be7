/**
 * How long an exchange may take. An AbortSignal for each, with the listeners and the timers that belong to it, costs more
 * than all the rest of an exchange over UDP: so there is one only where it is asked for.
 *
 * @module
 */

import type { Clock } from "../../core/plugin.ts";

/** Waits for `delayMs` of the clock, or as long as `outer` does. Disposing of it stops the clock. */
export class Patience implements Disposable {
  readonly #outer: Patience | undefined;
  readonly #cancel: () => void;
  /** What is within this one, one after the other. */
  #inner: Patience | undefined;
  #tell: (() => void) | undefined;
  #controller: AbortController | undefined;
  #isOver = false;

  constructor(clock: Clock, delayMs: number, outer?: Patience) {
    this.#outer = outer;
    if (outer) outer.#inner = this;
    this.#isOver = outer?.isOver ?? false;
    this.#cancel = clock.after(delayMs, () => this.#end());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborts when it is over. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isOver) this.#controller.abort();
    return this.#controller.signal;
  }

  /** Calls `tell` when it is over, in place of what was to be told before; undefined = nobody. */
  set onOver(tell: (() => void) | undefined) {
    this.#tell = tell;
  }

  [Symbol.dispose](): void {
    this.#cancel();
    if (this.#outer && this.#outer.#inner === this) this.#outer.#inner = undefined;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tell?.();
    this.#controller?.abort();
    if (this.#inner) this.#inner.#end();
  }
}
