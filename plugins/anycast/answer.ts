/**
 * The answering half: fills the RRsets that pools own in whatever comes up the chain.
 *
 * @module
 */

import { synthesizeZone, withOwnedNames, type Zone } from "../../core/zone/zone.ts";
import { lookup } from "../../core/zone/lookup.ts";
import { RCODE } from "../../core/dns/types.ts";
import {
  type Answer,
  type AnswerScope,
  both,
  emptyAnswer,
  fold,
  formatName,
  isWithin,
  type Name,
  type Next,
  type Plugin,
  type QueryContext,
  type RRset,
  type Sample,
  then,
} from "../../core/plugin.ts";
import { rankBelow } from "./below.ts";
import { decisionOf } from "./explain.ts";
import { familyOf, fill, type Filled, TTL_WITHOUT_PLUGIN } from "./fill.ts";
import type { AnycastConfig } from "./parse.ts";
import type { AnycastData } from "./published.ts";

/** Makes the plugin. */
export function answerer({ pools }: AnycastConfig, scope: AnswerScope): Plugin {
  const made = zonesWithoutData(
    pools.flatMap(({ owners, nodes }) => nodes.from === "lists" ? owners : []),
    scope,
  );
  const ranked = pools.filter(({ nodes }) => nodes.from === "below");
  const allDown = allDownMeter(scope), markAsked = askedMarker(scope);
  const fillIn = (answer: Answer, context: QueryContext, below: Next) => {
    if (answer.answer.some(isEmptyPool) || answer.additional.some(isEmptyPool)) {
      return fillAll(answer, context, below, scope, markAsked);
    }
    return ranked.length > 0 ? withoutEncloser(rankBelow(answer, context, ranked, scope)) : answer;
  };
  return {
    name: "anycast",
    answer(context, next) {
      const below = fromZones(made, next), answer = below(context);
      return answer instanceof Promise
        ? answer.then((answer) => fillIn(answer, context, below))
        : fillIn(answer, context, below);
    },
    tallies: (context, answer) => context.rehearsed ? NONE : allDown(answer),
    untimed: true,
  };
}

/** Tells the control half which pools are asked for, and so worth a partition. */
function askedMarker({ published }: AnswerScope) {
  let known: AnycastData["pools"] | undefined, indexes = new Map<string, number>();
  return (pool: string, { snapshot, nowMs, rehearsed }: QueryContext): void => {
    const { askedS, pools } = (published(snapshot) ?? {}) as Partial<AnycastData>;
    if (!askedS || !pools || rehearsed) return;
    if (pools !== known) indexes = new Map((known = pools).map((pool, i) => [pool, i]));
    const index = indexes.get(pool);
    if (index !== undefined) askedS[index] = nowMs / 1000;
  };
}

/** Whether records are ranked goes by their owner's name: what is synthesised for one name says nothing of another. */
function withoutEncloser(answer: Answer): Answer {
  const { decidedAt, ...dependence } = answer.dependence;
  return decidedAt && answer.answer.length > 0 ? { ...answer, dependence } : answer;
}

function isEmptyPool({ pool, rdata }: RRset): boolean {
  return pool !== undefined && rdata.length === 0;
}

/** Zones of the block that have pools and nobody's data. */
function zonesWithoutData(owners: readonly Name[], { facts, log }: AnswerScope): readonly Zone[] {
  const bare = owners.filter((owner) => !facts.dataZones.some((zone) => isWithin(owner, zone)));
  const origins = new Set(bare.map((owner) => closestZone(facts.zones, owner)));
  return [...origins].map((origin) => {
    const { zone, errors } = withOwnedNames(synthesizeZone(origin), facts.owned);
    log.warn(
      `anycast: no plugin has data for ${
        formatName(origin)
      }: its SOA and NS are made up; give it a zone file`,
    );
    for (const error of errors) log.error(`anycast: ${error}`);
    return zone;
  });
}

function closestZone(zones: readonly Name[], name: Name): Name {
  return zones.filter((zone) => isWithin(name, zone)).reduce((a, b) => a.length >= b.length ? a : b);
}

/** The rest of the chain, made-up zones standing in for what no plugin has. */
function fromZones(zones: readonly Zone[], next: Next): Next {
  if (zones.length === 0) return next;
  return (context) => {
    const zone = zones.find(({ origin }) => origin === context.zone);
    if (!zone || !isWithin(context.name, zone.origin)) return next(context);
    return lookup(zone, {
      name: context.question.name,
      folded: context.name,
      type: context.question.type,
      chaseToPools: !(context.ecs && context.edns?.clientSubnet),
      dnssecOk: context.edns?.dnssecOk ?? false,
    });
  };
}

function fillAll(
  answer: Answer,
  context: QueryContext,
  below: Next,
  scope: AnswerScope,
  markAsked: (pool: string, context: QueryContext) => void,
): Answer | Promise<Answer> {
  const placeholders = answer.answer.filter(isEmptyPool), { snapshot } = context;
  const isAsked = placeholders.length > 0;
  if (answer.additional.length > 0) placeholders.push(...answer.additional.filter(isEmptyPool));
  const missing = placeholders.find(({ pool }) => !snapshot.pools[pool!]);
  if (missing) return notReady(missing.pool!);
  const filled = placeholders.map((rrset): FilledRRset => {
    const pool = rrset.pool!, family = familyOf(rrset.type);
    const one = fill(pool, family, context, scope.geography(snapshot), snapshot.partitions[pool]?.[family]);
    markAsked(pool, context);
    context.record?.(decisionOf(one, context));
    return { rrset, one };
  });
  const whole = withFilled(answer, filled);
  if (!isAsked) return whole;
  // The answer's own come first.
  const { rrset: owner, one: asked } = filled[0]!;
  if (asked.choice.outcome === "servfail") return failed(whole, asked);
  if (asked.rdata.length > 0) return whole;
  return then(below(askingForNothing(context, owner.name)), (nothing) => withoutData(whole, nothing, asked));
}

/** A placeholder, and what its pool came to. */
interface FilledRRset {
  readonly rrset: RRset;
  readonly one: Filled;
}

/** The answer with every placeholder filled, or left out where the pool gives nothing. */
function withFilled(answer: Answer, filled: readonly FilledRRset[]): Answer {
  const { decidedAt } = answer.dependence, own = filled.map(({ one }) => one.selection);
  let { dependence } = answer;
  for (const { one } of filled) dependence = both(dependence, one.dependence);
  return {
    ...answer,
    answer: sectionWith(answer.answer, filled),
    additional: sectionWith(answer.additional, filled),
    // A pool fills alike whatever name a wildcard stands for.
    dependence: decidedAt ? { ...dependence, decidedAt } : dependence,
    selections: answer.selections ? [...answer.selections, ...own] : own,
  };
}

function sectionWith(section: readonly RRset[], filled: readonly FilledRRset[]): readonly RRset[] {
  if (!section.some(isEmptyPool)) return section;
  const whole = section.map((rrset) => {
    const one = filled.find((one) => one.rrset === rrset)?.one;
    return one ? withData(rrset, one) : rrset;
  });
  return whole.some(isEmptyPool) ? whole.filter((rrset) => !isEmptyPool(rrset)) : whole;
}

function withData({ name, type, pool }: RRset, { rdata, dependence: { deadline } }: Filled): RRset {
  return { name, type, ttl: TTL_WITHOUT_PLUGIN, rdata, pool: pool!, deadline };
}

/** RFC 6895 section 3.1 reserves it: no name has data of this type, so asking for it brings NODATA. */
const TYPE_OF_NOTHING = 65535;

function askingForNothing({ record: _, ...context }: QueryContext, name: Name): QueryContext {
  return { ...context, name: fold(name), question: { ...context.question, name, type: TYPE_OF_NOTHING } };
}

/** NODATA: the SOA of the zone says for how long. */
function withoutData(whole: Answer, { authority }: Answer, { dependence, choice }: Filled): Answer {
  // A pool that never had a node of this family lacks it for good, not for want of health.
  if (choice.allDown.length === 0) return { ...whole, authority };
  return {
    ...whole,
    authority: authority.map((rrset) => ({ ...rrset, deadline: dependence.deadline })),
    extendedErrors: [...whole.extendedErrors ?? [], whyNothing(choice.pool)],
  };
}

function failed({ dependence, selections }: Answer, { choice }: Filled): Answer {
  return emptyAnswer(RCODE.SERVFAIL, {
    dependence,
    ...selections && { selections },
    extendedErrors: [whyNothing(choice.pool)],
  });
}

/** RFC 8914: 0, Other Error. */
function whyNothing(pool: string) {
  return { infoCode: 0, text: `no node of ${pool} serves` };
}

/** RFC 8914: 14, Not Ready. */
function notReady(pool: string): Answer {
  return emptyAnswer(RCODE.SERVFAIL, {
    extendedErrors: [{ infoCode: 14 }],
    fault: { plugin: "anycast", message: `pool ${pool} has no nodes yet` },
  });
}

/** Counts the all-down policies behind an answer. */
function allDownMeter({ series }: AnswerScope): (answer: Answer) => readonly Sample[] {
  const known = new Map<string, readonly Sample[]>();
  const samplesOf = (pool: string, policy: string): readonly Sample[] => {
    const samples = [{ series: series("meridian_all_down_answers_total", { pool, policy }), value: 1 }];
    if (policy !== "fail-open") return samples;
    return [...samples, { series: series("meridian_fail_open_answers_total", { pool }), value: 1 }];
  };
  return ({ selections }) => {
    if (!selections?.some(({ allDown }) => allDown)) return NONE;
    const applied = selections.flatMap(({ allDown }) => allDown ?? []);
    return applied.flatMap(({ pool, policy }) => {
      const key = `${policy} ${pool}`;
      const samples = known.get(key) ?? samplesOf(pool, policy);
      known.set(key, samples);
      return samples;
    });
  };
}

const NONE: readonly never[] = Object.freeze([]);
