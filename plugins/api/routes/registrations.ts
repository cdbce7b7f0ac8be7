/** What nodes say: who they are, that they live, that they leave. See core/registry/protocol.ts. @module */

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { sourceOf } from "../../../core/access/throttle.ts";
import type { ChallengeRequest, ProblemCode, RegistrationRequest } from "../../../core/registry/protocol.ts";
import { RegistryProblem } from "../../../core/registry/protocol.ts";
import type { Registry } from "../../../core/registry/registry.ts";
import type { App, Env } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { bodyOf } from "./request.ts";

/** Adds the routes. */
export function addRegistrationRoutes(app: App, { registry, refused }: Services): void {
  /** Who is refused is recorded, at most a line a minute: the id is what they say that it is. */
  const recorded = async <T>(context: Context<Env>, node: unknown, run: () => T | Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      if (error instanceof RegistryProblem && RECORDED.has(error.code)) {
        const { host } = sourceOf(context.env.address),
          subject = typeof node === "string" ? shown(node) : undefined;
        refused.add({
          host,
          fault: `${error.code}: ${error.message}`,
          ...subject !== undefined && { subject },
        });
      }
      throw error;
    }
  };
  app.post("/v1/registrations/challenge", async (context) => {
    return context.json(registry.challenge(await bodyOf(context) as ChallengeRequest));
  });
  app.post("/v1/registrations", async (context) => {
    const request = await bodyOf(context) as RegistrationRequest | undefined;
    const registration = await recorded(context, request?.node?.id, () => registry.register(request!));
    return context.json(registration, 201, { "Cache-Control": "no-store" });
  });
  app.put("/v1/nodes/:id/beat", async (context) => {
    return context.json(registry.beat(credentialOf(context), context.req.param("id"), await bodyOf(context)));
  });
  app.delete("/v1/nodes/:id/registration", async (context) => {
    await registry.leave(credentialOf(context), context.req.param("id"));
    return context.body(null, 204);
  });
  describe(app);
}

/** Refusals of who had no right to what they wanted; what is merely spelled wrong, or to be tried again, is none. */
const RECORDED: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  ...[
    "challenge-refused",
    "signature-refused",
    "join-token-wanted",
    "join-token-refused",
    "claimed",
  ] as const,
]);

/** What a stranger says, as a line of a log may have it. */
const shown = (node: string) => `node ${node.slice(0, 64).replaceAll(/[^ -~]/g, "?")}`;

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

const octets = (description: string) => z.string().openapi({ description: `${description}, base64` });

const challengeRequest = z.object({ node: z.string(), key: octets("the public key, Ed25519") });

const registrationRequest = z.object({
  node: z.object({
    ...{ id: z.string(), addresses: z.array(z.string()) },
    location: z.object({ latitude: z.number(), longitude: z.number() }).loose(),
  }).loose().openapi({ description: "as nodes.yaml has it, without what is the operator's to say" }),
  proof: z.object({
    ...{ key: octets("as in the challenge").optional(), challenge: z.string().optional() },
    server: z.string().optional().openapi({ description: "the origin that it believes to speak to" }),
    signature: octets("Ed25519 over what docs/AGENT.md has").optional(),
    joinToken: z.string().optional(),
  }),
});

const lease = z.object({ seconds: z.number(), beatSeconds: z.number() });

const registration = z.object({
  lease,
  ...{ credential: z.string(), credentialSeconds: z.number(), notices: z.array(z.string()) },
});

const beat = z.object({
  load: z.object({ cpu: z.number(), memory: z.number(), network: z.number(), connections: z.number() }),
  ...{ capacity: z.number().optional(), draining: z.boolean().optional() },
  peers: z.array(z.object({ node: z.string(), rttMs: z.number() })).optional(),
});

const beatReply = z.object({
  ...{ leaseUntilMs: z.number(), lease, servers: z.array(z.string()), peers: z.array(z.any()).optional() },
  drainedInMs: z.number().optional(),
  ...{ isAlone: z.boolean().optional(), notice: z.string().optional() },
});

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema }), tag = "registration";
  const REGISTRATIONS = "/v1/registrations", NODE = "/v1/nodes/{id}";
  describeRoutes(app, z.object({ id: z.string() }), [
    {
      ...{ method: "post", path: `${REGISTRATIONS}/challenge`, tag, summary: "ask for something to sign" },
      ...{ takes: json(challengeRequest), gives: json(z.any()), isOpen: true },
    },
    {
      ...{ method: "post", path: REGISTRATIONS, tag, summary: "become a node of the fleet" },
      ...{ takes: json(registrationRequest), gives: json(registration), status: 201, isOpen: true },
    },
    {
      ...{ method: "put", path: `${NODE}/beat`, tag, summary: "a node says that it lives, and how it is" },
      ...{ takes: json(beat), gives: json(beatReply) },
    },
    { method: "delete", path: `${NODE}/registration`, tag, summary: "a node leaves" },
  ]);
}
