/** Counts the answers that an exchange has yet to give. @module */

import type { Clock } from "../clock.ts";
import type { Exchange } from "./arrival.ts";
import { pause } from "./pause.ts";

/** Watches an exchange, so that what is behind it is not stopped while somebody waits for it. */
export class UnderWay {
  #count = 0;
  #settled = Promise.withResolvers<void>();

  /** The same exchange, watched. */
  watch(exchange: Exchange): Exchange {
    return (octets, arrival) => {
      const answer = exchange(octets, arrival);
      if (answer instanceof Promise) {
        this.#count++;
        answer.then(this.#done, this.#done);
      }
      return answer;
    };
  }

  /** Resolves when every answer has been given, or after so long. */
  async settled(clock: Clock, withinMs: number): Promise<void> {
    if (this.#count === 0) return;
    this.#settled = Promise.withResolvers();
    await pause(clock, withinMs, this.#settled.promise);
  }

  readonly #done = (): void => {
    if (--this.#count === 0) this.#settled.resolve();
  };
}
