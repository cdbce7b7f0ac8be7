/** Faults of a socket's surroundings: each is counted, the first of a kind is told. @module */

import type { Log } from "../plugin.ts";
import type { Count } from "./arrival.ts";

/** Counts faults by kind, and logs the first of each. */
export class FaultReporter {
  readonly #transport: string;
  readonly #log: Log;
  readonly #count: Count;
  readonly #told = new Set<string>();

  constructor(transport: string, log: Log, count: Count) {
    this.#transport = transport;
    this.#log = log;
    this.#count = count;
  }

  /** `kind` is what failed: `exchange`, `receive`, `accept`. */
  report(kind: string, error: unknown): void {
    this.#count("meridian_socket_faults_total", { transport: this.#transport, kind });
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#log.error(`${this.#transport}: ${kind} failed (told once, counted always): ${message}`);
  }
}
