/** `/v1/demand`: what client networks ask for, in versions, of which one is current or none. @module */

import { z } from "@hono/zod-openapi";
import type { Verb } from "../../../core/access/actor.ts";
import {
  currentNumber,
  Demands,
  demandSchema,
  demandText,
  type DemandVersion,
  demandVersionSchema,
} from "../../../core/management/demand.ts";
import { readAs } from "../../../core/management/schema.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { askingOf, bodyOf, demand, pageOf } from "./request.ts";
import { streamOfText } from "./slowly.ts";
import { answer, pageSchema } from "./resources.ts";

const LIST = "/v1/demand", CURRENT = `${LIST}/current`, ONE = `${LIST}/versions/{number}`;
const NETWORKS = `${ONE}/networks`;

const useSchema = z.strictObject({ number: z.number().int().min(1) }).openapi("DemandUse");

/** Adds the routes. */
export function addDemandRoutes(app: App, { management }: Services): void {
  const demands = new Demands(management), reader = management.reader ?? management.store;
  const allow = (context: Parameters<typeof demand>[0], verb: Verb) =>
    demand(context, { resource: "demand", verb });
  const at = (path: string) => path.replaceAll(/\{(\w+)\}/g, ":$1");
  const told = async ({ rows: _, ...version }: DemandVersion) => {
    return { ...version, isCurrent: await currentNumber(reader) === version.number };
  };

  app.get(LIST, async (context) => {
    allow(context, "read");
    const { items, next } = await demands.list(pageOf(context).page);
    return context.json({
      items: await Promise.all(items.map(told)),
      ...next !== undefined && { next },
    });
  });
  app.post(LIST, async (context) => {
    allow(context, "create");
    const { status, value, etag } = await demands.put(await bodyOf(context), askingOf(context));
    const { rows: _, ...version } = value!;
    return answer(context, {
      status,
      value: { ...version, isCurrent: true },
      ...etag !== undefined && { etag },
    });
  });
  app.put(CURRENT, async (context) => {
    allow(context, "update");
    const { number } = readAs(useSchema, await bodyOf(context));
    const { status, value, etag } = await demands.use(number, askingOf(context));
    const { rows: _, ...version } = value!;
    return answer(context, {
      status,
      value: { ...version, isCurrent: true },
      ...etag !== undefined && { etag },
    });
  });
  app.delete(CURRENT, async (context) => {
    allow(context, "update");
    return answer(context, await demands.clear(askingOf(context)));
  });
  app.get(at(ONE), async (context) => {
    allow(context, "read");
    return context.json(await told(await demands.get(Number(context.req.param("number")))));
  });
  app.get(at(NETWORKS), async (context) => {
    allow(context, "read");
    const version = await demands.get(Number(context.req.param("number")));
    return context.body(streamOfText(demandText(reader, version)), 200, {
      "Content-Type": "application/json",
    });
  });
  app.delete(at(ONE), async (context) => {
    allow(context, "delete");
    return answer(context, await demands.remove(Number(context.req.param("number")), askingOf(context)));
  });
  describe(app);
}

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema });
  const page = z.object({ items: z.array(demandVersionSchema), next: z.string().optional() });
  const routes: Omit<Parameters<typeof describeRoutes>[2][number], "tag">[] = [
    {
      ...{ method: "get", path: LIST, summary: "versions of what client networks ask for, the newest first" },
      ...{ query: pageSchema, gives: json(page) },
    },
    {
      ...{ method: "post", path: LIST, summary: "keep a version, and go by it from now on" },
      ...{ takes: json(demandSchema), gives: json(demandVersionSchema), status: 201 },
    },
    {
      ...{ method: "put", path: CURRENT, summary: "go by another version" },
      ...{ takes: json(useSchema), gives: json(demandVersionSchema) },
    },
    { method: "delete", path: CURRENT, summary: "go by none: networks count by their addresses" },
    { method: "get", path: ONE, summary: "a version", gives: json(demandVersionSchema) },
    { method: "get", path: NETWORKS, summary: "the networks of a version", gives: json(demandSchema) },
    { method: "delete", path: ONE, summary: "take a version away that is not the current one" },
  ];
  const params = z.object({ number: z.string().openapi({ example: "3" }) });
  describeRoutes(app, params, routes.map((route) => ({ ...route, tag: "demand" })));
}
