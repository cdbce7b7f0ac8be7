/**
 * Several zones side by side, as `file` and `auto` publish them: which of them has a name, and what it answers.
 *
 * @module
 */

import type { Answer } from "../answer.ts";
import { type Next, then } from "../chain.ts";
import { forOneName, undivided } from "../dependence.ts";
import { formatName, isWithin, type Name, parent, ROOT } from "../dns/name.ts";
import { CLASS, RCODE, rcodeToText, TYPE } from "../dns/types.ts";
import type { QueryContext } from "../query.ts";
import { lookup } from "./lookup.ts";
import { openZone, type PackedZone } from "./packed_zone.ts";

/** A zone as queries find it. */
export interface LoadedZone {
  readonly zone: PackedZone;
  readonly serial: number;
  /** Below which names an NXDOMAIN is left to the plugins that follow, folded; none = not at all. */
  readonly fallthrough: readonly Name[];
  readonly path: string;
  /** When it was taken, milliseconds since 1970. */
  readonly loadedMs: number;
  /** What is wrong with a newer file, which was not taken. */
  readonly refused?: string;
}

/** What a plugin that has zones publishes: plain data. */
export interface ZoneData {
  /** By apex, folded. */
  readonly zones: ReadonlyMap<Name, LoadedZone>;
}

/**
 * Answers from the zone that is nearest to the name; passes on names outside every zone. An answer that stands for other
 * names stands for none that another of the zones has.
 */
export function answerFromZones(
  plugin: string,
  { zones }: ZoneData,
  context: QueryContext,
  next: Next,
): Answer | Promise<Answer> {
  const { name, question } = context;
  const loaded = question.class === CLASS.IN ? zoneFor(zones, name, question.type) : undefined;
  if (!loaded) return then(next(context), (answer) => undivided(answer, zones.keys()));
  const answer = lookup(openZone(loaded.zone), {
    name: question.name,
    folded: name,
    type: question.type,
    chaseToPools: !(context.ecs && context.edns?.clientSubnet),
    dnssecOk: context.edns?.dnssecOk ?? false,
  });
  const falls = fallsThrough(answer, name, loaded.fallthrough);
  context.record?.({
    plugin,
    what: `zone ${formatName(loaded.zone.origin)} serial ${loaded.serial}: ${outcome(answer)}` +
      (falls ? ", falls through" : ""),
  });
  if (falls) return then(next(context), forOneName);
  const { decidedAt } = answer.dependence;
  // The server block may have a part of the zone alone: what lies beside it is answered elsewhere.
  if (decidedAt && !isWithin(decidedAt.name, context.zone)) return forOneName(answer);
  return undivided(answer, zonesBelow(zones, loaded.zone.origin));
}

const below = new WeakMap<ReadonlyMap<Name, unknown>, ReadonlyMap<Name, readonly Name[]>>();

/** The zones strictly below an apex. There are few such: they are found out once. */
function zonesBelow(zones: ReadonlyMap<Name, unknown>, origin: Name): readonly Name[] {
  if (zones.size === 1) return NO_NAMES;
  let found = below.get(zones);
  if (!found) {
    const within = new Map<Name, Name[]>();
    for (const zone of zones.keys()) {
      for (let above = zone; above !== ROOT;) {
        above = parent(above);
        if (!zones.has(above)) continue;
        const there = within.get(above);
        if (there) there.push(zone);
        else within.set(above, [zone]);
      }
    }
    below.set(zones, found = within);
  }
  return found.get(origin) ?? NO_NAMES;
}

const NO_NAMES: readonly Name[] = Object.freeze([]);

/** The longest zone that holds `name`; for a DS, which the parent of a zone has, one strictly above it if there is one. */
export function zoneFor(
  zones: ReadonlyMap<Name, LoadedZone>,
  name: Name,
  type: number,
): LoadedZone | undefined {
  if (zones.size === 1 && type !== TYPE.DS) return onlyZone(zones, name);
  const own = type === TYPE.DS ? zones.get(name) : undefined;
  for (let above = own ? parent(name) : name;; above = parent(above)) {
    const found = zones.get(above);
    if (found) return found;
    if (above === ROOT) return own;
  }
}

/**
 * The same where there is but one: to look whether it holds the name is cheaper than to look for each name above, and to know
 * its apex cheaper than to go through a map of one.
 */
function onlyZone(zones: ReadonlyMap<Name, LoadedZone>, name: Name): LoadedZone | undefined {
  let origin = onlyOrigins.get(zones);
  if (origin === undefined || !zones.has(origin)) {
    [origin] = zones.keys() as Iterable<Name> as [Name];
    onlyOrigins.set(zones, origin!);
  }
  return isWithin(name, origin!) ? zones.get(origin!) : undefined;
}

const onlyOrigins = new WeakMap<ReadonlyMap<Name, unknown>, Name>();

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
