/**
 * Loads zone files, publishes them, and loads them again when they change. What is published stands until
 * something better does.
 *
 * @module
 */

import type { ControlScope, Name } from "../../core/plugin.ts";
import { finish, type Steps } from "../../core/zone/steps.ts";
import { withOwnedNames, type Zone } from "../../core/zone/zone.ts";
import { type Loaded, loadZoneInSteps, stampOf, summarize } from "./load.ts";
import type { FileSource } from "./mod.ts";

/** A zone as queries find it. */
export interface LoadedZone {
  readonly zone: Zone;
  readonly serial: number;
  /** As in {@linkcode FileSource}. */
  readonly fallthrough: readonly Name[];
  readonly path: string;
  /** When it was taken, milliseconds since 1970. */
  readonly loadedMs: number;
  /** What is wrong with a newer file, which was not taken. */
  readonly refused?: string;
}

/** What this plugin publishes: plain data. */
export interface FileData {
  /** By apex, folded. */
  readonly zones: ReadonlyMap<Name, LoadedZone>;
}

/**
 * Loads every zone and publishes them together, then watches each file at its own pace.
 *
 * @throws {Error} When a zone cannot be loaded now: the server does not start with half its zones.
 */
export function watchFiles(sources: readonly FileSource[], scope: ControlScope): void {
  const zones = new Map<Name, LoadedZone>();
  const publish = () => scope.publish({ zones: new Map(zones) } satisfies FileData);
  for (const source of sources) {
    const watches = source.zones.map((origin) => new ZoneWatch(source, origin, zones, scope));
    for (const watch of watches) watch.loadFirst();
    if (source.reloadMs > 0) scope.own(repeat(scope, source.reloadMs, watches, publish));
  }
  publish();
}

/**
 * Looks at some zones' files again and again, and publishes when any of them came to something. A large zone is read
 * in turns with whatever else the isolate does, such as answering.
 */
function repeat(scope: ControlScope, everyMs: number, watches: readonly ZoneWatch[], publish: () => void) {
  let cancel = scope.clock.after(everyMs, () => takeTurn(look()));
  function* look(): Steps<void> {
    let changed = false;
    for (const watch of watches) changed = (yield* watch.lookAgain()) || changed;
    if (changed) publish();
  }
  function takeTurn(steps: Steps<void>): void {
    const { done } = steps.next();
    cancel = done
      ? scope.clock.after(everyMs, () => takeTurn(look()))
      : scope.clock.after(0, () => takeTurn(steps));
  }
  return { close: () => cancel() };
}

/** One zone of one file. The only writer of its entry in `zones`. */
class ZoneWatch {
  readonly #source: FileSource;
  readonly #origin: Name;
  readonly #zones: Map<Name, LoadedZone>;
  readonly #scope: ControlScope;
  /** The files as they were when last read. */
  #files: readonly string[];
  #stamp = "";

  constructor(source: FileSource, origin: Name, zones: Map<Name, LoadedZone>, scope: ControlScope) {
    this.#source = source;
    this.#origin = origin;
    this.#zones = zones;
    this.#scope = scope;
    this.#files = [source.path];
  }

  loadFirst(): void {
    const loaded = finish(this.#load());
    if (!loaded.zone) throw new Error(`file: ${summarize(loaded.errors)}`);
    this.#take(loaded.zone, loaded.serial);
  }

  /** Reads the file if it has changed. @returns Whether there is something to publish. */
  *lookAgain(): Steps<boolean> {
    if (stampOf(this.#files) === this.#stamp) return false;
    const { log, count } = this.#scope;
    const current = this.#zones.get(this.#origin)!;
    const loaded = yield* this.#load();
    if (!loaded.zone) {
      count("meridian_file_reloads_total", { outcome: "refused" });
      log.error(
        `file: ${this.#source.path} has changed and cannot be taken, serving ${age(current)}: ${
          summarize(loaded.errors)
        }`,
      );
      this.#zones.set(this.#origin, { ...current, refused: summarize(loaded.errors) });
      return true;
    }
    if (loaded.serial === current.serial && !this.#source.reloadByMtime) {
      log.warn(
        `file: ${this.#source.path} has changed but its serial has not, serving ${age(current)}: ` +
          "raise the serial, or set reload_by_mtime",
      );
      return this.#forgive(current);
    }
    count("meridian_file_reloads_total", { outcome: "taken" });
    log.info(`file: took ${this.#source.path}, serial ${loaded.serial}, after ${age(current)}`);
    this.#take(loaded.zone, loaded.serial);
    return true;
  }

  /** Reads the file, and lays the names that pools answer over it. */
  *#load(): Steps<Loaded> {
    // The stamp is taken first: a file that changes while it is read is read again.
    const before = stampOf(this.#files);
    const loaded = yield* loadZoneInSteps(this.#source.path, this.#origin);
    const sameFiles = loaded.files.join("\n") === this.#files.join("\n");
    this.#files = loaded.files;
    this.#stamp = sameFiles ? before : stampOf(this.#files);
    if (!loaded.zone) return loaded;
    const { zone, errors } = withOwnedNames(loaded.zone, this.#scope.facts.owned);
    if (errors.length === 0) return { ...loaded, zone };
    const { zone: _, ...rest } = loaded;
    return { ...rest, errors: errors.map((message) => ({ at: this.#source.at, message })) };
  }

  #take(zone: Zone, serial: number): void {
    const { path, fallthrough } = this.#source;
    const loadedMs = this.#scope.clock.nowMs();
    this.#zones.set(this.#origin, { zone, serial, fallthrough, path, loadedMs });
  }

  /** A file that is sound again, if no newer, has nothing to be reproached with. */
  #forgive(current: LoadedZone): boolean {
    if (current.refused === undefined) return false;
    const { refused: _, ...sound } = current;
    this.#zones.set(this.#origin, sound);
    return true;
  }
}

function age({ serial, loadedMs }: LoadedZone): string {
  return `serial ${serial} of ${new Date(loadedMs).toISOString()}`;
}
