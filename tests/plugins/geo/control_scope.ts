/**
 * The control half's surroundings, as far as geo uses them.
 *
 * @module
 */

import type { Clock } from "../../../core/clock.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import type { ControlScope } from "../../../core/plugin.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { controlScopeOf, factsOf } from "../../support/scopes.ts";

/** A scope that keeps what it is given. */
export class TestScope {
  readonly published: Geography[] = [];
  readonly logged: string[] = [];
  readonly counted: string[] = [];
  readonly #owned: { close(): void | Promise<void> }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get geography(): Geography {
    return this.published.at(-1)!;
  }

  get scope(): ControlScope {
    const note = (level: string) => (message: string) => void this.logged.push(`${level}: ${message}`);
    return controlScopeOf({
      clock: this.#clock,
      facts: factsOf({ plugins: ["geo"] }),
      log: { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") },
      snapshot: () => ({
        ...EMPTY_SNAPSHOT,
        geographies: this.published.length ? { 1: this.geography } : {},
      }),
      publishGeography: (geography) => void this.published.push(geography),
      count: (name, labels) => void this.counted.push(`${name} ${JSON.stringify(labels)}`),
      own: (resource) => {
        this.#owned.push(resource);
        return resource;
      },
    });
  }

  async close(): Promise<void> {
    for (const resource of this.#owned) await resource.close();
  }
}
