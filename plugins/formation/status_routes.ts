/**
 * Routes that tell whether this lives, and how the DNS fares.
 *
 * @module
 */

import { VERSION } from "../../core/command/version.ts";
import { type DnsMetrics, dnsMetrics, type ServerStatus } from "./dns_metrics.ts";
import { failureWithReason, some } from "./replies.ts";
import { type App, type AppOptions, type Context, demand, route } from "./routing.ts";

/** Adds them. */
export function addStatusRoutes(app: App, options: AppOptions): void {
  const { status, server } = options;
  const on = (run: (context: Context) => Promise<unknown>) =>
    route(options, (why) => failureWithReason(why ?? ""), run);
  for (const prefix of ["/v1", ""]) {
    app.get(`${prefix}/ping`, on(() => Promise.resolve({ ping: "pong" })));
    app.get(`${prefix}/health`, on(() => Promise.resolve({ status: "healthy", version: VERSION })));
  }
  let last: { readonly atMs: number; readonly counters: ServerStatus["counters"] } | undefined;
  app.get(
    "/v1/dns/metrics",
    on(async (context) => {
      demand(context, { resource: "health", verb: "read" });
      const now = await status(), metrics: DnsMetrics = dnsMetrics(server, now, last);
      last = { atMs: now.nowMs, counters: now.counters };
      return some(metrics);
    }),
  );
}
