/** auto: answers from the zone files of a folder. Syntax: README.md. @module */

import type { Position } from "../../core/corefile/directive.ts";
import { compilePattern, type Pattern } from "../../core/pattern/pattern.ts";
import { readPattern } from "../../core/pattern/read_pattern.ts";
import { readZones } from "../../core/dns/corefile_names.ts";
import {
  Arguments,
  type BlockFacts,
  CorefileError,
  type Directive,
  formatName,
  isWithin,
  type Name,
  type Options,
  type ParseScope,
  type PluginModule,
  type Problems,
  readOptions,
  ROOT,
  then,
  type Token,
  undivided,
} from "../../core/plugin.ts";
import { openZone } from "../../core/zone/packed_zone.ts";
import { type ReadZone, readZone } from "../../core/zone/read_zone.ts";
import { layOwnedNames } from "../../core/zone/zone.ts";
import { answerFromZones, type ZoneData } from "../../core/zone/zones.ts";
import { findZoneFiles, type Found } from "./folder.ts";
import { start } from "./keep.ts";

/** One `auto` directive. */
export interface AutoSource {
  /** Where the folder is named. */
  readonly at: Position;
  readonly directory: string;
  /** Which file names are taken, matched anywhere in the name. */
  readonly pattern: Pattern;
  /** The zone of a file, `{1}` standing for the first group of the pattern. */
  readonly template: string;
  /** Names outside these are not answered. */
  readonly zones: readonly Name[];
  /** How often the folder and its files are looked at; 0 = never again. */
  readonly reloadMs: number;
  readonly reloadByMtime: boolean;
  /** Below which names an NXDOMAIN is left to the plugins that follow, folded; none = not at all. */
  readonly fallthrough: readonly Name[];
}

const options = {
  directory: {
    usage: "directory DIR [REGEXP ORIGIN_TEMPLATE]",
    read: readDirectory,
  },
  reload: {
    usage: "reload DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 0 }),
  },
  reload_by_mtime: { usage: "reload_by_mtime", read: () => true },
  fallthrough: {
    usage: "fallthrough [ZONES...]",
    read: (args: Arguments) => args.more ? readZones(args) : [ROOT],
  },
} satisfies Options;

function readDirectory(args: Arguments) {
  const directory = args.token("DIR");
  if (!args.more) return { directory, pattern: compilePattern("db\\.(.*)"), template: "{1}" };
  return { directory, pattern: readGroups(args.token("REGEXP")), template: args.word("ORIGIN_TEMPLATE") };
}

function readGroups(token: Token): Pattern {
  const pattern = readPattern(token, "auto");
  if (pattern.groupNames.length > 1) return pattern;
  throw new CorefileError(
    token,
    `auto: REGEXP must have at least one group, such as db\\.(.*): got '${token.text}'`,
  );
}

function parse(directives: readonly Directive[], scope: ParseScope): readonly AutoSource[] {
  const sources = directives.flatMap((directive) =>
    scope.problems.attempt(() => parseOne(directive, scope)) ?? []
  );
  for (const source of sources) reportFolder(source, scope);
  return sources;
}

function parseOne(directive: Directive, scope: ParseScope): AutoSource | undefined {
  const args = new Arguments(directive);
  const named = readZones(args);
  const read = readOptions(directive, options, scope.problems);
  if (!read.directory) {
    const wasTried = directive.block?.some(({ name }) => name.text === "directory");
    if (!wasTried) {
      scope.problems.error(directive.name, "auto: wants a line 'directory DIR [REGEXP ORIGIN_TEMPLATE]'");
    }
    return undefined;
  }
  const { directory, pattern, template } = read.directory;
  return {
    at: directory.at,
    directory: scope.dataPath(directory).replace(/(?<=.)\/+$/, ""),
    pattern,
    template,
    zones: named.length > 0 ? named : scope.zones,
    reloadMs: read.reload ?? 60_000,
    reloadByMtime: read.reload_by_mtime ?? false,
    fallthrough: read.fallthrough ?? [],
  };
}

/** Says what is wrong with each file. It keeps no other from being served, so it is a warning. */
function reportFolder(source: AutoSource, { problems, holdZone }: ParseScope): void {
  const sound: ReadZone[] = [];
  for (const { origin, path } of listFor(source, problems)) {
    if (!isReachable(origin, source)) {
      const zones = source.zones.map(formatName).join(", ");
      problems.warn(
        source.at,
        `auto: zone ${formatName(origin)} in ${path} lies outside ${zones}: nobody can ask for it here`,
      );
      continue;
    }
    const read = readZone(path, origin), { zone, errors, warnings } = read;
    for (const { at, message } of errors) problems.warn(at, `auto: the zone is left out: ${message}`);
    for (const { at, message } of warnings) problems.warn(at, message);
    if (!zone) continue;
    holdZone(origin);
    sound.push(read);
  }
  readAtParse.set(source, sound);
}

function listFor({ at, directory, pattern, template }: AutoSource, problems: Problems): Found[] {
  try {
    const { found, passed } = findZoneFiles(directory, pattern, template);
    for (const { path, why } of passed) problems.warn(at, `auto: passing over ${path}: ${why}`);
    return found;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      problems.warn(at, `auto: the folder '${directory}' does not exist`);
    } else problems.error(at, `auto: cannot read the folder '${directory}': ${(error as Error).message}`);
    return [];
  }
}

/** Whether some name of a zone may be asked for. */
export function isReachable(origin: Name, { zones }: Pick<AutoSource, "zones">): boolean {
  return zones.some((zone) => isWithin(origin, zone) || isWithin(zone, origin));
}

/** What `parse` read, kept for `verify` and until `start` has it: too large to read twice, and no part of the configuration. */
export const readAtParse = new WeakMap<AutoSource, readonly ReadZone[]>();

/** Names of pools that have no room in a zone are mistakes of the Corefile: they would keep the zone out. */
function verify(sources: readonly AutoSource[], { owned }: BlockFacts, problems: Problems): void {
  for (const source of sources) {
    for (const { files, zone } of readAtParse.get(source) ?? []) {
      for (const { message } of layOwnedNames(openZone(zone!), owned).conflicts) {
        problems.error(source.at, `auto: ${files[0]}: ${message}`);
      }
    }
  }
}

export default {
  name: "auto",
  usage: "auto [ZONES...]",
  options,
  metrics: {
    meridian_auto_zones: { kind: "gauge", help: "How many zones of folders are served." },
    meridian_auto_reloads_total: {
      kind: "counter",
      help: "New and changed zone files, by whether they were taken or refused.",
      labels: ["outcome"],
    },
  },
  repeats: "absence",
  parse,
  verify,
  start,
  answerer: (sources, scope) => {
    const zones = sources.flatMap(({ zones }) => zones);
    return {
      name: "auto",
      answer(context, next) {
        const data = scope.published(context.snapshot) as ZoneData | undefined;
        const isOurs = data && zones.some((zone) => isWithin(context.name, zone));
        const answer = isOurs ? answerFromZones("auto", data, context, next) : next(context);
        return then(answer, (answer) => undivided(answer, zones));
      },
    };
  },
} satisfies PluginModule<readonly AutoSource[]>;
