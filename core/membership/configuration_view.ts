/**
 * Which version of the configuration a server is to run, out of the store, followed change by change.
 *
 * @module
 */

import type { Version } from "../management/configuration.ts";
import { type Current, type Stage, wantedVersion } from "../management/rollout.ts";
import { digestOf } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { Difference, Replica } from "../state/replica.ts";
import type { WantedConfiguration } from "./protocol.ts";

/** See the module. */
export class ConfigurationView {
  readonly #server: string;
  readonly #replica: Pick<Replica, "get">;
  #isDue = true;
  #told: string | undefined;

  constructor(server: string, replica: Pick<Replica, "get">) {
    [this.#server, this.#replica] = [server, replica];
  }

  /** Takes what concerns it. */
  take({ key }: Difference): void {
    const concerns = key === KEYS.configurationCurrent || key === KEYS.configurationStage ||
      key.startsWith(PREFIXES.configurationVersions);
    this.#isDue ||= concerns;
  }

  /** What is wanted, where that is something else than when this was asked last; null = what is on the disk. */
  change(): WantedConfiguration | null | undefined {
    if (!this.#isDue) return undefined;
    this.#isDue = false;
    const wanted = this.#wanted(), told = wanted === null ? "" : JSON.stringify([wanted.at, nameOf(wanted)]);
    if (told === this.#told) return undefined;
    this.#told = told;
    return wanted;
  }

  #wanted(): WantedConfiguration | null {
    const current = this.#read<Current>(KEYS.configurationCurrent);
    const stage = this.#read<Stage>(KEYS.configurationStage);
    const number = wantedVersion(this.#server, current, stage);
    if (number === undefined) return null;
    const { digest, at } = stage?.number === number && stage.servers.includes(this.#server)
      ? stage
      : current!;
    const version = this.#read<Version>(KEYS.configurationVersion(number));
    const { corefile = "", files = {} } = version ?? {};
    const fault = !version
      ? `version ${number} is not in the store`
      : digestOf({ corefile, files }) === digest
      ? undefined
      : `version ${number} is not what was applied: its digest is another`;
    return { number, digest, at, corefile, files, ...fault !== undefined && { fault } };
  }

  #read<T>(key: string): T | undefined {
    const entry = this.#replica.get(key);
    return entry && JSON.parse(entry.value);
  }
}

function nameOf({ number, digest, fault }: WantedConfiguration) {
  return [number, digest, fault];
}
