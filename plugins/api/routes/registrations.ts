/** What nodes say: who they are, that they live, that they leave. See core/registry/protocol.ts. @module */

import type { Context } from "hono";
import type { ChallengeRequest, RegistrationRequest } from "../../../core/registry/protocol.ts";
import { RegistryProblem } from "../../../core/registry/protocol.ts";
import type { Registry } from "../../../core/registry/registry.ts";
import type { App, Env } from "../app.ts";
import type { Services } from "../services.ts";
import { bodyOf } from "./request.ts";

/** Adds the routes. */
export function addRegistrationRoutes(app: App, { registry }: Services): void {
  app.post("/v1/registrations/challenge", async (context) => {
    return context.json(registry.challenge(await bodyOf(context) as ChallengeRequest));
  });
  app.post("/v1/registrations", async (context) => {
    return context.json(await registry.register(await bodyOf(context) as RegistrationRequest), 201, {
      "Cache-Control": "no-store",
    });
  });
  app.put("/v1/nodes/:id/beat", async (context) => {
    return context.json(registry.beat(credentialOf(context), context.req.param("id"), await bodyOf(context)));
  });
  app.delete("/v1/nodes/:id/registration", async (context) => {
    await registry.leave(credentialOf(context), context.req.param("id"));
    return context.body(null, 204);
  });
}

/** The node whose heartbeat a request is, by a credential that counts: only its seal is opened for that. */
export function beatingNode(request: Request, registry: Registry): string | undefined {
  const id = request.method === "PUT" && BEAT.exec(new URL(request.url).pathname)?.[1];
  const credential = BEARER.exec(request.headers.get("authorization") ?? "")?.[1];
  if (!id || credential === undefined) return undefined;
  try {
    const { node } = registry.authenticate(credential);
    return encodeURIComponent(node) === id || node === id ? node : undefined;
  } catch (error) {
    if (error instanceof RegistryProblem) return undefined;
    throw error;
  }
}

const BEAT = /^\/v1\/nodes\/([^/]+)\/beat$/;

const BEARER = /^Bearer +(\S+)$/i;

function credentialOf(context: Context<Env>): string {
  const credential = BEARER.exec(context.req.header("authorization") ?? "")?.[1];
  if (credential !== undefined) return credential;
  throw new RegistryProblem(
    "credential-refused",
    "the registration's credential is wanted: Authorization: Bearer …",
  );
}
