/**
 * `/v1/approvals`: what waits for a second person, and what became of it.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Actor } from "../../../core/access/actor.ts";
import {
  type ApprovalOutcome,
  type ApprovalView,
  checkPlan,
  digestToApprove,
} from "../../../core/access/approval_request.ts";
import { AccessError } from "../../../core/access/error.ts";
import { areApart, peopleOf } from "../../../core/access/people.ts";
import { isGranted } from "../../../core/access/roles.ts";
import { type Counted, countedSchema, whyMore } from "../../../core/management/counted.ts";
import { chosenBy, pageOf as pageOfItems } from "../../../core/management/pagination.ts";
import { problemOf } from "../../../core/management/problem.ts";
import { readAs } from "../../../core/management/schema.ts";
import type { Json } from "../../../core/state/canonical.ts";
import { StoreUnavailableError } from "../../../core/state/store.ts";
import type { App, Env } from "../app.ts";
import { type Asked, checkUnchanged, countedBy, Rehearsal } from "../approval_gate.ts";
import { accessProblem } from "../problems.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { bodyOf, demand, pageOf } from "./request.ts";
import { pageSchema } from "./resources.ts";

const LIST = "/v1/approvals", ONE = "/v1/approvals/:id";

const agreeing = z.strictObject({
  digest: z.string().openapi({ description: "of the request as it was seen: another one is not approved" }),
  comment: z.string().max(1000).optional(),
}).openapi("ApprovalConsent");

const refusing = z.strictObject({
  reason: z.string().min(1).max(1000),
}).openapi("ApprovalRefusal");

/** Adds the routes. */
export function addApprovalRoutes(app: App, services: Services): void {
  const { approvals } = services;
  app.get(LIST, async (context) => {
    demand(context, { resource: "approvals", verb: "read" });
    const { page, filters } = pageOf(context);
    const chosen = (await approvals.list()).filter(chosenBy(FILTERS, filters));
    const { items, next } = pageOfItems(chosen.toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1), keyOf, page);
    return context.json({ items: items.map(told), ...next !== undefined && { next } });
  });
  app.get(ONE, async (context) => {
    demand(context, { resource: "approvals", verb: "read" });
    return context.json(told(await approvals.get(idOf(context))));
  });
  app.post(`${ONE}/approve`, async (context) => {
    demandApprover(context);
    const { digest, comment } = readAs(agreeing, await bodyOf(context));
    await checkCounted(app, services, context.get("actor"), idOf(context), digest);
    const view = await approvals.approve(context.get("actor"), idOf(context), digest, comment);
    if (askedIn(view).isShownOnce) return context.json(told(view));
    return context.json(told((await carryOut(app, services, view, () => askerOf(services, view))).view));
  });
  app.post(`${ONE}/reject`, async (context) => {
    demandApprover(context);
    const { reason } = readAs(refusing, await bodyOf(context));
    return context.json(told(await approvals.reject(context.get("actor"), idOf(context), reason)));
  });
  app.delete(ONE, async (context) => {
    demand(context, { resource: "approvals", verb: "read" });
    const reason = context.req.query("reason");
    return context.json(told(await approvals.withdraw(context.get("actor"), idOf(context), reason)));
  });
  app.post(`${ONE}/execute`, async (context) => {
    demand(context, { resource: "approvals", verb: "read" });
    const actor = context.get("actor"), view = await approvals.get(idOf(context));
    if (areApart(peopleOf(actor), view.request.people)) {
      const what =
        `${actor.id} may not carry out ${view.request.id}: ${view.request.requestedBy} asked for it`;
      throw new AccessError("forbidden", what);
    }
    const { view: after, result } = await carryOut(app, services, view, () => Promise.resolve(actor));
    if (after.state !== "executed") throw new AccessError("conflict", detailOf(after.outcome));
    return context.json({ ...told(after), ...result !== undefined && { result } }, 200, {
      "Cache-Control": "no-store",
    });
  });
  describe(app);
}

/**
 * Sends what was approved the way it came, as who asked for it, and writes what comes of it with the approval's end. What
 * cannot be done is kept as its outcome, and may be tried again.
 */
async function carryOut(
  app: App,
  services: Services,
  { request: { id, change } }: ApprovalView,
  whose: () => Promise<Actor>,
): Promise<{ readonly view: ApprovalView; readonly result?: Json }> {
  const { approvals } = services, asked = change.input as unknown as Asked;
  let result: Json | undefined, actor = asked.as;
  try {
    actor = await whose();
    await approvals.execute(actor, id, async () => {
      const rehearsal = new Rehearsal(), response = await app.fetch(requestOf(asked), { actor, rehearsal });
      const text = await response.text(), value = text === "" ? undefined : JSON.parse(text) as Json;
      if (response.status >= 400) throw new Refused(response.status, value ?? null);
      if (!rehearsal.plan) throw new AccessError("conflict", "There is nothing to be done any more");
      checkUnchanged(asked, rehearsal.plan.conditions);
      result = value;
      const kept = asked.isShownOnce || value === undefined ? {} : { value };
      return { ...rehearsal.plan, outcome: { status: response.status, ...kept } };
    });
    return { view: await approvals.get(id), ...result !== undefined && { result } };
  } catch (error) {
    const outcome = outcomeOf(error);
    if (!outcome || (await approvals.get(id)).state !== "approved") throw error;
    return { view: await approvals.fail(actor, id, outcome) };
  }
}

/**
 * Counts anew what would move, before anybody agrees to it: of one that has come to move more this is kept, for all to see.
 *
 * @throws {AccessError} That it has; or as {@linkcode Approvals.approve}.
 */
async function checkCounted(
  app: App,
  services: Services,
  actor: Actor,
  id: string,
  digest: string,
): Promise<void> {
  const view = await services.approvals.toApprove(actor, id, digest), was = countedIn(view);
  const is = was && await countedNow(app, services, view), why = is && whyMore(was, is);
  if (why === undefined) return;
  await services.approvals.recount(actor, id, is as unknown as Json);
  const what = `Cannot approve ${id} as it was: ${why}; look at it again`;
  throw new AccessError("conflict", what, "digest");
}

/** Undefined where it could not be carried out now: that is for whoever carries it out to tell. */
async function countedNow(app: App, services: Services, view: ApprovalView): Promise<Counted | undefined> {
  const rehearsal = new Rehearsal(), asked = askedIn(view);
  try {
    const actor = await askerOf(services, view);
    await (await app.fetch(requestOf(asked), { actor, rehearsal })).body?.cancel();
    if (!rehearsal.plan) return undefined;
    checkUnchanged(asked, rehearsal.plan.conditions);
    checkPlan(actor, view.request, rehearsal.plan.effect);
  } catch (error) {
    if (error instanceof AccessError) return undefined;
    throw error;
  }
  return await countedBy(services.scope, rehearsal.plan.writes);
}

/** What was counted last of what would move. */
function countedIn({ request, recounted }: ApprovalView): Counted | undefined {
  return (recounted?.counted ?? request.counted) as unknown as Counted | undefined;
}

/** The request said no, this time. */
class Refused extends Error {
  constructor(readonly status: number, readonly value: Json) {
    super(`status ${status}`);
  }
}

/** What an error is to who reads the approval; undefined = it says nothing about what was asked for. */
function outcomeOf(error: unknown): ApprovalOutcome | undefined {
  if (error instanceof Refused) {
    return error.status === 503 ? undefined : { status: error.status, value: error.value };
  }
  if (error instanceof StoreUnavailableError) return undefined;
  const problem = error instanceof AccessError ? accessProblem(error) : problemOf(error);
  return problem && { status: problem.status, value: problem as unknown as Json };
}

function detailOf(outcome: ApprovalOutcome | undefined): string {
  const { detail } = (outcome?.value ?? {}) as { detail?: string };
  return detail ?? "it could not be carried out";
}

/** Who asked, as they are now: a token has to be good still; what an issuer or a certificate said holds for the day of the request. */
async function askerOf({ tokens }: Services, view: ApprovalView): Promise<Actor> {
  const { as } = askedIn(view);
  return as.way === "token" ? await tokens.actor(as.id.slice(as.id.lastIndexOf("/") + 1)) : as;
}

function requestOf({ method, path, headers, body }: Asked): Request {
  const text = body === undefined ? {} : { body: JSON.stringify(body) };
  return new Request(`http://localhost${path}`, { method, headers, ...text });
}

const askedIn = ({ request: { change } }: ApprovalView) => change.input as unknown as Asked;

/** With its id in sight; `request`, and what was counted anew, is what the digest is over. */
function told(view: ApprovalView): ApprovalView & { readonly id: string } {
  return { id: view.request.id, ...view, digest: digestToApprove(view) };
}

function idOf(context: Context<Env>): string {
  return context.req.param("id")!;
}

/** Whether somebody may approve anything; whether this is for the approval itself to say. @throws {AccessError} */
function demandApprover(context: Context<Env>): void {
  if (context.get("actor").grants.some(({ role }) => isGranted(role, "approvals", "approve"))) return;
  demand(context, { resource: "approvals", verb: "approve", requestedBy: [] });
}

const FILTERS = {
  state: ({ state }: ApprovalView, wanted: string) => state === wanted,
  requestedBy: ({ request }: ApprovalView, wanted: string) => request.requestedBy === wanted,
  operation: ({ request }: ApprovalView, wanted: string) => request.change.operation === wanted,
};

/** The newest first. */
function keyOf({ request: { id, requestedMs } }: ApprovalView): string {
  return `${String(1e15 - requestedMs).padStart(16, "0")} ${id}`;
}

const stepSchema = z.object({
  ...{ by: z.string(), people: z.array(z.string()), atMs: z.number().int(), comment: z.string().optional() },
});

const approvalSchema = z.object({
  ...{ id: z.string(), digest: z.string() },
  state: z.enum(["pending", "approved", "rejected", "withdrawn", "executed", "expired"]),
  request: z.object({
    change: z.object({ operation: z.string().openapi({ example: "pool.delete" }), input: z.any() }),
    critical: z.array(z.object({ kind: z.string(), what: z.string() })),
    counted: countedSchema.optional(),
    ...{
      requestedBy: z.string(),
      requestedMs: z.number().int(),
      expiresMs: z.number().int(),
      reason: z.string(),
    },
  }).loose(),
  recounted: z.object({ counted: countedSchema, atMs: z.number().int(), digest: z.string() }).optional()
    .openapi({
      description:
        "what it has come to move since it was asked for, where that is more; the digest is of this too",
    }),
  ...{ decided: stepSchema.optional(), executed: stepSchema.optional() },
  outcome: z.object({ status: z.number().int(), value: z.any() }).optional(),
}).openapi("Approval");

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema });
  const one = "/v1/approvals/{id}", gives = json(approvalSchema);
  const query = pageSchema.extend({
    state: approvalSchema.shape.state.optional(),
    ...{ requestedBy: z.string().optional(), operation: z.string().optional() },
  });
  const page = z.object({ items: z.array(approvalSchema), next: z.string().optional() });
  const routes = [
    {
      method: "get",
      path: LIST,
      summary: "what waits for a second person, or did",
      query,
      gives: json(page),
    },
    { method: "get", path: one, summary: "one approval", gives },
    { method: "delete", path: one, summary: "take back what one has asked for", gives },
    {
      method: "post",
      path: `${one}/approve`,
      summary: "agree; it is carried out",
      takes: json(agreeing),
      gives,
    },
    { method: "post", path: `${one}/reject`, summary: "say no", takes: json(refusing), gives },
    {
      method: "post",
      path: `${one}/execute`,
      gives,
      summary: "carry out what was approved: what answers with a secret, or what failed before",
    },
  ] as const;
  const params = z.object({ id: z.string() });
  describeRoutes(app, params, routes.map((route) => ({ ...route, tag: "approvals" })));
}
