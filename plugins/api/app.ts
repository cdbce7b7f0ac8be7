/**
 * The interface as one function from request to response: who asks, whether they may, what is done, and what is told where
 * it cannot be.
 *
 *     request ─▶ size, rate ─▶ who ─▶ route: shape ─▶ may they ─▶ operation ─▶ response
 *                  413, 429     401            422        403        problem+json
 *
 * @module
 */

import { OpenAPIHono } from "@hono/zod-openapi";
import type { Actor } from "../../core/access/actor.ts";
import type { PeerCertificate } from "../../core/access/certificates.ts";
import { type Rehearsal, Waiting } from "./approval_gate.ts";
import type { RateLimit } from "./rate_limit.ts";
import { forbidden, problemResponse, refusalResponse, responseOf } from "./problems.ts";
import { addApprovalRoutes } from "./routes/approvals.ts";
import { addAuditRoutes } from "./routes/audit.ts";
import { addConfigurationRoutes } from "./routes/configuration.ts";
import { addDemandRoutes } from "./routes/demand.ts";
import { addDocumentRoutes, DOCUMENTS } from "./routes/documents.ts";
import { addEventRoutes } from "./routes/events.ts";
import { addRecordRoutes } from "./routes/records.ts";
import { addPeerRoutes } from "./routes/peers.ts";
import { addRegistrationRoutes, beatingNode } from "./routes/registrations.ts";
import { addResourceRoutes } from "./routes/resources.ts";
import { addSecretRoutes } from "./routes/secrets.ts";
import { addServerRoutes } from "./routes/servers.ts";
import { addTokenRoutes } from "./routes/tokens.ts";
import { addZoneRoutes } from "./routes/zones.ts";
import type { Services } from "./services.ts";

/** What comes with a request besides itself. */
export interface Caller {
  /** Where it comes from; absent: from the machine itself, through its control socket. */
  readonly address?: string;
  /** What it showed by mutual TLS. */
  readonly certificate?: PeerCertificate;
  /** Who it is, where that is known already. */
  readonly actor?: Actor;
  /** What it would write goes here, and nowhere else. */
  readonly rehearsal?: Rehearsal;
}

/** What routes have at hand. */
export interface Env {
  readonly Bindings: Caller;
  readonly Variables: { actor: Actor; requestId: string; bodyOctetsMax: number };
}

/** The application. */
export type App = OpenAPIHono<Env>;

/** What it takes of a request. */
export interface Limits {
  readonly bodyOctetsMax: number;
  readonly rate: RateLimit;
}

/** Paths at which nobody has to show who they are: nodes show it by what they send. */
const OPEN = new Set([...DOCUMENTS, "/v1/registrations", "/v1/registrations/challenge", "/healthz"]);

/** Paths where a node's own credential counts, which the registry looks at. */
const NODES_OWN = /^\/v1\/nodes\/[^/]+\/(beat|registration)$/;

/** Where zones come and go as files, and what half a million networks ask for. */
const LARGE = /^\/v1\/(zones\/[^/]+\/file|demand)$/;

const LARGE_OCTETS_MAX = 64 * 2 ** 20;

/** Makes it. */
export function makeApp(services: Services, limits: Limits): App {
  const app: App = new OpenAPIHono<Env>({
    // Shapes of bodies are the operations' to look at, which tell every field with the nearest known word.
    defaultHook: (result, context) => result.success ? undefined : problemResponse(context, result.error),
  });
  app.use(async (context, next) => {
    context.set("requestId", crypto.randomUUID());
    const bodyOctetsMax = bodyMaxFor(context.req.path, limits);
    context.set("bodyOctetsMax", bodyOctetsMax);
    context.header("X-Request-Id", context.get("requestId"));
    context.header("X-Content-Type-Options", "nosniff");
    const refused = limitsOf(context.req.raw, context.env, { ...limits, bodyOctetsMax }, services);
    if (refused) return refused;
    await next();
  });
  app.use(async (context, next) => {
    if (OPEN.has(context.req.path) || NODES_OWN.test(context.req.path)) return await next();
    const { actor, address, certificate } = context.env, authorization = context.req.header("authorization");
    const authenticated = actor ? { actor } : await services.authenticator.authenticate({
      ...authorization !== undefined && { authorization },
      ...certificate && { certificate },
      ...address !== undefined && { address },
    });
    if ("refusal" in authenticated) return refusalResponse(authenticated.refusal);
    context.set("actor", authenticated.actor);
    await next();
  });
  app.onError((error, context) => {
    if (!(error instanceof Waiting)) return responseOf(error, services.scope.log, context.get("requestId"));
    const { approval } = error, { id } = approval.request;
    return context.json({ id, ...approval }, 202, { Location: `/v1/approvals/${id}` });
  });
  app.notFound((context) => problemResponse(context, "not-found", `there is nothing at ${context.req.path}`));
  addResourceRoutes(app, services);
  addZoneRoutes(app, services);
  addRecordRoutes(app, services);
  addTokenRoutes(app, services);
  addSecretRoutes(app, services);
  addApprovalRoutes(app, services);
  addRegistrationRoutes(app, services);
  addAuditRoutes(app, services);
  addServerRoutes(app, services);
  addPeerRoutes(app, services);
  addDemandRoutes(app, services);
  addConfigurationRoutes(app, services);
  addEventRoutes(app, services);
  addDocumentRoutes(app);
  return app;
}

/** How large a body may be: a zone file as large as plugin file takes one, since nothing of it is read before it is known by whom. */
function bodyMaxFor(path: string, { bodyOctetsMax }: Limits): number {
  return LARGE.test(path) ? Math.max(bodyOctetsMax, LARGE_OCTETS_MAX) : bodyOctetsMax;
}

function limitsOf(
  request: Request,
  { address }: Caller,
  { bodyOctetsMax, rate }: Limits,
  { registry }: Services,
): Response | undefined {
  if (isFromElsewhere(request)) {
    return forbidden("a page of another site may change nothing here, whatever its reader's browser shows");
  }
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > bodyOctetsMax) {
    return problemResponse(undefined, "too-large", `a body may have ${bodyOctetsMax} octets, not ${length}`);
  }
  const node = beatingNode(request, registry);
  // Who comes through the control socket is the machine's own.
  const waitMs = node !== undefined ? rate.takeBeat(node) : address === undefined ? 0 : rate.take(address);
  if (waitMs === 0) return undefined;
  const seconds = Math.ceil(waitMs / 1000);
  return refusalResponse({
    status: 429,
    headers: { "Retry-After": `${seconds}` },
    why: `too many requests from here: wait ${seconds} s`,
  });
}

/** Whether a browser sends it for a page of another site: with a client certificate it would show that one's. */
function isFromElsewhere({ method, headers }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  return method !== "GET" && method !== "HEAD" && (site === "cross-site" || site === "same-site");
}
