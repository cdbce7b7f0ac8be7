/** `/v1/tokens`: made and shown once, listed, taken back. @module */

import { z } from "@hono/zod-openapi";
import type { TokenRequest } from "../../../core/access/tokens.ts";
import { placesOf } from "../../../core/access/grants.ts";
import { oneOf, readAs } from "../../../core/management/schema.ts";
import { ROLES } from "../../../core/access/roles.ts";
import type { App } from "../app.ts";
import { gated } from "../approval_gate.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { bodyOf, demand } from "./request.ts";

const grantSchema = z.strictObject({
  role: oneOf([...ROLES]),
  pools: z.array(z.string()).optional(),
  zones: z.array(z.string()).optional(),
});

const requestSchema = z.strictObject({
  name: z.string().min(1).max(200).openapi({ example: "ci of the web team" }),
  grants: z.array(grantSchema).min(1),
  expires: z.iso.datetime().openapi({ example: "2027-06-01T00:00:00Z" }),
  person: z.string().optional(),
  node: z.string().optional(),
  join: z.strictObject({
    usesLeft: z.number().int().min(1).max(100_000),
    nodes: z.array(z.string()).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    mayReplace: z.boolean().optional().openapi({
      description: "whether a node may take over an id that is another's",
    }),
  }).optional(),
}).openapi("TokenRequest");

/** Adds the routes. */
export function addTokenRoutes(app: App, services: Services): void {
  const { tokens } = services;
  app.get("/v1/tokens", async (context) => {
    demand(context, { resource: "tokens", verb: "read" });
    return context.json({ items: await tokens.list() });
  });
  app.post("/v1/tokens", async (context) => {
    const body = await bodyOf(context), request = requestOf(body);
    const action = { resource: "tokens", verb: "create", ...placesOf(request.grants) } as const;
    demand(context, action);
    const { ledger } = gated(context, services, [action], { body, isShownOnce: true });
    const { token, view } = await tokens.create(context.get("actor"), request, ledger);
    return context.json({ ...view, token }, 201, { "Cache-Control": "no-store" });
  });
  app.get("/v1/tokens/:id", async (context) => {
    demand(context, { resource: "tokens", verb: "read" });
    return context.json(await tokens.get(context.req.param("id")));
  });
  app.delete("/v1/tokens/:id", async (context) => {
    const reason = context.req.query("reason") ?? "";
    return context.json(await tokens.revoke(context.get("actor"), context.req.param("id"), reason));
  });
  describe(app);
}

function requestOf(body: unknown): TokenRequest {
  const { expires, ...rest } = readAs(requestSchema, body);
  return { ...rest, expiresMs: Date.parse(expires) } as TokenRequest;
}

const tokenSchema = z.object({
  ...{ id: z.string(), name: z.string(), person: z.string().optional() },
  grants: z.array(grantSchema),
  ...{ createdBy: z.string(), createdMs: z.number().int(), expiresMs: z.number().int() },
  revoked: z.object({ by: z.string(), atMs: z.number().int(), reason: z.string() }).loose().optional(),
}).loose().openapi("Token");

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema }), gives = json(tokenSchema);
  const LIST = "/v1/tokens", ONE = "/v1/tokens/{id}", tag = "tokens";
  const made = tokenSchema.extend({
    token: z.string().openapi({ description: "the token itself, which is shown this once" }),
  });
  const query = z.object({ reason: z.string().optional().openapi({ description: "for the audit log" }) });
  describeRoutes(app, z.object({ id: z.string() }), [
    {
      ...{ method: "get", path: LIST, tag, summary: "list tokens: never what is secret of them" },
      gives: json(z.object({ items: z.array(tokenSchema) })),
    },
    {
      ...{ method: "post", path: LIST, tag, summary: "make a token, which the reply alone shows" },
      ...{ takes: json(requestSchema), gives: json(made), status: 201, mayWait: true },
    },
    { method: "get", path: ONE, tag, summary: "one token", gives },
    { method: "delete", path: ONE, tag, summary: "take a token back", query, gives },
  ]);
}
