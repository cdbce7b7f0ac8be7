/**
 * dns64: AAAA records made of A records, for clients behind NAT64 (RFC 6147). Syntax and options: README.md.
 *
 * @module
 */

import { RCODE, TYPE } from "../../core/dns/types.ts";
import { SPECIAL_BLOCKS } from "../../core/net/special.ts";
import {
  type Answer,
  type AnswerScope,
  Arguments,
  both,
  contains,
  CorefileError,
  type Dependence,
  type Directive,
  formatPrefix,
  forOneName,
  INDEPENDENT,
  type Metric,
  type Name,
  type Next,
  onlyOne,
  type Options,
  parsePrefix,
  type ParseScope,
  type Plugin,
  type PluginModule,
  type Prefix,
  type QueryContext,
  readOptions,
  type RRset,
  serverLabel,
  Tally,
  then,
} from "../../core/plugin.ts";
import { embed, LENGTHS, mapReverse, U_OCTET } from "./translate.ts";

/** What a `dns64` directive says. Plain data. */
export interface Dns64Config {
  readonly prefix: Prefix;
  /** Whether names that have AAAA records are translated, too. */
  readonly translateAll: boolean;
  /** Whether clients that come over IPv4 get translations. */
  readonly allowIpv4: boolean;
}

/** RFC 6052 section 2.1. */
const WELL_KNOWN = parsePrefix("64:ff9b::/96")!;

/** RFC 6147 section 5.1.7, for denials without an SOA record. */
const TTL_WITHOUT_SOA = 600;

const TRANSLATED = "coredns_dns64_requests_translated_total";

const metrics: Readonly<Record<string, Metric>> = {
  [TRANSLATED]: {
    kind: "counter",
    help: "Queries answered with AAAA records made of A records.",
    labels: ["server"],
  },
};

const options = {
  prefix: { usage: "prefix PREFIX", read: readPrefix },
  translate_all: { usage: "translate_all", read: () => true },
  allow_ipv4: { usage: "allow_ipv4", read: () => true },
} satisfies Options;

/** Reads `dns64 [PREFIX]`. */
export function parse(directives: readonly Directive[], { problems }: ParseScope): Dns64Config {
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  const prefix = args.more ? readPrefix(args) : undefined;
  args.end();
  const read = readOptions(directive, options, problems);
  return {
    prefix: read.prefix ?? prefix ?? WELL_KNOWN,
    translateAll: read.translate_all ?? false,
    allowIpv4: read.allow_ipv4 ?? false,
  };
}

function readPrefix(args: Arguments): Prefix {
  const token = args.peek() ?? args.directive.name, prefix = args.prefix("PREFIX");
  const isSound = prefix.family === 6 && LENGTHS.includes(prefix.length) && prefix.octets[U_OCTET] === 0;
  if (isSound) return prefix;
  throw new CorefileError(
    token,
    `dns64: PREFIX must be an IPv6 network of 32, 40, 48, 56, 64 or 96 bits, bits 64 to 71 zero: got '${token.text}'`,
  );
}

/** Translates. */
export function answerer(
  config: Dns64Config,
  { facts, series }: Pick<AnswerScope, "facts" | "series">,
): Plugin {
  const isBound = facts.plugins.includes("bind"), tally = new Tally();
  return {
    name: "dns64",
    answer(context, next) {
      const { type } = context.question;
      if (type === TYPE.PTR) return reverse(context, next, config.prefix);
      if (type !== TYPE.AAAA) return next(context);
      if (!isWanted(context, config)) return then(next(context), withKeys);
      const onMade = () => {
        const server = serverLabel(context.server, isBound);
        if (!context.rehearsed) tally.add(context, { series: series(TRANSLATED, { server }), value: 1 });
        context.record?.({
          plugin: "dns64",
          what: `made of A records, below ${formatPrefix(config.prefix)}`,
        });
      };
      return then(then(next(context), (aaaa) => translate(aaaa, context, next, config, onMade)), withKeys);
    },
    tallies: (context) => tally.of(context),
    untimed: true,
  };
}

/** The answer to the question for AAAA, or, where that has none, what is made of the one for A. */
function translate(
  answer: Answer,
  context: QueryContext,
  next: Next,
  config: Dns64Config,
  onMade: () => void,
): Answer | Promise<Answer> {
  const aaaa = withoutExcluded(answer);
  if (!isToTranslate(aaaa, config)) return aaaa;
  return then(next({ ...context, question: { ...context.question, type: TYPE.A } }), (a) => {
    if (a.deferred) return a;
    // Of what was not said, or not whole, nobody knows that it has no addresses.
    if (a.silent || a.truncated) return dependingOn(a, aaaa, a);
    const made = synthesize(aaaa, a, config);
    if (made) onMade();
    return dependingOn(made ?? aaaa, aaaa, a);
  });
}

/** Clients over IPv6, but not those that validate for themselves: they could only find a forgery (RFC 6147 section 5.5). */
function isWanted({ source, edns, checkingDisabled }: QueryContext, { allowIpv4 }: Dns64Config): boolean {
  return (source.address.family === 6 || allowIpv4) && !(edns?.dnssecOk && checkingDisabled);
}

/** Any RCODE but these two counts as an empty answer (RFC 6147 section 5.1.2). */
function isToTranslate(answer: Answer, { translateAll }: Dns64Config): boolean {
  if (answer.deferred || answer.silent || answer.truncated || answer.rcode === RCODE.NXDOMAIN) return false;
  return translateAll || !answer.answer.some(({ type }) => type === TYPE.AAAA);
}

/** IPv4-mapped addresses are of no use to anybody who has no IPv4 (RFC 6147 section 5.1.4). */
function withoutExcluded(answer: Answer): Answer {
  if (!answer.answer.some((rrset) => rrset.type === TYPE.AAAA && rrset.rdata.some(isMapped))) return answer;
  const kept = answer.answer.map((rrset) =>
    rrset.type === TYPE.AAAA ? { ...rrset, rdata: rrset.rdata.filter((octets) => !isMapped(octets)) } : rrset
  );
  return { ...answer, answer: kept.filter(({ rdata }) => rdata.length > 0) };
}

function isMapped(octets: Uint8Array): boolean {
  return octets.length === 16 && octets.subarray(0, 10).every((octet) => octet === 0) &&
    octets[10] === 255 && octets[11] === 255;
}

/**
 * That there are no addresses to translate was found out from both answers, too. TTLs that come of two do not count down as
 * either's would.
 */
function dependingOn({ aging: _, ...answer }: Answer, aaaa: Answer, a: Answer): Answer {
  return {
    ...answer,
    dependence: both(aaaa.dependence, a.dependence),
    ...((aaaa.momentary || a.momentary) && { momentary: true }),
  };
}

/** The answer to A as one to AAAA; undefined where there is nothing to translate (RFC 6147 sections 5.1.6, 5.1.7). */
export function synthesize(aaaa: Answer, a: Answer, { prefix }: Dns64Config): Answer | undefined {
  const ttlMax = aaaa.answer.some(({ type }) => type === TYPE.AAAA)
    ? Infinity
    : aaaa.authority.find(({ type }) => type === TYPE.SOA)?.ttl ?? TTL_WITHOUT_SOA;
  const answer = a.answer.flatMap((rrset) => translated(rrset, prefix, ttlMax));
  if (a.rcode !== RCODE.NOERROR || !answer.some(({ type }) => type === TYPE.AAAA)) return undefined;
  return {
    ...a,
    answer,
    // Nobody has signed what was made just now.
    authenticData: false,
    ...(aaaa.selections && { selections: [...aaaa.selections, ...a.selections ?? []] }),
  };
}

/** Aliases as they are, addresses as AAAA, their signatures not at all. */
function translated(rrset: RRset, prefix: Prefix, ttlMax: number): RRset[] {
  if (rrset.type === TYPE.RRSIG) return rrset.rdata.some((sig) => coveredType(sig) === TYPE.A) ? [] : [rrset];
  if (rrset.type !== TYPE.A) return [rrset];
  const rdata = rrset.rdata.filter((ipv4) => mayTranslate(ipv4, prefix)).map((ipv4) => embed(prefix, ipv4));
  const ttl = Math.min(rrset.ttl, ttlMax);
  return rdata.length === 0 ? [] : [{ ...rrset, type: TYPE.AAAA, ttl, rdata }];
}

/** The well-known prefix is the same everywhere, so it must not stand for what is not (RFC 6052 section 3.1). */
function mayTranslate(ipv4: Uint8Array, prefix: Prefix): boolean {
  if (ipv4.length !== 4) return false;
  if (!contains(WELL_KNOWN, prefix)) return true;
  return !SPECIAL_BLOCKS.some((block) => contains(block.prefix, { family: 4, octets: ipv4 }));
}

/** A reverse name below the prefix is an alias of the IPv4 address's (RFC 6147 section 5.3.1). */
function reverse(context: QueryContext, next: Next, prefix: Prefix): Answer | Promise<Answer> {
  const target = mapReverse(prefix, context.name);
  if (!target) return next(context);
  const question = { ...context.question, name: target };
  return then(next({ ...context, question, name: target }), (answer) => {
    const isKnown = answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.NXDOMAIN;
    if (answer.deferred || !isKnown) return answer;
    const { aging: _, ...rest } = forOneName(answer);
    return { ...rest, answer: [aliasOf(context.question.name, target, answer), ...answer.answer] };
  });
}

/** It holds as long as what is found behind it. */
function aliasOf(name: Name, target: Name, { answer, authority }: Answer): RRset {
  const ttl = Math.min(TTL_WITHOUT_SOA, ...[...answer, ...authority].map(({ ttl }) => ttl));
  return { name, type: TYPE.CNAME, ttl, rdata: [Uint8Array.from(target, (c) => c.charCodeAt(0))] };
}

/** Whether there is a translation depends on where the client comes from and on whether it validates. */
function withKeys(answer: Answer): Answer {
  if (answer.deferred) return answer;
  return { ...answer, dependence: both(answer.dependence, OURS) };
}

const OURS: Dependence = { ...INDEPENDENT, keys: ["source", "do", "cd"] };

function coveredType(signature: Uint8Array): number {
  return signature[0]! << 8 | signature[1]!;
}

const dns64: PluginModule<Dns64Config> = {
  name: "dns64",
  usage: "dns64 [PREFIX]",
  options,
  metrics,
  // Not `absence`: which PTR records are aliases hangs on the name.
  repeats: "question",
  parse,
  answerer,
};
export default dns64;
