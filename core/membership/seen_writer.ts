/**
 * Tells the fleet what this server made of a version of the configuration, as soon as the store can be had.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { reportSeen } from "../management/rollout.ts";
import type { Log } from "../plugin.ts";
import type { Ledger } from "../state/ledger.ts";
import { type Store, StoreUnavailableError } from "../state/store.ts";
import type { SeenConfiguration } from "./protocol.ts";

/** What a writer works with. */
export interface SeenWriterOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly server: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
}

/** How long until it is tried again. */
const RETRY_MS = 1000;

/** See the module. */
export class SeenWriter {
  readonly #options: SeenWriterOptions;
  #due: SeenConfiguration | undefined;
  #writing: Promise<void> | undefined;
  #cancelRetry: () => void = () => {};
  #isClosed = false;

  constructor(options: SeenWriterOptions) {
    this.#options = options;
  }

  /** Only the last one counts. */
  take(seen: SeenConfiguration): void {
    this.#due = seen;
    this.#write();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    await this.#writing;
  }

  #write(): void {
    this.#cancelRetry();
    this.#writing ??= this.#writeAll().finally(() => this.#writing = undefined);
  }

  async #writeAll(): Promise<void> {
    const { server, clock, log } = this.#options;
    while (this.#due && !this.#isClosed) {
      const seen = this.#due;
      try {
        await reportSeen(this.#options, server, seen);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) {
          log.error(`What became of version ${seen.number} of the configuration could not be told: ${error}`);
        }
        this.#cancelRetry = clock.after(RETRY_MS, () => this.#write());
        return;
      }
      if (this.#due === seen) this.#due = undefined;
    }
  }
}
