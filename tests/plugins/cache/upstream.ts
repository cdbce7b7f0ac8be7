/**
 * What forward would bring, from zone-file lines, and a cache over it.
 *
 * @module
 */

import { ManualClock } from "../../../core/clock.ts";
import { parseRdata } from "../../../core/dns/rdata.ts";
import { RCODE, typeFromText } from "../../../core/dns/types.ts";
import { formatRecord } from "../../../core/explain.ts";
import {
  type Answer,
  emptyAnswer,
  INDEPENDENT,
  type Labels,
  type MemoKey,
  parseAddress,
  parseName,
  Problems,
  type QueryContext,
  ROOT,
  type RRset,
} from "../../../core/plugin.ts";
import { Cache, type CacheScope } from "../../../plugins/cache/cache.ts";
import { parse } from "../../../plugins/cache/config.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { factsOf, parseScopeOf } from "../../support/scopes.ts";

/** The SOA record of denials. */
export const SOA = "example.org. 900 SOA ns.example.org. admin.example.org. 1 3600 600 86400 300";

/** An answer as forward makes it. `scope`: upstream was told the client's network, and says that so many bits count. */
export function said(
  lines: readonly string[],
  { authority = [], additional = [], rcode = RCODE.NOERROR, scope, ...more }:
    & { authority?: string[]; additional?: string[]; rcode?: number; scope?: number }
    & Partial<Pick<Answer, "fault" | "labels" | "extendedErrors" | "authenticData" | "authoritative">> = {},
): Answer {
  const keys: MemoKey[] = scope === undefined ? ["do", "cd"] : ["do", "cd", "tailored"];
  return emptyAnswer(rcode, {
    momentary: true,
    recursionAvailable: true,
    dependence: { ...INDEPENDENT, keys, scopePrefixLength: scope ?? 0 },
    answer: rrsetsOf(lines),
    authority: rrsetsOf(authority),
    additional: rrsetsOf(additional),
    ...more,
  });
}

/** Lines of one owner and type that follow one another are one RRset. */
function rrsetsOf(lines: readonly string[]): RRset[] {
  const rrsets: RRset[] = [];
  for (const line of lines) {
    const [owner, ttl, typeText, ...words] = line.split(" ");
    const type = typeFromText(typeText!)!, name = parseName(owner!);
    const rdata = parseRdata(type, words.map((text) => ({ text, quoted: false })));
    const last = rrsets.at(-1);
    if (last && last.name === name && last.type === type) {
      rrsets[rrsets.length - 1] = { ...last, rdata: [...last.rdata, rdata] };
    } else rrsets.push({ name, type, ttl: Number(ttl), rdata: [rdata] });
  }
  return rrsets;
}

/** A section as lines again. */
export function linesOf(rrsets: readonly RRset[]): string[] {
  return rrsets.flatMap(({ name, type, ttl, rdata }) =>
    rdata.map((rdata) => formatRecord({ name, type, class: 1, ttl, rdata }))
  );
}

/** The context of `www.example.org. A`, or another. `subnet` as `192.0.2.0/24`. */
export function asking(
  { name = "www.example.org", type = 1, subnet, dnssecOk = false, ...more }:
    & { name?: string; type?: number; subnet?: string | undefined; dnssecOk?: boolean }
    & Partial<Omit<QueryContext, "name">> = {},
): QueryContext {
  const [address, length] = subnet?.split("/") ?? [];
  const clientSubnet = address === undefined
    ? {}
    : { clientSubnet: { address: parseAddress(address)!, sourcePrefixLength: Number(length) } };
  return contextOf({
    question: { name: parseName(name), type, class: 1 },
    edns: { version: 0, payloadSize: 1232, dnssecOk, options: [], ...clientSubnet },
    ...more,
  }, name);
}

/** A cache as a directive makes it, over an upstream that says what `upstream` gives. */
export class Bench {
  readonly clock = new ManualClock();
  readonly counts: Record<string, number> = {};
  readonly logged: string[] = [];
  /** Contexts that came as far as upstream. */
  readonly asked: QueryContext[] = [];
  readonly cache: Cache;
  upstream: (context: QueryContext) => Answer | Promise<Answer>;

  constructor(
    text: string,
    upstream: (context: QueryContext) => Answer | Promise<Answer> = () =>
      said(["www.example.org. 60 A 192.0.2.1"]),
    more: Pick<CacheScope, "lend"> = {},
  ) {
    const problems = new Problems();
    const config = parse(directivesOf(text), parseScopeOf({ problems, zones: [ROOT] }));
    if (problems.errors.length > 0) throw problems.errors[0]!;
    const count = (name: string, labels: Labels | undefined, by: number) => {
      const key = labels?.["type"] ? `${name} ${labels["type"]}` : name;
      this.counts[key] = (this.counts[key] ?? 0) + by;
    };
    this.cache = new Cache(config, {
      facts: factsOf(),
      clock: this.clock,
      log: { error: (message) => void this.logged.push(message) },
      count: (name, labels) => count(name, labels, 1),
      series: (name, labels) => ({ record: (by, times = 1) => count(name, labels, by * times) }),
      ...more,
    });
    this.upstream = upstream;
  }

  /** Asks, just now where it is not said when; what comes back may be on its way. */
  async ask(how: Parameters<typeof asking>[0] | QueryContext = {}): Promise<Answer> {
    const context = "snapshot" in how ? how as QueryContext : asking({ nowMs: this.clock.nowMs(), ...how });
    const answer = await this.cache.answer(context, (context) => {
      this.asked.push(context);
      return this.upstream(context);
    });
    if (!answer.deferred) {
      for (const { series, value } of this.cache.tallies(context)) {
        series.record(value);
      }
    }
    return answer;
  }

  /** Seconds pass. */
  pass(seconds: number): void {
    this.clock.advance(seconds * 1000);
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 16; turn++) await undefined;
}
