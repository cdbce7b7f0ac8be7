/**
 * `/v1/configuration`: the versions of the configuration that servers share, which of them is to be run where, and what each
 * server made of it.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Configurations, proposalSchema, type Validate } from "../../../core/management/configuration.ts";
import { ProblemError } from "../../../core/management/problem.ts";
import { type ToApply, toApplySchema } from "../../../core/management/rollout.ts";
import { pointerTo, readAs } from "../../../core/management/schema.ts";
import type { FleetScope } from "../../../core/membership/fleet_half.ts";
import type { App, Env } from "../app.ts";
import { gated } from "../approval_gate.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { askingOf, bodyOf, demand, pageOf } from "./request.ts";
import { answer, pageSchema } from "./resources.ts";

const BASE = "/v1/configuration", VERSIONS = `${BASE}/versions`;

/** What is applied: a version, and to whom. */
const applySchema = toApplySchema.extend({ version: z.number().int().min(1) }).openapi(
  "ConfigurationToApply",
);

/** What may wait for a second person. */
const APPLY = { resource: "configuration", verb: "apply" } as const;

/** Adds the routes. */
export function addConfigurationRoutes(app: App, services: Services): void {
  const { scope, management } = services, validate = validateBy(scope);
  const configurations = new Configurations(management, validate);
  const applying = (context: Context<Env>, body?: unknown) =>
    new Configurations(gated(context, services, [APPLY], { body }), validate);
  const allow = (context: Context<Env>, verb: "read" | "propose" | "apply") =>
    demand(context, { resource: "configuration", verb });

  app.get(BASE, async (context) => {
    allow(context, "read");
    return context.json(await configurations.rollout());
  });
  app.get(VERSIONS, async (context) => {
    allow(context, "read");
    return context.json(await configurations.history(pageOf(context).page));
  });
  app.get(`${VERSIONS}/:number`, async (context) => {
    allow(context, "read");
    return context.json(await configurations.get(Number(context.req.param("number"))));
  });
  app.get(`${BASE}/diff`, async (context) => {
    allow(context, "read");
    const { from, to } = context.req.query();
    return context.text(await configurations.diff(numberIn("from", from), numberIn("to", to)));
  });
  app.post(VERSIONS, async (context) => {
    allow(context, "propose");
    return answer(context, await configurations.propose(await bodyOf(context), askingOf(context)));
  });
  app.post(`${BASE}/validate`, async (context) => {
    allow(context, "propose");
    return context.json(await configurations.validate(await bodyOf(context)));
  });
  app.post(`${BASE}/apply`, async (context) => {
    allow(context, "apply");
    const body = await bodyOf(context), { version, ...to } = readAs(applySchema, body);
    return answer(context, await applying(context, body).apply(version, to as ToApply, askingOf(context)));
  });
  app.post(`${BASE}/rollback`, async (context) => {
    allow(context, "apply");
    return answer(context, await applying(context).rollback(askingOf(context)));
  });
  describe(app);
}

/** What the control isolate says of a problem. */
interface Told {
  readonly file: string;
  readonly message: string;
}

/** Asks the server itself, which reads Corefiles. @throws {ProblemError} `conflict`, where it cannot look at it. */
function validateBy(scope: FleetScope): Validate {
  return async ({ corefile, files }) => {
    const told = await scope.ask("validate", { corefile, files }).catch((error) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new ProblemError("conflict", `this server cannot look at it: ${why}`);
    });
    const { errors, warnings } = told as Readonly<Record<"errors" | "warnings", readonly Told[]>>;
    return {
      errors: errors.map(({ file, message }) => ({
        pointer: Object.hasOwn(files, file) ? pointerTo("files", file) : "/corefile",
        detail: message,
      })),
      warnings: warnings.map(({ message }) => message),
    };
  };
}

/** @throws {ProblemError} `malformed` */
function numberIn(name: string, text: string | undefined): number {
  if (text !== undefined && /^\d{1,12}$/.test(text)) return Number(text);
  throw new ProblemError("malformed", `${name}: wanted the number of a version: ?from=1&to=2`);
}

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema });
  const rollout = z.object({
    current: z.any().optional(),
    stage: z.any().optional(),
    seen: z.record(z.string(), z.any()),
    refused: z.record(z.string(), z.string()),
  });
  const routes: Omit<Parameters<typeof describeRoutes>[2][number], "tag">[] = [
    {
      method: "get",
      path: BASE,
      summary: "which version servers are to run, and what they made of it",
      gives: json(rollout),
    },
    {
      method: "get",
      path: VERSIONS,
      summary: "list versions, the newest first",
      query: pageSchema,
      gives: json(z.object({ items: z.array(z.any()), next: z.string().optional() })),
    },
    {
      method: "post",
      path: VERSIONS,
      summary: "keep a version, which nobody runs yet",
      takes: json(proposalSchema),
      gives: json(z.any()),
      status: 201,
    },
    {
      method: "get",
      path: `${VERSIONS}/{number}`,
      summary: "a version with its texts",
      gives: json(z.any()),
    },
    {
      method: "get",
      path: `${BASE}/diff`,
      summary: "how one version became another; from 0 is from nothing",
      query: z.object({ from: z.string(), to: z.string() }),
      gives: { "text/plain": z.string() },
    },
    {
      method: "post",
      path: `${BASE}/validate`,
      summary: "what is wrong with a version, without keeping it",
      takes: json(proposalSchema),
      gives: json(z.object({ digest: z.string(), warnings: z.array(z.string()) })),
    },
    {
      method: "post",
      path: `${BASE}/apply`,
      summary: "have servers run a version: those named, or all",
      takes: json(applySchema),
      gives: json(z.any()),
      mayWait: true,
    },
    {
      ...{ method: "post", path: `${BASE}/rollback`, summary: "end a trial, else go back" },
      ...{ gives: json(z.any()), mayWait: true },
    },
  ];
  const params = z.object({ number: z.string().openapi({ example: "3" }) });
  describeRoutes(app, params, routes.map((route) => ({ ...route, tag: "configuration" })));
}
