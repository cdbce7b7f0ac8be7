/**
 * The leases of all nodes, out of the store: followed change by change, or worked out at once.
 *
 *     nodes/ID            that there is one that has a lease    ┐
 *     registrations/ID    that it has registered, or has left   ├─> LivenessView ─> verdicts and deadlines that changed
 *     alive/SERVER/N      whom that server heard, and when      │
 *     servers/ID          that the server is there to tell      ┘
 *
 * @module
 */

import { LeastHeap } from "../fleet/least_heap.ts";
import type { LeaseTerms } from "../fleet/liveness.ts";
import type { TargetKey, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Difference } from "../state/replica.ts";
import type { Entry } from "../state/store.ts";
import {
  bucketKey,
  type HeardBucket,
  instantOf,
  leaseMsIn,
  readBucket,
  type ServerPulse,
} from "./hearings.ts";
import { type Heard, LEASE_TERMS, type LeaseEntry, leaseOf } from "./lease.ts";
import { hasLease, readRegistration, type RegistrationRecord } from "./node_record.ts";

/** A bucket of a server. */
interface Bucket {
  /** When it was written, by that server's clock. */
  atMs: number;
  /** Who is in it. */
  readonly nodes: Map<string, NodeState>;
}

/** What one server has heard of one node, by its own clock. */
interface Hearing {
  heardMs: number;
  drainingMs: number | undefined;
  leaseMs: number;
  readonly bucket: { readonly atMs: number };
}

interface NodeState {
  readonly id: string;
  /** Its number in the heap. */
  readonly index: number;
  /** And has a lease. */
  isThere: boolean;
  registration: RegistrationRecord | undefined;
  readonly hearings: Map<string, Hearing>;
  entry: LeaseEntry | undefined;
  /** What the store has of it makes no lease, and that has been told. */
  isFaulty: boolean;
  /** When it stands in the heap to be looked at; Infinity = it does not. */
  pendingMs: number;
}

/** A server, as far as its hearings are concerned. */
export interface ServerTime {
  /** What to add to its clock for ours. */
  readonly offsetMs: number;
  /** By its clock: all that it heard before is in the store. */
  readonly notedMs: number;
  readonly isThere: boolean;
}

/** A pulse that seems to come later than the fastest one by more is of a clock that was set back, or goes slower. */
const SET_BACK_MS = 3000;

const NEVER_HEARD_OF: ServerTime = Object.freeze({ offsetMs: 0, notedMs: -Infinity, isThere: false });

/** What is known of a server with one pulse more, that came here at `nowMs`. */
export function afterPulse(before: ServerTime | undefined, pulse: ServerPulse, nowMs: number): ServerTime {
  const offsetMs = nowMs - pulse.nowMs, { offsetMs: least = Infinity } = before ?? {};
  // What came fastest tells best how clocks differ.
  const isBest = offsetMs < least || offsetMs > least + SET_BACK_MS;
  return { offsetMs: isBest ? offsetMs : least, notedMs: pulse.notedMs, isThere: true };
}

/** What has changed since it was asked last; undefined = the lease is no more. */
export interface LeaseChanges {
  readonly verdicts: Readonly<Record<TargetKey, Verdict | undefined>>;
  readonly deadlines: Readonly<Record<TargetKey, VerdictDeadline | undefined>>;
}

/** How long servers are taken at their word. How long nodes may be silent stands with who heard them. */
export type ServerTerms = Omit<LeaseTerms, "leaseMs">;

/** Follows a replica. */
export class LivenessView {
  readonly #terms: ServerTerms;
  readonly #nodes = new Map<string, NodeState>();
  readonly #byIndex: NodeState[] = [];
  /** Numbers of nodes that are no more. */
  readonly #spare: number[] = [];
  readonly #servers = new Map<string, ServerTime>();
  /** By their keys. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #due = new LeastHeap();
  readonly #dirty = new Set<NodeState>();
  /** Nodes whose lease is over without anybody's having told, or of which nobody can tell: the next pulse may. */
  readonly #waiting = new Set<NodeState>();
  readonly #changed = new Set<NodeState>();
  /** Verdicts as they were when they were last asked for. */
  readonly #told = new Map<NodeState, LeaseEntry>();

  readonly #onFault: (node: string, error: unknown) => void;

  /** @param onFault Hears of a node of which the store says what makes no lease: it has none then, and the others theirs. */
  constructor(
    terms: ServerTerms = LEASE_TERMS,
    onFault: (node: string, error: unknown) => void = () => {},
  ) {
    this.#terms = terms;
    this.#onFault = onFault;
  }

  /** Takes what differs in the replica, which came at `nowMs`. */
  take(differences: readonly Difference[], nowMs: number): void {
    for (const { key, after } of differences) {
      if (key.startsWith(PREFIXES.nodes)) this.#takeNode(key, after);
      else if (key.startsWith(PREFIXES.registrations)) this.#takeRegistration(key, after);
      else if (key.startsWith(PREFIXES.alive)) this.#takeBucket(key, after);
      else if (key.startsWith(PREFIXES.servers)) this.#takeServer(key, after, nowMs);
    }
  }

  /** What has changed until `nowMs`, by news or by time. */
  changes(nowMs: number): LeaseChanges {
    this.#settle(nowMs);
    const verdicts: Record<TargetKey, Verdict | undefined> = {};
    const deadlines: Record<TargetKey, VerdictDeadline | undefined> = {};
    for (const node of this.#changed) {
      this.#tell(node, verdicts, deadlines);
      if (!node.isThere && !node.registration && node.hearings.size === 0) this.#drop(node);
    }
    this.#changed.clear();
    return { verdicts, deadlines };
  }

  /** When something changes by time alone; Infinity = never. What was not asked for yet counts as due. */
  get nextMs(): number {
    if (this.#dirty.size > 0) return -Infinity;
    return this.#due.size > 0 ? this.#due.key : Infinity;
  }

  /** What the lease of a node says, as of the last {@linkcode changes}; undefined = it has none. */
  entry(id: string): LeaseEntry | undefined {
    return this.#nodes.get(id)?.entry;
  }

  /** All of them, by node. */
  *entries(): Generator<[id: string, entry: LeaseEntry]> {
    for (const { id, entry } of this.#nodes.values()) if (entry) yield [id, entry];
  }

  /** How the clocks of servers differ from ours. */
  get servers(): ReadonlyMap<string, ServerTime> {
    return this.#servers;
  }

  #takeNode(key: string, after: Entry | undefined): void {
    const node = this.#node(namePart(key.slice(PREFIXES.nodes.length)));
    const isThere = after !== undefined && hasLease(after);
    if (node.isThere === isThere) return;
    node.isThere = isThere;
    this.#dirty.add(node);
  }

  #takeRegistration(key: string, after: Entry | undefined): void {
    const node = this.#node(namePart(key.slice(PREFIXES.registrations.length)));
    node.registration = after && readRegistration(after);
    this.#dirty.add(node);
  }

  #takeServer(key: string, after: Entry | undefined, nowMs: number): void {
    const server = namePart(key.slice(PREFIXES.servers.length)), before = this.#servers.get(server);
    const pulse = after && readPulse(after);
    this.#servers.set(
      server,
      pulse ? afterPulse(before, pulse, nowMs) : { ...before ?? NEVER_HEARD_OF, isThere: false },
    );
    const now = this.#servers.get(server)!;
    if (before?.isThere !== now.isThere || before.offsetMs !== now.offsetMs) this.#dirtyOf(server);
    for (const node of this.#waiting) this.#dirty.add(node);
  }

  #takeBucket(key: string, after: Entry | undefined): void {
    const server = bucketKey(key)?.server;
    if (server === undefined) return;
    const stored = after ? readBucket(after.value) : NO_BUCKET, { atMs, heard, draining } = stored;
    const bucket = this.#buckets.get(key) ?? { atMs, nodes: new Map<string, NodeState>() };
    bucket.atMs = atMs;
    let count = 0;
    for (const id in heard) {
      const heardMs = instantOf(heard, id);
      if (heardMs === undefined) continue;
      count++;
      const drainingMs = instantOf(draining, id), leaseMs = leaseMsIn(stored, id);
      this.#hear(id, server, bucket, { heardMs, drainingMs, leaseMs });
    }
    // Nodes leave a bucket when they are forgotten, which is rare: only then are all looked at.
    if (bucket.nodes.size > count) this.#forgetBut(heard, server, bucket);
    if (after) this.#buckets.set(key, bucket);
    else this.#buckets.delete(key);
  }

  #hear(id: string, server: string, bucket: Bucket, heard: Omit<Hearing, "bucket">): void {
    let node = bucket.nodes.get(id);
    if (!node) {
      node = this.#node(id);
      bucket.nodes.set(id, node);
      node.hearings.set(server, { ...heard, bucket });
    } else {
      const known = node.hearings.get(server)!, { heardMs, drainingMs, leaseMs } = heard;
      const isNews = known.heardMs !== heardMs || known.drainingMs !== drainingMs ||
        known.leaseMs !== leaseMs;
      known.heardMs = heardMs;
      known.drainingMs = drainingMs;
      known.leaseMs = leaseMs;
      // That nothing was heard is news when the lease is over by that.
      const isOver = bucket.atMs - heardMs >= leaseMs && node.entry?.state !== "gone";
      if (!isNews && !isOver) return;
    }
    this.#dirty.add(node);
  }

  #forgetBut(heard: HeardBucket["heard"], server: string, bucket: Bucket): void {
    for (const [id, node] of bucket.nodes) {
      if (instantOf(heard, id) !== undefined) continue;
      bucket.nodes.delete(id);
      node.hearings.delete(server);
      this.#dirty.add(node);
    }
  }

  #dirtyOf(server: string): void {
    for (const node of this.#nodes.values()) {
      if (node.hearings.has(server) || node.registration?.server === server) this.#dirty.add(node);
    }
  }

  #node(id: string): NodeState {
    let node = this.#nodes.get(id);
    if (!node) {
      const index = this.#spare.pop() ?? this.#byIndex.length;
      node = {
        ...{ id, index, isThere: false, registration: undefined, hearings: new Map() },
        ...{ entry: undefined, isFaulty: false, pendingMs: Infinity },
      };
      this.#nodes.set(id, node);
      this.#byIndex[index] = node;
    }
    return node;
  }

  /** Nothing stands of a node in the store. */
  #drop(node: NodeState): void {
    node.pendingMs = Infinity;
    this.#nodes.delete(node.id);
    this.#spare.push(node.index);
  }

  #settle(nowMs: number): void {
    while (this.#due.size > 0 && this.#due.key <= nowMs) {
      const node = this.#byIndex[this.#due.least]!, atMs = this.#due.key;
      this.#due.pop();
      // It may stand there more than once: the earliest counts.
      if (atMs !== node.pendingMs) continue;
      node.pendingMs = Infinity;
      this.#dirty.add(node);
    }
    for (const node of this.#dirty) this.#evaluate(node, nowMs);
    this.#dirty.clear();
  }

  #evaluate(node: NodeState, nowMs: number): void {
    const entry = node.entry = this.#leaseOf(node, nowMs);
    this.#changed.add(node);
    const isWaiting = entry?.state === "unknown" ||
      entry?.state === "alive" && entry.deadline.downMs <= nowMs;
    if (isWaiting) this.#waiting.add(node);
    else this.#waiting.delete(node);
    if (!entry || entry.untilMs >= node.pendingMs || entry.untilMs === Infinity) return;
    node.pendingMs = entry.untilMs;
    this.#due.push(node.index, entry.untilMs);
  }

  #leaseOf(node: NodeState, nowMs: number): LeaseEntry | undefined {
    const { id, isThere, registration, hearings, isFaulty } = node;
    node.isFaulty = false;
    if (!isThere || !registration) return undefined;
    try {
      return leaseOf(id, registration, heardOf(registration, hearings, this.#servers), this.#terms, nowMs);
    } catch (error) {
      if (!isFaulty) this.#onFault(id, error);
      node.isFaulty = true;
      return undefined;
    }
  }

  #tell(
    node: NodeState,
    verdicts: Record<TargetKey, Verdict | undefined>,
    deadlines: Record<TargetKey, VerdictDeadline | undefined>,
  ): void {
    const before = this.#told.get(node), { entry } = node;
    const target = entry?.target ?? before?.target;
    if (target === undefined) return;
    if (!before || !entry || !sameVerdict(before.verdict, entry.verdict)) verdicts[target] = entry?.verdict;
    if (!before || !entry || !sameDeadline(before.deadline, entry.deadline)) {
      deadlines[target] = entry?.deadline;
    }
    if (entry) this.#told.set(node, entry);
    else this.#told.delete(node);
  }
}

const NO_BUCKET: HeardBucket = Object.freeze({ atMs: 0, heard: {} });

/**
 * What the leases of all nodes say at `nowMs`, by node: worked out from everything that the store has. `servers` as
 * {@linkcode LivenessView.servers} has them.
 */
export function livenessOfAll(
  entries: Iterable<Entry>,
  servers: ReadonlyMap<string, ServerTime>,
  nowMs: number,
  terms: ServerTerms = LEASE_TERMS,
): Map<string, LeaseEntry> {
  const all = [...entries], hearings = new Map<string, Map<string, Hearing>>();
  for (const { key, value } of all) {
    const server = key.startsWith(PREFIXES.alive) ? bucketKey(key)?.server : undefined;
    if (server === undefined) continue;
    const stored = readBucket(value), { atMs, heard, draining } = stored;
    for (const id of Object.keys(heard)) {
      const heardMs = instantOf(heard, id);
      if (heardMs === undefined) continue;
      if (!hearings.has(id)) hearings.set(id, new Map());
      const drainingMs = instantOf(draining, id), leaseMs = leaseMsIn(stored, id);
      hearings.get(id)!.set(server, { heardMs, drainingMs, leaseMs, bucket: { atMs } });
    }
  }
  const there = new Set(
    all.filter((entry) => entry.key.startsWith(PREFIXES.nodes) && hasLease(entry)).map(({ key }) => key),
  );
  return new Map(
    all.filter(({ key }) => key.startsWith(PREFIXES.registrations)).flatMap((entry) => {
      const id = namePart(entry.key.slice(PREFIXES.registrations.length));
      if (!there.has(KEYS.node(id))) return [];
      const registration = readRegistration(entry);
      const heard = heardOf(registration, hearings.get(id) ?? NOBODY, servers);
      return [[id, leaseOf(id, registration, heard, terms, nowMs)] as const];
    }),
  );
}

const NOBODY: ReadonlyMap<string, Hearing> = new Map();

/** What servers have heard of a node, in our time; that one of them registered it is a hearing too. */
function heardOf(
  { server: registrar, registeredMs, leaseMs = LEASE_TERMS.leaseMs }: RegistrationRecord,
  hearings: ReadonlyMap<string, Hearing>,
  servers: ReadonlyMap<string, ServerTime>,
): Heard[] {
  const heard: Heard[] = [];
  for (const [server, hearing] of hearings) {
    const isOlder = server === registrar && registeredMs > hearing.heardMs;
    heard.push(heardBy(server, isOlder ? { ...hearing, ...AT(registeredMs) } : hearing, servers));
  }
  if (!hearings.has(registrar)) {
    heard.push(heardBy(registrar, { ...AT(registeredMs), leaseMs, bucket: NO_BUCKET }, servers));
  }
  return heard;
}

const AT = (heardMs: number) => ({ heardMs, drainingMs: undefined });

function heardBy(server: string, hearing: Hearing, servers: ReadonlyMap<string, ServerTime>): Heard {
  const { offsetMs, notedMs, isThere } = servers.get(server) ?? NEVER_HEARD_OF;
  const { heardMs, drainingMs, leaseMs, bucket } = hearing;
  return {
    ...{ server, isThere, ownMs: heardMs, heardMs: heardMs + offsetMs, leaseMs },
    toldMs: Math.max(notedMs, bucket.atMs) + offsetMs,
    ...drainingMs !== undefined && { drainingMs },
  };
}

function readPulse({ value }: Entry): ServerPulse | undefined {
  const { nowMs, notedMs = nowMs } = JSON.parse(value) as Partial<ServerPulse>;
  return Number.isFinite(nowMs) && Number.isFinite(notedMs) ? { nowMs, notedMs } as ServerPulse : undefined;
}

function sameVerdict(a: Verdict, b: Verdict): boolean {
  return a.state === b.state && a.sinceMs === b.sinceMs && a.reason === b.reason && a.ramp === b.ramp;
}

function sameDeadline(a: VerdictDeadline, b: VerdictDeadline): boolean {
  return a.downMs === b.downMs && a.upMs === b.upMs && a.changeMs === b.changeMs && a.steady === b.steady;
}
