/** local: answers for names that mean the asking machine itself (RFC 6761, RFC 6303). Syntax: README.md. @module */

import {
  type Answer,
  Arguments,
  type Directive,
  emptyAnswer,
  formatName,
  isWithin,
  type Name,
  onlyOne,
  type Options,
  parseName,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  type RRset,
} from "../../core/plugin.ts";
import { RCODE, TYPE } from "../../core/dns/types.ts";
import { lookup } from "../../core/zone/lookup.ts";
import { makeZone } from "../../core/zone/make_zone.ts";
import { parseMasterFile } from "../../core/zone/master_file.ts";
import type { Zone } from "../../core/zone/zone.ts";

/** Whether `localhost.` in front of any domain means this machine too. */
export interface LocalConfig {
  readonly localhostPrefix: boolean;
}

const REQUESTS = "coredns_local_localhost_requests_total";

/** Seconds: a week, as in CoreDNS. */
const TTL = 604800;

const options = {
  localhost_prefix: {
    usage: "localhost_prefix on|off",
    read: (args: Arguments) => args.onOff("localhost_prefix"),
  },
} satisfies Options;

/** Reads `local { localhost_prefix on|off }`. */
function parse(directives: readonly Directive[], { problems }: ParseScope): LocalConfig {
  const directive = onlyOne(directives, problems);
  problems.attempt(() => new Arguments(directive).end());
  const { localhost_prefix: localhostPrefix = true } = readOptions(directive, options, problems);
  return { localhostPrefix };
}

const LOOPBACK = `
@ IN A 127.0.0.1
@ IN AAAA ::1
`;

const ARPA = parseName("arpa.");

const LOCALHOST = zoneOf("localhost.", LOOPBACK + LOOPBACK.replaceAll("@", "*"));

const IPV6_LOOPBACK = `1.${"0.".repeat(31)}ip6.arpa.`;

const ZONES: readonly Zone[] = [
  LOCALHOST,
  zoneOf("0.in-addr.arpa."),
  zoneOf("127.in-addr.arpa.", "1.0.0 IN PTR localhost.\n"),
  zoneOf("255.in-addr.arpa."),
  zoneOf(IPV6_LOOPBACK, "@ IN PTR localhost.\n"),
];

/** A zone of an SOA, an NS and what else is given. */
function zoneOf(origin: string, records = ""): Zone {
  const text =
    `$TTL ${TTL}\n@ IN SOA localhost. root.localhost. 1 0 0 0 ${TTL}\n@ IN NS localhost.\n${records}`;
  const name = parseName(origin);
  return makeZone(name, parseMasterFile(text, { file: origin, origin: name }).records).zone!;
}

/** The answer for a local name; undefined for any other. */
export function answerLocal(context: QueryContext, { localhostPrefix }: LocalConfig): Answer | undefined {
  const { name, question, edns } = context;
  const zone = ZONES.find(({ origin }) => isWithin(name, origin));
  if (zone) {
    const dnssecOk = edns?.dnssecOk ?? false;
    return lookup(zone, {
      name: question.name,
      folded: name,
      type: question.type,
      chaseToPools: false,
      dnssecOk,
    });
  }
  return localhostPrefix && isPrefixed(name) ? answerPrefixed(question.name, question.type) : undefined;
}

/** Whether a name is that of a machine that put its own domain behind `localhost`. */
function isPrefixed(name: Name): boolean {
  return name.startsWith("\x09localhost");
}

function isReverse(name: Name): boolean {
  return isWithin(name, ARPA);
}

function answerPrefixed(name: Name, type: number): Answer {
  const found = type === TYPE.A || type === TYPE.AAAA
    ? LOCALHOST.nodes.get(LOCALHOST.origin)!.rrsets.get(type)
    : undefined;
  if (found) return emptyAnswer(RCODE.NOERROR, { authoritative: true, answer: [{ ...found, name }] });
  const soa: RRset = { ...LOCALHOST.negativeSoa, name };
  return emptyAnswer(RCODE.NOERROR, { authoritative: true, authority: [soa] });
}

export default {
  name: "local",
  usage: "local",
  options,
  metrics: {
    [REQUESTS]: { kind: "counter", help: "Queries for names at or below localhost, localhost itself aside." },
  },
  // Not `absence`: names that are not there may begin with `localhost`.
  repeats: "question",
  parse,
  answerer(config, scope) {
    const counted = [{ series: scope.series(REQUESTS), value: 1 }];
    return {
      name: "local",
      answer(context, next) {
        const answer = answerLocal(context, config);
        if (!answer) return next(context);
        const what = `${formatName(context.name)} means the asking machine itself`;
        context.record?.({ plugin: "local", what });
        return answer;
      },
      tallies: ({ name }, _, { plugin }) =>
        plugin === "local" && name !== LOCALHOST.origin && !isReverse(name) ? counted : [],
    };
  },
} satisfies PluginModule<LocalConfig>;
