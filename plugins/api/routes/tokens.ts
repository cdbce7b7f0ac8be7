/** `/v1/tokens`: made and shown once, listed, taken back. @module */

import { z } from "@hono/zod-openapi";
import type { TokenRequest } from "../../../core/access/tokens.ts";
import { placesOf } from "../../../core/access/grants.ts";
import { oneOf, readAs } from "../../../core/management/schema.ts";
import { ROLES } from "../../../core/access/roles.ts";
import type { App } from "../app.ts";
import { gated } from "../approval_gate.ts";
import type { Services } from "../services.ts";
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
}

function requestOf(body: unknown): TokenRequest {
  const { expires, ...rest } = readAs(requestSchema, body);
  return { ...rest, expiresMs: Date.parse(expires) } as TokenRequest;
}
