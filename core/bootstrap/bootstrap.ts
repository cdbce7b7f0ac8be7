/**
 * How a machine that joins a fleet finds entry points:
 *
 *     SRV records ─▶ the name's own addresses ─▶ those that answered last (a file) ─▶ a list of one's own
 *
 * The next is asked only when nobody of the one before can be reached. Everything that was considered is part of the result,
 * with the reason why it was chosen or not. Of the process nothing is used but what is handed in.
 *
 * @module
 */

import { formatName } from "../dns/name.ts";
import type { Family } from "../net/address.ts";
import { cacheText, candidatesOf, type Kept, readCache } from "./cache.ts";
import { type Candidate, familyOf, tryOrder, whyNobody } from "./candidate.ts";
import { formatHostPort } from "./endpoint.ts";
import { type LookedUp, lookUp } from "./lookup.ts";
import { type BootstrapOptions, DEFAULTS, type Plan, planOf } from "./options.ts";
import { type Attempt, bestOf, race } from "./race.ts";
import { readResolvConf, RESOLV_CONF } from "./resolv_conf.ts";
import { type Asked, Resolver } from "./resolver.ts";

export { type BootstrapOptions, DEFAULTS, type Probe } from "./options.ts";
export { type BootstrapIo, SYSTEM_IO } from "./io.ts";
export { type Endpoint, formatHostPort, parseEndpoint } from "./endpoint.ts";
export type { Asked, Candidate };

/** An entry point, or what might have been one. */
export interface Considered extends Candidate {
  readonly family: Family;
  /** `reached`: but others are better. `given up`: silent when it was over. `refused`: nobody can be there. */
  readonly verdict: "chosen" | "reached" | "failed" | "given up" | "not tried" | "refused";
  readonly why: string;
  /** How long the probe took, milliseconds; absent where it was not answered. */
  readonly rttMs?: number;
}

/** Which of the four helped. */
export type Origin = "SRV" | "addresses" | "cache" | "fallback";

/** What became of a search. Plain data. */
export interface BootstrapResult {
  /** Absolute, presentation form. */
  readonly name: string;
  /** The owner of the SRV records. */
  readonly service: string;
  /** Best first; empty when nobody can be reached. */
  readonly entryPoints: readonly Considered[];
  /** Absent when nobody can be reached. */
  readonly origin?: Origin;
  /** Everyone, the entry points among them, in the order in which they were tried. */
  readonly considered: readonly Considered[];
  /** Every question that was put, and what came of it. */
  readonly asked: readonly Asked[];
  /** What went wrong, or is otherwise worth knowing. */
  readonly notes: readonly string[];
  /** How long what DNS said holds, seconds; absent where it said nothing. */
  readonly ttl?: number;
  readonly tookMs: number;
}

/** Candidates that are tried together. */
interface Tier {
  readonly origin: Origin;
  readonly candidates: readonly Candidate[];
}

/**
 * Looks for entry points. It does not throw for anything that the network or the file does.
 *
 * @throws {SyntaxError} At a name, service or address that is none.
 * @throws {RangeError} At a number that cannot be.
 */
export async function bootstrap(options: BootstrapOptions): Promise<BootstrapResult> {
  const plan = planOf(options), { io, timeoutMs } = plan;
  const startedMs = io.elapsedMs(), notes: string[] = [];
  const kept = await readKept(plan, notes);
  const { looked, asked } = await askDns(plan, notes);
  const considered: Considered[] = [];
  let origin: Origin | undefined;
  const tiers = tiersOf(plan, looked, kept, notes);
  for (const [i, tier] of tiers.entries()) {
    if (origin) {
      considered.push(...tier.candidates.map((one) => settled(one, "not tried", NOT_NEEDED[origin!])));
      continue;
    }
    const leftMs = timeoutMs - (io.elapsedMs() - startedMs);
    const isLast = tiers.slice(i + 1).every(({ candidates }) => candidates.length === 0);
    const tried = await tryTier(tier, plan, Math.max(0, isLast ? leftMs : leftMs / 2));
    considered.push(...tried);
    if (tried.some(({ verdict }) => verdict === "chosen")) origin = tier.origin;
  }
  const entryPoints = considered.filter(({ verdict }) => verdict === "chosen").sort(byRank);
  if (origin === "SRV" || origin === "addresses") await keep(plan, considered, kept, notes);
  return {
    name: formatName(plan.name),
    service: formatName(plan.service),
    entryPoints,
    ...origin && { origin },
    considered,
    asked,
    notes,
    ...looked.ttl !== Infinity && { ttl: looked.ttl },
    tookMs: io.elapsedMs() - startedMs,
  };
}

const NOT_NEEDED: Readonly<Record<Origin, string>> = {
  SRV: "SRV records were enough",
  addresses: "the name's addresses were enough",
  cache: "those that answered last were enough",
  fallback: "",
};

/** With half of the time: the rest is for whoever is found, here or elsewhere. */
async function askDns(plan: Plan, notes: string[]): Promise<{ looked: LookedUp; asked: readonly Asked[] }> {
  const { io, timeoutMs } = plan, over = new AbortController();
  const cancel = io.clock.after(timeoutMs / 2, () => over.abort());
  const system = plan.resolvers ? undefined : await readSystem(plan, notes);
  const resolver = new Resolver({
    resolvers: plan.resolvers ?? system!.resolvers,
    race: plan.raceResolvers,
    timeoutMs: plan.resolverTimeoutMs ?? system?.timeoutMs ?? DEFAULTS.resolverTimeoutMs,
    rounds: plan.resolverRounds ?? system?.rounds ?? DEFAULTS.resolverRounds,
    mixCase: plan.mixCase,
    io,
    signal: AbortSignal.any([over.signal, plan.signal]),
  });
  const looked = await lookUp(plan, { resolver, io, delayMs: plan.attemptDelayMs });
  cancel();
  notes.push(...looked.failures);
  const asked = [...resolver.asked];
  // Nobody waits for the rest any more.
  over.abort();
  return { looked, asked };
}

async function readSystem({ io }: Plan, notes: string[]) {
  try {
    return readResolvConf(await io.files.read(RESOLV_CONF) ?? "");
  } catch (error) {
    notes.push(`Cannot read ${RESOLV_CONF}, asking 127.0.0.1: ${(error as Error).message}`);
    return readResolvConf("");
  }
}

function tiersOf(plan: Plan, looked: LookedUp, kept: readonly Kept[], notes: string[]): Tier[] {
  const { name, service, io, cache, fallback } = plan;
  const nowMs = io.clock.nowMs();
  if (looked.isDenied) {
    notes.push(`${formatName(service)} says that the service is not to be had: its one target is the root`);
  }
  const cached = cache ? candidatesOf(kept, { nowMs, maxAgeMs: cache.maxAgeMs }) : [];
  if (cached.length < kept.length) notes.push(`${kept.length - cached.length} in the cache are too old`);
  const host = formatName(name).replace(/\.$/, "");
  return [
    { origin: "SRV", candidates: tryOrder(looked.bySrv) },
    // Who says that there is no service is believed, and what was true before is not tried.
    { origin: "addresses", candidates: looked.isDenied ? [] : tryOrder(looked.byAddress) },
    { origin: "cache", candidates: looked.isDenied ? [] : tryOrder(cached) },
    {
      origin: "fallback",
      candidates: tryOrder(fallback.map(({ address, port }): Candidate => ({
        ...{ address, port, host, from: "fallback", priority: 0 },
      }))),
    },
  ];
}

async function tryTier({ candidates }: Tier, plan: Plan, timeoutMs: number): Promise<Considered[]> {
  const usable = candidates.filter((one) => whyNobody(one) === undefined);
  const attempts = plan.probe === "none"
    ? usable.map((): Attempt => ({ outcome: "reached", rttMs: NaN, said: "not probed" }))
    : await race(usable, {
      ...plan,
      timeoutMs,
      clock: plan.io.clock,
      elapsedMs: plan.io.elapsedMs,
      probe: (one, signal) => probe(one, plan, signal),
    });
  const best = plan.probe === "none"
    ? usable.slice(0, plan.count).map((_, i) => i)
    : bestOf(usable, attempts, plan.count);
  return candidates.map((one) => {
    const index = usable.indexOf(one);
    return index < 0
      ? settled(one, "refused", whyNobody(one)!)
      : concluded(one, attempts[index]!, best.indexOf(index), best.length);
  });
}

/** @returns What it said. */
async function probe(candidate: Candidate, { io, path, authority, ...plan }: Plan, signal: AbortSignal) {
  const { address, port, host } = candidate;
  if (plan.probe === "tcp") {
    (await io.sockets.connect(address, port, signal)).close();
    return "connected";
  }
  const status = await io.sockets.https({
    ...{ address, port, host, path },
    ...authority !== undefined && { authority },
  }, signal);
  if (status >= 200 && status < 400) return `HTTP ${status}`;
  throw new Error(`HTTP ${status}`);
}

function concluded(one: Candidate, attempt: Attempt, rank: number, chosen: number): Considered {
  if (attempt.outcome !== "reached") return settled(one, attempt.outcome, attempt.why);
  const { said, rttMs } = attempt;
  const measured = Number.isNaN(rttMs) ? {} : { rttMs };
  return rank >= 0
    ? { ...settled(one, "chosen", `${said}, ${rank + 1} of ${chosen}`), ...measured }
    : { ...settled(one, "reached", `${said}, but ${chosen} others are better`), ...measured };
}

function settled(one: Candidate, verdict: Considered["verdict"], why: string): Considered {
  return { ...one, family: familyOf(one), verdict, why };
}

/** What is not measured stays as it came. */
function byRank(a: Considered, b: Considered): number {
  return a.priority - b.priority || (a.rttMs ?? 0) - (b.rttMs ?? 0);
}

async function readKept({ cache, service, io }: Plan, notes: string[]): Promise<Kept[]> {
  if (!cache) return [];
  try {
    const text = await io.files.read(cache.file);
    return text === undefined ? [] : readCache(text, formatName(service));
  } catch (error) {
    notes.push(`Cannot use ${cache.file}: ${(error as Error).message}`);
    return [];
  }
}

/** Those that DNS named and that can be reached. */
async function keep(plan: Plan, considered: readonly Considered[], before: readonly Kept[], notes: string[]) {
  const { cache, service, io } = plan;
  if (!cache) return;
  const reached = considered.filter(({ verdict }) => verdict === "chosen" || verdict === "reached");
  const distinct = [...new Map(reached.map((one) => [formatHostPort(one), one])).values()];
  const terms = { nowMs: io.clock.nowMs(), maxAgeMs: cache.maxAgeMs };
  try {
    await io.files.write(cache.file, cacheText(formatName(service), distinct, before, terms));
  } catch (error) {
    notes.push(`Cannot write ${cache.file}: ${(error as Error).message}`);
  }
}
