/**
 * One verdict on a target from the reports of several vantages: a pure function of reports and clock, so that servers
 * that know the same reports come to the same verdict.
 *
 * Absence of news is no bad news. A report stands until a newer one comes; it is _fresh_ for a while, then still _held_,
 * then forgotten. While the fresh ones are enough, they decide; when they are not, the held ones join them; when even
 * those are not enough, nothing is known, which counts as up.
 *
 * @module
 */

import { nthLeast, UNTOLD } from "./deadline.ts";
import type { RegionalDeadline, RegionalVerdict, State, Verdict, VerdictDeadline } from "./verdict.ts";

/** What one vantage says of a target. */
export interface VantageReport {
  /** The server that probed. */
  readonly vantage: string;
  /** Its region; "" where it has none. */
  readonly region: string;
  readonly verdict: Verdict;
  /** When it last said so, or renewed what it said, milliseconds since 1970 by this server's clock. */
  readonly heardMs: number;
  /** When it could say otherwise, as far as it knows; absent when it did not tell. */
  readonly deadline?: VerdictDeadline;
}

/** How several opinions make one. */
export interface Agreement {
  /**
   * `quorum`: down when more than half say down. `any`: up when {@linkcode ANY_SHARE} say up. `all`: up when all say up. And
   * of degraded, which lies between the two, alike.
   */
  readonly mode: "quorum" | "any" | "all";
  /** So many vantages have to be heard for a verdict; fewer when there are fewer vantages at all. At least 1. */
  readonly vantages: number;
  /** For so long after it came a report is fresh. */
  readonly freshMs: number;
  /** For so long it is held where fresh ones are not enough; at least `freshMs`. */
  readonly holdMs: number;
  /** Whether regions may have verdicts of their own, for their clients; absent = they may. */
  readonly regions?: boolean;
}

/** Route 53's share: a target is healthy when more than 18 % of the checkers can reach it. */
export const ANY_SHARE = 0.18;

/** What the vantages' reports come to. */
export interface Agreed {
  readonly verdict: Verdict;
  readonly deadline: VerdictDeadline;
  /** Who was heard, and with what: the reports that decided. */
  readonly heard: readonly VantageReport[];
  /** Whether what decided was `fresh`, or `held` for want of fresh reports; `none`: nothing is known. */
  readonly basis: "fresh" | "held" | "none";
}

/**
 * What all vantages together say of a target.
 *
 * @param reports The newest of each vantage.
 * @param known How many vantages there are that should report.
 */
export function agree(
  reports: readonly VantageReport[],
  known: number,
  agreement: Agreement,
  nowMs: number,
): Agreed {
  const wanted = Math.max(1, Math.min(agreement.vantages, known));
  const said = reports.filter(({ verdict }) => verdict.state !== "unknown").toSorted(byVantage);
  const silentMs = speaksMs(reports);
  const fresh = said.filter(({ heardMs }) => nowMs - heardMs < agreement.freshMs);
  if (fresh.length >= wanted) {
    return decide(fresh, "fresh", agreement, Math.min(endOf(fresh, agreement.freshMs), silentMs));
  }
  const held = said.filter(({ heardMs }) => nowMs - heardMs < agreement.holdMs);
  if (held.length >= wanted) {
    return decide(held, "held", agreement, Math.min(endOf(held, agreement.holdMs), silentMs));
  }
  return { verdict: nothingKnown(said), deadline: UNTOLD, heard: [], basis: "none" };
}

/**
 * What those of one region say, where they are enough to decide by themselves and are fresh; undefined = all decide.
 *
 * @param known How many vantages the region has.
 */
export function agreeWithin(
  region: string,
  reports: readonly VantageReport[],
  known: number,
  agreement: Agreement,
  nowMs: number,
): Agreed | undefined {
  const vantages = Math.max(REGION_MIN, agreement.vantages);
  if (known < vantages) return undefined;
  const own = reports.filter((report) => report.region === region);
  const agreed = agree(own, known, { ...agreement, vantages }, nowMs);
  return agreed.basis === "fresh" ? agreed : undefined;
}

/** A region's only vantage may be what fails: it decides for nobody alone. */
export const REGION_MIN = 2;

/** What some say of a target, and when that could change. */
export interface Opinion {
  readonly verdict: Verdict;
  readonly deadline: VerdictDeadline;
}

/**
 * What all vantages together say of a target, and what those regions say that say something else.
 *
 * @param known How many vantages there are that should report, in all and by region.
 */
export function agreeByRegion(
  reports: readonly VantageReport[],
  known: { readonly all: number; readonly byRegion: ReadonlyMap<string, number> },
  agreement: Agreement,
  nowMs: number,
): Opinion {
  const all = agree(reports, known.all, agreement, nowMs), owns = new Map<string, Opinion>();
  for (const [region, count] of agreement.regions === false ? [] : known.byRegion) {
    // Those of no region are none, and one of all is all.
    if (region === "" || count === known.all) continue;
    const own = agreeWithin(region, reports, count, agreement, nowMs);
    if (own) owns.set(region, own);
  }
  return withRegions(all, owns);
}

/** What all say, with what regions say otherwise: where it is the same, neither state nor ramp is another. */
export function withRegions(
  { verdict, deadline }: Opinion,
  owns: ReadonlyMap<string, Opinion>,
): Opinion {
  const verdicts: RegionalVerdict[] = [], deadlines: RegionalDeadline[] = [], same = [deadline];
  for (const [region, own] of owns) {
    if (own.verdict.state === verdict.state && own.verdict.ramp === verdict.ramp) same.push(own.deadline);
    else {
      verdicts.push({ region, ...own.verdict });
      deadlines.push({ region, ...own.deadline });
    }
  }
  // A region that says the same as all may be the first to say something else.
  const common = same.length === 1 ? deadline : leastOf(same);
  if (verdicts.length === 0) return { verdict, deadline: common };
  return {
    verdict: { ...verdict, regions: verdicts.sort(byRegion) },
    deadline: { ...common, regions: deadlines.sort(byRegion) },
  };
}

function leastOf(deadlines: readonly VerdictDeadline[]): VerdictDeadline {
  const least = (of: (deadline: VerdictDeadline) => number) => Math.min(...deadlines.map(of));
  return {
    downMs: least(({ downMs }) => downMs),
    upMs: least(({ upMs }) => upMs),
    changeMs: least(({ changeMs }) => changeMs),
    rampMs: least(({ rampMs }) => rampMs),
    steady: deadlines.every(({ steady }) => steady),
  };
}

function byRegion(a: { readonly region: string }, b: { readonly region: string }): number {
  return a.region < b.region ? -1 : 1;
}

const RANKS = { down: 0, degraded: 1, up: 2 } as const;
const STATES = ["down", "degraded", "up"] as const;

/** How many of `count` have to say up, at least, for up. */
function wantedFor(mode: Agreement["mode"], count: number): number {
  if (mode === "all") return count;
  // Half is enough: down takes more than half.
  return mode === "quorum" ? Math.ceil(count / 2) : Math.floor(ANY_SHARE * count) + 1;
}

function decide(
  heard: readonly VantageReport[],
  basis: "fresh" | "held",
  { mode }: Agreement,
  endMs: number,
): Agreed {
  const wanted = wantedFor(mode, heard.length);
  const rank = ranksOf(heard).toSorted((a, b) => b - a)[wanted - 1]!;
  const state = STATES[rank]!;
  return {
    verdict: verdictOf(heard, state),
    deadline: deadlineOf(heard, state, wanted, endMs),
    heard,
    basis,
  };
}

function ranksOf(reports: readonly VantageReport[]): number[] {
  return reports.map(({ verdict: { state } }) => RANKS[state as Exclude<State, "unknown">]);
}

/** The state in the words of the vantage that was first to say it, as of when enough agreed cannot be known. */
function verdictOf(heard: readonly VantageReport[], state: Exclude<State, "unknown">): Verdict {
  const same = heard.filter(({ verdict }) => verdict.state === state).map(({ verdict }) => verdict);
  // Between up and down there may be nobody who says degraded.
  const { sinceMs, reason } = (same.length > 0 ? same : heard.map(({ verdict }) => verdict))
    .reduce((last, verdict) => verdict.sinceMs > last.sinceMs ? verdict : last);
  const says = heard.length === 1 ? reason : `${same.length} of ${heard.length} vantages: ${reason}`;
  // A node recovers as slowly as whoever saw it recover last.
  const ramp = same.reduce((least, verdict) => Math.min(least, verdict.ramp), 1);
  return { state, sinceMs, reason: says, ramp };
}

/**
 * The earliest instants at which enough vantages could have changed their minds for the whole to change its own. Each is a
 * bound from below: no earlier change can be caused by what is known now.
 */
function deadlineOf(
  heard: readonly VantageReport[],
  state: Exclude<State, "unknown">,
  wanted: number,
  endMs: number,
): VerdictDeadline {
  const told = heard.map(({ deadline, verdict }) => ({
    isDown: verdict.state === "down",
    ...(deadline ?? UNTOLD),
  }));
  const ups = told.filter(({ isDown }) => !isDown), downs = told.filter(({ isDown }) => isDown);
  // Down takes so many losses that fewer than `wanted` are left, up so many returns that `wanted` are there.
  const downMs = state === "down"
    ? Infinity
    : nthLeast(ups.map(({ downMs }) => downMs), ups.length - wanted + 1);
  const upMs = state !== "down" ? Infinity : nthLeast(downs.map(({ upMs }) => upMs), wanted - ups.length);
  const rampMs = Math.min(...told.map(({ rampMs }) => rampMs));
  return {
    // When reports grow old fewer decide, and these may say anything.
    downMs: state === "down" ? Infinity : Math.min(downMs, endMs),
    upMs: state === "down" ? Math.min(upMs, endMs) : Infinity,
    changeMs: Math.min(endMs, ...told.map(({ changeMs }) => changeMs)),
    rampMs,
    steady: told.every(({ steady }) => steady),
  };
}

/** When the first of the reports grows old: the rest decide by another number. */
function endOf(heard: readonly VantageReport[], lastsMs: number): number {
  return heard.reduce((least, { heardMs }) => Math.min(least, heardMs + lastsMs), Infinity);
}

/** When the first of those that know nothing yet could come to know something. */
function speaksMs(reports: readonly VantageReport[]): number {
  return reports.filter(({ verdict }) => verdict.state === "unknown")
    .reduce((least, { deadline }) => Math.min(least, (deadline ?? UNTOLD).changeMs), Infinity);
}

function nothingKnown(said: readonly VantageReport[]): Verdict {
  const sinceMs = said.reduce((latest, { heardMs }) => Math.max(latest, heardMs), 0);
  return { state: "unknown", sinceMs, reason: "too few vantages are heard", ramp: 1 };
}

function byVantage(a: VantageReport, b: VantageReport): number {
  return a.vantage < b.vantage ? -1 : a.vantage > b.vantage ? 1 : 0;
}
