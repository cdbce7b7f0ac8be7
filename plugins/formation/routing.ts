/**
 * What all routes have in common: who may, what was sent, and how what fails is told.
 *
 * @module
 */

import type { Context as HonoContext, Hono } from "hono";
import type { Action, Actor } from "../../core/access/actor.ts";
import { AccessError } from "../../core/access/error.ts";
import type { Authenticator } from "../../core/access/authenticate.ts";
import { may } from "../../core/access/roles.ts";
import type { Asking } from "../../core/management/change.ts";
import { ProblemError } from "../../core/management/problem.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";
import type { Log } from "../../core/plugin.ts";
import { parseJson } from "./decode.ts";
import type { ServerStatus } from "./dns_metrics.ts";
import { FormationProblem } from "./json.ts";
import type { ReplyStyle } from "./replies.ts";
import type { FormationService } from "./service.ts";
import type { Resolve } from "./verification.ts";

/** What it works with. */
export interface AppOptions {
  readonly service: FormationService;
  readonly authenticator: Pick<Authenticator, "authenticate">;
  readonly server: string;
  readonly log: Log;
  readonly replies: ReplyStyle;
  readonly resolve: Resolve;
  /** What the control isolate says of itself. */
  status(): Promise<ServerStatus>;
}

/** What comes with a request besides itself. */
export interface Caller {
  /** Where it comes from. */
  readonly address: string;
  /** Whether that is this very machine. */
  readonly isLocal: boolean;
}

/** What routes have at hand. */
export interface Env {
  readonly Bindings: Caller;
  readonly Variables: { actor: Actor };
}

/** The application. */
export type App = Hono<Env>;

/** A request on its way. */
export type Context = HonoContext<Env>;

/** How failures are told; null = nobody knows why. */
export type Tell = (why: string | null) => unknown;

/** The most octets of a body. */
const BODY_MAX = 1 << 20;

/** Runs what a route does, and tells what comes of it; failures too. */
export function route(
  { log }: AppOptions,
  tell: Tell,
  run: (context: Context) => Promise<unknown>,
): (context: Context) => Promise<Response> {
  return async (context) => {
    try {
      return context.json(await run(context) as object);
    } catch (error) {
      if (error instanceof Forbidden || error instanceof AccessError) {
        return context.json(tell(error.message) as object, 403);
      }
      if (error instanceof FormationProblem) return context.json(tell(error.message) as object);
      if (error instanceof ProblemError) return context.json(tell(reasonsOf(error)) as object);
      if (error instanceof StoreUnavailableError) {
        return context.json(tell(`the store cannot be reached: ${error.message}`) as object);
      }
      log.error(`formation: ${context.req.method} ${context.req.path}: ${error}`);
      return context.json(tell(null) as object);
    }
  };
}

function reasonsOf({ problem: { detail, errors = [] } }: ProblemError): string {
  return [detail, ...errors.map(({ pointer, detail }) => `${pointer} ${detail}`)].join("; ");
}

/** What an actor may not do. */
class Forbidden extends Error {}

/** Whoever asks, where they may. @throws {Forbidden} */
export function demand(context: Context, action: Action): Asking {
  const actor = context.get("actor"), { allowed, why } = may(actor, action);
  if (!allowed) throw new Forbidden(why);
  return { actor: actor.id, reason: `${context.req.method} ${context.req.path}` };
}

/** The body as JSON. @throws {FormationProblem} */
export async function bodyOf(context: Context): Promise<unknown> {
  const decoder = new TextDecoder();
  let text = "", octets = 0;
  for await (const chunk of context.req.raw.body ?? []) {
    octets += chunk.length;
    if (octets > BODY_MAX) throw new FormationProblem(`a body may have ${BODY_MAX} octets`);
    text += decoder.decode(chunk, { stream: true });
  }
  return parseJson(text + decoder.decode(), "the body");
}

/** A part of the path. */
export function param(context: Context, name: string): string {
  return context.req.param(name) ?? "";
}
