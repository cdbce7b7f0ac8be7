/** hosts: answers from hosts files. Syntax: README.md. @module */

import { CLASS, RCODE, TYPE } from "../../core/dns/types.ts";
import { readZones } from "../../core/dns/corefile_names.ts";
import {
  type Answer,
  Arguments,
  CorefileError,
  type Directive,
  emptyAnswer,
  isWithin,
  type Name,
  type Next,
  type Options,
  parseName,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  ROOT,
  type RRset,
  type Token,
} from "../../core/plugin.ts";
import { readForCheck, start } from "./keep.ts";
import { type HostLine, type Hosts, type HostTable, octetsOf, wildcardFor } from "./table.ts";

/** A `hosts` directive. */
export interface HostsConfig {
  readonly path: string;
  /** Folded. */
  readonly zones: readonly Name[];
  readonly inline: readonly HostLine[];
  /** Seconds. */
  readonly ttl: number;
  /** Whether addresses lead back to names. */
  readonly reverse: boolean;
  /** How often the file is looked at; 0 = never again. */
  readonly reloadMs: number;
  /** Below which names the plugins that follow are asked for what is not here, folded; none = not at all. */
  readonly fallthrough: readonly Name[];
  /** Whether they are also asked for types that cannot be here, at names that are. */
  readonly fallthroughUnsupported: boolean;
}

const options = {
  ttl: { usage: "ttl SECONDS", read: (args: Arguments) => args.whole("SECONDS", { min: 1, max: 65_535 }) },
  no_reverse: { usage: "no_reverse", read: () => true },
  reload: {
    usage: "reload DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 0 }),
  },
  fallthrough: {
    usage: "fallthrough [ZONES...]",
    read: (args: Arguments) => args.more ? readZones(args) : [ROOT],
  },
  fallthrough_unsupported: {
    usage: "fallthrough_unsupported",
    read: (args: Arguments) => args.directive.name,
  },
} satisfies Options;

function parse(directives: readonly Directive[], scope: ParseScope): HostsConfig {
  const [directive, second] = directives as [Directive, Directive?];
  if (second) {
    scope.problems.error(second.name, "hosts: this plugin can only be used once per Server Block");
  }
  const args = new Arguments(directive);
  const file = args.more ? args.token("FILE") : undefined;
  const named = readZones(args);
  const { lines, rest } = splitInline(directive, scope);
  const read = readOptions(rest, options, scope.problems);
  if (read.fallthrough_unsupported && !read.fallthrough) {
    scope.problems.error(read.fallthrough_unsupported, "hosts: fallthrough_unsupported requires fallthrough");
  }
  const config = {
    path: file ? scope.dataPath(file) : "/etc/hosts",
    zones: named.length > 0 ? named : scope.zones,
    inline: lines,
    ttl: read.ttl ?? 3600,
    reverse: !read.no_reverse,
    reloadMs: read.reload ?? 5000,
    fallthrough: read.fallthrough ?? [],
    fallthroughUnsupported: read.fallthrough_unsupported !== undefined,
  };
  readForCheck(config, file?.at ?? directive.name.at, scope.problems);
  return config;
}

/** Lines that begin with an address are a hosts file's; like CoreDNS, none may follow `fallthrough`. */
function splitInline(directive: Directive, { problems }: ParseScope): { lines: HostLine[]; rest: Directive } {
  const lines: HostLine[] = [], others: Directive[] = [];
  for (const line of directive.block ?? []) {
    const { name, args } = line;
    if (!octetsOf(name.text)) others.push(line);
    else if (others.some(({ name }) => name.text === "fallthrough")) {
      problems.error(
        name,
        `hosts: unknown property '${name.text}': an address and its names stand before fallthrough`,
      );
    } else if (args.length === 0) {
      problems.error(name, `hosts: '${name.text}' stands alone: wanted an address and names`);
    } else {
      problems.attempt(() => args.forEach(checkName));
      lines.push({ address: name.text, names: args.map(({ text }) => text) });
    }
  }
  return { lines, rest: { ...directive, block: others } };
}

function checkName(token: Token): void {
  try {
    parseName(token.text);
  } catch (error) {
    throw new CorefileError(token, `hosts: ${(error as Error).message}`);
  }
}

/** Answers what the table has. A name that it does not have at all is not denied: there is no SOA to deny it with. */
export function answerFrom(
  config: HostsConfig,
  table: HostTable,
  context: QueryContext,
  next: Next,
): Answer | Promise<Answer> {
  const { question: { type }, name } = context;
  if (context.question.class !== CLASS.IN) return next(context);
  if (type === TYPE.PTR) {
    const names = table.reverse.get(name) ?? [];
    return names.length > 0 ? found(config, context, names.map(octetsOfName)) : next(context);
  }
  if (!config.zones.some((zone) => isWithin(name, zone))) return next(context);
  const hosts = hostsAt(table, name);
  const falls = config.fallthrough.some((zone) => isWithin(name, zone));
  const isOurs = type === TYPE.A || type === TYPE.AAAA;
  if (!hosts || (!isOurs && config.fallthroughUnsupported)) {
    if (falls) return next(context);
    if (!hosts) return missing(context);
  }
  return found(config, context, type === TYPE.A ? hosts![4] : type === TYPE.AAAA ? hosts![6] : []);
}

/** The name's own addresses, else those of the wildcard that stands for its first label. */
function hostsAt({ names }: HostTable, name: Name): Hosts | undefined {
  const own = names.get(name);
  if (own) return own;
  const wildcard = wildcardFor(name);
  return wildcard && names.get(wildcard);
}

function found(
  { ttl }: HostsConfig,
  { question, record }: QueryContext,
  rdata: readonly Uint8Array[],
): Answer {
  record?.({ plugin: "hosts", what: rdata.length > 0 ? `${rdata.length} of the hosts file` : "NODATA" });
  const rrset: RRset = { name: question.name, type: question.type, ttl, rdata };
  return emptyAnswer(RCODE.NOERROR, { authoritative: true, answer: rdata.length > 0 ? [rrset] : [] });
}

function missing({ record }: QueryContext): Answer {
  record?.({ plugin: "hosts", what: "the name is not in the hosts file, and there is no fallthrough" });
  return emptyAnswer(RCODE.SERVFAIL);
}

function octetsOfName(name: Name): Uint8Array {
  return Uint8Array.from(name, (octet) => octet.charCodeAt(0));
}

export default {
  name: "hosts",
  usage: "hosts [FILE [ZONES...]]",
  options,
  metrics: {
    coredns_hosts_entries: {
      kind: "gauge",
      help: "The combined number of entries in hosts and Corefile.",
      labels: ["hostsfile"],
    },
    coredns_hosts_reload_timestamp_seconds: {
      kind: "gauge",
      help: "The time of change of the hosts file that was taken last.",
    },
    meridian_hosts_reloads_total: {
      kind: "counter",
      help: "Changed hosts files, by whether they were taken or refused.",
      labels: ["outcome"],
    },
  },
  // Not `absence`: a name that is not there may be in the file.
  repeats: "question",
  parse,
  start,
  answerer: (config, scope) => ({
    name: "hosts",
    answer(context, next) {
      const table = scope.published(context.snapshot) as HostTable | undefined;
      return table ? answerFrom(config, table, context, next) : next(context);
    },
  }),
} satisfies PluginModule<HostsConfig>;
