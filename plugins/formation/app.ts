/**
 * Formation's interfaces over HTTP as one function from request to response: form-dns's, form-state's as far as nodes and
 * records go, and the queue that nodes report through. What fails is told with status 200, as these do; who may not is told
 * with 401, 403 or 429, which these never were.
 *
 * @module
 */

import { Hono } from "hono";
import type { Actor } from "../../core/access/actor.ts";
import { addBootstrapRoutes } from "./bootstrap_routes.ts";
import { addNodeRoutes } from "./node_routes.ts";
import { addRecordRoutes } from "./record_routes.ts";
import { failure, failureWithReason } from "./replies.ts";
import type { App, AppOptions, Context, Env } from "./routing.ts";
import { addStatusRoutes } from "./status_routes.ts";

export type { App, AppOptions } from "./routing.ts";

/** Who asks from the machine itself, as Formation's programs do without saying who they are. */
const LOCAL: Actor = Object.freeze({
  ...{ id: "local:formation", way: "local" as const },
  grants: [{ role: "admin" as const }],
});

/** Makes it. */
export function makeApp(options: AppOptions): App {
  const app: App = new Hono<Env>();
  app.use(async (context, next) => {
    const refused = await admit(context, options);
    if (refused) return refused;
    await next();
  });
  app.notFound((context) => {
    return context.json(failureWithReason(`there is nothing at ${context.req.path} here`), 404);
  });
  addRecordRoutes(app, options);
  addBootstrapRoutes(app, options);
  addNodeRoutes(app, options);
  addStatusRoutes(app, options);
  return app;
}

/**
 * Who asks. What comes from this machine is let in, unless a proxy says that it comes from elsewhere, or a web page has
 * sent it: where a request comes from is not told by its own fields.
 */
async function admit(context: Context, { authenticator }: AppOptions): Promise<Response | undefined> {
  const { address, isLocal } = context.env, field = (name: string) => context.req.header(name);
  if (field("origin") !== undefined || field("sec-fetch-site") !== undefined) {
    return context.json(failure("web pages have no business here"), 403);
  }
  const authorization = field("authorization");
  const isPassedOn = ["forwarded", "x-forwarded-for", "x-real-ip"].some((name) => field(name) !== undefined);
  if (isLocal && !isPassedOn && authorization === undefined) return void context.set("actor", LOCAL);
  const found = await authenticator.authenticate({
    address,
    ...authorization !== undefined && { authorization },
  });
  if ("refusal" in found) {
    const { status, headers, why } = found.refusal;
    return context.json(failure(why), status, { ...headers });
  }
  return void context.set("actor", found.actor);
}
