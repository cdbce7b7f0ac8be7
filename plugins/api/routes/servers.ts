/** `/v1/servers`, `/v1/status`, `/v1/health`, `/v1/explain`: what servers know and answer. @module */

import { z } from "@hono/zod-openapi";
import { namePart, PREFIXES } from "../../../core/state/keys.ts";
import { objectIn } from "../../../core/state/object_in.ts";
import { ProblemError } from "../../../core/management/problem.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes, type RouteWords } from "./describe.ts";
import { demand } from "./request.ts";

/** Adds the routes. */
export function addServerRoutes(app: App, { scope }: Services): void {
  const { member: { replica } } = scope;
  app.get("/v1/servers", (context) => {
    demand(context, { resource: "servers", verb: "read" });
    const items = Array.from(replica.below(PREFIXES.servers), ({ key, value }) => {
      const { key: publicKey, instance: _, ...server } = objectIn(value) ?? {};
      return { id: namePart(key.slice(PREFIXES.servers.length)), ...server, publicKey };
    });
    return context.json({ items: items.toSorted((a, b) => a.id < b.id ? -1 : 1) });
  });
  app.get("/v1/state", (context) => {
    demand(context, { resource: "state", verb: "read" });
    const { confirmedMs, revision, fault } = replica;
    return context.json({
      store: scope.member.store.name,
      revision,
      ...confirmedMs !== undefined && { confirmedAt: new Date(confirmedMs).toISOString() },
      ...fault && { fault: fault.message },
    });
  });
  app.get("/v1/health", async (context) => {
    demand(context, { resource: "health", verb: "read" });
    const { nodes } = await scope.ask("status") as { nodes: unknown };
    return context.json({ server: scope.configuration.server, items: nodes });
  });
  app.get("/v1/status", async (context) => {
    demand(context, { resource: "health", verb: "read" });
    return context.json(await scope.ask("status") as object);
  });
  app.get("/v1/explain", async (context) => {
    demand(context, { resource: "explain", verb: "read" });
    const { name, type = "A", ...rest } = context.req.query();
    if (name === undefined) {
      throw new ProblemError("malformed", "name: wanted the name to explain: ?name=www.example.org");
    }
    try {
      return context.json(await scope.ask("explain", { name, type, ...rest }) as object);
    } catch (error) {
      throw new ProblemError("malformed", error instanceof Error ? error.message : String(error));
    }
  });
  app.get("/healthz", (context) => context.text("ok\n"));
  describe(app);
}

const serverSchema = z.object({
  id: z.string().openapi({ example: "fra" }),
  ...{ region: z.string().optional(), url: z.string().optional(), version: z.string(), digest: z.string() },
  publicKey: z.string().openapi({ description: "by which it signs the audit log, PEM" }),
}).loose();

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema });
  const get = (
    path: string,
    tag: string,
    summary: string,
    gives: z.ZodType,
    query?: z.ZodObject,
  ): RouteWords => {
    return { method: "get", path, tag, summary, gives: json(gives), ...query && { query } };
  };
  const alive: RouteWords = {
    ...{ method: "get", path: "/healthz", tag: "servers", summary: "whether this interface answers at all" },
    ...{ gives: { "text/plain": z.string() }, isOpen: true },
  };
  const asked = z.object({
    name: z.string().openapi({ example: "www.example.org" }),
    type: z.string().optional().openapi({ description: "A, if not said", example: "AAAA" }),
    client: z.string().optional().openapi({ description: "an address or a network", example: "192.0.2.7" }),
  });
  const state = z.object({
    ...{ store: z.string(), revision: z.number().int() },
    ...{ confirmedAt: z.iso.datetime().optional(), fault: z.string().optional() },
  });
  const health = z.object({ server: z.string(), items: z.array(z.any()) });
  describeRoutes(app, z.object({}), [
    get("/v1/servers", "servers", "the servers that are there", z.object({ items: z.array(serverSchema) })),
    get("/v1/state", "servers", "the store, and how fresh what is known of it", state),
    get("/v1/health", "servers", "what this server's checks say of each node", health),
    get("/v1/status", "servers", "what `meridian status` shows", z.any()),
    get("/v1/explain", "servers", "why a name is answered as it is", z.any(), asked),
    alive,
  ]);
}
