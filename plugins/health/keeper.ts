/**
 * Writes the states of targets down now and then, for the next start.
 *
 * @module
 */

import type { TargetKey } from "../../core/fleet/verdict.ts";
import type { Clock, Log } from "../../core/plugin.ts";
import { writeKept } from "./kept.ts";
import type { TargetState } from "./state.ts";

/** The file of one monitor. */
export class Keeper {
  readonly #path: string;
  readonly #states: () => ReadonlyMap<TargetKey, TargetState>;
  readonly #scope: { readonly clock: Clock; readonly log: Log };
  #waits: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** `states` gives them as they are when they are written. */
  constructor(
    path: string,
    states: () => ReadonlyMap<TargetKey, TargetState>,
    scope: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#path = path;
    this.#states = states;
    this.#scope = scope;
  }

  /** Writes so many milliseconds from now, or earlier where that was said before. */
  keepWithin(ms: number): void {
    const { clock } = this.#scope;
    const atMs = clock.nowMs() + ms;
    if (this.#waits && this.#waits.atMs <= atMs) return;
    this.#waits?.cancel();
    const cancel = clock.after(ms, () => {
      this.#waits = undefined;
      this.#write();
    });
    this.#waits = { atMs, cancel };
  }

  /** Writes for the last time. Never fails. */
  async close(): Promise<void> {
    this.#waits?.cancel();
    await this.#write();
  }

  /** One write after the other, each of the states as they are when its turn comes. */
  #write(): Promise<void> {
    return this.#writing = this.#writing.then(() => writeKept(this.#path, this.#states()))
      .catch((error) => this.#scope.log.error(`health: cannot keep states: ${error}`));
  }
}
