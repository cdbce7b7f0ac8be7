/**
 * Changes that wait for a second person.
 *
 *     request ─▶ pending ─approve─▶ approved ─execute─▶ executed
 *                   └──── reject, withdraw, a day ────▶ nothing
 *
 * What is approved is what is written in the request, by its digest; when it is carried out, it is worked out anew from
 * how things stand then, and must not come to more than what was approved.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { AuditEvent } from "../state/audit.ts";
import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { Ledger, Recorded } from "../state/ledger.ts";
import { objectIn } from "../state/object_in.ts";
import type { Condition, Store, Write } from "../state/store.ts";
import type { Actor } from "./actor.ts";
import {
  type ApprovalOutcome,
  type ApprovalRecord,
  type ApprovalView,
  type Change,
  checkMayDecide,
  checkPlan,
  checkProposal,
  checkWhole,
  digestToApprove,
  type Proposal,
  recountDigest,
  requestOf,
  type Step,
} from "./approval_request.ts";
import type { Effect } from "./critical.ts";
import { AccessError } from "./error.ts";
import { areApart, peopleOf } from "./people.ts";
import { makeId, type RandomOctets } from "./random.ts";

/** A change worked out from how things stand. */
export interface Plan {
  readonly effect: Effect;
  readonly events: readonly AuditEvent[];
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
  /** What is kept of its result. */
  readonly outcome?: ApprovalOutcome;
}

/** What approvals are kept with. */
export interface ApprovalsOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: RandomOctets;
}

/** How long a request that has ended is still listed. */
const KEPT_MS = 30 * 86_400_000;

/** The requests of a fleet. */
export class Approvals {
  readonly #options: ApprovalsOptions;

  constructor(options: ApprovalsOptions) {
    this.#options = options;
  }

  /** Asks for a change. @throws {AccessError} Who asks may not make it in the first place, or it is none to ask for. */
  async request(actor: Actor, proposal: Proposal): Promise<ApprovalView> {
    const { random, clock, ledger } = this.#options;
    checkProposal(actor, proposal);
    const request = requestOf(makeId(random), actor, proposal, clock.nowMs());
    const record: ApprovalRecord = {
      request,
      digest: digestOf(request as unknown as Json),
      state: "pending",
    };
    const key = KEYS.approval(request.id);
    await ledger.write(
      [eventOf("request", actor, record, proposal.reason)],
      [{ put: key, value: textOf(record) }],
      [{ key, revision: 0 }],
    );
    return this.#viewOf(record);
  }

  /** All of them, the newest first. */
  async list(): Promise<readonly ApprovalView[]> {
    const { entries } = await this.#options.store.list(PREFIXES.approvals);
    return entries.flatMap(({ value }) => recordIn(value) ?? []).map((record) => this.#viewOf(record))
      .toSorted((a, b) => b.request.requestedMs - a.request.requestedMs);
  }

  /** One of them. @throws {AccessError} There is none. */
  async get(id: string): Promise<ApprovalView> {
    return this.#viewOf((await this.#read(id)).record);
  }

  /**
   * Agrees. @param digest Of what was seen, so that nobody agrees to something else.
   * @throws {AccessError} Not this actor, not any more, or not to this.
   */
  async approve(actor: Actor, id: string, digest: string, comment?: string): Promise<ApprovalView> {
    const { record, revision } = await this.#readToApprove(actor, id, digest);
    return await this.#decide("approve", "approved", actor, record, revision, comment);
  }

  /** One that this actor may approve now. @throws {AccessError} As {@linkcode approve}. */
  async toApprove(actor: Actor, id: string, digest: string): Promise<ApprovalView> {
    return this.#viewOf((await this.#readToApprove(actor, id, digest)).record);
  }

  /** Keeps what it has come to move: who approves it is to name the digest of that. @throws {AccessError} */
  async recount(actor: Actor, id: string, counted: Json): Promise<ApprovalView> {
    const { record, revision } = await this.#readOpen(id, ["pending"]), key = KEYS.approval(id);
    const atMs = this.#options.clock.nowMs(), digest = recountDigest(record.digest, counted);
    const after: ApprovalRecord = { ...record, recounted: { counted, atMs, digest } };
    const event = { ...eventOf("recount", actor, record), after: { counted, digest } };
    const { succeeded } = await this.#options.ledger.write(
      [event],
      [{ put: key, value: textOf(after) }],
      [{ key, revision }],
    );
    return succeeded ? this.#viewOf(after) : await this.get(id);
  }

  /** Says no, also to what was approved and is yet to be carried out. @throws {AccessError} As {@linkcode approve}. */
  async reject(actor: Actor, id: string, comment?: string): Promise<ApprovalView> {
    const { record, revision } = await this.#readOpen(id, ["pending", "approved"]);
    checkMayDecide(actor, record);
    return await this.#decide("reject", "rejected", actor, record, revision, comment);
  }

  /** Takes back what one has asked for. @throws {AccessError} It was somebody else, or it is too late. */
  async withdraw(actor: Actor, id: string, comment?: string): Promise<ApprovalView> {
    const { record, revision } = await this.#readOpen(id, ["pending", "approved"]);
    if (areApart(peopleOf(actor), record.request.people)) {
      throw new AccessError(
        "forbidden",
        `${actor.id} may not withdraw ${id}: ${record.request.requestedBy} asked for it`,
      );
    }
    return await this.#decide("withdraw", "withdrawn", actor, record, revision, comment);
  }

  /**
   * Carries out what was approved, once: the change, its records and the end of the request are one transaction.
   *
   * @param plan Works the change out from how things stand now, with every check that it would have without approval.
   * @throws {AccessError} Not this actor, not approved, expired, or no longer what was approved; then it can be tried again.
   */
  async execute(actor: Actor, id: string, plan: (change: Change) => Promise<Plan>): Promise<Recorded> {
    const { record, revision } = await this.#readOpen(id, ["approved"]);
    checkWhole(record);
    const planned = await plan(record.request.change);
    checkPlan(actor, record.request, planned.effect);
    const { outcome: _, ...before } = record, { outcome } = planned;
    const executed = this.#step(actor);
    const after: ApprovalRecord = { ...before, state: "executed", executed, ...outcome && { outcome } };
    const key = KEYS.approval(id), events = planned.events.map((event) => ({ ...event, cause: key }));
    const recorded = await this.#options.ledger.write(
      [eventOf("execute", actor, record), ...events],
      [...planned.writes, { put: key, value: textOf(after) }],
      [...planned.conditions, { key, revision }],
    );
    if (recorded.succeeded) return recorded;
    const isSame = (await this.#options.store.get(key))?.revision === revision;
    const what = isSame ? "what it changes was changed just now" : "somebody else has just dealt with it";
    throw new AccessError("conflict", `Cannot carry out ${id}: ${what}`);
  }

  /** Keeps why what was approved could not be carried out; it can be tried again. @throws {AccessError} */
  async fail(actor: Actor, id: string, outcome: ApprovalOutcome): Promise<ApprovalView> {
    const { record, revision } = await this.#readOpen(id, ["approved"]);
    const after: ApprovalRecord = { ...record, outcome }, key = KEYS.approval(id);
    const event = { ...eventOf("fail", actor, record), after: { ...outcome } as Json };
    const { succeeded } = await this.#options.ledger.write(
      [event],
      [{ put: key, value: textOf(after) }],
      [{ key, revision }],
    );
    return succeeded ? this.#viewOf(after) : await this.get(id);
  }

  /** Takes away the requests that ended a month ago, at most 50 at once; how many. The audit log keeps what they were. */
  async sweep(actor: string): Promise<number> {
    const { store, ledger, clock } = this.#options;
    const { entries } = await store.list(PREFIXES.approvals);
    const old = entries.filter(({ value }) =>
      (recordIn(value)?.request.expiresMs ?? Infinity) + KEPT_MS < clock.nowMs()
    ).slice(0, 50);
    if (old.length === 0) return 0;
    const ids = old.map(({ key }) => key.slice(PREFIXES.approvals.length));
    const { succeeded } = await ledger.write(
      [{ actor, action: "approval.sweep", subject: "approvals", before: ids }],
      old.map(({ key }) => ({ remove: key })),
      old.map(({ key, revision }) => ({ key, revision })),
    );
    return succeeded ? old.length : 0;
  }

  async #decide(
    verb: "approve" | "reject" | "withdraw",
    state: ApprovalRecord["state"],
    actor: Actor,
    record: ApprovalRecord,
    revision: number,
    comment: string | undefined,
  ): Promise<ApprovalView> {
    const after: ApprovalRecord = { ...record, state, decided: this.#step(actor, comment) };
    const key = KEYS.approval(record.request.id);
    const { succeeded } = await this.#options.ledger.write(
      [eventOf(verb, actor, record, comment)],
      [{ put: key, value: textOf(after) }],
      [{ key, revision }],
    );
    if (!succeeded) {
      throw new AccessError(
        "conflict",
        `Cannot ${verb} ${record.request.id}: somebody else has just dealt with it`,
      );
    }
    return this.#viewOf(after);
  }

  #step(actor: Actor, comment?: string): Step {
    const atMs = this.#options.clock.nowMs();
    return { by: actor.id, people: peopleOf(actor), atMs, ...comment !== undefined && { comment } };
  }

  async #readToApprove(
    actor: Actor,
    id: string,
    digest: string,
  ): Promise<{ record: ApprovalRecord; revision: number }> {
    const { record, revision } = await this.#readOpen(id, ["pending"]), wanted = digestToApprove(record);
    checkMayDecide(actor, record);
    if (digest === wanted) return { record, revision };
    throw new AccessError("conflict", `Cannot approve ${id}: it is ${wanted}, not ${digest}`, "digest");
  }

  async #read(id: string): Promise<{ record: ApprovalRecord; revision: number }> {
    const entry = await this.#options.store.get(KEYS.approval(id));
    if (!entry) throw new AccessError("absent", `Cannot find request ${id}: there is none`);
    return { record: JSON.parse(entry.value) as ApprovalRecord, revision: entry.revision };
  }

  /** One that is in one of some states, and has not expired. */
  async #readOpen(
    id: string,
    states: readonly ApprovalView["state"][],
  ): Promise<{ record: ApprovalRecord; revision: number }> {
    const read = await this.#read(id), { state } = this.#viewOf(read.record);
    if (states.includes(state)) return read;
    throw new AccessError(
      "conflict",
      `Cannot do this with ${id}: it is ${state}, not ${states.join(" or ")}`,
    );
  }

  #viewOf(record: ApprovalRecord): ApprovalView {
    const isOpen = record.state === "pending" || record.state === "approved";
    const isLate = this.#options.clock.nowMs() >= record.request.expiresMs;
    return { ...record, state: isOpen && isLate ? "expired" : record.state };
  }
}

/** Undefined where it is none: nobody can approve it. */
function recordIn(text: string): ApprovalRecord | undefined {
  const record = objectIn(text) as Partial<ApprovalRecord> | undefined;
  return record?.request ? record as ApprovalRecord : undefined;
}

function eventOf(
  verb: string,
  actor: Actor,
  { request, digest, recounted }: ApprovalRecord,
  reason?: string,
): AuditEvent {
  const isRequest = verb === "request";
  return {
    ...{ actor: actor.id, action: `approval.${verb}`, subject: KEYS.approval(request.id) },
    ...reason !== undefined && { reason },
    after: isRequest
      ? { request: request as unknown as Json, digest }
      : { digest, ...recounted && { recounted: recounted.digest } },
  };
}

function textOf(record: ApprovalRecord): string {
  return canonicalJson(record as unknown as Json);
}
