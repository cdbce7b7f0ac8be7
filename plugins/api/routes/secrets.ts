/** `/v1/secrets`: what servers keep sealed, by name and key, never what is in it; sealed anew, and exchanged. @module */

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AccessError } from "../../../core/access/error.ts";
import { SecretError } from "../../../core/access/secrets.ts";
import { readAs } from "../../../core/management/schema.ts";
import type { App, Env } from "../app.ts";
import { gated } from "../approval_gate.ts";
import { FLEET_SECRET_NAME, type FleetSecretPlan } from "../fleet_secret.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { askingOf, bodyOf, demand } from "./request.ts";

const rotation = z.strictObject({
  forget: z.boolean().optional().openapi({
    description:
      "the old one is to count no more, at once: for when it has leaked; nodes prove themselves anew",
  }),
}).openapi("SecretRotation");

const secretSchema = z.object({
  name: z.string().openapi({ example: FLEET_SECRET_NAME }),
  key: z.string().nullable().openapi({ description: "of the key that it is sealed with; null = it is not" }),
  isOld: z.boolean().openapi({ description: "whether it would be sealed anew" }),
  at: z.iso.datetime().optional().openapi({ description: "since when texts are made with it" }),
}).openapi("Secret");

const UPDATE = { resource: "secrets", verb: "update" } as const;

/** Adds the routes. */
export function addSecretRoutes(app: App, services: Services): void {
  const { fleetSecret, secrets } = services;
  const views = async () => [...[fleetSecret.view() ?? []].flat(), ...await secrets?.list() ?? []];
  app.get("/v1/secrets", async (context) => {
    demand(context, { resource: "secrets", verb: "read" });
    return context.json({ items: await views() });
  });
  app.post(`/v1/secrets/${FLEET_SECRET_NAME}/rotate`, async (context) => {
    demand(context, UPDATE);
    const body = await bodyOf(context), { forget = false } = readAs(rotation, body);
    const { actor, reason } = askingOf(context);
    const plan = await fleetSecret.planRotation(actor, { forget, ...reason !== undefined && { reason } });
    await commit(context, services, plan, body);
    const [write] = plan.writes;
    return context.json(fleetSecret.viewOf((write as { readonly value: string }).value)!);
  });
  app.post("/v1/secrets/reseal", async (context) => {
    demand(context, UPDATE);
    if (!secrets) throw new AccessError("conflict", "This server has no key: `secrets` in its api names one");
    const { actor } = askingOf(context), plan = await told(() => fleetSecret.planReseal(actor));
    // What is in them stays: there is nothing to agree to.
    if (plan) await commitPlan(services.management.ledger, plan);
    const { resealed, left } = await secrets.reseal(actor);
    return context.json({ resealed: resealed + (plan ? 1 : 0), left });
  });
  describe(app);
}

async function commit(
  context: Context<Env>,
  services: Services,
  plan: FleetSecretPlan,
  body: unknown,
): Promise<void> {
  await commitPlan(gated(context, services, [UPDATE], { body }).ledger, plan);
}

async function commitPlan(
  ledger: Pick<Services["management"]["ledger"], "write">,
  { events, writes, conditions }: FleetSecretPlan,
): Promise<void> {
  const { succeeded } = await ledger.write(events, writes, conditions);
  if (!succeeded) throw new AccessError("conflict", "The secret was changed just now");
}

/** What cannot be opened is told to who asked. */
async function told<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    throw new AccessError("conflict", error.message);
  }
}

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema }), tag = "secrets";
  const done = z.object({ resealed: z.number().int(), left: z.array(z.string()) });
  describeRoutes(app, z.object({}), [
    {
      ...{
        method: "get",
        path: "/v1/secrets",
        tag,
        summary: "which there are, and by which keys: never what is in them",
      },
      gives: json(z.object({ items: z.array(secretSchema) })),
    },
    {
      ...{ method: "post", path: `/v1/secrets/${FLEET_SECRET_NAME}/rotate`, tag },
      summary: "exchange the secret by which servers know nodes' credentials",
      ...{ takes: json(rotation), gives: json(secretSchema), mayWait: true },
    },
    {
      ...{ method: "post", path: "/v1/secrets/reseal", tag, summary: "seal with the newest key what is not" },
      gives: json(done),
    },
  ]);
}
