/** file: answers from zone files. Syntax and examples: README.md. @module */

import type { Position } from "../../core/corefile/directive.ts";
import { CLASS, RCODE, rcodeToText, TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  Arguments,
  type BlockFacts,
  CorefileError,
  type Directive,
  fold,
  formatName,
  isWithin,
  type Name,
  type Options,
  parent,
  parseName,
  type ParseScope,
  type PluginModule,
  type Problems,
  type QueryContext,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";
import { lookup } from "../../core/zone/lookup.ts";
import { withOwnedNames } from "../../core/zone/zone.ts";
import { type Loaded, loadZone } from "./load.ts";
import { type FileData, type LoadedZone, watchFiles } from "./watch.ts";

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
    read: (args: Arguments) => args.more ? args.rest().map(zoneName) : [ROOT],
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
  const path = scope.path(file);
  const named = args.rest().map(zoneName);
  const { reload, reload_by_mtime, fallthrough } = readOptions(directive, options, scope.problems);
  return {
    at: file.at,
    path,
    zones: named.length > 0 ? named : scope.zones,
    reloadMs: reload ?? RELOAD_MS,
    reloadByMtime: reload_by_mtime ?? false,
    fallthrough: fallthrough ?? [],
  };
}

function reportZone({ at, path }: FileSource, zone: Name, { problems }: ParseScope): Loaded {
  const loaded = loadZone(path, zone);
  if (loaded.unreadable !== undefined) {
    problems.error(at, `file: cannot read the zone file '${path}': ${loaded.unreadable}`);
    return loaded;
  }
  for (const { at, message } of loaded.errors) problems.error(at, message);
  for (const { at, message } of loaded.warnings) problems.warn(at, message);
  return loaded;
}

/** What `parse` read, kept for `verify`: too large to read twice, and no part of the configuration. */
const readAtParse = new WeakMap<FileSource, readonly Loaded[]>();

/** Reports the names of pools that cannot stand beside a zone's data, at the records in their way. */
export function verify(sources: readonly FileSource[], { owned }: BlockFacts, problems: Problems): void {
  for (const source of sources) {
    const read = readAtParse.get(source) ?? source.zones.map((zone) => loadZone(source.path, zone));
    readAtParse.delete(source);
    for (const { zone, records } of read) {
      // Pools that claim one name are reported where they claim it.
      for (const { message, record } of zone ? withOwnedNames(zone, owned).conflicts : []) {
        if (!record) continue;
        const inTheWay = records.find(({ name, type }) => type === record.type && fold(name) === record.name);
        problems.error(inTheWay?.at ?? source.at, message);
      }
    }
  }
}

function zoneName(token: Token): Name {
  try {
    return fold(parseName(token.text));
  } catch (error) {
    throw new CorefileError(token, `file: ZONES must be domain names: ${(error as Error).message}`);
  }
}

/** Answers from the zone that is nearest to the name; passes on names outside every zone. */
export function answerFrom(
  data: FileData,
  context: QueryContext,
  next: (context: QueryContext) => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  const { name, question } = context;
  const loaded = question.class === CLASS.IN ? zoneFor(data.zones, name, question.type) : undefined;
  if (!loaded) return next(context);
  const answer = lookup(loaded.zone, {
    name: question.name,
    folded: name,
    type: question.type,
    chaseToPools: !(context.ecs && context.edns?.clientSubnet),
    dnssecOk: context.edns?.dnssecOk ?? false,
  });
  const falls = fallsThrough(answer, name, loaded.fallthrough);
  context.record?.({
    plugin: "file",
    what: `zone ${formatName(loaded.zone.origin)} serial ${loaded.serial}: ${outcome(answer)}` +
      (falls ? ", falls through" : ""),
  });
  return falls ? next(context) : answer;
}

/** The longest zone that holds `name`; for a DS, which the parent of a zone has, one strictly above it if there is one. */
export function zoneFor(
  zones: ReadonlyMap<Name, LoadedZone>,
  name: Name,
  type: number,
): LoadedZone | undefined {
  const own = type === TYPE.DS ? zones.get(name) : undefined;
  for (let above = own ? parent(name) : name;; above = parent(above)) {
    const found = zones.get(above);
    if (found) return found;
    if (above === ROOT) return own;
  }
}

/** Whether the name itself does not exist, and the operator wants others to be asked then. An alias does exist. */
export function fallsThrough(answer: Answer, name: Name, below: readonly Name[]): boolean {
  return answer.rcode === RCODE.NXDOMAIN && answer.answer.length === 0 &&
    below.some((zone) => isWithin(name, zone));
}

/** What an answer from a zone is, in a word or two. */
function outcome({ rcode, authoritative, answer, authority }: Answer): string {
  if (rcode !== RCODE.NOERROR) return rcodeToText(rcode);
  if (!authoritative) return `referral to ${formatName(authority[0]!.name)}`;
  if (answer.length > 0) return `${answer.length} RRset${answer.length > 1 ? "s" : ""}`;
  return "NODATA";
}

export default {
  name: "file",
  usage: "file DBFILE [ZONES...]",
  options,
  parse,
  verify,
  start: watchFiles,
  answerer: (_sources, scope) => ({
    name: "file",
    answer(context, next) {
      const data = scope.published(context.snapshot) as FileData | undefined;
      return data ? answerFrom(data, context, next) : next(context);
    },
  }),
} satisfies PluginModule<readonly FileSource[]>;
