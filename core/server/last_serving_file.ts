/** Writes down which nodes served last, so that a restart in the midst of an outage knows it. @module */

import type { PoolState } from "../fleet/pool.ts";
import type { Log } from "../plugin.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Publisher } from "./publisher.ts";
import { readState, StateFile } from "./state_file.ts";

const NAME = "last_serving.json";

type ByPool = Record<string, PoolState["lastServing"]>;

/** What an earlier process kept. */
export function readLastServing(directory: string, log: Log): Promise<ByPool | undefined> {
  return readState(directory, NAME, isLastServing, log);
}

/** The file of one server. */
export class LastServingFile {
  readonly #file: StateFile;
  #end = () => {};

  constructor(directory: string, log: Log) {
    this.#file = new StateFile(directory, NAME, log);
  }

  /** Writes what is published now and later, where it is news. */
  follow(publisher: Publisher): void {
    let kept: Snapshot["pools"] = {};
    const keep = ({ pools }: Snapshot) => {
      const names = Object.keys(pools);
      // Its parts are immutable: what is the same object says the same.
      const isKept = names.every((name) => pools[name]!.lastServing === kept[name]?.lastServing);
      kept = pools;
      if (isKept) return;
      this.#file.keep(Object.fromEntries(names.map((name) => [name, pools[name]!.lastServing])));
    };
    keep(publisher.snapshot);
    this.#end = publisher.onSnapshot(keep);
  }

  /** Resolves when the newest has been written, and nothing more will be. */
  async close(): Promise<void> {
    this.#end();
    await this.#file.close();
  }
}

/** Whether a value is what is kept in that file: by pool and family, ids of nodes. */
function isLastServing(value: unknown): value is ByPool {
  const isIds = (ids: unknown) => Array.isArray(ids) && ids.every((id) => typeof id === "string");
  return isObject(value) &&
    Object.values(value).every((pool) => isObject(pool) && isIds(pool[4]) && isIds(pool[6]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
