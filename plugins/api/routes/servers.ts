/** `/v1/servers`, `/v1/status`, `/v1/health`, `/v1/explain`: what servers know and answer. @module */

import { namePart, PREFIXES } from "../../../core/state/keys.ts";
import { ProblemError } from "../../../core/management/problem.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { demand } from "./request.ts";

/** Adds the routes. */
export function addServerRoutes(app: App, { scope }: Services): void {
  const { member: { replica } } = scope;
  app.get("/v1/servers", (context) => {
    demand(context, { resource: "servers", verb: "read" });
    const items = Array.from(replica.below(PREFIXES.servers), ({ key, value }) => {
      const { key: publicKey, instance: _, ...server } = JSON.parse(value);
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
}
