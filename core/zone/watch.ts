/**
 * One zone and its file: loads it, and loads it again when the file changes. What is being served stands until
 * something better does.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import type { Name } from "../dns/name.ts";
import { stampOf } from "../files.ts";
import type { ControlScope } from "../plugin.ts";
import { summarize } from "./load.ts";
import { openZone, type PackedZone } from "./packed_zone.ts";
import { type ReadZone, readZoneInSteps } from "./read_zone.ts";
import type { Steps } from "./steps.ts";
import { layOwnedNames } from "./zone.ts";
import type { LoadedZone } from "./zones.ts";

/** Where a zone comes from, and how it is served. */
export interface WatchedZone {
  /** The plugin that speaks in the log. */
  readonly plugin: string;
  /** Where the Corefile has it: takes the blame for names of pools that have no room in the zone. */
  readonly at: Position;
  /** Folded. */
  readonly origin: Name;
  readonly path: string;
  /** Take a changed file even when its serial is the same. */
  readonly reloadByMtime: boolean;
  /** As in {@linkcode LoadedZone}. */
  readonly fallthrough: readonly Name[];
}

/** Keeps the entry of one zone in a table of zones; its only writer. */
export class ZoneWatch {
  readonly watched: WatchedZone;
  readonly #zones: Map<Name, LoadedZone>;
  readonly #scope: ControlScope;
  /** What was read last; whoever reads the same file meanwhile finds it there. */
  #read: ReadZone | undefined;

  constructor(watched: WatchedZone, zones: Map<Name, LoadedZone>, scope: ControlScope) {
    this.watched = watched;
    this.#zones = zones;
    this.#scope = scope;
  }

  /** Reads the file for the first time. @returns What is wrong with it; nothing when the zone is there. */
  *load(): Steps<string | undefined> {
    const loaded = yield* this.#load();
    if (!loaded.zone) return summarize(loaded.errors);
    this.#take(loaded.zone, loaded.serial);
    return undefined;
  }

  /** Reads the file if it has changed. @returns Whether there is something to publish. */
  *lookAgain(): Steps<boolean> {
    if (this.#read && stampOf(...this.#read.files) === this.#read.stamp) return false;
    const loaded = yield* this.#load();
    const current = this.#zones.get(this.watched.origin);
    if (!loaded.zone) return this.#refuse(summarize(loaded.errors), current);
    const { log } = this.#scope;
    const { plugin, path, reloadByMtime } = this.watched;
    if (loaded.serial === current?.serial && !reloadByMtime) {
      log.warn(
        `${plugin}: ${path} has changed but its serial has not, serving ${age(current)}: ` +
          "raise the serial, or set reload_by_mtime",
      );
      return this.#forgive(current);
    }
    this.#count("taken");
    log.info(`${plugin}: took ${path}, serial ${loaded.serial}${current ? `, after ${age(current)}` : ""}`);
    this.#take(loaded.zone, loaded.serial);
    return true;
  }

  /** Reads the file, and lays the names that pools answer over it. */
  *#load(): Steps<ReadZone> {
    const read = this.#read = yield* readZoneInSteps(this.watched.path, this.watched.origin);
    if (!read.zone) return read;
    const { laid, conflicts } = layOwnedNames(openZone(read.zone), this.#scope.facts.owned);
    if (conflicts.length === 0) return laid.size > 0 ? { ...read, zone: { ...read.zone, laid } } : read;
    const { zone: _, ...rest } = read;
    return { ...rest, errors: conflicts.map(({ message }) => ({ at: this.watched.at, message })) };
  }

  #take(zone: PackedZone, serial: number): void {
    const { path, fallthrough, origin } = this.watched;
    const loadedMs = this.#scope.clock.nowMs();
    this.#zones.set(origin, { zone, serial, fallthrough, path, loadedMs });
  }

  #refuse(why: string, current: LoadedZone | undefined): boolean {
    const { plugin, path, origin } = this.watched;
    this.#count("refused");
    const serving = current ? `serving ${age(current)}` : "the zone is not served";
    this.#scope.log.error(`${plugin}: ${path} has changed and cannot be taken, ${serving}: ${why}`);
    if (!current) return false;
    this.#zones.set(origin, { ...current, refused: why });
    return true;
  }

  /** A file that is sound again, if no newer, has nothing to be reproached with. */
  #forgive(current: LoadedZone): boolean {
    if (current.refused === undefined) return false;
    const { refused: _, ...sound } = current;
    this.#zones.set(this.watched.origin, sound);
    return true;
  }

  #count(outcome: string): void {
    this.#scope.count(`meridian_${this.watched.plugin}_reloads_total`, { outcome });
  }
}

function age({ serial, loadedMs }: LoadedZone): string {
  return `serial ${serial} of ${new Date(loadedMs).toISOString()}`;
}
