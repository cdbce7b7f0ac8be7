/** file: answers from zone files. Syntax and examples: README.md. @module */

import type { Position } from "../../core/corefile/directive.ts";
import { readZones } from "../../core/dns/corefile_names.ts";
import { lookAgain } from "../../core/files.ts";
import {
  Arguments,
  type BlockFacts,
  type ControlScope,
  type Directive,
  fold,
  formatName,
  type Name,
  type Options,
  type ParseScope,
  type PluginModule,
  type Problems,
  readOptions,
  ROOT,
} from "../../core/plugin.ts";
import { loadZone } from "../../core/zone/load.ts";
import { openZone } from "../../core/zone/packed_zone.ts";
import { type ReadZone, readZone } from "../../core/zone/read_zone.ts";
import { finish, type Steps } from "../../core/zone/steps.ts";
import { ZoneWatch } from "../../core/zone/watch.ts";
import { layOwnedNames, type OwnedNameConflict } from "../../core/zone/zone.ts";
import type { LoadedZone, ZoneData } from "../../core/zone/zones.ts";
import answering from "./answering.ts";

/** One `file` directive. */
export interface FileSource {
  /** Where the file is named. */
  readonly at: Position;
  readonly path: string;
  /** Folded. */
  readonly zones: readonly Name[];
  /** How often the file is looked at; 0 = never again. */
  readonly reloadMs: number;
  /** Take a changed file even when its serial is the same. */
  readonly reloadByMtime: boolean;
  /** Below which names an NXDOMAIN is left to the plugins that follow, folded; none = not at all. */
  readonly fallthrough: readonly Name[];
}

const RELOAD_MS = 60_000;

const options = {
  reload: {
    usage: "reload DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 0 }),
  },
  reload_by_mtime: { usage: "reload_by_mtime", read: () => true },
  fallthrough: {
    usage: "fallthrough [ZONES...]",
    read: (args: Arguments) => args.more ? readZones(args) : [ROOT],
  },
  upstream: {
    usage: "upstream [ADDRESS...]",
    read: (args: Arguments) => (args.rest(), args.directive.name),
  },
} satisfies Options;

/** Reads `file DBFILE [ZONES...] { ... }`, and each zone file, so that `check` shows what is wrong in it. */
export function parse(directives: readonly Directive[], scope: ParseScope): readonly FileSource[] {
  const sources: FileSource[] = [];
  for (const directive of directives) {
    const source = scope.problems.attempt(() => parseOne(directive, scope));
    if (!source) continue;
    const earlier = sources.flatMap(({ zones }) => zones);
    for (const zone of source.zones) {
      if (earlier.includes(zone)) {
        scope.problems.error(directive.name, `file: zone ${formatName(zone)} stands twice in this block`);
      }
      scope.holdZone(zone);
    }
    readAtParse.set(source, source.zones.map((zone) => reportZone(source, zone, scope)));
    sources.push(source);
  }
  return sources;
}

function parseOne(directive: Directive, scope: ParseScope): FileSource {
  const args = new Arguments(directive);
  const file = args.token("DBFILE");
  const named = readZones(args);
  const read = readOptions(directive, options, scope.problems);
  if (read.upstream) {
    scope.problems.warn(
      read.upstream,
      "file: upstream does nothing, as in CoreDNS since 1.5: it can be left out",
    );
  }
  return {
    at: file.at,
    path: scope.dataPath(file),
    zones: named.length > 0 ? named : scope.zones,
    reloadMs: read.reload ?? RELOAD_MS,
    reloadByMtime: read.reload_by_mtime ?? false,
    fallthrough: read.fallthrough ?? [],
  };
}

function reportZone({ at, path }: FileSource, zone: Name, { problems }: ParseScope): ReadZone {
  const loaded = readZone(path, zone);
  if (loaded.unreadable !== undefined) {
    problems.error(at, `file: cannot read the zone file '${path}': ${loaded.unreadable}`);
    return loaded;
  }
  for (const { at, message } of loaded.errors) problems.error(at, message);
  for (const { at, message } of loaded.warnings) problems.warn(at, message);
  return loaded;
}

/** What `parse` read, kept for `verify` and until `start` has it: too large to read twice, and no part of the configuration. */
const readAtParse = new WeakMap<FileSource, readonly ReadZone[]>();

/** Reports the names of pools that cannot stand beside a zone's data, at the records in their way. */
export function verify(sources: readonly FileSource[], { owned }: BlockFacts, problems: Problems): void {
  for (const source of sources) {
    const read = readAtParse.get(source) ?? source.zones.map((zone) => readZone(source.path, zone));
    for (const { zone } of read) {
      // Pools that claim one name are reported where they claim it.
      const conflicts = zone ? layOwnedNames(openZone(zone), owned).conflicts.filter(isOfRecord) : [];
      // Where each record stood has not been kept.
      const records = conflicts.length > 0 ? loadZone(source.path, zone!.origin).records : [];
      for (const { message, record } of conflicts) {
        const inTheWay = records.find(({ name, type }) => type === record.type && fold(name) === record.name);
        problems.error(inTheWay?.at ?? source.at, message);
      }
    }
  }
}

function isOfRecord(
  conflict: OwnedNameConflict,
): conflict is OwnedNameConflict & Required<Pick<OwnedNameConflict, "record">> {
  return conflict.record !== undefined;
}

/**
 * Loads every zone and publishes them together, then watches each file at its own pace. A large zone is read in turns
 * with whatever else the isolate does, such as answering.
 *
 * @throws {Error} When a zone cannot be loaded now: the server does not start with half its zones.
 */
export function start(sources: readonly FileSource[], scope: ControlScope): void {
  const zones = new Map<Name, LoadedZone>();
  const publish = () => scope.publish({ zones: new Map(zones) } satisfies ZoneData);
  for (const source of sources) {
    const watches = source.zones.map((origin) =>
      new ZoneWatch({ ...source, plugin: "file", origin }, zones, scope)
    );
    for (const watch of watches) {
      const wrong = finish(watch.load());
      if (wrong !== undefined) throw new Error(`file: ${wrong}`);
    }
    readAtParse.delete(source);
    if (source.reloadMs > 0) scope.own(lookAgain(scope.clock, source.reloadMs, () => look(watches, publish)));
  }
  publish();
}

function* look(watches: readonly ZoneWatch[], publish: () => void): Steps<void> {
  let changed = false;
  for (const watch of watches) changed = (yield* watch.lookAgain()) || changed;
  if (changed) publish();
}

export default {
  ...answering,
  usage: "file DBFILE [ZONES...]",
  options,
  parse,
  verify,
  start,
} satisfies PluginModule<readonly FileSource[]>;
