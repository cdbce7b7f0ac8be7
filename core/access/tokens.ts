/**
 * Tokens: made, shown once, kept as a hash, taken back. And join tokens, with which machines become nodes.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { AuditEvent } from "../state/audit.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import { objectIn } from "../state/object_in.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Condition, Entry, Store, Write } from "../state/store.ts";
import type { Actor, Grant } from "./actor.ts";
import { AccessError } from "./error.ts";
import { matchesGlob } from "./glob.ts";
import { placesOf } from "./grants.ts";
import type { RandomOctets } from "./random.ts";
import { may } from "./roles.ts";
import { checkMayCreate, checkTokenRequest, tokenViewOf } from "./token_request.ts";
import { hashToken, isToken, makeToken, readToken, type TokenHash } from "./token_text.ts";

/** What a machine may become with a join token. */
export interface JoinLimits {
  /** How many nodes it may still make. */
  readonly usesLeft: number;
  /** Patterns of the ids that they may have; absent = any. Their pools are limited by the token's grants. */
  readonly nodes?: readonly string[];
  /** Labels that they get, whatever they say. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether they may take the place of nodes that came another way, whose ids then are theirs. */
  readonly mayReplace?: boolean;
}

/** What is known of a token; everybody who may read tokens may see it. */
export interface TokenView {
  readonly id: string;
  /** What it is for: `ci of the web team`. */
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Whose it is. */
  readonly person: string;
  /** The actor who made it, and the people behind that: they have seen it, so it may be them. None if made on the machine itself. */
  readonly createdBy: string;
  readonly creators: readonly string[];
  /** Milliseconds since 1970, as all times here. */
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revoked?: { readonly by: string; readonly atMs: number; readonly reason: string };
  /** The one node that it speaks for. */
  readonly node?: string;
  readonly join?: JoinLimits;
}

/** A token as the store has it. */
export interface TokenRecord extends TokenView, TokenHash {}

/** What somebody wants a token to be. */
export interface TokenRequest {
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly expiresMs: number;
  /** Absent: who makes it. */
  readonly person?: string;
  readonly node?: string;
  readonly join?: JoinLimits;
}

/** What tokens are kept with. */
export interface TokensOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: RandomOctets;
}

/** How long a token that is of no use any more is still listed. */
const KEPT_MS = 30 * 86_400_000;

/** A token that is about to be made: what to write, and what to show, once. */
export interface PreparedToken {
  readonly token: string;
  readonly view: TokenView;
  readonly events: readonly AuditEvent[];
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
}

/** A token that was made. */
export interface CreatedToken {
  readonly token: string;
  readonly view: TokenView;
  /** Of the store: a server that has heard of it knows the token. */
  readonly revision: number;
}

/** The tokens of a fleet. */
export class Tokens {
  readonly #options: TokensOptions;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /**
   * Makes a token; `token` is nowhere to be had again.
   *
   * @param ledger By which it is written, if not by the usual one.
   * @throws {AccessError} Not this actor, or not such a token. @throws {StoreUnavailableError} As the store does.
   */
  async create(
    actor: Actor,
    request: TokenRequest,
    ledger: Pick<Ledger, "write"> = this.#options.ledger,
  ): Promise<CreatedToken> {
    const { token, view, events, writes, conditions } = this.prepare(actor, request);
    const { succeeded, revision } = await ledger.write(events, writes, conditions);
    if (!succeeded) {
      throw new AccessError("conflict", `Cannot make token ${view.id}: there is one of that id`);
    }
    return { token, view, revision };
  }

  /** What {@linkcode create} writes, for a transaction that does more. @throws {AccessError} As that does. */
  prepare(actor: Actor, request: TokenRequest): PreparedToken {
    const { clock, random } = this.#options;
    checkTokenRequest(request, clock.nowMs());
    checkMayCreate(actor, request);
    const { id, token } = makeToken(random), view = tokenViewOf(id, actor, request, clock.nowMs());
    const key = KEYS.token(id), record: TokenRecord = { ...view, ...hashToken(token, random) };
    return {
      ...{ token, view },
      events: [{ actor: actor.id, action: "token.create", subject: key, after: view as unknown as Json }],
      writes: [{ put: key, value: textOf(record) }],
      conditions: [{ key, revision: 0 }],
    };
  }

  /** All of them, the newest first. */
  async list(): Promise<readonly TokenView[]> {
    const { entries } = await this.#options.store.list(PREFIXES.tokens);
    // What cannot be read is nobody's token.
    return entries.flatMap(({ value }) => objectIn(value) ? viewOf(readTokenRecord(value)) : [])
      .toSorted((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1));
  }

  /** One of them. @throws {AccessError} There is none. */
  async get(id: string): Promise<TokenView> {
    return viewOf((await this.#read(id)).record);
  }

  /** Who would come with a token now. @throws {AccessError} There is none, or it is of no use any more. */
  async actor(id: string): Promise<Actor> {
    const { record } = await this.#read(id), fault = whyUseless(record, this.#options.clock.nowMs());
    if (fault === undefined) return tokenActor(record);
    throw new AccessError("forbidden", `Cannot act for token ${id}: ${fault}`);
  }

  /**
   * Takes a token back, for good; its record stays for a month. Everybody may take back their own.
   *
   * @throws {AccessError} There is none, or not this actor, or somebody changed it just now.
   */
  async revoke(actor: Actor, id: string, reason: string): Promise<TokenView> {
    const { record, revision } = await this.#read(id), key = KEYS.token(id);
    const decision = may(actor, { resource: "tokens", verb: "delete", ...placesOf(record.grants) });
    if (!decision.allowed && actor.id !== tokenActorId(record)) {
      throw new AccessError("forbidden", decision.why);
    }
    if (record.revoked) return viewOf(record);
    const revoked = { by: actor.id, atMs: this.#options.clock.nowMs(), reason };
    const after: TokenRecord = { ...record, revoked };
    const event = { actor: actor.id, action: "token.revoke", subject: key, reason };
    const { succeeded } = await this.#options.ledger.write(
      [{ ...event, before: viewOf(record) as unknown as Json, after: viewOf(after) as unknown as Json }],
      [{ put: key, value: textOf(after) }],
      [{ key, revision }],
    );
    if (!succeeded) throw new AccessError("conflict", `Cannot revoke token ${id}: it was changed just now`);
    return viewOf(after);
  }

  /** Takes away the records of tokens that have been of no use for a month, at most 50 at once; how many. */
  async sweep(actor: string): Promise<number> {
    const { entries } = await this.#options.store.list(PREFIXES.tokens), nowMs = this.#options.clock.nowMs();
    const old = entries.filter(({ value }) =>
      objectIn(value) && endMs(readTokenRecord(value)) + KEPT_MS < nowMs
    ).slice(0, 50);
    if (old.length === 0) return 0;
    const ids = old.map(({ key }) => key.slice(PREFIXES.tokens.length));
    const { succeeded } = await this.#options.ledger.write(
      [{ actor, action: "token.sweep", subject: PREFIXES.tokens.slice(0, -1), before: ids }],
      old.map(({ key }) => ({ remove: key })),
      old.map(({ key, revision }) => ({ key, revision })),
    );
    return succeeded ? old.length : 0;
  }

  async #read(id: string): Promise<{ record: TokenRecord; revision: number }> {
    const entry = await this.#options.store.get(KEYS.token(id));
    if (!entry) throw new AccessError("absent", `Cannot find token ${id}: there is none`);
    return { record: readTokenRecord(entry.value), revision: entry.revision };
  }
}

/** A record out of its text in the store. */
export function readTokenRecord(value: string): TokenRecord {
  return JSON.parse(value) as TokenRecord;
}

/** Looks tokens up by id where entries are kept, as in a replica; a record is read once for as long as it is the same. */
export function tokenLookUp(
  get: (key: string) => Entry | undefined,
): (id: string) => TokenRecord | undefined {
  const read = new WeakMap<Entry, TokenRecord>();
  return (id) => {
    const entry = get(KEYS.token(id));
    if (!entry || !objectIn(entry.value)) return undefined;
    const record = read.get(entry) ?? readTokenRecord(entry.value);
    read.set(entry, record);
    return record;
  };
}

/**
 * Whose token this is, or why it is nobody's. `isKnown` says whether the secret was right: only then may whoever offers
 * it be told more than that it was not.
 */
export function verifyToken(
  token: string,
  lookUp: (id: string) => TokenRecord | undefined,
  nowMs: number,
): { readonly record: TokenRecord } | { readonly fault: string; readonly isKnown: boolean } {
  const read = readToken(token);
  if ("fault" in read) return { ...read, isKnown: false };
  const record = lookUp(read.id);
  // A token that does not exist takes as long as one with a wrong secret.
  if (!isToken(token, record ?? NOBODYS) || !record) {
    return { fault: "there is no such token", isKnown: false };
  }
  const fault = whyUseless(record, nowMs);
  return fault === undefined ? { record } : { fault, isKnown: true };
}

/** Who comes with a token. */
export function tokenActor(record: TokenRecord): Actor {
  return {
    ...{ id: tokenActorId(record), way: "token", grants: record.grants },
    people: [record.person, ...record.creators],
    ...record.node !== undefined && { node: record.node },
  };
}

/**
 * One use of a join token, as part of the transaction that makes the node.
 *
 * @param revision At which the record was read: of two who use the last one at once, one fails, and may try again.
 * @throws {AccessError} It makes no nodes, or none any more, or not this one.
 */
export function useJoinToken(
  record: TokenRecord,
  revision: number,
  node: string,
  nowMs: number,
): {
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
  readonly labels: Readonly<Record<string, string>>;
} {
  const { join } = record, key = KEYS.token(record.id);
  const fault = !join ? "it is none that makes nodes" : whyUseless(record, nowMs) ?? whyNotNode(join, node);
  if (!join || fault !== undefined) {
    throw new AccessError("forbidden", `Cannot join with token ${record.id}: ${fault}`);
  }
  const after = { ...record, join: { ...join, usesLeft: join.usesLeft - 1 } };
  return {
    writes: [{ put: key, value: textOf(after) }],
    conditions: [{ key, revision }],
    labels: join.labels ?? {},
  };
}

/** A record without what nobody is to see. */
export function viewOf({ hash: _hash, salt: _salt, ...view }: TokenRecord): TokenView {
  return view;
}

const NOBODYS: TokenHash = { hash: "A".repeat(43) + "=", salt: "A".repeat(22) + "==" };

function whyUseless({ revoked, expiresMs }: TokenRecord, nowMs: number): string | undefined {
  if (revoked) return `it was revoked on ${new Date(revoked.atMs).toISOString()}`;
  if (nowMs >= expiresMs) return `it expired on ${new Date(expiresMs).toISOString()}`;
}

function whyNotNode({ usesLeft, nodes }: JoinLimits, node: string): string | undefined {
  if (usesLeft <= 0) return "it has been used up";
  if (nodes && !nodes.some((pattern) => matchesGlob(pattern, node))) {
    return `it is for nodes ${nodes.join(" ")}, not ${node}`;
  }
}

function tokenActorId({ id, person }: TokenView): string {
  return `token:${person}/${id}`;
}

function endMs({ revoked, expiresMs }: TokenRecord): number {
  return Math.min(revoked?.atMs ?? Infinity, expiresMs);
}

function textOf(record: TokenRecord): string {
  return canonicalJson(record as unknown as Json);
}
