/**
 * Keeps running what plugins do in the fleet isolate, as configurations come and go.
 *
 * @module
 */

import type { FleetHalf, FleetHalves, FleetPlugin, FleetScope, FleetServing } from "./fleet_half.ts";

/** One that is wanted. */
interface Wanted {
  readonly plugin: FleetPlugin;
  serving: FleetServing | undefined;
  cancelRetry: () => void;
}

/** How long until what could not be had is tried again: an address that the process before still has, say. */
const RETRY_MS = 1000;

/** See the module. */
export class RunningHalves {
  readonly #halves: FleetHalves;
  readonly #scope: FleetScope;
  #wanted: Wanted[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(halves: FleetHalves, scope: FleetScope) {
    [this.#halves, this.#scope] = [halves, scope];
  }

  /** Runs these from now on, and no others; one that is configured as before goes on. */
  set(plugins: readonly FleetPlugin[]): Promise<void> {
    return this.#inTurn(async () => {
      const kept: Wanted[] = [], ended: Wanted[] = [];
      for (const wanted of this.#wanted) {
        const isKept = plugins.some((plugin) => isSame(plugin, wanted.plugin));
        (isKept ? kept : ended).push(wanted);
      }
      await Promise.all(ended.map(end));
      const added = plugins.filter((plugin) => !kept.some((wanted) => isSame(plugin, wanted.plugin)))
        .map((plugin): Wanted => ({ plugin, serving: undefined, cancelRetry() {} }));
      this.#wanted = [...kept, ...added];
      await Promise.all(added.map((wanted) => this.#begin(wanted, true)));
    });
  }

  async close(): Promise<void> {
    await this.set([]);
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    return this.#last = this.#last.then(run, run);
  }

  async #begin(wanted: Wanted, isFirst: boolean): Promise<void> {
    const { name, config } = wanted.plugin, { log, clock } = this.#scope;
    try {
      const half: FleetHalf = (await import(this.#halves[name]!.href)).default;
      wanted.serving = await half.serve(config, this.#scope);
      if (!isFirst) log.info(`${name}: serves now`);
    } catch (error) {
      if (isFirst) log.error(`${name}: ${error instanceof Error ? error.message : error}`);
      wanted.cancelRetry = clock.after(RETRY_MS, () => {
        void this.#inTurn(async () => {
          if (this.#wanted.includes(wanted)) await this.#begin(wanted, false);
        });
      });
    }
  }
}

async function end({ serving, cancelRetry }: Wanted): Promise<void> {
  cancelRetry();
  await serving?.close();
}

function isSame(a: FleetPlugin, b: FleetPlugin): boolean {
  return a.name === b.name && JSON.stringify(a.config) === JSON.stringify(b.config);
}
