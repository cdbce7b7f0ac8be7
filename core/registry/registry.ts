/**
 * Nodes that register themselves: who may have an id, who is heard, who leaves. What speaks HTTP with them calls this.
 *
 *     challenge, register ──ledger──> nodes/ID                     a change, with its record in the audit log
 *     beat ──memory──once a second──> alive/SERVER/BUCKET, load/…  no change, and no record
 *     leave ──ledger──> nodes/ID
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Place, Precision } from "../fleet/place.ts";
import type { Log } from "../plugin.ts";
import type { AuditEvent } from "../state/audit.ts";
import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import { KEYS } from "../state/keys.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Replica } from "../state/replica.ts";
import { type Condition, type Entry, type Store, StoreUnavailableError, type Write } from "../state/store.ts";
import { readBeat } from "./beat.ts";
import { Beats } from "./beats.ts";
import type { BeatsAccount } from "./shared_beats.ts";
import { checkClaim, type JoinGrant, type JoinTokens, recordAfterClaim, type Shown } from "./claim.ts";
import { bindingOf, type Credential, CREDENTIAL_MS, Credentials } from "./credentials.ts";
import type { ServerPulse } from "./hearings.ts";
import { NODE_LEASE, type NodeLease } from "./lease.ts";
import {
  auditedRecord,
  nodeOf,
  type NodeRecord,
  readDocument,
  readRecord,
  readRegistration,
  type RegistrationRecord,
} from "./node_record.ts";
import { placeFlags } from "./plausibility.ts";
import { Proofs, type Proven } from "./proof.ts";
import {
  type BeatReply,
  type Challenge,
  type ChallengeRequest,
  type LeaseTold,
  type NodeDocument,
  type Proof,
  type Registration,
  type RegistrationRequest,
  RegistryProblem,
} from "./protocol.ts";
import { type KeyRing, ringOf } from "./seal.ts";

/** What a registry works with. */
export interface RegistryOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly replica: Pick<Replica, "get" | "revision">;
  /** This server's id. */
  readonly server: string;
  readonly clock: Clock;
  readonly log: Log;
  /** So many octets that nobody can guess. */
  readonly randomOctets: (count: number) => Uint8Array;
  /**
   * At least 32 octets, or those of now. The same in all servers of a fleet, so that each takes what another has handed out;
   * one of its own costs a node another registration when it comes from another server, or this one has started anew.
   */
  readonly secret: Uint8Array | KeyRing;
  /** The origins by which nodes may reach this server: `https://fra.example.org:8443`. */
  readonly audiences: () => readonly string[];
  /** URLs of all servers, told to nodes. */
  readonly servers: () => readonly string[];
  readonly joinTokens: JoinTokens;
  /** Whether an id is taken outside the store: by a node that stands in a list. */
  readonly reserved?: (id: string) => boolean;
  /** Where it is noted who is heard; one of its own by default. */
  readonly beats?: (isNode: (id: string) => boolean) => BeatsAccount;
  /** What nodes are told; {@linkcode NODE_LEASE} by default. Other servers may tell them otherwise. */
  readonly lease?: NodeLease;
  /** Where geo data has an address; undefined = nowhere. */
  readonly locate?: (
    address: string,
  ) => { readonly place: Place; readonly precision: Precision; readonly source: string } | undefined;
  /** For how long answers may still name a node that drains since then; undefined = it is not known. */
  readonly drainedInMs?: (node: string, drainingMs: number) => number | undefined;
  /** Whose round trips a node is to measure. */
  readonly peers?: (node: string) => NonNullable<BeatReply["peers"]>;
}

/** So often a registration is tried again when somebody else changes the same node. */
const ATTEMPTS = 4;

/**
 * When what was heard has not come into the store for so long, or for such a share of a lease, a node does better to speak to
 * another server: its lease runs by what came there.
 */
const ALONE_MS = 10_000, ALONE_SHARE = 1 / 3;

/** A node as the store has it. */
interface Stored {
  readonly record: NodeRecord;
  /** Absent: an operator put it there, and it has not registered yet. */
  readonly registration?: RegistrationRecord;
}

/** The same, as heartbeats need it. */
interface Known extends Stored {
  /** What it was read from. */
  readonly entries: readonly (Entry | undefined)[];
  readonly binding: string;
}

/** The registry of one server. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #lease: NodeLease;
  readonly #proofs: Proofs;
  readonly #credentials: Credentials;
  readonly #beats: BeatsAccount;
  readonly #known = new Map<string, Known>();
  /** What was written here, until the replica has it. */
  readonly #recent = new Map<string, Stored & { readonly revision: number }>();

  constructor(options: RegistryOptions) {
    const { store, server, clock, log, secret, randomOctets, audiences } = options;
    this.#options = options;
    this.#lease = options.lease ?? NODE_LEASE;
    const ring = typeof secret === "function" ? secret : ringOf(secret);
    this.#proofs = new Proofs(ring, () => randomOctets(16).toHex(), audiences);
    this.#credentials = new Credentials(ring);
    const isNode = (id: string) => this.#stored(id) !== undefined;
    this.#beats = options.beats?.(isNode) ??
      new Beats({ store, server, clock, log, leaseMs: this.#lease.leaseMs, isNode });
  }

  /** Begins to write what is heard; before that it is only kept. */
  start(): void {
    this.#beats.start();
  }

  /** Writes what is left. */
  close(): Promise<void> {
    return this.#beats.close();
  }

  /** Writes what was heard now. @returns Whether it is in the store. */
  flush(): Promise<boolean> {
    return this.#beats.flush();
  }

  /** To be a part of `servers/ID` whenever that is written: until when nothing heard is missing in the store. */
  pulse(): ServerPulse {
    return this.#beats.pulse();
  }

  /** @throws {RegistryProblem} */
  challenge(request: ChallengeRequest): Challenge {
    checkObject(request, "with node and key");
    return this.#proofs.challenge(request, this.#options.clock.nowMs());
  }

  /** Makes a node one of the fleet, or lets one that is prove itself again. @throws {RegistryProblem} */
  async register(request: RegistrationRequest): Promise<Registration> {
    const { clock } = this.#options;
    checkObject(request, "with node and proof");
    // What costs more to read comes second.
    const proof = readProof(request.proof), node = readDocument(request.node);
    const proven = this.#proofs.verify(node.id, proof, clock.nowMs());
    const admitted = await this.#available(() => this.#admit(node, proof, proven));
    const { record, registration, notices } = admitted;
    // To prove oneself again while draining ends no drain.
    this.#beats.hear(record.id, this.#beats.drainingMs(record.id) !== undefined);
    return {
      lease: this.#toldLease,
      credential: this.#credentials.issue(record, clock.nowMs()),
      credentialSeconds: CREDENTIAL_MS / 1000,
      notices: [...notices, ...registration.flags ?? []],
    };
  }

  /** Which node holds a credential. @throws {RegistryProblem} */
  authenticate(credential: string): { readonly node: string } {
    const said = this.#credentials.open(credential, this.#options.clock.nowMs());
    this.#registered(said);
    return { node: said.node };
  }

  /** A node was heard. @param beat As it came. @throws {RegistryProblem} */
  beat(credential: string, id: string, beat: unknown): BeatReply {
    const { clock, servers, peers, drainedInMs } = this.#options, nowMs = clock.nowMs();
    this.#speaksFor(credential, id);
    const { draining = false, ...load } = readBeat(beat);
    const { capacity, peers: peerTimes, load: measured } = load;
    this.#beats.hear(id, draining, {
      ...measured,
      ...capacity !== undefined && { capacity },
      ...peerTimes && { peers: peerTimes },
    });
    const sinceMs = this.#beats.drainingMs(id);
    const restMs = sinceMs === undefined ? undefined : drainedInMs?.(id, sinceMs);
    const told = peers?.(id) ?? [];
    return {
      leaseUntilMs: nowMs + this.#lease.leaseMs,
      lease: this.#toldLease,
      servers: servers(),
      ...told.length > 0 && { peers: told },
      ...restMs !== undefined && { drainedInMs: Math.max(0, restMs) },
      ...this.#isAlone(nowMs) && { isAlone: true, notice: "the store cannot be reached from this server" },
    };
  }

  /** A node leaves: it is down at once, and its id remains its own. @throws {RegistryProblem} */
  async leave(credential: string, id: string): Promise<void> {
    const { ledger, clock } = this.#options;
    const { binding } = this.#speaksFor(credential, id);
    await this.#available(async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const [stored, revisions] = await this.#read(id), before = stored?.registration;
        if (!before || before.leftMs !== undefined || bindingOf(stored.record) !== binding) return;
        const registration = { ...before, leftMs: clock.nowMs() };
        const event = {
          ...eventOf("node.leave", id, "its own wish"),
          after: { leftMs: registration.leftMs },
        };
        const { succeeded, revision } = await ledger.write(
          [event],
          [putJson(KEYS.registration(id), registration)],
          revisions,
        );
        if (succeeded) return void this.#recent.set(id, { record: stored.record, registration, revision });
      }
      throw conflict(id);
    });
  }

  /** The same for the store, where it is not what everybody takes. */
  get #givenLease(): Pick<RegistrationRecord, "leaseMs"> {
    const { leaseMs } = this.#lease;
    return leaseMs === NODE_LEASE.leaseMs ? {} : { leaseMs };
  }

  get #toldLease(): LeaseTold {
    return { seconds: this.#lease.leaseMs / 1000, beatSeconds: this.#lease.beatMs / 1000 };
  }

  async #admit(
    node: NodeDocument,
    proof: Proof,
    proven: Proven | undefined,
  ): Promise<Required<Stored> & { notices: string[] }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [before, revisions] = await this.#read(node.id);
      const shown = { key: proven?.key, grant: await this.#redeem(node, proof) };
      checkClaim(node.id, before?.record, shown.key, shown.grant, this.#options.reserved?.(node.id));
      if (attempt === 0 && proven) this.#proofs.use(proven, this.#options.clock.nowMs());
      const after = this.#afterClaim(before, node, shown);
      const revision = await this.#write(before, after, revisions, shown.grant);
      if (revision === undefined) continue;
      this.#recent.set(node.id, { ...after, revision });
      return after;
    }
    throw conflict(node.id);
  }

  /** A node as the store has it now, and the conditions that it is still so. */
  async #read(id: string): Promise<[Stored | undefined, Condition[]]> {
    const { store } = this.#options, keys = [KEYS.node(id), KEYS.registration(id)];
    const [node, registration] = await Promise.all(keys.map((key) => store.get(key)));
    return [
      storedIn(id, node, registration),
      [node, registration].map((entry, i) => ({ key: keys[i]!, revision: entry?.revision ?? 0 })),
    ];
  }

  async #redeem(node: NodeDocument, { joinToken }: Proof): Promise<JoinGrant | undefined> {
    if (joinToken === undefined) return undefined;
    const grant = await this.#options.joinTokens.redeem(joinToken, node);
    if (grant) return grant;
    throw new RegistryProblem(
      "join-token-refused",
      "the join token lets no such node in",
      "/proof/joinToken",
    );
  }

  #afterClaim(
    before: Stored | undefined,
    node: NodeDocument,
    shown: Shown,
  ): Required<Stored> & { notices: string[] } {
    const { clock, server } = this.#options, said = digestOf(node as unknown as Json);
    const known = before?.registration;
    if (before && !shown.grant && known?.said === said) {
      // It says nothing new: what operators have changed since stands.
      if (known.leftMs === undefined) return { record: before.record, registration: known, notices: [] };
      const { leftMs: _left, leaseMs: _lease, ...rest } = known;
      const registration = { ...rest, registeredMs: clock.nowMs(), server, ...this.#givenLease };
      return { record: before.record, registration, notices: [] };
    }
    const { record, notices } = recordAfterClaim(before?.record, node, shown), flags = this.#flags(node);
    // What was kept and what is new have to be a node together.
    nodeOf(record);
    const registration = {
      ...{ registeredMs: clock.nowMs(), server, said, ...this.#givenLease },
      ...flags.length > 0 && { flags },
    };
    return { record, registration, notices };
  }

  #flags(node: NodeDocument): string[] {
    const { place, ipv4, ipv6 } = nodeOf(node);
    const located = [ipv4, ipv6].flatMap((address) => {
      const found = address === undefined ? undefined : this.#options.locate?.(address);
      return address !== undefined && found ? [{ address, ...found }] : [];
    });
    return placeFlags(place, located).map(({ reason }) => reason);
  }

  /** The revision at which it is as it should be; undefined when somebody else was faster. */
  async #write(
    before: Stored | undefined,
    after: Required<Stored>,
    revisions: readonly Condition[],
    grant: JoinGrant | undefined,
  ): Promise<number | undefined> {
    if (before?.registration === after.registration) {
      return revisions.reduce((latest, { revision }) => Math.max(latest, revision), 0);
    }
    const { id } = after.record;
    const event = {
      ...eventOf("node.register", id, grant ? `join token ${grant.id}` : "its own key"),
      ...before && { before: auditedRecord(before.record) },
      after: auditedRecord(after.record),
    };
    const written = await this.#options.ledger.write([event], [
      ...before?.record === after.record ? [] : [putJson(KEYS.node(id), after.record)],
      putJson(KEYS.registration(id), after.registration),
      ...grant?.writes ?? [],
    ], [...revisions, ...grant?.conditions ?? []]);
    return written.succeeded ? written.revision : undefined;
  }

  #speaksFor(credential: string, id: string): Credential {
    const said = this.#credentials.open(credential, this.#options.clock.nowMs());
    if (said.node !== id) {
      throw new RegistryProblem("credential-refused", `the credential is node ${said.node}'s, not ${id}'s`);
    }
    this.#registered(said);
    return said;
  }

  /** @throws {RegistryProblem} The registration that a credential came of is no more. */
  #registered({ node, binding }: Credential): void {
    const known = this.#stored(node);
    if (!known?.registration || known.registration.leftMs !== undefined) {
      throw new RegistryProblem(
        "not-registered",
        `node ${node} is not registered, or has left: register again`,
      );
    }
    if (known.binding === binding) return;
    throw new RegistryProblem("credential-refused", `node ${node} has another key by now: register again`);
  }

  /** A node as the replica has it, or as it was written here and has not come there yet. */
  #stored(id: string): Stored & Pick<Known, "binding"> | undefined {
    const { replica } = this.#options, recent = this.#recent.get(id);
    if (recent && replica.revision < recent.revision) return { ...recent, binding: bindingOf(recent.record) };
    if (recent) this.#recent.delete(id);
    const entries = [replica.get(KEYS.node(id)), replica.get(KEYS.registration(id))] as const;
    const known = this.#known.get(id);
    if (known && entries.every((entry, i) => entry === known.entries[i])) return known;
    const stored = storedIn(id, ...entries);
    if (!stored) return void this.#known.delete(id);
    const fresh = { ...stored, entries, binding: bindingOf(stored.record) };
    this.#known.set(id, fresh);
    return fresh;
  }

  #isAlone(nowMs: number): boolean {
    const { notedMs } = this.#beats.pulse();
    return this.#beats.fault !== undefined &&
      nowMs - notedMs > Math.min(ALONE_MS, this.#lease.leaseMs * ALONE_SHARE);
  }

  async #available<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      throw new RegistryProblem(
        "unavailable",
        "the store cannot be reached from this server: try another one",
      );
    }
  }
}

function checkObject(request: unknown, wanted: string): void {
  if (typeof request === "object" && request !== null && !Array.isArray(request)) return;
  throw new RegistryProblem("invalid", `the request must be an object ${wanted}`, "");
}

function readProof(proof: unknown): Proof {
  if (typeof proof !== "object" || proof === null || Array.isArray(proof)) {
    throw new RegistryProblem("invalid", "proof must be an object with joinToken or key", "/proof");
  }
  const { joinToken, key } = proof as Proof;
  if (joinToken !== undefined && (typeof joinToken !== "string" || joinToken.length > 4096)) {
    throw new RegistryProblem("invalid", "joinToken must be a join token", "/proof/joinToken");
  }
  if (joinToken === undefined && key === undefined) {
    throw new RegistryProblem("invalid", "proof must have joinToken, or key, or both", "/proof");
  }
  return proof as Proof;
}

function storedIn(id: string, node: Entry | undefined, registration: Entry | undefined): Stored | undefined {
  return node && {
    record: readRecord(id, node),
    ...registration && { registration: readRegistration(registration) },
  };
}

function putJson(key: string, value: NodeRecord | RegistrationRecord): Write {
  return { put: key, value: canonicalJson(value as unknown as Json) };
}

function conflict(id: string): RegistryProblem {
  return new RegistryProblem("conflict", `node ${id} is being changed by somebody else: try again`);
}

function eventOf(action: "node.register" | "node.leave", id: string, reason: string): AuditEvent {
  return { actor: `node:${id}`, action, subject: `nodes/${id}`, reason };
}
