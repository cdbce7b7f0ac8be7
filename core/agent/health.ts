/**
 * Where the node itself says how it is, for whoever probes it: HTTP 200 while it takes clients.
 *
 * @module
 */

import type { AgentStatus } from "./agent.ts";
import type { HealthConfig } from "./config.ts";

/**
 * The answer to a request. A node that no server can be told of is well nevertheless: that nobody hears of it is no bad
 * news of it. Only while it drains it wants no clients: 503, or the header where that is preferred.
 */
export function healthResponse(
  request: Request,
  { path, draining }: Pick<HealthConfig, "path" | "draining">,
  status: AgentStatus,
  isDraining: boolean,
): Response {
  if (new URL(request.url).pathname !== path) return new Response("not found\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const headers = new Headers({ "content-type": "application/json", "cache-control": "no-store" });
  if (isDraining && draining === "header") headers.set("meridian-draining", "true");
  const { node, state, heardMs, leaseUntilMs, load } = status;
  const body = JSON.stringify({ node, state: isDraining ? "draining" : state, heardMs, leaseUntilMs, load });
  return new Response(request.method === "HEAD" ? null : `${body}\n`, {
    status: isDraining && draining === "status" ? 503 : 200,
    headers,
  });
}
