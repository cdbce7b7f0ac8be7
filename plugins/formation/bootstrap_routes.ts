/**
 * Routes of entry points: form-dns's `/bootstrap/…`.
 *
 * @module
 */

import { decodeBootstrap } from "./decode.ts";
import { statusOf } from "./dns_metrics.ts";
import { bootstrapDone, bootstrapFailed, bootstrapList } from "./replies.ts";
import { type App, type AppOptions, bodyOf, type Context, demand, route } from "./routing.ts";
import type { BootstrapEntry } from "./shapes.ts";

/** Adds them. */
export function addBootstrapRoutes(app: App, options: AppOptions): void {
  const { service, replies } = options;
  const on = (run: (context: Context) => Promise<unknown>) =>
    route(options, (why) => bootstrapFailed(replies, why ?? ""), run);
  app.post(
    "/bootstrap/add",
    on(async (context) => {
      const asking = demand(context, { resource: "nodes", verb: "create" });
      await service.addBootstrap(decodeBootstrap(await bodyOf(context)), asking);
      return bootstrapDone(replies);
    }),
  );
  app.post(
    "/bootstrap/remove",
    on(async (context) => {
      const asking = demand(context, { resource: "nodes", verb: "delete" });
      await service.removeBootstrap(decodeBootstrap(await bodyOf(context)), asking);
      return bootstrapDone(replies);
    }),
  );
  app.get(
    "/bootstrap/list",
    on(async (context) => {
      demand(context, { resource: "nodes", verb: "read" });
      return bootstrapList(replies, service.bootstraps(await healthOfNodes(options)));
    }),
  );
}

/** What checks say of each node, leases among them. Of one in no pool its heartbeats tell. */
async function healthOfNodes(
  { status, service, log }: AppOptions,
): Promise<(id: string) => BootstrapEntry["health_status"]> {
  const checks = new Map<string, { readonly state: string }[]>(), out = new Set<string>();
  try {
    for (const { node, checks: own, operator } of (await status()).nodes) {
      checks.set(node, [...checks.get(node) ?? [], ...own]);
      if (operator !== "up") out.add(node);
    }
  } catch (error) {
    log.warn(`formation: what checks say cannot be told: ${error instanceof Error ? error.message : error}`);
  }
  return (id) => {
    const own = checks.get(id);
    if (own || out.has(id)) return statusOf(own ?? [], out.has(id) ? "down" : "up");
    if (!service.nodes.hasLease(id)) return "unknown";
    return service.heartbeats.isAlive(id) ? "healthy" : "unhealthy";
  };
}
