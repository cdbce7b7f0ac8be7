/**
 * When managed zones are made: gathered, in turns with whatever else the isolate does, and for no more than half of the time.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { Difference, Replica } from "../state/replica.ts";
import type { Steps } from "../zone/steps.ts";
import { makeAtOnce, type ZoneChanges, ZoneView } from "./zone_view.ts";

/** What a maker works with. */
export interface ZoneMakerOptions {
  readonly replica: Pick<Replica, "below">;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  tell(zones: ZoneChanges): void;
}

/** How long a change waits for more. */
const GATHER_MS = 5;

/** See the module. */
export class ZoneMaker {
  readonly #options: ZoneMakerOptions;
  readonly #view: ZoneView;
  #cancel: (() => void) | undefined;
  /** Until when it rests, milliseconds since 1970. */
  #restsUntilMs = 0;

  constructor(options: ZoneMakerOptions) {
    this.#options = options;
    this.#view = new ZoneView(options.replica);
  }

  /** As {@linkcode ZoneView.take}. */
  take(difference: Difference): void {
    this.#view.take(difference);
  }

  /** As {@linkcode ZoneView.names}. */
  get names(): readonly string[] {
    return this.#view.names;
  }

  /** Makes all that is known so far, before anybody serves by it. */
  start(): ZoneChanges {
    return makeAtOnce(this.#view) ?? {};
  }

  /** Makes what is due, and tells it. */
  makeSoon(): void {
    // Zones that are gone need no making.
    if (!this.#view.isDue) return this.#tell();
    const { clock } = this.#options, waitMs = Math.max(GATHER_MS, this.#restsUntilMs - clock.nowMs());
    this.#cancel ??= clock.after(waitMs, () => this.#make());
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = () => {};
  }

  #make(): void {
    const { clock, log } = this.#options, startedMs = clock.nowMs(), steps = this.#view.make();
    const end = () => {
      this.#cancel = undefined;
      const nowMs = clock.nowMs();
      this.#restsUntilMs = nowMs + (nowMs - startedMs);
      this.makeSoon();
    };
    this.#takeTurns(steps, () => {
      this.#tell();
      end();
    }, (error) => {
      log.error(`A bug, in making zones of the store: ${error instanceof Error ? error.stack : error}`);
      end();
    });
  }

  #takeTurns(steps: Steps<void>, done: () => void, failed: (error: unknown) => void): void {
    try {
      if (steps.next().done) return done();
    } catch (error) {
      return failed(error);
    }
    this.#cancel = this.#options.clock.after(0, () => this.#takeTurns(steps, done, failed));
  }

  #tell(): void {
    const changes = this.#view.changes();
    if (changes) this.#options.tell(changes);
  }
}
