/**
 * What a server hands over to the one that replaces it, in the same process or in another: so that epochs go on growing and
 * nothing that took time to find out is forgotten.
 *
 * @module
 */

import { formatName } from "../dns/name.ts";
import type { BlockConfiguration } from "./configure.ts";
import type { PublisherLegacy } from "./publisher.ts";

/** What is handed over. To another process goes, of what plugins hand over, only what has a `toJSON()`, as that makes it. */
export interface Inheritance {
  readonly publisher: PublisherLegacy;
  /** By {@linkcode bequestKey}. */
  readonly bequests: Readonly<Record<string, unknown>>;
}

/** What stands for a plugin of a block in the next server: its zones, ports and view, wherever in the Corefile it is. */
export function bequestKey({ facts, endpoints }: BlockConfiguration, plugin: string): string {
  const keys = endpoints.map(({ zone, port }) => `${formatName(zone)}:${port}`).sort();
  return [plugin, facts.view ?? "", ...keys].join(" ");
}

/** What the plugins of one server would hand over. */
export class Bequests {
  readonly #makers = new Map<string, () => unknown>();

  add(key: string, make: () => unknown): void {
    this.#makers.set(key, make);
  }

  /** All of it, as it is now. */
  make(): Readonly<Record<string, unknown>> {
    return Object.fromEntries([...this.#makers].map(([key, make]) => [key, make()]));
  }
}
