/**
 * What a registered node's lease says of it: a pure function of what servers have heard, in the form of a verdict, so that
 * it is one more check of the node.
 *
 * Servers' clocks may be apart by any time that stays the same. Whether a lease has ended is told by one clock alone, that
 * of the server which heard the node: what it had noted at one instant, and when it had heard the node before. Which of
 * several servers heard it last is told from when their pulses came here; those that are within {@linkcode APART_MS} are
 * both taken for the last, and one of them is enough for a node to live.
 *
 * @module
 */

import { type LeaseTerms, type Liveness, livenessOf, type Pulse } from "../fleet/liveness.ts";
import type { TargetKey, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import type { RegistrationRecord } from "./node_record.ts";

/** What one server has heard of a node, in the time of who asks, but for `ownMs`. */
export interface Heard {
  readonly server: string;
  readonly heardMs: number;
  /** The same by the server's own clock. */
  readonly ownMs: number;
  /** For how long after that the node may be silent. */
  readonly leaseMs: number;
  /** As of when it had noted all that it heard. */
  readonly toldMs: number;
  /** Whether the store still has that server. */
  readonly isThere: boolean;
  /** Since when the node wants no new clients, by the server's own clock. */
  readonly drainingMs?: number;
}

/** What a lease says. */
export interface LeaseEntry {
  /** `lease ID`. */
  readonly target: TargetKey;
  readonly verdict: Verdict;
  readonly deadline: VerdictDeadline;
  /** Why the verdict is what it is. `draining` and `left` are the node's own wish. */
  readonly state: Liveness["state"] | "draining";
  /** Who heard it last, and when by that server's clock. */
  readonly heardBy: { readonly server: string; readonly atMs: number };
  /** When it could be something else at the earliest by time alone, if nobody hears anything; Infinity = never. */
  readonly untilMs: number;
}

/** What a node is told when it is heard. */
export interface NodeLease {
  /** For how long it may be silent: it is down everywhere then. */
  readonly leaseMs: number;
  /** How often it is to be heard. */
  readonly beatMs: number;
}

/** What is so where nothing else is said: 30 s, pulses of 5 s that may be missed twice, 300 s. */
export const LEASE_TERMS: LeaseTerms = { leaseMs: 30_000, pulseMs: 15_000, holdMs: 300_000 };

/** What nodes are told where nothing else is said. */
export const NODE_LEASE: NodeLease = { leaseMs: LEASE_TERMS.leaseMs, beatMs: 10_000 };

/** How far apart two hearings are, at least, for the later one to be the later one. */
export const APART_MS = 5000;

/** The target of a node's lease. */
export function leaseTarget(node: string): TargetKey {
  return `lease ${node}`;
}

/** What the lease of a node says at `nowMs`. At least one hearing. */
export function leaseOf(
  id: string,
  record: RegistrationRecord,
  heard: readonly Heard[],
  terms: Omit<LeaseTerms, "leaseMs">,
  nowMs: number,
): LeaseEntry {
  const last = most(heard, ({ heardMs }) => heardMs);
  if (record.leftMs !== undefined) {
    return down(id, last, "left", record.leftMs, `left at ${instant(record.leftMs)}`);
  }
  // Of servers that tell nodes different leases one may have heard it earlier, and for longer.
  const longest = most(heard, endOf);
  const found = heard.filter((one) => one.heardMs >= last.heardMs - APART_MS || endOf(one) >= endOf(last))
    .map((one) => livenessOf([one], pulseOf(one), { ...terms, leaseMs: one.leaseMs }, nowMs)).reduce(better);
  if (found.state === "gone") {
    const { ownMs, leaseMs, server } = longest, endMs = ownMs + leaseMs;
    const how = longest === last ? "last heard" : "heard";
    const reason = `lease ended at ${instant(endMs)}: ${how} at ${instant(ownMs)} by ${server}`;
    return down(id, longest, "gone", endMs, reason);
  }
  if (last.drainingMs !== undefined) {
    const reason = `${DRAINING} ${instant(last.drainingMs)}`;
    return { ...down(id, last, "draining", last.drainingMs, reason), untilMs: found.untilMs };
  }
  return found.state === "alive" ? alive(id, record, last, endOf(longest), found) : unknown(id, last);
}

const DRAINING = "draining since";

/** Whether a lease's verdict is that of a node which wants no new clients. */
export function isDraining({ state, reason }: Pick<Verdict, "state" | "reason">): boolean {
  return state === "down" && reason.startsWith(DRAINING);
}

/** An entry in words for people, as of `nowMs`: `lease ended 12 s ago: last heard by fra`. */
export function describeLease({ state, verdict, heardBy }: LeaseEntry, nowMs: number): string {
  const by = `last heard by ${heardBy.server}`;
  const ago = `${Math.max(0, Math.round((nowMs - verdict.sinceMs) / 1000))} s ago`;
  if (state === "gone") return `lease ended ${ago}: ${by}`;
  if (state === "left") return `left ${ago}`;
  if (state === "draining") return `draining, began ${ago}: ${by}`;
  return state === "alive" ? `lease held: ${by}` : `nobody can tell: ${by}`;
}

/** The hearing with the latest instant; of two at once that of the server whose id comes first. */
function most(heard: readonly Heard[], instantOf: (one: Heard) => number): Heard {
  return heard.reduce((a, b) => {
    const later = instantOf(b) - instantOf(a);
    return later > 0 || later === 0 && b.server < a.server ? b : a;
  });
}

/** When the lease ends that a hearing gave. */
function endOf({ heardMs, leaseMs }: Heard): number {
  return heardMs + leaseMs;
}

function pulseOf({ server, toldMs, isThere }: Heard): ReadonlyMap<string, Pulse> {
  return isThere ? new Map([[server, { atMs: toldMs, hasEnded: false }]]) : NO_PULSES;
}

const NO_PULSES: ReadonlyMap<string, Pulse> = new Map();

const GOODNESS = { left: 0, gone: 1, unknown: 2, alive: 3 } as const;

/** Of what two servers say of one node what speaks for it. */
function better(a: Liveness, b: Liveness): Liveness {
  if (a.state !== b.state) return GOODNESS[a.state] > GOODNESS[b.state] ? a : b;
  return a.untilMs >= b.untilMs ? a : b;
}

function alive(
  id: string,
  { registeredMs }: RegistrationRecord,
  last: Heard,
  endMs: number,
  { untilMs }: Liveness,
): LeaseEntry {
  return {
    ...common(id, last),
    verdict: { state: "up", sinceMs: registeredMs, reason: "lease held", ramp: 1 },
    // Whoever is late to tell of an end may do so at any time.
    deadline: { downMs: endMs, upMs: Infinity, changeMs: endMs, rampMs: Infinity, steady: true },
    state: "alive",
    untilMs,
  };
}

function unknown(id: string, last: Heard): LeaseEntry {
  const reason = `last heard at ${instant(last.ownMs)} by ${last.server}, of which nothing is heard`;
  return {
    ...common(id, last),
    verdict: { state: "unknown", sinceMs: last.ownMs, reason, ramp: 1 },
    deadline: ANY_TIME,
    state: "unknown",
    untilMs: Infinity,
  };
}

/** A node may say something else with its next word. */
const ANY_TIME: VerdictDeadline = Object.freeze({
  downMs: -Infinity,
  upMs: Infinity,
  changeMs: -Infinity,
  rampMs: Infinity,
  steady: false,
});

const ANY_TIME_UP: VerdictDeadline = Object.freeze({
  downMs: Infinity,
  upMs: -Infinity,
  changeMs: -Infinity,
  rampMs: Infinity,
  steady: true,
});

function down(
  id: string,
  last: Heard,
  state: "gone" | "left" | "draining",
  sinceMs: number,
  reason: string,
): LeaseEntry {
  return {
    ...common(id, last),
    verdict: { state: "down", sinceMs, reason, ramp: 1 },
    deadline: ANY_TIME_UP,
    state,
    untilMs: Infinity,
  };
}

function common(id: string, last: Heard): Pick<LeaseEntry, "target" | "heardBy"> {
  return { target: leaseTarget(id), heardBy: { server: last.server, atMs: last.ownMs } };
}

/** An instant in a reason: of the server's clock, so that all who read the store say the same. */
function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
