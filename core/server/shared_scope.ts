/**
 * What the plugins of one server share with the process, and take leave of when the server ends: metrics, helper
 * listeners, readiness.
 *
 * @module
 */

import type { ControlScope, HttpMount, Log, ProcessScope } from "../plugin.ts";
import type { Count } from "./arrival.ts";
import { formatMetrics } from "./exposition.ts";
import { HelperListeners, Mounts } from "./helper_listeners.ts";
import type { Metrics } from "./metrics.ts";

/** The part of a plugin's control scope that is made here. */
export type SharedPart = Pick<
  ControlScope,
  "count" | "observe" | "gauge" | "onScrape" | "onReady" | "serveHttp"
>;

/** The process's own. */
export interface SharedOptions {
  readonly metrics: Metrics;
  /** Absent = the server has listeners of its own. */
  readonly helperListeners?: HelperListeners | undefined;
  readonly log: Log;
  /** Has the log show debug lines until the function that comes back is called. */
  readonly showDebug?: (() => () => void) | undefined;
}

/** One server's share. */
export class SharedScope {
  readonly #metrics: Metrics;
  readonly #mounts: Mounts;
  readonly #ready: { readonly name: string; readonly isReady: () => boolean }[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #showDebug: () => () => void;
  #opening: Promise<void>[] = [];

  constructor({ metrics, helperListeners, log, showDebug = () => () => {} }: SharedOptions) {
    this.#metrics = metrics;
    const count: Count = (name, labels) => metrics.count(name, labels);
    this.#mounts = new Mounts(helperListeners ?? new HelperListeners(log, { count }));
    this.#showDebug = showDebug;
  }

  /** What a plugin is handed. A server that only explains answers no HTTP. */
  partFor(plugin: string, answersHttp: boolean): SharedPart {
    const metrics = this.#metrics;
    return {
      count: (name, labels, by) => metrics.count(name, labels, by),
      observe: (name, value, labels) => metrics.observe(name, value, labels),
      gauge: (name, value, labels) => metrics.gauge(name, value, labels, this),
      onScrape: (callback) => void this.#ends.push(metrics.onScrape(callback)),
      onReady: (isReady) => void this.#ready.push({ name: plugin, isReady }),
      serveHttp: (mount) => answersHttp ? this.#mount(mount, plugin) : undefined,
    };
  }

  get process(): Pick<ProcessScope, "metricsText" | "readiness" | "showDebug"> {
    return {
      metricsText: () => formatMetrics(this.#metrics.read()),
      readiness: () => this.#ready,
      showDebug: () => void this.#ends.push(this.#showDebug()),
    };
  }

  /** Resolves when every listener asked for is open. @throws {Error} When one cannot be had. */
  async opened(): Promise<void> {
    await Promise.all(this.#opening.splice(0));
  }

  /** Clients know of the server from now on: its paths answer. */
  adopt(): void {
    this.#mounts.adopt();
  }

  /** Takes everything back. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    this.#metrics.removeGauges(this);
    // Whoever outlives the server may still count by what it was handed here, and is to keep nothing else of it.
    this.#ready.length = 0;
    await Promise.allSettled(this.#opening.splice(0));
    await this.#mounts.release();
  }

  #mount(mount: HttpMount, plugin: string): void {
    const opening = this.#mounts.add(mount, plugin);
    // A failure is thrown by opened(), and until then is nobody's unhandled rejection.
    opening.catch(() => {});
    this.#opening.push(opening);
  }
}
