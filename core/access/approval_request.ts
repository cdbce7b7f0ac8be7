/**
 * What somebody asks a second person for, and the rules by which it is decided and carried out.
 *
 * @module
 */

import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import type { Action, Actor } from "./actor.ts";
import { type Critical, type Effect, isCovered, whyCritical } from "./critical.ts";
import { AccessError } from "./error.ts";
import { areApart, peopleOf } from "./people.ts";
import { may } from "./roles.ts";

/** A change as it is asked for: which operation, with what. Plain data, without secrets in clear. */
export interface Change {
  /** `override.create`, `configuration.apply`. */
  readonly operation: string;
  readonly input: Json;
}

/** What somebody asks for. */
export interface Proposal {
  readonly change: Change;
  /** What it would do as things stand now. */
  readonly effect: Effect;
  readonly reason: string;
  /** What the second person is to see besides: a preview. */
  readonly preview?: Json;
  /** What it would move, as it was counted when it was asked for; absent where it moves nothing. */
  readonly counted?: Json;
}

/** What the digest of a request is over. */
export interface ApprovalRequest extends Omit<Proposal, "effect"> {
  readonly id: string;
  readonly actions: readonly Action[];
  readonly critical: readonly Critical[];
  /** Who asked, and the people behind that. */
  readonly requestedBy: string;
  readonly people: readonly string[];
  /** Milliseconds since 1970. */
  readonly requestedMs: number;
  readonly expiresMs: number;
}

/** What somebody did with a request. */
export interface Step {
  readonly by: string;
  readonly people: readonly string[];
  readonly atMs: number;
  readonly comment?: string;
}

/** What came of carrying it out, as whoever asked would have been told: of HTTP. Without secrets. */
export interface ApprovalOutcome {
  readonly status: number;
  readonly value?: Json;
}

/** What it has come to move since it was asked for. */
export interface Recounted {
  readonly counted: Json;
  readonly atMs: number;
  /** SHA-256 over the request's own digest and what was counted: by this it is approved from then on. */
  readonly digest: string;
}

/** A request as the store has it. */
export interface ApprovalRecord {
  readonly request: ApprovalRequest;
  /** SHA-256 of the request's canonical JSON. */
  readonly digest: string;
  /** Absent where it moves no more than when it was asked for. */
  readonly recounted?: Recounted;
  readonly state: "pending" | "approved" | "rejected" | "withdrawn" | "executed";
  readonly decided?: Step;
  readonly executed?: Step;
  /** Where it is approved still: why it could not be carried out when that was tried last. */
  readonly outcome?: ApprovalOutcome;
}

/** A request as people see it. */
export interface ApprovalView extends Omit<ApprovalRecord, "state"> {
  readonly state: ApprovalRecord["state"] | "expired";
}

/** How long a request may wait, from when it was made until it is carried out: a day. */
export const APPROVAL_MS = 86_400_000;

/** The longest text of a change and its preview together: what is larger is stored by itself and meant by its hash. */
const OCTETS_MAX = 262_144;

/** The request that a proposal becomes. */
export function requestOf(
  id: string,
  actor: Actor,
  { change, effect, reason, preview, counted }: Proposal,
  nowMs: number,
): ApprovalRequest {
  return {
    ...{ id, change, reason, ...preview !== undefined && { preview } },
    ...counted !== undefined && { counted },
    ...{ actions: effect.actions, critical: whyCritical(effect) },
    ...{ requestedBy: actor.id, people: peopleOf(actor) },
    ...{ requestedMs: nowMs, expiresMs: nowMs + APPROVAL_MS },
  };
}

/** Whether somebody may ask for it at all. @throws {AccessError} */
export function checkProposal(actor: Actor, { change, effect, preview = null }: Proposal): void {
  if (effect.actions.length === 0) {
    throw new AccessError("invalid", `Cannot ask for ${change.operation}: it does not say what it does`);
  }
  checkMay(actor, effect.actions);
  const { length } = new TextEncoder().encode(canonicalJson([change as unknown as Json, preview]));
  if (length > OCTETS_MAX) {
    throw new AccessError("invalid", `Cannot ask for ${length} octets of change: at most ${OCTETS_MAX}`);
  }
}

function checkMay(actor: Actor, actions: readonly Action[]): void {
  for (const action of actions) {
    const { allowed, why } = may(actor, action);
    if (!allowed) throw new AccessError("forbidden", why);
  }
}

/** Whoever decides is somebody else, and is trusted with every pool and zone that it concerns. @throws {AccessError} */
export function checkMayDecide(actor: Actor, { request: { actions, people } }: ApprovalRecord): void {
  checkMay(
    actor,
    actions.map(({ pools = [], zones = [] }) => ({
      ...{ resource: "approvals", verb: "approve", pools, zones, requestedBy: people },
    })),
  );
}

/** What is to be named by who approves: what they have seen. */
export function digestToApprove({ digest, recounted }: Pick<ApprovalRecord, "digest" | "recounted">): string {
  return recounted?.digest ?? digest;
}

/** {@linkcode Recounted.digest}. */
export function recountDigest(digest: string, counted: Json): string {
  return digestOf({ request: digest, counted });
}

/** What lies in the store is what was asked for, and two people have agreed. @throws {AccessError} */
export function checkWhole({ request, digest, recounted, decided }: ApprovalRecord): void {
  const isWhole = digestOf(request as unknown as Json) === digest &&
    (!recounted || recountDigest(digest, recounted.counted) === recounted.digest);
  if (isWhole && decided && areApart(decided.people, request.people)) return;
  throw new AccessError("conflict", `Cannot carry out ${request.id}: it is not what was approved`);
}

/** It comes to no more than what was approved, and whoever carries it out might have asked for it. @throws {AccessError} */
export function checkPlan(actor: Actor, request: ApprovalRequest, effect: Effect): void {
  checkMay(actor, effect.actions);
  const isMore = effect.actions.length === 0 ||
    effect.actions.some((action) => !request.actions.some((approved) => isWithin(action, approved)));
  if (isMore || !isCovered(whyCritical(effect), request.critical)) {
    const what = "as things stand now it does more than what was approved";
    throw new AccessError("conflict", `Cannot carry out ${request.id}: ${what}; ask anew`);
  }
}

/** Whether an action is another one, or the same for fewer pools and zones. */
function isWithin(action: Action, approved: Action): boolean {
  const { pools = [], zones = [] } = action;
  const isEverywhere = pools.length + zones.length === 0;
  const wasEverywhere = (approved.pools?.length ?? 0) + (approved.zones?.length ?? 0) === 0;
  return action.resource === approved.resource && action.verb === approved.verb &&
    action.node === approved.node && isEverywhere === wasEverywhere &&
    pools.every((pool) => approved.pools?.includes(pool)) &&
    zones.every((zone) => approved.zones?.includes(zone));
}
