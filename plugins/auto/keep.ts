/**
 * Serves the zones of a folder: those whose files come and go while the server runs.
 *
 * @module
 */

import { lookAgain, reasonOf } from "../../core/files.ts";
import { type ControlScope, formatName, type Name } from "../../core/plugin.ts";
import { finish, type Steps } from "../../core/zone/steps.ts";
import { ZoneWatch } from "../../core/zone/watch.ts";
import type { LoadedZone, ZoneData } from "../../core/zone/zones.ts";
import { findZoneFiles, type Found } from "./folder.ts";
import { type AutoSource, isReachable, readAtParse } from "./mod.ts";

/** A file that is written anew may be gone for a moment: it is missed twice before its zone goes. */
const MISSED_AGAIN_MS = 1000;

/** How many files are looked at between two rests: about a millisecond, where none has changed. */
const FILES_A_STEP = 64;

/** Loads what is there, publishes it, and looks again at each folder's own pace. */
export function start(sources: readonly AutoSource[], scope: ControlScope): void {
  const zones = new Map<Name, LoadedZone>();
  const publish = () => {
    scope.publish({ zones: new Map(zones) } satisfies ZoneData);
    scope.gauge("meridian_auto_zones", zones.size);
  };
  for (const source of sources) {
    const folder = new Folder(source, zones, scope);
    finish(folder.look());
    readAtParse.delete(source);
    if (source.reloadMs === 0) continue;
    scope.own(lookAgain(scope.clock, source.reloadMs, function* () {
      const changed = yield* folder.look();
      if (changed) publish();
      return folder.isMissing ? Math.min(MISSED_AGAIN_MS, source.reloadMs) : undefined;
    }));
  }
  publish();
}

/** The zones of one folder. */
class Folder {
  readonly #source: AutoSource;
  readonly #zones: Map<Name, LoadedZone>;
  readonly #scope: ControlScope;
  readonly #watches = new Map<Name, ZoneWatch>();
  readonly #missing = new Set<Name>();
  /** Complaints made, so that none is made twice while it stands. */
  #said = new Set<string>();

  constructor(source: AutoSource, zones: Map<Name, LoadedZone>, scope: ControlScope) {
    [this.#source, this.#zones, this.#scope] = [source, zones, scope];
  }

  /** Whether a zone's file was not there at the last look, for the first time. */
  get isMissing(): boolean {
    return this.#missing.size > 0;
  }

  /** Takes what is new or changed, lets go of what is gone. @returns Whether there is something to publish. */
  *look(): Steps<boolean> {
    const listed = this.#list();
    if (!listed) return false;
    let changed = false;
    for (const [i, found] of listed.entries()) {
      changed = (yield* this.#lookAt(found)) || changed;
      // A folder of a thousand files takes some time even when nothing has changed, and a rest takes a millisecond.
      if (i % FILES_A_STEP === 0) yield;
    }
    return this.#letGo(listed) || changed;
  }

  /** What the folder has; nothing when it cannot be read: then everything stays as it is. */
  #list(): Found[] | undefined {
    const { directory, pattern, template } = this.#source;
    const complaints = new Set<string>();
    try {
      const { found, passed } = findZoneFiles(directory, pattern, template);
      for (const { path, why } of passed) complaints.add(`passing over ${path}: ${why}`);
      return found.filter(({ origin }) => isReachable(origin, this.#source));
    } catch (error) {
      const gone = error instanceof Deno.errors.NotFound ? "there is no such folder" : reasonOf(error);
      complaints.add(`cannot read the folder ${directory}, keeping what is served: ${gone}`);
      return undefined;
    } finally {
      this.#complain(complaints);
    }
  }

  *#lookAt({ origin, path }: Found): Steps<boolean> {
    const known = this.#watches.get(origin);
    if (known?.watched.path === path) return yield* known.lookAgain();
    const watch = new ZoneWatch({ ...this.#source, plugin: "auto", origin, path }, this.#zones, this.#scope);
    this.#watches.set(origin, watch);
    const wrong = yield* watch.load();
    const { log, count } = this.#scope;
    count("meridian_auto_reloads_total", { outcome: wrong === undefined ? "taken" : "refused" });
    if (wrong !== undefined) {
      log.error(`auto: ${path} cannot be taken, zone ${formatName(origin)} is not served from it: ${wrong}`);
      return false;
    }
    log.info(`auto: serving ${formatName(origin)} from ${path}, serial ${this.#zones.get(origin)!.serial}`);
    return true;
  }

  /** Lets go of the zones whose files are gone for the second time. */
  #letGo(listed: readonly Found[]): boolean {
    const there = new Set(listed.map(({ origin }) => origin));
    let changed = false;
    for (const [origin, { watched }] of this.#watches) {
      if (there.has(origin)) this.#missing.delete(origin);
      else if (!this.#missing.delete(origin)) this.#missing.add(origin);
      else {
        this.#watches.delete(origin);
        changed = this.#zones.delete(origin) || changed;
        this.#scope.log.info(`auto: ${watched.path} is gone, zone ${formatName(origin)} is no longer served`);
      }
    }
    return changed;
  }

  #complain(complaints: Set<string>): void {
    for (const complaint of complaints) {
      if (!this.#said.has(complaint)) this.#scope.log.warn(`auto: ${complaint}`);
    }
    this.#said = complaints;
  }
}
