/**
 * The value that comes up the chain: what will be said, and what it depended on. Every part is readonly, so
 * that an answer may share the zone's own RRsets; a plugin that wants another answer makes another value.
 *
 * @module
 */

import type { Name } from "./dns/name.ts";
import type { NameSet } from "./dns/name_set.ts";
import type { Point } from "./fleet/distance.ts";
import type { NetworkRows } from "./net/network_rows.ts";
import { RCODE } from "./dns/types.ts";

/** Records of one owner name, class IN and type (RFC 9499 section 5). */
export interface RRset {
  readonly name: Name;
  /** The type's number (RFC 6895). */
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** RDATA in wire form, names in it uncompressed. */
  readonly rdata: readonly Uint8Array[];
  /** The pool that owns this RRset: a backend leaves `rdata` empty, and anycast fills it on the way up. */
  readonly pool?: string;
  /** When this RRset could change; absent where nothing but an edit of the zone changes it. */
  readonly deadline?: Deadline;
}

/**
 * When something that was consulted could change, in milliseconds since 1970, as far as probes, leases, ramps and
 * schedules known now can cause. Infinity stands for never. `docs/decisions/0001-answers.md` has the rule.
 */
export interface Deadline {
  /** The earliest change of any kind. */
  readonly earliestMs: number;
  /** The earliest change that stands in a calendar: maintenance, override end, lease end, ramp step. */
  readonly scheduledMs: number;
  /** Whether no probe consulted has taken a step towards a change: no failure counted, no success after a down. */
  readonly steady: boolean;
}

/** What else than the question an answer depended on (DESIGN's law of declared dependence). */
export interface Dependence {
  /** Bits of the client's address that the answer holds for: becomes the ECS scope. 0 = any client. */
  readonly scopePrefixLength: number;
  readonly deadline: Deadline;
  /** What merely tells apart the places to remember the answer under. */
  readonly keys: readonly MemoKey[];
  /**
   * Until when the very same would be said, TTLs included, while the snapshot stands: milliseconds since 1970. Absent =
   * for as long as it does.
   */
  readonly untilMs?: number;
  /** The pools whose state or deadlines it looked at, those that it merely might spill to included. */
  readonly pools?: readonly string[];
  /** Tells clients apart as far as the reply goes; absent = only prefixes do. */
  readonly clients?: ClientTable;
  /** The reply changes with the message ID, and repeats itself whenever that is the same modulo this number. */
  readonly rotation?: number;
  /** Where it was decided, where that was not at the name asked for. */
  readonly decidedAt?: DecidedAt;
}

/**
 * Both address spaces cut into rows: all clients of one row get the same reply to a question, octet for octet, scope
 * included. Immutable; lies in shared memory.
 */
export interface ClientTable {
  readonly 4: NetworkRows;
  readonly 6: NetworkRows;
}

/** A name that stands for names below it which there are not, or which are not ours to know. */
export interface DecidedAt {
  /** The closest encloser of the name asked for, or the zone cut above it; folded. */
  readonly name: Name;
  /**
   * The names there are: all names below `name` get the same reply, save those whose first label more than `name` makes
   * one of these. Absent = all names below it get the same, as below a zone cut.
   */
  readonly existing?: NameSet;
}

/**
 * See {@linkcode Dependence}. `tailored`: the client's network mattered, whatever length came of it. `port`: the
 * client's port did, which makes an answer not worth remembering. `cookie`: the answer has a COOKIE option, which is for this
 * one client and moment; the rest of it is for all who have such an option.
 */
export type MemoKey = "source" | "port" | "transport" | "do" | "cd" | "server" | "tailored" | "cookie";

/** RFC 8914. */
export interface ExtendedError {
  readonly infoCode: number;
  readonly text?: string;
}

/** One EDNS option to send, its data in wire form (RFC 6891 section 6.1.2). */
export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** What the pools did for this answer, for logs and for people. */
export interface Selection {
  readonly pool: string;
  /** Ids of the nodes chosen, best first. */
  readonly nodes: readonly string[];
  /** Why these: `nearest`, `ring`, `all-down last-known-good`, `spill to NAME`, … */
  readonly why: string;
  /** Kilometres to the first of them; absent where the client has no location. */
  readonly distanceKm?: number;
  /** The same for a client elsewhere who is given this very answer, where there may be such. */
  readonly distanceKmFrom?: (place: Point | undefined) => number | undefined;
  /** Every all-down policy that was applied, in turn; absent where none was. */
  readonly allDown?: readonly { readonly pool: string; readonly policy: string }[];
}

/** What the chain returns; the responder turns it into octets. */
export interface Answer {
  readonly rcode: number;
  /** The AA flag. */
  readonly authoritative: boolean;
  /** The RA flag: recursion was available, as behind `forward`. */
  readonly recursionAvailable?: boolean;
  /** The RD flag, where it is not to be what the query had. */
  readonly recursionDesired?: boolean;
  /** The AD flag, passed on from an upstream. */
  readonly authenticData?: boolean;
  readonly answer: readonly RRset[];
  readonly authority: readonly RRset[];
  readonly additional: readonly RRset[];
  readonly dependence: Dependence;
  readonly extendedErrors?: readonly ExtendedError[];
  /** Options beside those that the responder derives itself (ECS, EDE). */
  readonly options?: readonly EdnsOption[];
  /** The EDNS payload size to announce, and the most octets to send over UDP, where a plugin sets it. */
  readonly payloadSize?: number;
  readonly selections?: readonly Selection[];
  /** An operating failure behind this answer, for `errors` to report: `forward: 192.0.2.1:53 timed out`. */
  readonly fault?: { readonly plugin: string; readonly message: string };
  /** False: leave the query's ECS option unanswered, as a server without ECS does. */
  readonly ecs?: false;
  /** Not an answer: this query must wait, and is answered where waiting is allowed. Survives every change on the way up. */
  readonly deferred?: true;
  /** True of this moment only, as what an upstream said: nobody but `cache`, which counts TTLs down, may remember it. */
  readonly momentary?: true;
  /**
   * Of what is momentary: until when the reply may be repeated all the same, its TTLs counted down by whole seconds since
   * `sinceMs`, when it was heard; absent = since it is given.
   */
  readonly aging?: { readonly untilMs: number; readonly sinceMs?: number };
  /** What became known while it was made, by label: `forward/upstream`. Joins what `context.label` tells. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Send none of the records, and say so with TC: whoever asked over UDP is to ask again over TCP. */
  readonly truncated?: true;
  /** Say nothing at all. */
  readonly silent?: boolean;
}

/** A deadline that never comes. */
export const NEVER: Deadline = Object.freeze({ earliestMs: Infinity, scheduledMs: Infinity, steady: true });

/** What a static answer depends on: nothing. */
export const INDEPENDENT: Dependence = Object.freeze({
  scopePrefixLength: 0,
  deadline: NEVER,
  keys: Object.freeze([]),
});

/** The earlier of two deadlines, part by part; unsteady when either is. */
export function earlier(a: Deadline, b: Deadline): Deadline {
  if (b === NEVER) return a;
  if (a === NEVER) return b;
  return {
    earliestMs: Math.min(a.earliestMs, b.earliestMs),
    scheduledMs: Math.min(a.scheduledMs, b.scheduledMs),
    steady: a.steady && b.steady,
  };
}

/**
 * What depends on both: the longest scope, the earliest deadline, every key. Where something was decided is not among it:
 * whoever joins two answers says that anew, if it can.
 */
export function both(a: Dependence, b: Dependence): Dependence {
  if (b === INDEPENDENT) return a;
  if (a === INDEPENDENT) return b;
  const untilMs = leastDefined(a.untilMs, b.untilMs);
  const pools = united(a.pools, b.pools);
  const rotation = a.rotation && b.rotation ? a.rotation * b.rotation : a.rotation ?? b.rotation;
  // Two tables cut the space in two ways: what depends on both is told apart by prefixes.
  const clients = a.clients === b.clients || !dependsOnClient(b)
    ? a.clients
    : dependsOnClient(a)
    ? undefined
    : b.clients;
  // Put together by hand: spreads for what is optional take several times as long.
  const sum: Draft<Dependence> = {
    scopePrefixLength: Math.max(a.scopePrefixLength, b.scopePrefixLength),
    deadline: earlier(a.deadline, b.deadline),
    keys: united(a.keys, b.keys) ?? [],
  };
  if (untilMs !== undefined && untilMs < Infinity) sum.untilMs = untilMs;
  if (pools) sum.pools = pools;
  if (clients) sum.clients = clients;
  if (rotation) sum.rotation = rotation;
  return sum;
}

/** A value that is still being put together. */
export type Draft<T> = { -readonly [Part in keyof T]: T[Part] };

function leastDefined(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

/** Where the scope is 0, the set is the same for everyone, but not its order. */
function dependsOnClient({ scopePrefixLength, keys, clients }: Dependence): boolean {
  return scopePrefixLength > 0 || clients !== undefined || keys.includes("tailored");
}

function united<T>(a: readonly T[] | undefined, b: readonly T[] | undefined): readonly T[] | undefined {
  if (!a || !b || a === b) return a ?? b;
  const more = b.filter((one) => !a.includes(one));
  return more.length > 0 ? [...a, ...more] : a;
}

/** An answer of no records. */
export function emptyAnswer(rcode: number, more: Partial<Answer> = {}): Answer {
  return {
    rcode,
    authoritative: false,
    answer: [],
    authority: [],
    additional: [],
    dependence: INDEPENDENT,
    ...more,
  };
}

/**
 * An answer that ends in an alias, with what the chain has for the alias's target: whether that exists is the target's to
 * say (RFC 6604 section 3), and so is the proof that it does not. Where nobody here answers for it, the alias stands alone.
 */
export function withTarget({ aging: _, ...answer }: Answer, target: Answer): Answer {
  if (target.deferred) return target;
  // Where the target was decided says nothing of the name that leads there.
  const { decidedAt: _decidedAt, ...dependence } = both(answer.dependence, target.dependence);
  if (target.rcode === RCODE.REFUSED) return { ...answer, dependence };
  const { answer: records, authority, additional, rcode, silent, truncated, momentary, fault } = target;
  const selections = [...answer.selections ?? [], ...target.selections ?? []];
  const extendedErrors = [...answer.extendedErrors ?? [], ...target.extendedErrors ?? []];
  return {
    ...answer,
    rcode,
    answer: [...answer.answer, ...records],
    authority: [...answer.authority, ...authority],
    additional: [...answer.additional, ...additional],
    dependence,
    ...answer.authenticData && { authenticData: target.authenticData === true },
    ...selections.length > 0 && { selections },
    ...extendedErrors.length > 0 && { extendedErrors },
    ...silent && { silent },
    ...truncated && { truncated },
    ...momentary && { momentary },
    ...fault && { fault },
  };
}

/** The same answer, `change` applied to each RRset of its three sections. Shares what did not change. */
export function mapRRsets(answer: Answer, change: (rrset: RRset) => RRset): Answer {
  return {
    ...answer,
    answer: mapSection(answer.answer, change),
    authority: mapSection(answer.authority, change),
    additional: mapSection(answer.additional, change),
  };
}

function mapSection(section: readonly RRset[], change: (rrset: RRset) => RRset): readonly RRset[] {
  let changed: RRset[] | undefined;
  for (let i = 0; i < section.length; i++) {
    const before = section[i]!, after = change(before);
    if (after === before) continue;
    changed ??= section.slice();
    changed[i] = after;
  }
  return changed ?? section;
}
