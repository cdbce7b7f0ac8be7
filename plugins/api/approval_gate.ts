/**
 * What stands between a change and the store where some changes are for two: one that is critical is not made but asked
 * for, by all that its request said. Once a second person has agreed, the same request goes the same way again, and what it
 * would write is handed over instead of written.
 *
 *     request ─▶ route, rules, plan ─▶ critical? ─no─▶ store
 *        ▲                                └─yes─▶ approval ─▶ 202
 *        └─────── rehearsed ◀── approved ◀───────────┘          the plan, with the approval's end ─▶ store
 *
 * @module
 */

import type { Context } from "hono";
import type { Action, Actor } from "../../core/access/actor.ts";
import type { ApprovalView } from "../../core/access/approval_request.ts";
import type { Plan } from "../../core/access/approvals.ts";
import { type Critical, type Effect, type PoolEffect, whyCritical } from "../../core/access/critical.ts";
import { AccessError } from "../../core/access/error.ts";
import type { Management } from "../../core/management/change.ts";
import type { Counted } from "../../core/management/counted.ts";
import { COUNTED_MS, formerly, takenOut } from "../../core/management/taken_out.ts";
import type { ChangeGuard } from "../../core/membership/change_guard.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import type { AuditEvent } from "../../core/state/audit.ts";
import { canonicalJson, type Json } from "../../core/state/canonical.ts";
import { KEYS, PREFIXES } from "../../core/state/keys.ts";
import type { Ledger } from "../../core/state/ledger.ts";
import {
  type Condition,
  type Entry,
  keyOf,
  StoreUnavailableError,
  type Write,
} from "../../core/state/store.ts";
import type { Env } from "./app.ts";
import { beginMs, countMoves } from "./guard.ts";
import { askingOf } from "./routes/request.ts";
import type { Services } from "./services.ts";

/** Whose critical changes wait: nobody's, those of all who come over the network, the machine's own administrator's too. */
export type ApprovalsFor = "off" | "on" | "all";

/** Thrown in place of a critical change: it waits. */
export class Waiting extends Error {
  constructor(readonly approval: ApprovalView) {
    super(`waits for approval ${approval.request.id}`);
  }
}

/** What a request would write, which nobody writes here. */
export class Rehearsal {
  #plan: Omit<Plan, "outcome"> | undefined;

  /** Takes it in the place of the store. */
  take(plan: Omit<Plan, "outcome">): { succeeded: true; revision: number; records: [] } {
    if (this.#plan) throw new Error("A request that was approved writes twice");
    this.#plan = plan;
    return { succeeded: true, revision: 0, records: [] };
  }

  /** What was taken; undefined = it came to nothing. */
  get plan(): Omit<Plan, "outcome"> | undefined {
    return this.#plan;
  }
}

/** A request that waits, as its approval keeps it. */
export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Json;
  /** At which revisions that was which it would change: another one was not seen by who approves. */
  readonly conditions: readonly Condition[];
  /** Who asks, with what they were granted then. */
  readonly as: Actor;
  /** Its answer holds a secret: only who asked carries it out, and sees it once. */
  readonly isShownOnce: boolean;
}

/** How a change is gated. */
export interface GateOptions {
  /** What was sent. It is kept for all to read who may read approvals: never with a secret in clear. */
  readonly body?: unknown;
  readonly isShownOnce?: boolean;
}

/** The same operations; of what is critical, one that asks for it instead. `actions`: all that the request has to be allowed. */
export function gated(
  context: Context<Env>,
  services: Services,
  actions: readonly Action[],
  options: GateOptions = {},
): Management {
  const { management, scope, approvalsFor } = services, { rehearsal } = context.env;
  const actor = context.get("actor"), isOff = approvalsFor === "off";
  if (isOff && !rehearsal) return management;
  const write: Ledger["write"] = async (events, writes, conditions = []) => {
    const fenced = touchesPools(writes) ? await fence(scope) : { writes: [], conditions: [] };
    const effect = { actions, pools: touchesPools(writes) ? poolEffects(scope, writes) : [] };
    const all = {
      writes: [...writes, ...fenced.writes],
      conditions: [...conditions, ...fenced.conditions],
    };
    if (rehearsal) return rehearsal.take({ effect, events, ...all });
    const isFree = actor.way === "local" && approvalsFor !== "all";
    if (isFree || whyCritical(effect).length === 0) {
      return await management.ledger.write(events, all.writes, all.conditions);
    }
    throw new Waiting(
      await ask(context, services, effect, { events, writes }, askedOf(context, options, conditions)),
    );
  };
  return { ...management, ledger: { write } };
}

/** Why a change would wait for a second person; nothing where it would not. */
export function whyWaits(
  context: Context<Env>,
  { scope, approvalsFor }: Services,
  actions: readonly Action[],
  writes: readonly Write[],
): readonly Critical[] {
  const isLocal = context.get("actor").way === "local";
  if (approvalsFor === "off" || isLocal && approvalsFor !== "all") return [];
  return whyCritical({ actions, pools: touchesPools(writes) ? poolEffects(scope, writes) : [] });
}

/** Who acts of itself: servers, and what they are configured to take from elsewhere. */
const OF_ITSELF = /^(server|formation|node):/;

/** Refuses what people would change by other ways, and has to wait for a second person; undefined where nothing has to. */
export function guardOfOthers(scope: FleetScope, approvalsFor: ApprovalsFor): ChangeGuard | undefined {
  if (approvalsFor === "off") return undefined;
  return async (actor, writes) => {
    const isFree = OF_ITSELF.test(actor) || (actor.startsWith("local:") && approvalsFor !== "all");
    if (isFree || !touchesPools(writes)) return { writes: [], conditions: [] };
    const fenced = await fence(scope),
      critical = whyCritical({ actions: [], pools: poolEffects(scope, writes) });
    if (critical.length === 0) return fenced;
    const what = critical.map(({ what }) => what).join("; ");
    throw new AccessError(
      "forbidden",
      `it ${what}, which waits for a second person: ask for it by /v1/ of the API`,
    );
  };
}

/** Asks for what `asked` says, with what would be recorded for the second person to see. */
async function ask(
  context: Context<Env>,
  services: Services,
  effect: Effect,
  { events, writes }: { readonly events: readonly AuditEvent[]; readonly writes: readonly Write[] },
  asked: Asked,
): Promise<ApprovalView> {
  const actor = context.get("actor"), { reason = reasonIn(asked.body) } = askingOf(context);
  const change = { operation: events[0]!.action, input: asked as unknown as Json };
  const preview = events.map(({ action, subject, before = null, after = null }) => {
    return { action, subject, before, after };
  });
  const same = await sameBefore(services, actor, change.operation, asked);
  if (same) return same;
  const counted = await countedBy(services.scope, writes);
  const proposal = { change, effect, preview, reason, ...counted && { counted: counted as unknown as Json } };
  return await services.approvals.request(actor, proposal);
}

/** What writes would move; undefined where they are about no pool. */
export async function countedBy(scope: FleetScope, writes: readonly Write[]): Promise<Counted | undefined> {
  return touchesPools(writes) ? await countMoves(scope, writes) : undefined;
}

/** Whether what a request would change is what it was when it was approved. @throws {AccessError} */
export function checkUnchanged(asked: Asked, planned: readonly Condition[]): void {
  const now = new Map(planned.map(({ key, revision }) => [key, revision]));
  const other = asked.conditions.find(({ key, revision }) =>
    (now.get(key) ?? 0) !== revision && (now.has(key) || revision > 0)
  );
  if (!other) return;
  throw new AccessError("conflict", `${other.key} has been changed since it was asked for: ask anew`);
}

function askedOf(
  context: Context<Env>,
  { body, isShownOnce = false }: GateOptions,
  conditions: readonly Condition[],
): Asked {
  const { pathname, search } = new URL(context.req.url);
  const headers = ["if-match", "if-none-match", "idempotency-key", "x-reason"].flatMap((name) => {
    const value = context.req.header(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...{ method: context.req.method, path: pathname + search, headers: Object.fromEntries(headers) },
    ...body !== undefined && { body: body as Json },
    conditions: conditions.filter(({ key }) => !key.startsWith(PREFIXES.idempotency)),
    ...{ as: context.get("actor"), isShownOnce },
  };
}

/** So many requests of one may wait at once: each is read by whoever approves. */
const WAITING_MAX = 50;

/** The same that the same person asked for before and that waits: asked twice, it is one request. */
async function sameBefore(
  { approvals }: Services,
  actor: Actor,
  operation: string,
  asked: Asked,
): Promise<ApprovalView | undefined> {
  const essence = (one: Asked) =>
    canonicalJson({
      ...one,
      as: one.as.id,
      // What is new has another id each time.
      conditions: one.conditions.filter(({ revision }) => revision > 0),
    } as unknown as Json);
  const waiting = (await approvals.list()).filter(({ state, request: { requestedBy } }) =>
    state === "pending" && requestedBy === actor.id
  );
  const same = waiting.find(({ request: { change } }) =>
    change.operation === operation && essence(change.input as unknown as Asked) === essence(asked)
  );
  if (same || waiting.length < WAITING_MAX) return same;
  throw new AccessError("conflict", `${actor.id} has ${WAITING_MAX} requests that wait: withdraw some`);
}

function reasonIn(body: unknown): string {
  const { reason } = (body ?? {}) as { reason?: unknown };
  return typeof reason === "string" ? reason : "";
}

const OF_POOLS = [PREFIXES.nodes, PREFIXES.pools, PREFIXES.overrides];

function touchesPools(writes: readonly Write[]): boolean {
  return writes.some((write) => OF_POOLS.some((prefix) => keyOf(write).startsWith(prefix)));
}

/** How long this server's copy may take to hold all that was changed before. */
const BEHIND_MS = 5000;

/**
 * Waits until the copy has all changes that were counted before, and makes this one fail where there is another meanwhile:
 * or two at once, each of which takes out half, would take out all.
 */
async function fence(
  { member: { store, replica }, configuration: { server } }: FleetScope,
): Promise<{ writes: Write[]; conditions: Condition[] }> {
  const key = KEYS.poolFence, revision = (await store.get(key))?.revision ?? 0;
  if (!await replica.reached(revision, BEHIND_MS)) {
    throw new StoreUnavailableError(
      `This server does not know yet what the fleet was at revision ${revision}`,
    );
  }
  return { writes: [{ put: key, value: JSON.stringify({ server }) }], conditions: [{ key, revision }] };
}

function poolEffects(
  { member: { replica, besides }, clock }: FleetScope,
  writes: readonly Write[],
): readonly PoolEffect[] {
  const entries = OF_POOLS.flatMap((prefix): Entry[] => [...replica.below(prefix)]), nowMs = clock.nowMs();
  const known = {
    nodes: besides.nodes,
    pools: besides.pools.map((pool) => ({ ...pool, members: undefined })),
    takers: besides.takers,
  };
  const former = formerly(replica.below(PREFIXES.audit), nowMs - COUNTED_MS);
  return takenOut(entries, writes, beginMs(writes, nowMs), known, former);
}
